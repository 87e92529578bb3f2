"""The client of the engine when there is no engine, or something else where it should be."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from ovsnet.engine.client import Engine
from ovsnet.engine.events import Follower
from ovsnet.engine.facts import EngineFacts, NetworkSpec
from ovsnet.model.errors import ApplyError, Conflict, OvsnetError, Unavailable
from ovsnet.model.ids import NetworkId

Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[Any, Any, None]]


@asynccontextmanager
async def something(path: Path, answer: Answer) -> AsyncIterator[None]:
    """A server at the engine's address that answers in its own way."""
    serving: list[asyncio.Task[Any] | None] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving.append(asyncio.current_task())
        with suppress(ConnectionError):
            await answer(reader, writer)
            writer.close()
            await writer.wait_closed()

    async with await asyncio.start_unix_server(serve, path):
        yield
    for task in serving:
        if task is not None:
            await task


def saying(body: bytes, status: str = "200 OK") -> Answer:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n" % (status.encode(), len(body)) + body)

    return answer


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def complaint(path: Path, *, deadline: float = 5.0) -> str:
    """Why the engine at that address is unavailable."""
    async with Engine(path, deadline=deadline) as engine:
        with pytest.raises(Unavailable) as caught:
            await engine.facts()
        with pytest.raises(Unavailable):
            await engine.version()
        with pytest.raises(Unavailable):
            async with engine.events() as events:
                await anext(events)
    return str(caught.value)


async def test_no_engine_at_all(tmp_path: Path) -> None:
    told = await complaint(tmp_path / "docker.sock")
    assert told.startswith("Docker engine is not available: ")
    assert f"is dockerd running, and is its socket {tmp_path / 'docker.sock'}?" in told


async def test_an_engine_that_never_answers(tmp_path: Path) -> None:
    path = tmp_path / "docker.sock"
    async with something(path, silent):
        assert f"no answer on {path} within 0.2 s" in await complaint(path, deadline=0.2)


async def test_an_engine_that_refuses(tmp_path: Path) -> None:
    path = tmp_path / "docker.sock"
    async with something(path, saying(b'{"message":"no, never"}', "503 Service Unavailable")):
        told = await complaint(path)
    assert "GET /containers/json" in told
    assert '503: {"message":"no, never"}' in told


@pytest.mark.parametrize(
    "nonsense", [b"", b"hello", b"{}", b'[{"Id":7}]', b'[{"Id":"a","NetworkSettings":{"Networks":3}}]']
)
async def test_something_that_is_no_engine(tmp_path: Path, nonsense: bytes) -> None:
    path = tmp_path / "docker.sock"
    async with something(path, saying(nonsense)):
        assert "makes no sense" in await complaint(path)


async def test_an_address_that_is_none(tmp_path: Path) -> None:
    path = tmp_path / "docker.sock"
    item = b'[{"Id":"a","NetworkSettings":{"Networks":{"n":{"EndpointID":"e","IPAddress":"300.1.1.1"}}}}]'
    async with something(path, saying(item)):
        assert "makes no sense" in await complaint(path)


async def test_an_event_without_end_is_not_kept(tmp_path: Path) -> None:
    path = tmp_path / "docker.sock"
    async with something(path, saying(b"x" * (2 << 20))), Engine(path) as engine, engine.events() as events:
        with pytest.raises(Unavailable, match="an event of more than"):
            await anext(events)


async def test_the_follower_tells_once_that_the_engine_is_away(tmp_path: Path) -> None:
    told: list[EngineFacts] = []

    async def take(facts: EngineFacts) -> None:
        told.append(facts)

    attempts = 0
    third = asyncio.Event()

    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal attempts
        attempts += 1
        if attempts == 3:
            third.set()

    path = tmp_path / "docker.sock"
    async with something(path, hang_up), Engine(path) as engine, asyncio.TaskGroup() as tasks:
        following = tasks.create_task(Follower(engine, take).run())
        async with asyncio.timeout(10):
            await third.wait()
        following.cancel()
    assert told == [EngineFacts(complete=False)]


# ---------------------------------------------------------------- changes

SPEC = NetworkSpec("web", "ovsnet", "ovsnet")
WEB_ID = NetworkId("a1" * 32)


async def test_changes_say_that_there_is_no_engine(tmp_path: Path) -> None:
    async with Engine(tmp_path / "docker.sock") as engine:
        for change in (engine.create_network(SPEC), engine.remove_network(WEB_ID), engine.aliases("c1")):
            with pytest.raises(Unavailable, match="is dockerd running"):
                await change


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        ("403 Forbidden", Conflict),
        ("409 Conflict", Conflict),
        ("400 Bad Request", ApplyError),
        ("500 Internal Server Error", ApplyError),
        ("503 Service Unavailable", Unavailable),
    ],
)
async def test_a_refusal_says_whose_fault_it_is_in_the_engines_words(
    tmp_path: Path, status: str, kind: type[OvsnetError]
) -> None:
    path = tmp_path / "docker.sock"
    async with something(path, saying(b'{"message":"no, never"}', status)), Engine(path) as engine:
        with pytest.raises(kind, match="no, never"):
            await engine.create_network(SPEC)
        with pytest.raises(kind, match="no, never"):
            await engine.remove_network(WEB_ID)


async def test_what_is_gone_already_is_removed_and_has_no_names(tmp_path: Path) -> None:
    path = tmp_path / "docker.sock"
    async with something(path, saying(b'{"message":"no such thing"}', "404 Not Found")), Engine(path) as engine:
        await engine.remove_network(WEB_ID)
        assert await engine.aliases("c1") == {}


@pytest.mark.parametrize(
    "network",
    [
        b'{"EndpointID":"e1","Aliases":["www","0123456789ab"]}',
        b'{"EndpointID":"e1","Aliases":["www"],"DNSNames":["web1","www","0123456789ab"]}',
        b'{"EndpointID":"e1","Aliases":null,"DNSNames":["web1","www","0123456789ab"]}',
    ],
)
async def test_the_names_of_a_container_are_read_from_engines_of_any_age(tmp_path: Path, network: bytes) -> None:
    path = tmp_path / "docker.sock"
    body = b'{"Name":"/web1","NetworkSettings":{"Networks":{"shop":%s,"off":{"EndpointID":""},"odd":null}}}' % network
    async with something(path, saying(body)), Engine(path) as engine:
        assert await engine.aliases("c1") == {"e1": ("www", "0123456789ab")}
