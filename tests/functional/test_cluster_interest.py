"""What a host knows of a large cluster, on a real database: its own networks, and of the others what it asks for."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import pytest
from tests.contract.test_shared_store import raft_server
from tests.functional.ovsdb_server import PATIENCE, Server, following, until
from tests.unit.control.sharing.member_hosts import NET, Host, Net, member

from ovsnet.control.membership.members import removal
from ovsnet.control.sharing.shared_networks import SharedNetworks
from ovsnet.model.cluster import Cluster, ClusterInfo, Lease, RemoteEndpoint, SharedNetwork
from ovsnet.model.errors import Conflict, Unavailable
from ovsnet.model.ids import EndpointId, HostName, Mac, SharedId, Vni
from ovsnet.settings import Settings
from ovsnet.store.census import Census, Counts
from ovsnet.store.interface import Put, Value
from ovsnet.store.ovsdb import OvsdbStore
from ovsnet.store.shared import SHARED

A, B = HostName("a"), HostName("b")
OTHER = replace(NET, id=SharedId("b2" * 32), vni=Vni(8), ipv4=IPv4Network("10.30.0.0/28"), gateway4=None, name="db")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    it = raft_server(tmp_path).start()
    yield it
    it.kill()


def store_on(server: Server) -> OvsdbStore[Cluster]:
    return OvsdbStore(str(server.socket), SHARED, deadline=PATIENCE, durable=False)


def box(number: int, network: SharedNetwork = NET, host: HostName = B) -> RemoteEndpoint:
    assert network.ipv4
    return RemoteEndpoint(
        EndpointId(f"{network.vni:02x}{number:062x}"),
        network.id,
        host,
        Mac(f"0a:00:00:00:{network.vni:02x}:{number:02x}"),
        network.ipv4[number],
        names=(f"{network.name}{number}",),
    )


def lease(of: RemoteEndpoint) -> Lease:
    assert of.ipv4
    return Lease(of.network, of.ipv4, of.host)


class World:
    """Host a as it is, and everything there is, by a connection that sees all."""

    def __init__(self, server: Server, a: Host, narrow: OvsdbStore[Cluster], everything: OvsdbStore[Cluster]) -> None:
        self.a = a
        self.narrow = narrow
        self.everything = everything
        self.census = Census(str(server.socket), narrow.snapshot, narrow.row_of, deadline=PATIENCE)

    async def put(self, *values: RemoteEndpoint | Lease) -> None:
        await self.everything.commit(self.everything.snapshot(), [Put(it) for it in values])

    def seen(self) -> set[str]:
        """The containers of other hosts that a knows of."""
        return {it.names[0] for it in self.narrow.snapshot().endpoints.values()}

    async def sees(self, *names: str) -> None:
        await until(lambda: self.seen() == set(names) and self.narrow.narrowed, self.narrow.watch)


@asynccontextmanager
async def world(server: Server, settings: Settings | None = None) -> AsyncIterator[World]:
    """Host b has two containers on each of two networks; host a has a part of the first, and nothing on it."""
    narrow, everything = store_on(server), store_on(server)
    async with following(everything):
        await everything.wait_ready(PATIENCE)
        there = [box(5), box(6), box(5, OTHER), box(6, OTHER)]
        shared: list[Value] = [ClusterInfo(id="c1"), member(A, 1), member(B, 2), NET, OTHER]
        values = [*shared, *there, *map(lease, there)]
        await everything.commit(everything.snapshot(), [Put(it) for it in values])
        a = Host(A, narrow, Net(), settings or Settings(address_reserve=1), narrow)
        async with following(narrow):
            await narrow.wait_ready(PATIENCE)
            await a.take_part(NET)
            async with following(a.reserve):
                yield World(server, a, narrow, everything)


async def test_a_host_without_containers_knows_nobody_s_and_all_networks(server: Server) -> None:
    async with world(server) as it:
        await it.sees()
        assert not it.narrow.snapshot().leases
        assert set(it.narrow.snapshot().networks) == {NET.id, OTHER.id}
        assert set(it.narrow.snapshot().members) == {A, B}


async def test_with_its_first_container_it_knows_those_of_the_network_and_no_others(server: Server) -> None:
    async with world(server) as it:
        address = await it.a.ask()
        made = await it.a.attach(address)
        await it.sees("web5", "web6")
        await it.put(box(7), box(7, OTHER))
        await it.sees("web5", "web6", "web7")
        assert {key[0] for key in it.narrow.snapshot().leases} == {NET.id}
        await it.a.detach(made)
        await it.a.later(1)
        await it.a.later(1_000)
        await it.sees()


async def test_an_address_is_not_claimed_before_it_is_known_who_has_which(server: Server) -> None:
    async with world(server) as it:
        await it.put(*(Lease(NET.id, NET.ipv4[number], B) for number in range(7, 250) if NET.ipv4))
        got = await asyncio.gather(*(it.a.ask() for _ in range(5)))
        assert len(set(got)) == 5
        assert not {*got} & {box(5).ipv4, box(6).ipv4}


async def test_who_has_an_address_is_named_though_nothing_of_its_network_was_known(server: Server) -> None:
    async with world(server) as it:
        b = Host(B, it.everything, it.a.net, Settings())
        await b.take_part(NET)
        await b.attach(IPv4Address("10.20.0.5"))
        with pytest.raises(Conflict, match=r"held by container web5 on host b"):
            await it.a.ask("10.20.0.5")
        await it.sees()


async def test_a_network_that_only_others_use_cannot_be_removed_and_they_are_named(server: Server) -> None:
    async with world(server) as it:
        networks = SharedNetworks(it.a.committer, A, it.census.users)
        with pytest.raises(Conflict, match=r"network db is in use on host b \(db5, db6\)"):
            await networks.release(OTHER.id, ())
        assert OTHER.id in it.everything.snapshot().networks


async def test_who_comes_while_a_network_is_removed_is_named(server: Server) -> None:
    async with world(server) as it:
        asked = iter((False, True))

        async def users(network: SharedId) -> dict[HostName, list[str]]:
            return {B: ["late"]} if next(asked) else {}

        with pytest.raises(Conflict, match=r"network db is in use on host b \(late\)"):
            await SharedNetworks(it.a.committer, A, users).release(OTHER.id, ())
        assert OTHER.id in it.everything.snapshot().networks


async def test_a_host_of_which_nothing_is_known_is_taken_out_with_all_it_has(server: Server) -> None:
    async with world(server) as it:
        async with it.a.interest.host(B):
            await it.a.committer.commit(lambda state: (removal(state, B), None))
        await until(lambda: B not in it.everything.snapshot().members, it.everything.watch)
        left = it.everything.snapshot()
        assert not left.endpoints
        assert not left.leases


async def test_people_are_told_of_everything(server: Server) -> None:
    async with world(server) as it:
        assert await it.census.counts() == Counts({B: 4}, {B: 4})
        users = await it.census.users(OTHER.id)
        assert {host: sorted(names) for host, names in users.items()} == {B: ["db5", "db6"]}
        everything = it.everything.snapshot().endpoints
        assert {there.id: there for there in await it.census.endpoints()} == dict(everything)
        assert {there.id for there in await it.census.endpoints(NET.id)} == {box(5).id, box(6).id}


async def test_what_is_needed_is_known_again_after_the_database_was_down(server: Server) -> None:
    async with world(server, Settings(store_deadline=1.0)) as it:
        await it.a.attach(await it.a.ask())
        await it.sees("web5", "web6")
        server.kill()
        await until(lambda: not it.narrow.available, it.narrow.watch)
        assert it.seen() == {"web5", "web6"}
        with pytest.raises(Unavailable, match="what other hosts have"):
            async with it.a.interest.network(OTHER.id):
                pass
        server.start()
        await it.sees("web5", "web6")


async def test_until_a_request_has_ended_its_network_stays_known(server: Server) -> None:
    async with world(server) as it:
        async with it.a.interest.network(OTHER.id):
            assert it.seen() == {"db5", "db6"}
            await it.a.attach(await it.a.ask())
            await it.sees("db5", "db6", "web5", "web6")
        await it.sees("web5", "web6")
