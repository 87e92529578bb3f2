"""Whatever is sent to the plugin socket: it is answered, the agent lives on, what is refused is not done."""

import asyncio
import json
import zlib
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.functional.door import Door, open_door
from tests.unit.docker import messages

from ovsnet.model.state import State
from ovsnet.settings import Settings

POOL_ID = "ovsnet-local|10.50.0.0/16|10.50.4.0/24"
RECORDED: list[tuple[str, messages.Message]] = [
    *(("NetworkDriver.CreateNetwork", it) for it in messages.CREATE_NETWORK.values()),
    *(("NetworkDriver.CreateEndpoint", it) for it in messages.CREATE_ENDPOINT.values()),
    *(("IpamDriver.RequestPool", it) for it in messages.REQUEST_POOL.values()),
    *(("IpamDriver.RequestAddress", it) for it in messages.request_address(POOL_ID).values()),
    ("NetworkDriver.Join", messages.JOIN),
    ("NetworkDriver.Leave", messages.NAMED),
    ("NetworkDriver.DeleteEndpoint", messages.NAMED),
    ("NetworkDriver.EndpointOperInfo", messages.NAMED),
    ("NetworkDriver.DeleteNetwork", {"NetworkID": messages.NETWORK}),
    ("NetworkDriver.AllocateNetwork", {"NetworkID": messages.SWARM_NETWORK, "Options": {"k": "v"}}),
    ("IpamDriver.ReleasePool", {"PoolID": POOL_ID}),
    ("IpamDriver.ReleaseAddress", {"PoolID": POOL_ID, "Address": "10.50.4.0"}),
]
METHODS = st.sampled_from(sorted({method for method, _ in RECORDED}))

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@st.composite
def bent(draw: st.DrawFn) -> tuple[str, Any]:
    """A recorded message with one of its values, however deep, replaced by anything."""
    method, message = draw(st.sampled_from(RECORDED))
    copy = json.loads(json.dumps(message))
    where: Any = copy
    while True:
        key = draw(st.sampled_from(list(where) if isinstance(where, dict) else range(len(where))))
        inner = where[key]
        if not isinstance(inner, dict | list) or not inner or draw(st.booleans()):
            where[key] = draw(JSON)
            return method, copy
        where = inner


async def prepared(plugin: Door) -> State:
    """One network with a pool, a gateway and an endpoint: something that could be broken."""
    await plugin.done("IpamDriver.RequestPool", messages.REQUEST_POOL["29.7 given"])
    await plugin.done("IpamDriver.RequestAddress", messages.request_address(POOL_ID)["gateway"])
    network = {**messages.CREATE_NETWORK["29.7 with everything"], "Options": {}}
    await plugin.done("NetworkDriver.CreateNetwork", network)
    endpoint = {**messages.NAMED, "Interface": {"Address": "10.50.4.0/16"}, "Options": {}}
    await plugin.done("NetworkDriver.CreateEndpoint", endpoint)
    return plugin.state


async def unharmed(plugin: Door, before: State) -> None:
    """The agent answers, and nothing has changed."""
    assert await plugin.done("Plugin.Activate") == {"Implements": ["NetworkDriver", "IpamDriver"]}
    assert plugin.state == before


async def judge(plugin: Door, method: str, body: bytes) -> None:
    """A call may be refused, and then it has done nothing, or done, and then without a word."""
    before = await prepared(plugin)
    reply = await plugin.send(method, body)
    assert reply.status == 200
    assert "internal error" not in reply.refusal
    await unharmed(plugin, before if reply.refusal else plugin.state)


@given(method=METHODS, message=JSON)
async def test_any_json(method: str, message: object) -> None:
    async with open_door() as plugin:
        await judge(plugin, method, json.dumps(message).encode())


@given(sent=bent())
async def test_recorded_messages_with_one_wrong_value(sent: tuple[str, Any]) -> None:
    async with open_door() as plugin:
        await judge(plugin, sent[0], json.dumps(sent[1]).encode())


@given(method=METHODS, body=st.binary(min_size=1))
async def test_any_bytes_as_a_body(method: str, body: bytes) -> None:
    async with open_door() as plugin:
        await judge(plugin, method, body)


@given(which=st.sampled_from(RECORDED), keep=st.integers(0, 400))
async def test_a_message_that_was_cut_off(which: tuple[str, messages.Message], keep: int) -> None:
    whole = json.dumps(which[1]).encode()
    async with open_door() as plugin:
        before = await prepared(plugin)
        reply = await plugin.send(which[0], whole[: min(keep, len(whole) - 1)])
        assert reply.refusal
        await unharmed(plugin, before)


@given(which=st.sampled_from(RECORDED), keep=st.integers(0, 400))
async def test_a_connection_that_ends_inside_a_body(which: tuple[str, messages.Message], keep: int) -> None:
    whole = json.dumps(which[1]).encode()
    head = f"POST /{which[0]} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(whole)}\r\n\r\n".encode()
    async with open_door() as plugin:
        before = await prepared(plugin)
        await plugin.raw(head + whole[: min(keep, len(whole) - 1)], then_close=True)
        await unharmed(plugin, before)


@given(garbage=st.binary(max_size=2000))
async def test_garbage_instead_of_http(garbage: bytes) -> None:
    async with open_door() as plugin:
        before = await prepared(plugin)
        await plugin.raw(garbage + b"\r\n\r\n", then_close=True)
        await unharmed(plugin, before)


@given(garbage=st.binary(min_size=1, max_size=2000))
async def test_garbage_behind_a_request(garbage: bytes) -> None:
    request = b"POST /NetworkDriver.GetCapabilities HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"
    async with open_door() as plugin:
        before = await prepared(plugin)
        reply = await plugin.raw(request + garbage)
        assert reply.status in (200, 400)
        await unharmed(plugin, before)


async def test_a_request_behind_a_request_is_not_done() -> None:
    """Each connection carries one call, so nothing is ever done that could not be answered."""
    body = json.dumps({"NetworkID": messages.NETWORK}).encode()
    second = f"POST /NetworkDriver.DeleteNetwork HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
    async with open_door() as plugin:
        before = await prepared(plugin)
        first = b"POST /Plugin.Activate HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"
        assert (await plugin.raw(first + second.encode() + body)).status == 200
        await unharmed(plugin, before)


@settings(max_examples=30)
@given(size=st.integers(2049, 200_000), method=METHODS)
async def test_oversized_bodies(size: int, method: str) -> None:
    async with open_door(Settings(max_body=2048)) as plugin:
        before = await prepared(plugin)
        reply = await plugin.send(method, b" " * size)
        assert "larger than 2048 bytes" in reply.refusal
        await unharmed(plugin, before)


async def test_a_body_that_promises_more_than_memory_holds() -> None:
    async with open_door() as plugin:
        before = await prepared(plugin)
        head = b"POST /NetworkDriver.Join HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999\r\n\r\n"
        await plugin.raw(head + b"x" * 100_000, then_close=True)
        await unharmed(plugin, before)


async def test_a_body_that_never_comes_is_given_up() -> None:
    async with open_door(Settings(busy_deadline=0.1)) as plugin:
        before = await prepared(plugin)
        reply = await plugin.raw(b"POST /NetworkDriver.Join HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\n{")
        assert "not done within" in reply.refusal
        await unharmed(plugin, before)


async def test_headers_without_end() -> None:
    async with open_door() as plugin:
        before = await prepared(plugin)
        reply = await plugin.raw(b"POST /Plugin.Activate HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 100_000 + b"\r\n\r\n")
        assert reply.status == 400
        await unharmed(plugin, before)


async def test_a_compressed_bomb_is_refused_by_its_unpacked_size() -> None:
    bomb = zlib.compress(b" " * 50_000_000)
    head = "POST /NetworkDriver.Join HTTP/1.1\r\nHost: x\r\nContent-Encoding: deflate\r\n"
    async with open_door() as plugin:
        before = await prepared(plugin)
        reply = await plugin.raw(f"{head}Content-Length: {len(bomb)}\r\n\r\n".encode() + bomb)
        assert "larger than" in reply.refusal
        await unharmed(plugin, before)


async def test_two_hundred_connections_that_say_nothing_do_not_keep_others_out() -> None:
    async with open_door() as plugin:
        before = await prepared(plugin)
        silent = [await asyncio.open_unix_connection(str(plugin.path)) for _ in range(200)]
        await unharmed(plugin, before)
        for _, writer in silent:
            writer.close()
