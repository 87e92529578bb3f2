"""The plugin socket, spoken to as engines do: raw HTTP, with messages recorded from four engines."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from dataclasses import replace
from ipaddress import ip_address
from typing import Any

import pytest
import pytest_asyncio
from structlog.testing import capture_logs
from tests.functional.door import Door, Reply, door, open_door
from tests.unit.docker import messages

from ovsnet.docker.answers import Answer
from ovsnet.model.addressing import AllocationKind
from ovsnet.model.ids import EndpointId, NetworkId, PoolId
from ovsnet.model.state import Counters, State
from ovsnet.settings import Settings

NETWORK, ENDPOINT = messages.NETWORK, messages.ENDPOINT
SPACE = "ovsnet-local"
GATEWAY = {"RequestAddressType": "com.docker.network.gateway"}
NAMED = messages.NAMED

WITHOUT_BODY = [
    "Plugin.Activate",
    "NetworkDriver.GetCapabilities",
    "NetworkDriver.GwAllocCheck",
    "NetworkDriver.DiscoverNew",
    "NetworkDriver.DiscoverDelete",
    "IpamDriver.GetCapabilities",
    "IpamDriver.GetDefaultAddressSpaces",
]
WITH_BODY = [
    "NetworkDriver.CreateNetwork",
    "NetworkDriver.DeleteNetwork",
    "NetworkDriver.AllocateNetwork",
    "NetworkDriver.FreeNetwork",
    "NetworkDriver.CreateEndpoint",
    "NetworkDriver.DeleteEndpoint",
    "NetworkDriver.EndpointOperInfo",
    "NetworkDriver.Join",
    "NetworkDriver.Leave",
    "NetworkDriver.ProgramExternalConnectivity",
    "NetworkDriver.RevokeExternalConnectivity",
    "IpamDriver.RequestPool",
    "IpamDriver.ReleasePool",
    "IpamDriver.RequestAddress",
    "IpamDriver.ReleaseAddress",
]


@pytest_asyncio.fixture
async def plugin() -> AsyncIterator[Door]:
    async with open_door() as it:
        yield it


def facts(state: State) -> State:
    """A state without what only ever grows."""
    return replace(state, revision=0, counters=Counters())


async def create_network(plugin: Door, **changes: object) -> str:
    """`docker network create --subnet 10.60.0.0/24 --ipv6 --subnet fd00:60::/64`; returns the IPv4 pool."""
    pools = []
    for subnet, v6 in (("10.60.0.0/24", False), ("fd00:60::/64", True)):
        asked = {"AddressSpace": SPACE, "Pool": subnet, "SubPool": "", "Options": {}, "V6": v6}
        pool = await plugin.done("IpamDriver.RequestPool", asked)
        gateway = await plugin.done(
            "IpamDriver.RequestAddress", {"PoolID": pool["PoolID"], "Address": "", "Options": GATEWAY}
        )
        pools.append({"AddressSpace": SPACE, "Pool": pool["Pool"], "Gateway": gateway["Address"]})
    await plugin.done(
        "NetworkDriver.CreateNetwork",
        {
            "NetworkID": NETWORK,
            "Options": {"com.docker.network.generic": {"egress": "none"}},
            "IPv4Data": pools[:1],
            "IPv6Data": pools[1:],
            **changes,
        },
    )
    return f"{SPACE}|10.60.0.0/24|"


async def remove_network(plugin: Door) -> None:
    """`docker network rm`, in the engine's order: addresses, pools, and the network last."""
    for subnet, gateway in (("10.60.0.0/24", "10.60.0.1"), ("fd00:60::/64", "fd00:60::1")):
        pool_id = f"{SPACE}|{subnet}|"
        await plugin.done("IpamDriver.ReleaseAddress", {"PoolID": pool_id, "Address": gateway})
        await plugin.done("IpamDriver.ReleasePool", {"PoolID": pool_id})
    await plugin.done("NetworkDriver.DeleteNetwork", {"NetworkID": NETWORK})


async def start_container(plugin: Door, pool_id: str, name: str = "", number: int = 0) -> tuple[str, dict[str, Any]]:
    """RequestAddress, CreateEndpoint, Join; returns the address and the answer to CreateEndpoint."""
    options = {"com.docker.network.endpoint.name": name} if name else None
    asked = {"PoolID": pool_id, "Address": "", "Options": options}
    address = (await plugin.done("IpamDriver.RequestAddress", asked))["Address"]
    ids = {"NetworkID": NETWORK, "EndpointID": f"{number:064x}"}
    interface = {"Address": address, "AddressIPv6": "", "MacAddress": ""}
    ports: dict[str, Any] = {"com.docker.network.endpoint.exposedports": [], "com.docker.network.portmap": []}
    created = await plugin.done("NetworkDriver.CreateEndpoint", {**ids, "Interface": interface, "Options": ports})
    await plugin.done("NetworkDriver.Join", {**ids, "SandboxKey": messages.SANDBOX, "Options": ports})
    return address, created


# -------------------------------------------------------------- handshake


async def test_activation_names_both_roles(plugin: Door) -> None:
    assert await plugin.done("Plugin.Activate") == {"Implements": ["NetworkDriver", "IpamDriver"]}


async def test_capabilities_are_constant_and_need_nothing(plugin: Door) -> None:
    for _ in range(3):
        scopes = await plugin.done("NetworkDriver.GetCapabilities")
        assert scopes == {"Scope": "local", "ConnectivityScope": ""}
        needs = await plugin.done("IpamDriver.GetCapabilities")
        assert needs == {"RequiresMACAddress": False, "RequiresRequestReplay": False}


async def test_address_spaces_are_constant_and_two(plugin: Door) -> None:
    spaces = await plugin.done("IpamDriver.GetDefaultAddressSpaces")
    assert spaces == {
        "LocalDefaultAddressSpace": "ovsnet-local",
        "GlobalDefaultAddressSpace": "ovsnet-global",
    }


async def test_the_oldest_engine_sends_an_empty_host(plugin: Door) -> None:
    reply = await plugin.call("Plugin.Activate", host="")
    assert (reply.status, reply.refusal) == (200, "")


async def test_the_content_type_does_not_matter(plugin: Door) -> None:
    body = b'{"NetworkID": "abc"}'
    head = f"POST /NetworkDriver.DeleteNetwork HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n"
    reply = await plugin.raw(head.encode() + b"Content-Type: text/html; charset=utf-16\r\n\r\n" + body)
    assert (reply.status, reply.body) == (200, {})


# ----------------------------------------------------- what a user action causes

STARTS = {
    "20.10": ["ProgramExternalConnectivity", "EndpointOperInfo", "EndpointOperInfo"],
    "28.5": ["ProgramExternalConnectivity", "EndpointOperInfo"],
    "29.7": ["EndpointOperInfo"],
}
STOPS = {
    "20.10": ["RevokeExternalConnectivity", "Leave", "DeleteEndpoint"],
    "28.5": ["RevokeExternalConnectivity", "Leave", "DeleteEndpoint"],
    "29.7 failed join": ["Leave", "Leave", "DeleteEndpoint"],
    "28.5 failed join": ["DeleteEndpoint"],
    "revoke never comes": ["Leave", "DeleteEndpoint"],
}


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("stop", STOPS)
async def test_a_containers_life_leaves_nothing(plugin: Door, start: str, stop: str) -> None:
    """All orders engines end an endpoint in; afterwards only the address is remembered, as resting."""
    pool_id = await create_network(plugin)
    ids = {"NetworkID": NETWORK, "EndpointID": f"{0:064x}"}
    address, _ = await start_container(plugin, pool_id)
    for call in STARTS[start]:
        await plugin.done(f"NetworkDriver.{call}", ids)
    for call in STOPS[stop]:
        await plugin.done(f"NetworkDriver.{call}", ids)
    ip = address.split("/")[0]
    await plugin.done("IpamDriver.ReleaseAddress", {"PoolID": pool_id, "Address": ip})
    assert plugin.state.endpoints == {}
    rest = plugin.state.allocations[(PoolId(pool_id), ip_address(ip))]
    assert not rest.held
    await remove_network(plugin)
    assert facts(plugin.state) == State()


async def test_every_call_twice_gives_the_same_state_as_once(plugin: Door) -> None:
    """The engine repeats a call it could not deliver; what was delivered must not be done twice."""
    pool_id = await create_network(plugin)
    create: dict[str, Any] = {
        "NetworkID": NETWORK,
        "Options": {"com.docker.network.generic": {"egress": "none"}},
    }
    create |= {
        "IPv4Data": [{"Pool": "10.60.0.0/24", "Gateway": "10.60.0.1/24"}],
        "IPv6Data": [{"Pool": "fd00:60::/64", "Gateway": "fd00:60::1/64"}],
    }
    address = {
        "PoolID": pool_id,
        "Address": "",
        "Options": {"com.docker.network.endpoint.name": "c1"},
    }
    calls: list[tuple[str, dict[str, Any]]] = [
        ("NetworkDriver.CreateNetwork", create),
        ("IpamDriver.RequestAddress", {"PoolID": pool_id, "Address": "10.60.0.1", "Options": GATEWAY}),
        ("IpamDriver.RequestAddress", address),
        ("NetworkDriver.CreateEndpoint", {**NAMED, "Interface": {"Address": "10.60.0.2/24"}, "Options": {}}),
        ("NetworkDriver.Join", messages.JOIN),
        ("NetworkDriver.ProgramExternalConnectivity", NAMED),
        ("NetworkDriver.EndpointOperInfo", NAMED),
        ("NetworkDriver.RevokeExternalConnectivity", NAMED),
        ("NetworkDriver.Leave", NAMED),
        ("NetworkDriver.DeleteEndpoint", NAMED),
        ("IpamDriver.ReleaseAddress", {"PoolID": pool_id, "Address": "10.60.0.2"}),
        ("IpamDriver.ReleasePool", {"PoolID": pool_id}),
        ("NetworkDriver.DeleteNetwork", {"NetworkID": NETWORK}),
    ]
    for method, message in calls:
        first, after = await plugin.done(method, message), plugin.state
        assert await plugin.done(method, message) == first, method
        assert facts(plugin.state) == facts(after), method


@pytest.mark.parametrize(
    ("method", "message"),
    [
        ("NetworkDriver.DeleteNetwork", {"NetworkID": NETWORK}),
        ("NetworkDriver.Leave", NAMED),
        ("NetworkDriver.DeleteEndpoint", NAMED),
        ("NetworkDriver.RevokeExternalConnectivity", NAMED),
        ("NetworkDriver.EndpointOperInfo", NAMED),
        ("IpamDriver.ReleaseAddress", {"PoolID": "nobody's", "Address": "10.1.1.1"}),
        ("IpamDriver.ReleasePool", {"PoolID": "nobody's"}),
    ],
)
async def test_ending_something_unknown_succeeds(plugin: Door, method: str, message: dict[str, Any]) -> None:
    await plugin.done(method, message)
    assert plugin.state == State()


async def test_a_network_goes_with_the_endpoints_the_engine_forgot(plugin: Door) -> None:
    pool_id = await create_network(plugin)
    await start_container(plugin, pool_id)
    await remove_network(plugin)
    assert facts(plugin.state) == State()


async def test_swarm_networks_come_and_go_under_one_id(plugin: Door) -> None:
    message = messages.CREATE_NETWORK["swarm"] | {"Options": {"com.docker.network.generic": {}}}
    for _ in range(2):
        await plugin.done("NetworkDriver.CreateNetwork", message)
        assert list(plugin.state.networks) == [NetworkId(messages.SWARM_NETWORK)]
        await plugin.done("NetworkDriver.DeleteNetwork", {"NetworkID": messages.SWARM_NETWORK})
    assert facts(plugin.state) == State()


async def test_a_network_of_the_null_ipam_driver_is_layer_two_only(plugin: Door) -> None:
    await plugin.done("NetworkDriver.CreateNetwork", messages.CREATE_NETWORK["null IPAM driver"])
    created = await plugin.done("NetworkDriver.CreateEndpoint", messages.CREATE_ENDPOINT["layer 2 only"])
    assert set(created["Interface"]) == {"MacAddress"}
    assert not plugin.state.networks[NetworkId(NETWORK)].addressed


# -------------------------------------------------------- endpoints and MACs


async def test_a_mac_is_answered_when_the_user_gave_none(plugin: Door) -> None:
    pool_id = await create_network(plugin)
    _, created = await start_container(plugin, pool_id)
    endpoint = plugin.state.endpoints[EndpointId(f"{0:064x}")]
    assert created == {"Interface": {"MacAddress": endpoint.mac}}


async def test_a_mac_the_user_gave_is_used_and_not_repeated(plugin: Door) -> None:
    await create_network(plugin)
    message = messages.CREATE_ENDPOINT["everything asked for"]
    assert await plugin.done("NetworkDriver.CreateEndpoint", message) == {"Interface": {}}
    assert plugin.state.endpoints[EndpointId(ENDPOINT)].mac == "02:42:aa:bb:cc:dd"


async def test_macs_are_never_used_again(plugin: Door) -> None:
    pool_id = await create_network(plugin)
    seen = set()
    for number in range(1, 6):
        _, created = await start_container(plugin, pool_id, number=number)
        seen.add(created["Interface"]["MacAddress"])
        await plugin.done("NetworkDriver.DeleteEndpoint", {"NetworkID": NETWORK, "EndpointID": f"{number:064x}"})
    assert len(seen) == 5


async def test_the_order_of_ports_does_not_matter(plugin: Door) -> None:
    await create_network(plugin)
    message = json.loads(json.dumps(messages.CREATE_ENDPOINT["everything asked for"]))
    first = await plugin.done("NetworkDriver.CreateEndpoint", message)
    message["Options"]["com.docker.network.endpoint.exposedports"].reverse()
    assert await plugin.done("NetworkDriver.CreateEndpoint", message) == first


async def test_an_interface_name_asked_for_is_told_to_be_ignored(plugin: Door) -> None:
    await create_network(plugin)
    options = {"com.docker.network.endpoint.ifname": "lan0"}
    with capture_logs() as logs:
        await plugin.done("NetworkDriver.CreateEndpoint", {**NAMED, "Interface": None, "Options": options})
    warnings = [it for it in logs if it["log_level"] == "warning"]
    assert [it["ifname"] for it in warnings] == ["lan0"]


async def test_a_join_gives_a_name_that_fits_into_fifteen_characters(plugin: Door) -> None:
    pool_id = await create_network(plugin)
    await start_container(plugin, pool_id)
    ids = {"NetworkID": NETWORK, "EndpointID": f"{0:064x}"}
    joined = await plugin.done("NetworkDriver.Join", {**ids, "SandboxKey": messages.SANDBOX, "Options": {}})
    assert len(joined["InterfaceName"]["SrcName"]) <= 15
    assert len(joined["InterfaceName"]["DstPrefix"] + "000") <= 15
    assert "StaticRoutes" not in joined
    assert "DstName" not in joined["InterfaceName"]


async def test_a_join_does_not_need_the_namespace_to_be_there(plugin: Door) -> None:
    """Engines before 28 make the namespace of a starting container after Join."""
    await create_network(plugin)
    await plugin.done("NetworkDriver.CreateEndpoint", {**NAMED, "Interface": None, "Options": {}})
    assert not os.path.exists(messages.SANDBOX)  # noqa: ASYNC240 - once, and nothing else waits
    await plugin.done("NetworkDriver.Join", messages.JOIN)
    assert plugin.state.endpoints[EndpointId(ENDPOINT)].sandbox == messages.SANDBOX


async def test_a_join_needs_a_path_to_the_namespace(plugin: Door) -> None:
    await create_network(plugin)
    await plugin.done("NetworkDriver.CreateEndpoint", {**NAMED, "Interface": None, "Options": {}})
    for key in ("", "netns/9a7ce0cf62f6", "/var/run/\0/x"):
        reply = await plugin.call("NetworkDriver.Join", {**messages.JOIN, "SandboxKey": key})
        assert "SandboxKey is not an absolute path" in reply.refusal


async def test_ports_that_will_not_be_published_are_told(plugin: Door) -> None:
    """The network has no way out, so that the engine drops `-p` without a word."""
    await create_network(plugin)
    await plugin.done("NetworkDriver.CreateEndpoint", {**NAMED, "Interface": None, "Options": {}})
    ports = [{"Proto": 6, "IP": "", "Port": 80, "HostIP": "", "HostPort": 8080, "HostPortEnd": 8080}]
    with capture_logs() as logs:
        await plugin.done("NetworkDriver.Join", messages.JOIN)
        await plugin.done("NetworkDriver.Join", {**messages.JOIN, "Options": {"com.docker.network.portmap": ports}})
    assert [it["ports"] for it in logs if it["log_level"] == "warning"] == ["8080"]


async def test_an_internal_network_gets_no_gateway_route(plugin: Door) -> None:
    options = {"com.docker.network.internal": True, "com.docker.network.generic": {}}
    pool_id = await create_network(plugin, Options=options)
    await start_container(plugin, pool_id)
    ids = {"NetworkID": NETWORK, "EndpointID": f"{0:064x}"}
    joined = await plugin.done("NetworkDriver.Join", {**ids, "SandboxKey": messages.SANDBOX, "Options": {}})
    assert "Gateway" not in joined
    assert "GatewayIPv6" not in joined


async def test_swarm_gets_back_the_options_it_sent(plugin: Door) -> None:
    asked: dict[str, Any] = {
        "NetworkID": messages.SWARM_NETWORK,
        "Options": {"mtu": "1400"},
        "IPv4Data": [],
        "IPv6Data": None,
    }
    assert await plugin.done("NetworkDriver.AllocateNetwork", asked) == {"Options": {"mtu": "1400"}}
    await plugin.done("NetworkDriver.FreeNetwork", {"NetworkID": messages.SWARM_NETWORK})


async def test_discoveries_are_heard_and_ignored(plugin: Door) -> None:
    node = {"Address": "198.51.100.2", "BindAddress": "198.51.100.2", "Self": True}
    for method in ("DiscoverNew", "DiscoverDelete"):
        assert await plugin.done(f"NetworkDriver.{method}", {"DiscoveryType": 1, "DiscoveryData": node}) == {}


async def test_the_gateway_check_skips_nothing(plugin: Door) -> None:
    asked = {"Options": {"com.docker.network.enable_ipv4": True, "com.docker.network.generic": {}}}
    skips = await plugin.done("NetworkDriver.GwAllocCheck", asked)
    assert skips == {"SkipIPv4": False, "SkipIPv6": False}


# -------------------------------------------------------------------- IPAM


async def test_any_pool_is_a_different_one_each_time(plugin: Door) -> None:
    """The engine asks again while it does not like the answer, and would ask for ever."""
    asked = messages.REQUEST_POOL["20.10 any"]
    pools = await asyncio.gather(*(plugin.done("IpamDriver.RequestPool", asked) for _ in range(40)))
    assert len({it["Pool"] for it in pools}) == 40
    for pool in pools:
        await plugin.done("IpamDriver.ReleasePool", {"PoolID": pool["PoolID"]})
    assert facts(plugin.state) == State()


async def test_a_pool_of_either_family_without_a_subnet(plugin: Door) -> None:
    four = await plugin.done("IpamDriver.RequestPool", messages.REQUEST_POOL["20.10 any"])
    six = await plugin.done("IpamDriver.RequestPool", messages.REQUEST_POOL["29.7 any IPv6"])
    assert four["Pool"] == "10.192.0.0/20"
    assert six["Pool"].startswith("fd")
    assert six["Pool"].endswith("/64")


async def test_addresses_of_every_form_a_request_has(plugin: Door) -> None:
    pool = await plugin.done("IpamDriver.RequestPool", messages.REQUEST_POOL["29.7 given"])
    got = {
        form: (await plugin.done("IpamDriver.RequestAddress", message))["Address"]
        for form, message in messages.request_address(pool["PoolID"]).items()
    }
    assert got == {
        "gateway": "10.50.0.1/16",
        "aux": "10.50.4.9/16",
        "28 endpoint": "10.50.4.0/16",
        "29 endpoint": "10.50.4.1/16",
        "with MAC": "10.50.4.2/16",
        "swarm": "10.50.4.3/16",
    }
    kinds = {str(it.address): it.kind for it in plugin.state.allocations.values()}
    assert kinds["10.50.0.1"] is AllocationKind.GATEWAY
    assert kinds["10.50.4.9"] is AllocationKind.RESERVED


async def test_gateway_outside_the_range_is_accepted(plugin: Door) -> None:
    pool = await plugin.done("IpamDriver.RequestPool", messages.REQUEST_POOL["29.7 given"])
    asked = {"PoolID": pool["PoolID"], "Address": "10.50.255.254", "Options": GATEWAY}
    assert (await plugin.done("IpamDriver.RequestAddress", asked))["Address"] == "10.50.255.254/16"


async def test_fifty_addresses_at_once_are_fifty(plugin: Door) -> None:
    pool_id = await create_network(plugin)
    started = await asyncio.gather(*(start_container(plugin, pool_id, number=it) for it in range(1, 51)))
    assert len({address for address, _ in started}) == 50
    assert len({created["Interface"]["MacAddress"] for _, created in started}) == 50


async def test_a_full_subnet_fails_the_start_and_keeps_the_rest(plugin: Door) -> None:
    asked = {"AddressSpace": SPACE, "Pool": "10.61.0.0/29", "SubPool": "", "Options": {}, "V6": False}
    pool_id = (await plugin.done("IpamDriver.RequestPool", asked))["PoolID"]
    wanted = {"PoolID": pool_id, "Address": "", "Options": None}
    for _ in range(6):
        await plugin.done("IpamDriver.RequestAddress", wanted)
    before = plugin.state
    reply = await plugin.call("IpamDriver.RequestAddress", wanted)
    assert (reply.status, "10.61.0.0/29 is full: all of its 6" in reply.refusal) == (200, True)
    assert plugin.state == before


async def test_a_taken_address_is_refused_with_the_holders_name(plugin: Door) -> None:
    pool_id = await create_network(plugin)
    address, _ = await start_container(plugin, pool_id, name="db1")
    asked = {"PoolID": pool_id, "Address": address.split("/")[0], "Options": None}
    reply = await plugin.call("IpamDriver.RequestAddress", asked)
    assert "held by container db1" in reply.refusal


async def test_the_same_subnet_may_be_used_in_both_address_spaces(plugin: Door) -> None:
    asked = messages.REQUEST_POOL["29.7 given"]
    local = await plugin.done("IpamDriver.RequestPool", asked)
    shared = await plugin.done("IpamDriver.RequestPool", {**asked, "AddressSpace": "ovsnet-global"})
    for pool in (local, shared):
        wanted = {"PoolID": pool["PoolID"], "Address": "10.50.4.7", "Options": None}
        assert (await plugin.done("IpamDriver.RequestAddress", wanted))["Address"] == "10.50.4.7/16"


async def test_a_creation_that_broke_off_is_undone_by_releasing_its_pool(plugin: Door) -> None:
    """RequestPool and the gateway were asked for, then CreateNetwork was refused."""
    pool = await plugin.done("IpamDriver.RequestPool", messages.REQUEST_POOL["29.7 given"])
    gateway = {"PoolID": pool["PoolID"], "Address": "", "Options": GATEWAY}
    await plugin.done("IpamDriver.RequestAddress", gateway)
    refused = await plugin.call(
        "NetworkDriver.CreateNetwork",
        messages.CREATE_NETWORK["20.10 plain"] | {"Options": {"com.docker.network.generic": {"colour": "red"}}},
    )
    assert "'colour' is not known" in refused.refusal
    await plugin.done("IpamDriver.ReleasePool", {"PoolID": pool["PoolID"]})
    assert facts(plugin.state) == State()


# ------------------------------------------------------------------ refusals


@pytest.mark.parametrize("method", WITH_BODY)
async def test_a_repeated_call_without_its_body_changes_nothing(plugin: Door, method: str) -> None:
    await create_network(plugin)
    before = plugin.state
    reply = await plugin.call(method)
    assert (reply.status, "has no body" in reply.refusal) == (200, True)
    assert plugin.state == before


async def test_every_call_of_the_protocol_is_known(plugin: Door) -> None:
    assert set(plugin.calls) | {"Plugin.Activate"} == {*WITH_BODY, *WITHOUT_BODY}
    for method in WITHOUT_BODY:
        await plugin.done(method)


@pytest.mark.parametrize("method", ["NetworkDriver.Since31", "", "VolumeDriver.Create", "%00", "../../etc/passwd"])
async def test_an_unknown_call_is_not_found(plugin: Door, method: str) -> None:
    reply = await plugin.call(method, {})
    assert (reply.status, "is not implemented" in reply.refusal) == (404, True)


async def test_only_post_is_a_call(plugin: Door) -> None:
    reply = await plugin.raw(b"GET /Plugin.Activate HTTP/1.1\r\nHost: x\r\n\r\n")
    assert (reply.status, "GET" in reply.refusal) == (404, True)


async def test_a_body_that_is_too_large_is_refused_with_the_limit() -> None:
    async with open_door(Settings(max_body=2048)) as plugin:
        fits = {"NetworkID": "abc", "padding": "x" * 1900}
        await plugin.done("NetworkDriver.DeleteNetwork", fits)
        reply = await plugin.call("NetworkDriver.DeleteNetwork", {**fits, "padding": "x" * 4000})
        assert (reply.status, "larger than 2048 bytes" in reply.refusal) == (200, True)
        await plugin.done("NetworkDriver.DeleteNetwork", fits)


async def test_an_error_of_ours_is_answered_and_logged_with_its_place() -> None:
    async def broken(_: bytes) -> Answer:
        raise ZeroDivisionError("nobody thought of this")

    async with door() as plugin:
        server = await plugin.serve({"NetworkDriver.Join": broken})
        with capture_logs() as logs:
            reply = await plugin.call("NetworkDriver.Join", messages.JOIN)
        await server.stop()
    assert "internal error of ovsnet (ZeroDivisionError: nobody thought of this)" in reply.refusal
    assert any(it["log_level"] == "error" and it.get("exc_info") for it in logs)


async def test_a_call_that_hangs_is_given_up_by_its_deadline() -> None:
    async def hanging(_: bytes) -> Answer:
        await asyncio.Event().wait()
        raise AssertionError

    async with door(Settings(busy_deadline=0.1)) as plugin:
        server = await plugin.serve({"NetworkDriver.Join": hanging})
        reply = await plugin.call("NetworkDriver.Join", messages.JOIN)
        await server.stop()
    assert reply.refusal.startswith("not done within 0.1 seconds")


async def test_calls_are_logged_with_their_short_ids(plugin: Door) -> None:
    with capture_logs() as logs:
        await plugin.done("NetworkDriver.Leave", NAMED)
        await plugin.call("NetworkDriver.Join", NAMED)
    done, refused = logs
    assert (done["log_level"], done["call"]) == ("debug", "NetworkDriver.Leave")
    assert (done["network"], done["endpoint"]) == (NETWORK[:12], ENDPOINT[:12])
    assert done["ms"] >= 0
    assert (refused["log_level"], "SandboxKey" in refused["reason"]) == ("warning", True)


# ------------------------------------------------------- the socket and its life


async def test_each_answer_closes_its_connection(plugin: Door) -> None:
    reply = await plugin.call("Plugin.Activate")
    assert "connection: close" in reply.headers.lower()


async def test_a_call_in_progress_is_answered_before_the_agent_goes() -> None:
    entered, leave = asyncio.Event(), asyncio.Event()

    async def slow(_: bytes) -> Answer:
        entered.set()
        await leave.wait()
        return Answer()

    async with door() as plugin:
        server = await plugin.serve({"NetworkDriver.Join": slow})
        async with asyncio.TaskGroup() as tasks:
            call = tasks.create_task(plugin.call("NetworkDriver.Join", messages.JOIN))
            await entered.wait()
            tasks.create_task(server.stop())
            await asyncio.sleep(0)
            leave.set()
    assert (call.result().status, call.result().body) == (200, {})


async def test_a_join_that_waits_for_a_slow_host_is_answered_before_the_agent_goes() -> None:
    entered = asyncio.Event()

    async def hanging(_: bytes) -> Answer:
        entered.set()
        await asyncio.Event().wait()
        raise AssertionError

    async with door(Settings(attach_deadline=0.1, busy_deadline=100)) as plugin:
        server = await plugin.serve({"NetworkDriver.Join": hanging})
        async with asyncio.TaskGroup() as tasks:
            call = tasks.create_task(plugin.call("NetworkDriver.Join", messages.JOIN))
            await entered.wait()
            await server.stop()
    assert "the agent is being stopped" in call.result().refusal


async def test_a_connection_that_was_just_made_is_answered_before_the_agent_goes() -> None:
    async with door() as plugin:
        server = await plugin.serve()
        reader, writer = await asyncio.open_unix_connection(str(plugin.path))
        await plugin.done("Plugin.Activate")  # comes after the first connection, so that one is accepted by now
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(server.stop())
            await asyncio.sleep(0)
            writer.write(b"POST /Plugin.Activate HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
            answer = await reader.read()
        writer.close()
    assert b"200 OK" in answer


async def test_a_connection_that_says_nothing_does_not_keep_the_agent() -> None:
    async with door() as plugin:
        server = await plugin.serve()
        reader, writer = await asyncio.open_unix_connection(str(plugin.path))
        await plugin.done("Plugin.Activate")
        async with asyncio.timeout(10):
            await server.stop()
            assert await reader.read() == b""
        writer.close()


async def test_calls_made_while_no_agent_runs_wait_for_the_next_one() -> None:
    async with door() as plugin:
        await (await plugin.serve()).stop()
        async with asyncio.TaskGroup() as tasks:
            waiting = [tasks.create_task(plugin.call("Plugin.Activate")) for _ in range(30)]
            await asyncio.sleep(0)
            server = await plugin.serve()
        await server.stop()
    assert all(it.result().status == 200 for it in waiting)


async def test_a_client_that_goes_away_does_not_undo_its_call() -> None:
    async with open_door() as plugin:
        body = json.dumps(messages.CREATE_NETWORK["20.10 plain"]).encode()
        head = f"POST /NetworkDriver.CreateNetwork HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
        changed = asyncio.Event()
        plugin.store.watch(changed.set)
        gone = await plugin.raw(head.encode() + body, then_close=True)
        async with asyncio.timeout(10):
            await changed.wait()
        assert gone == Reply(closed=True)
        assert list(plugin.state.networks) == [NetworkId(NETWORK)]
