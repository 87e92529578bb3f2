"""What hosts share, kept in memory and in a real database of a real RAFT server: the same values, the same rules."""

import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from importlib.resources import files
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.contract.store_values import labels, macs, nets4, nets6, options, texts, times, v4, v6
from tests.functional.ovsdb_server import PATIENCE, Server, following

from ovsnet.model.cluster import (
    Beat,
    Cluster,
    ClusterInfo,
    Encapsulation,
    Lease,
    Member,
    Record,
    RemoteEndpoint,
    Role,
    SharedNetwork,
    Token,
)
from ovsnet.model.errors import Conflict, Stale
from ovsnet.model.ids import NOT_SHARED, EndpointId, HostName, Mac, SharedId, Vni
from ovsnet.store.interface import Drop, Put, Store, Value
from ovsnet.store.memory import MemoryStore
from ovsnet.store.ovsdb import OvsdbStore
from ovsnet.store.shared import SHARED

Open = Callable[[], AbstractAsyncContextManager[Store[Cluster]]]
H1, H2 = HostName("h1"), HostName("h2")
WEB = SharedNetwork(SharedId("a1" * 32), Vni(7), H1, ipv4=IPv4Network("10.20.0.0/24"), name="web")
INFO = ClusterInfo("c1", 4789, 1, 1.5, Encapsulation.GENEVE)
ONE = Member(H1, IPv4Address("10.0.0.1"), IPv4Address("10.0.0.1"), role=Role.VOTER)
TWO = Member(H2, IPv4Address("10.0.0.2"), IPv6Address("fd00::2"), subnets=(IPv6Network("fd01::/64"),))
C1 = RemoteEndpoint(
    EndpointId("e1" * 32), WEB.id, H1, Mac("0a:00:00:00:00:01"), IPv4Address("10.20.0.2"), names=("c1", "web")
)
HELD = Lease(WEB.id, IPv4Address("10.20.0.2"), H1)
OF_H1: list[Value] = [
    C1,
    HELD,
    Beat(H1, 3),
    Token("d1", H1, 99.5),
    Record("db", IPv6Address("fd00::9"), H1, WEB.id),
    Record("db", IPv4Address("192.0.2.9"), H1, NOT_SHARED),
]
ALL: list[Value] = [INFO, ONE, TWO, WEB, *OF_H1]


def raft_server(directory: Path) -> Server:
    """The first server of a cluster, not started: RAFT on a Unix socket, which is enough for one."""
    schema = directory / "cluster.ovsschema"
    schema.write_text(files("ovsnet.store").joinpath("cluster.ovsschema").read_text())
    file, socket = directory / "cluster.db", directory / "cluster.sock"
    raft = f"unix:{directory / 'raft.sock'}"
    subprocess.run(["ovsdb-tool", "create-cluster", str(file), str(schema), raft], check=True)
    places = [f"--unixctl={directory / 'ctl'}", f"--pidfile={directory / 'pid'}"]
    return Server(["ovsdb-server", str(file), f"--remote=punix:{socket}", *places, "-vconsole:info"], socket)


@pytest.fixture(params=["memory", "ovsdb"])
def stores(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Open]:
    """Opens stores on the same data, as often as asked."""
    if request.param == "memory":
        memory: MemoryStore[Cluster] = MemoryStore(SHARED)

        @asynccontextmanager
        async def shared() -> AsyncIterator[Store[Cluster]]:
            yield memory

        yield shared
        return
    server = raft_server(tmp_path).start()

    @asynccontextmanager
    async def real() -> AsyncIterator[Store[Cluster]]:
        store = OvsdbStore(str(server.socket), SHARED, deadline=PATIENCE, durable=False)
        async with following(store):
            await store.wait_ready(PATIENCE)
            yield store

    try:
        yield real
    finally:
        server.terminate()


def contents(state: Cluster) -> tuple[object, ...]:
    """Everything but the revision."""
    mappings = (state.members, state.networks, state.leases, state.endpoints, state.beats, state.tokens, state.records)
    return (state.info, *(dict(it.items()) for it in mappings))


async def put(store: Store[Cluster], *values: Value) -> Cluster:
    return await store.commit(store.snapshot(), [Put(it) for it in values])


async def test_everything_that_was_put_is_there_also_for_who_comes_later(stores: Open) -> None:
    async with stores() as store:
        after = await put(store, *ALL)
        assert (after.info, after.members, after.networks) == (INFO, {H1: ONE, H2: TWO}, {WEB.id: WEB})
        assert set(after.records) == {it.key for it in OF_H1 if isinstance(it, Record)}
    async with stores() as again:
        assert contents(again.snapshot()) == contents(after)


async def test_an_address_is_leased_to_one_host_only(stores: Open) -> None:
    async with stores() as store, stores() as other:
        base = await put(store, *ALL)
        free = Lease(WEB.id, IPv4Address("10.20.0.3"), H1)
        await store.commit(base, [Put(free)])
        with pytest.raises(Stale):
            await other.commit(base, [Put(replace(free, host=H2))])
        assert store.snapshot().leases[free.key].host == H1


async def test_a_network_with_an_endpoint_cannot_go_and_takes_no_lease_along(stores: Open) -> None:
    async with stores() as store:
        base = await put(store, *ALL)
        with pytest.raises(Conflict, match="c1"):
            await store.commit(base, [Drop(WEB)])
        after = await store.commit(base, [Drop(C1), Drop(WEB)])
        assert not after.networks
        assert after.leases


async def test_a_host_that_is_no_member_leaves_no_trace(stores: Open) -> None:
    async with stores() as store:
        base = await put(store, *ALL)
        with pytest.raises(Conflict, match="not a member"):
            await store.commit(base, [Put(Beat(HostName("h9"), 1))])
        with pytest.raises(Conflict, match="h1 cannot go"):
            await store.commit(base, [Drop(ONE)])
        after = await store.commit(base, [*(Drop(it) for it in OF_H1), Drop(ONE)])  # type: ignore[arg-type]
        assert (set(after.members), dict(after.endpoints), dict(after.leases)) == ({H2}, {}, {})


@pytest.mark.parametrize("twin", [replace(WEB, id=SharedId("b2" * 32)), replace(TWO, name=HostName("h3"))])
async def test_vnis_and_tunnel_addresses_are_unique(stores: Open, twin: Value) -> None:
    async with stores() as store:
        base = await put(store, *ALL)
        with pytest.raises(Conflict, match="cannot have"):
            await store.commit(base, [Put(twin)])


# ---------------------------------------------------------------- any values

members = st.builds(
    Member,
    name=st.just(H1),
    address=v4 | v6,
    vtep=v4 | v6,
    mtu=st.integers(68, 65535),
    role=st.sampled_from(Role),
    version=texts,
    subnets=st.lists(nets4 | nets6, max_size=3, unique=True).map(lambda them: tuple(sorted(them, key=str))),
    joined_at=times,
)
networks = st.builds(
    SharedNetwork,
    id=st.just(WEB.id),
    vni=st.integers(1, 2**24 - 1).map(Vni),
    origin=st.just(H1),
    options=options,
    internal=st.booleans(),
    ipv4=st.none() | nets4,
    ipv6=st.none() | nets6,
    range4=st.none() | nets4,
    range6=st.none() | nets6,
    gateway4=st.none() | st.builds(IPv4Address, st.integers(0, 2**32 - 1)),
    gateway6=st.none() | st.builds(IPv6Address, st.integers(0, 2**128 - 1)),
    reserved=st.lists(v4 | v6, max_size=3, unique=True).map(lambda them: tuple(sorted(them, key=str))),
    name=texts,
    labels=labels,
    created_at=times,
)
endpoints = st.builds(
    RemoteEndpoint,
    id=st.just(C1.id),
    network=st.just(WEB.id),
    host=st.just(H1),
    mac=macs,
    ipv4=st.none() | st.builds(IPv4Address, st.integers(0, 2**32 - 1)),
    ipv6=st.none() | st.builds(IPv6Address, st.integers(0, 2**128 - 1)),
    names=st.lists(texts, max_size=3).map(tuple),
    created_at=times,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(st.tuples(members, networks, endpoints))
async def test_any_values_come_back_as_they_were(
    stores: Open, values: tuple[Member, SharedNetwork, RemoteEndpoint]
) -> None:
    async with stores() as store:
        await put(store, *values)
    async with stores() as again:
        state = again.snapshot()
        assert (state.members[H1], state.networks[WEB.id], state.endpoints[C1.id]) == values
