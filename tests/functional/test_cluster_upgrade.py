"""Hosts of two versions in one cluster: a newer agent on a database that has not its columns yet, and afterwards."""

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, ip_address
from pathlib import Path

import pytest
from tests.functional.cluster_servers import Host, Hosts, cluster_hosts, eventually
from tests.functional.ovsdb_server import PATIENCE, following, until

from ovsnet.agent.database_server import DatabaseServer
from ovsnet.cluster import schema
from ovsnet.cluster.peers import Peers
from ovsnet.control.commit import Committer
from ovsnet.control.membership.steward import Steward, Terms
from ovsnet.control.sharing.publishing import Publisher
from ovsnet.control.sharing.shared_networks import SharedNetworks, TrunkView
from ovsnet.model.cluster import (
    Cluster,
    ClusterInfo,
    Encapsulation,
    Lease,
    Member,
    Record,
    RemoteEndpoint,
    Role,
    SharedNetwork,
)
from ovsnet.model.endpoint import Endpoint
from ovsnet.model.errors import Conflict, Unavailable
from ovsnet.model.ids import EndpointId, HostName, Mac, NetworkId, SharedId, Vni
from ovsnet.model.network import Network
from ovsnet.model.state import State
from ovsnet.store.interface import Put
from ovsnet.store.ovsdb import OvsdbStore
from ovsnet.store.shared import SHARED

pytestmark = pytest.mark.row(99)
A, B = HostName("a"), HostName("b")
WEB = SharedNetwork(SharedId("a1" * 32), Vni(7), A, ipv4=IPv4Network("10.20.0.0/24"), name="web")
C1 = RemoteEndpoint(EndpointId("e1" * 32), WEB.id, A, Mac("0a:00:00:00:00:01"), IPv4Address("10.20.0.2"), names=("c1",))
OLDER = "0.9.0"


@pytest.fixture
def hosts(tmp_path: Path) -> Iterator[Hosts]:
    with cluster_hosts(tmp_path) as it:
        yield it


@pytest.fixture
async def founder(hosts: Hosts, monkeypatch: pytest.MonkeyPatch) -> Host:
    """Its database was made by an earlier version: VXLAN only, no names of endpoints, no trunks, no
    records.
    """
    with monkeypatch.context() as past:
        text = older()
        past.setattr(schema, "text", lambda: text)
        return await hosts.found("a")


def older() -> str:
    made = json.loads(schema.text())
    made["version"] = OLDER
    del made["tables"]["Cluster"]["columns"]["encapsulation"]
    del made["tables"]["Endpoint"]["columns"]["names"]
    del made["tables"]["Member"]["columns"]["trunk_mtu"]
    del made["tables"]["Network"]["columns"]["space"]
    del made["tables"]["Record"]
    return json.dumps(made)


@asynccontextmanager
async def store_of(host: Host) -> AsyncIterator[OvsdbStore[Cluster]]:
    """As its agent of today has it."""
    store = OvsdbStore(str(host.database.path), SHARED, deadline=PATIENCE, durable=False)
    async with following(store):
        await store.wait_ready(PATIENCE)
        yield store


def member(host: Host, version: str) -> Member:
    address = ip_address(host.membership.address)
    return Member(HostName(host.name), address, address, role=Role.VOTER, version=version, joined_at=1.0)


async def test_what_cannot_be_written_yet_is_left_out_and_everything_else_is_there(founder: Host) -> None:
    async with store_of(founder) as store:
        after = await store.commit(store.snapshot(), [Put(member(founder, "1")), Put(WEB), Put(C1)])
        async with store_of(founder) as other:
            seen = other.snapshot().endpoints[C1.id]

        # To who wrote it nothing is missing: else it would be written again and again.
        assert after.endpoints == {C1.id: C1}
        assert seen == replace(C1, names=())

        moved = replace(C1, mac=Mac("0a:00:00:00:00:02"), names=("c1", "alias"))
        assert (await store.commit(after, [Put(moved)])).endpoints == {C1.id: moved}


async def test_a_kind_of_value_that_is_not_known_yet_is_refused_with_the_reason(founder: Host) -> None:
    async with store_of(founder) as store:
        base = await store.commit(store.snapshot(), [Put(member(founder, "1"))])

        with pytest.raises(Unavailable, match="no table Record yet"):
            await store.commit(base, [Put(Record("db", IPv4Address("192.0.2.9"), A))])

        # The next one is not hindered by it.
        lease = Lease(WEB.id, IPv4Address("10.20.0.2"), A)
        assert set((await store.commit(base, [Put(lease)])).leases) == {lease.key}


@pytest.mark.row(78)
async def test_a_network_of_a_named_space_waits_for_the_column_that_sets_it_apart(founder: Host) -> None:
    """An older member would take it for one of the common space, and give its subnet away as such."""
    async with store_of(founder) as store:
        base = await store.commit(store.snapshot(), [Put(member(founder, "1")), Put(WEB)])
        with pytest.raises(Unavailable, match="no column space in Network yet; it gets one when all hosts run this"):
            await store.commit(base, [Put(replace(WEB, id=SharedId("b2" * 32), vni=Vni(8), space="blue"))])
        assert set(store.snapshot().networks) == {WEB.id}


@pytest.mark.row(68)
async def test_geneve_waits_for_the_column_that_tells_it_from_vxlan(founder: Host) -> None:
    """Only who begins a cluster chooses, with a database of its own version; nobody else may come to write it."""
    async with store_of(founder) as store:
        info = ClusterInfo("c1", 6081, created_at=1.0)
        with pytest.raises(Unavailable, match="no column encapsulation in Cluster yet"):
            await store.commit(store.snapshot(), [Put(replace(info, encapsulation=Encapsulation.GENEVE))])
        await store.commit(store.snapshot(), [Put(info)])
        assert store.snapshot().info == info


HERE = State(
    networks={NetworkId("n1"): Network(NetworkId("n1"), Vni(7), ipv4=WEB.ipv4, shared=WEB.id, name="web")},
    endpoints={
        C1.id: Endpoint(C1.id, NetworkId("n1"), C1.mac, ipv4=IPv4Interface("10.20.0.2/24"), container_name="c1"),
    },
)


@asynccontextmanager
async def agents_parts(host: Host, store: OvsdbStore[Cluster]) -> AsyncIterator[Steward]:
    """What the leader's agent of version 2.0.0 does in the background, as far as it matters here."""
    async with Peers(host.files, 1) as peers:
        committer, server = Committer(store), DatabaseServer(host.settings)
        steward = Steward(committer, server, host.files, host.membership, peers, frozenset, Terms(PATIENCE, "2.0.0"))
        publisher = Publisher(committer, lambda: HERE, A)
        for part in (steward, publisher):
            store.watch(part.nudge)
        async with following(steward), following(publisher):
            yield steward


@pytest.mark.row(65)
async def test_while_members_are_older_no_network_without_a_tunnel_is_made(founder: Host) -> None:
    async with store_of(founder) as store:
        committer = Committer(store)
        trunk = TrunkView(known_to_all=lambda: store.has_all_columns(Member))
        sharing = SharedNetworks(committer, A, trunk=trunk)
        trunked = replace(member(founder, "1"), trunk_mtu=1500)
        await store.commit(store.snapshot(), [Put(trunked)])
        with pytest.raises(Conflict, match="run a version of ovsnet that does not know it"):
            sharing.check_trunk("network lan")


async def test_the_database_is_brought_up_when_the_last_member_is_and_what_was_left_out_follows(founder: Host) -> None:
    first = replace(member(founder, "2.0.0"), name=A)
    other = ip_address("192.0.2.9")
    late = Member(B, other, other, version="1.9.0", joined_at=2.0)
    async with store_of(founder) as store, agents_parts(founder, store) as steward:
        await store.commit(store.snapshot(), [Put(first), Put(late), Put(WEB)])
        await until(lambda: C1.id in store.snapshot().endpoints, store.watch)

        async def waits_for_b() -> bool:
            return steward.behind == (B,)

        await eventually(waits_for_b, "the leader's agent waits for b")
        assert await schema.found(founder.database) == OLDER

        await Committer(store).commit(lambda _: ([Put(replace(late, version="2.0.1"))], None))

        async with store_of(founder) as stranger:
            await until(lambda: stranger.snapshot().endpoints[C1.id].names == ("c1",), stranger.watch)
        assert await schema.found(founder.database) == schema.ours()["version"]
        record = Record("db", IPv4Address("192.0.2.9"), A)
        await Committer(store).commit(lambda _: ([Put(record)], None))
        assert (steward.behind, steward.problem) == ((), "")
        assert store.has_all_columns(Member)
