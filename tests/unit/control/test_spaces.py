"""Address spaces: subnets are compared within one of them, and a network is told its own from its pool."""

import asyncio
from collections.abc import Collection
from dataclasses import replace
from ipaddress import IPv4Network, ip_network

import pytest

from ovsnet.control.addresses import Addresses
from ovsnet.control.networks import Networks
from ovsnet.control.orphans import unknown_to_engine
from ovsnet.control.requests import AddressRequest, NetworkRequest, PoolRequest
from ovsnet.control.sharing.replicas import spec_of
from ovsnet.engine.facts import EngineFacts, EngineNetwork
from ovsnet.model.addressing import LOCAL_SPACE, AllocationKind, Pool, space_of
from ovsnet.model.errors import BadRequest, Conflict
from ovsnet.model.host import Datapath, SwitchFacts
from ovsnet.model.ids import IpNetwork, NetworkId, SharedId, Vni
from ovsnet.model.network import Network, parse_ipam_options
from ovsnet.observe.leases import all_leases, usage
from ovsnet.settings import Settings
from ovsnet.store.codec import row_uuid
from ovsnet.store.interface import Put
from ovsnet.store.local import LOCAL
from tests.fakes import clock
from tests.unit.control.sharing.hosts import A, B, C, Host, cluster_store, make_part, member
from tests.unit.control.sharing.member_hosts import NET, members

pytestmark = pytest.mark.row(78)
SUBNET = IPv4Network("10.20.0.0/24")
BLUE, GREEN = space_of(LOCAL_SPACE, "blue"), space_of(LOCAL_SPACE, "green")


async def _no_routes() -> Collection[IpNetwork]:
    return ()


class Engine:
    """What the engine of one host asks of its drivers for `docker network create`."""

    def __init__(self, host: Host | None = None) -> None:
        self.host = host or Host(A, cluster_store())
        self.now = 1_000_000.0
        self.addresses = Addresses(self.host.committer, lambda: self.now, _no_routes, Settings())
        facts = SwitchFacts(datapath=Datapath.KERNEL)
        self.networks = Networks(self.host.committer, lambda: facts, lambda: self.now)
        self.made = 0

    async def pool(self, space: str = LOCAL_SPACE, subnet: str = str(SUBNET)) -> Pool:
        return await self.addresses.request_pool(PoolRequest(space, ip_network(subnet) if subnet else None))

    async def network(self, subnet: IpNetwork = SUBNET, space: str = LOCAL_SPACE) -> Network:
        """CreateNetwork: it tells of the engine's space only."""
        self.made += 1
        assert isinstance(subnet, IPv4Network)
        return await self.networks.create(NetworkRequest(NetworkId(f"{self.made:064x}"), ipv4=subnet, space4=space))

    async def create(self, space: str = LOCAL_SPACE, subnet: str = str(SUBNET)) -> Network:
        return await self.network((await self.pool(space, subnet)).subnet)


async def test_networks_of_different_spaces_may_have_one_subnet_and_overlap() -> None:
    engine = Engine()
    made = [await engine.create(it) for it in (LOCAL_SPACE, BLUE, GREEN)]
    wider = await engine.create(space_of(LOCAL_SPACE, "red"), "10.0.0.0/8")
    assert [it.space for it in (*made, wider)] == ["", "blue", "green", "red"]
    assert {it.ipv4 for it in made} == {SUBNET}


@pytest.mark.parametrize(("space", "way"), [(LOCAL_SPACE, "an address space of its own"), (BLUE, "another")])
async def test_within_one_space_an_overlap_is_refused_with_the_way_out(space: str, way: str) -> None:
    engine = Engine()
    await engine.create(space)
    message = rf"overlaps 10\.20\.0\.0/24 of network 0+1?; choose another --subnet, or {way} with --ipam-opt space=NAME"
    with pytest.raises(Conflict, match=message):
        await engine.pool(space, "10.20.0.128/25")


async def test_an_automatic_subnet_overlaps_none_of_any_space() -> None:
    engine = Engine()
    made = [await engine.create(it, "") for it in (BLUE, GREEN, LOCAL_SPACE, BLUE)]
    assert len({it.ipv4 for it in made}) == 4


async def test_the_pool_of_another_drivers_network_does_not_lend_its_space() -> None:
    engine = Engine()
    await engine.pool(BLUE)
    engine.now += 3600
    assert (await engine.create()).space == ""
    assert (await engine.create(GREEN)).space == "green"


async def test_addresses_without_our_ipam_driver_are_of_no_named_space() -> None:
    engine = Engine()
    await engine.pool(BLUE)
    assert (await engine.network(space="LocalDefault")).space == ""


async def test_made_again_it_is_still_of_its_space() -> None:
    engine = Engine()
    made = await engine.create(BLUE)
    await engine.create(GREEN)
    again = NetworkRequest(made.id, ipv4=SUBNET, space4=LOCAL_SPACE)
    assert await engine.networks.create(again) == made


def test_networks_of_one_subnet_are_made_one_after_the_other() -> None:
    async def body() -> None:
        engine = Engine()
        await engine.pool(BLUE)
        async with asyncio.TaskGroup() as group:
            waiting = group.create_task(engine.pool(GREEN))
            await asyncio.sleep(1)
            assert not waiting.done()
            assert (await engine.network()).space == "blue"
        assert (await engine.network()).space == "green"

    clock.run(body)


def test_a_pool_given_back_makes_room_at_once() -> None:
    async def body() -> None:
        engine = Engine()
        refused = await engine.pool(BLUE)
        async with asyncio.TaskGroup() as group:
            waiting = group.create_task(engine.pool(GREEN))
            await asyncio.sleep(1)
            await engine.addresses.release_pool(refused.id)
        assert waiting.result().space == GREEN

    clock.run(body)


def test_who_waits_too_long_reads_why() -> None:
    async def body() -> None:
        engine = Engine()
        await engine.pool()
        with pytest.raises(Conflict, match="in the common address space is being made at this moment; run the command"):
            await engine.pool(BLUE)
        assert (await engine.pool(BLUE, "10.20.0.0/25")).subnet == IPv4Network("10.20.0.0/25"), (
            "which cannot be mixed up"
        )

    clock.run(body)


async def test_each_space_has_its_own_addresses_and_tells_its_own_holders() -> None:
    engine = Engine()
    for space in (LOCAL_SPACE, BLUE):
        pool = await engine.pool(space)
        network = await engine.network()
        wanted = AddressRequest(pool.id, kind=AllocationKind.ENDPOINT, address=SUBNET[9], holder=f"in-{network.space}")
        assert (await engine.addresses.request_address(wanted)).ip == SUBNET[9]
    state = engine.host.state
    assert {(it.space, it.holder) for it in all_leases(state)} == {("", "in-"), ("blue", "in-blue")}
    assert {(it.space, it.networks, it.used) for it in usage(state)} == {("", ("0" * 12,), 1), ("blue", ("0" * 12,), 1)}


async def test_what_the_engine_forgot_is_told_apart_by_its_space() -> None:
    engine = Engine()
    kept, lost = await engine.create(BLUE), await engine.create(GREEN)
    known = EngineNetwork(kept.id, "kept", ipam_options={"space": "blue"}, subnets=(SUBNET,))
    suspects = unknown_to_engine(engine.host.state, EngineFacts(networks={kept.id: known}, complete=True))
    assert [it.id for it in suspects if isinstance(it, Network)] == [lost.id]
    assert [it.space for it in suspects if isinstance(it, Pool)] == [GREEN]


# ---------------------------------------------------------------- in a cluster


async def test_in_a_cluster_one_subnet_in_two_spaces_is_two_networks_and_in_one_is_refused() -> None:
    shared = cluster_store()
    hosts = [Engine(Host(it, shared)) for it in (A, B)]
    for number, (engine, space) in enumerate(zip(hosts, (BLUE, GREEN), strict=True)):
        await engine.pool(space)
        request = NetworkRequest(NetworkId(f"{number + 7:064x}"), ipv4=SUBNET, space4=LOCAL_SPACE)
        await engine.host.networks.create(request)
    assert {it.space for it in shared.snapshot().networks.values()} == {"blue", "green"}

    late = Engine(Host(C, shared))
    await late.pool(GREEN, "10.20.0.128/25")
    with pytest.raises(Conflict, match="--ipam-opt space=NAME"):
        await late.host.networks.create(
            NetworkRequest(NetworkId("9" * 64), ipv4=IPv4Network("10.20.0.128/25"), space4=LOCAL_SPACE)
        )


async def test_a_subnet_of_the_cluster_is_free_in_another_space() -> None:
    async with members() as hosts:
        pool = await hosts[1].addresses.request_pool(PoolRequest(BLUE, NET.ipv4))
        assert pool.subnet == NET.ipv4
        with pytest.raises(Conflict, match="or an address space of its own with --ipam-opt space=NAME"):
            await hosts[1].addresses.request_pool(PoolRequest(LOCAL_SPACE, NET.ipv4))


async def test_a_part_is_of_the_networks_space_and_its_engine_is_told_so() -> None:
    blue = replace(NET, space="blue")
    assert spec_of(blue).ipam_options == {"space": "blue"}
    assert spec_of(NET).ipam_options == {}
    host = Host(B, cluster_store())
    await host.shared.commit(host.shared.snapshot(), [Put(blue)])
    with host.sharing.parts.expected(blue):
        assert host.sharing.parts.wanting(PoolRequest(LOCAL_SPACE, blue.ipv4)) == ""
        assert host.sharing.parts.wanting(PoolRequest(BLUE, blue.ipv4)) == blue.id
    part = await make_part(host, blue, 5)
    assert (part.shared, part.space) == (blue.id, "blue")


async def test_after_a_part_its_subnet_makes_a_users_network_of_another_space() -> None:
    host, blue = Host(B, cluster_store()), replace(NET, space="blue")
    parts = host.sharing.parts
    with parts.expected(blue):
        parts.given(PoolRequest(BLUE, blue.ipv4))
        assert parts.made_with(blue.ipv4) == blue.id
        parts.given(PoolRequest(GREEN, blue.ipv4))
        assert parts.made_with(blue.ipv4) == ""


async def test_reserves_of_one_subnet_in_two_spaces_are_apart() -> None:
    async with members() as hosts:
        green = replace(NET, id=SharedId("b2" * 32), vni=Vni(8), space="green", name="other")
        await hosts.put(green)
        await hosts[0].take_part(green)
        one = await hosts[0].ask()
        taken = {it.network for it in hosts.store.snapshot().leases.values() if it.address == one}
        assert green.id in taken


async def test_a_host_of_an_older_version_is_named_and_the_network_is_not_made() -> None:
    # Of our own new version the cluster has not heard yet.
    members_ = (replace(member(A), version="1.9.9"), replace(member(B), version="1.9.9"))
    engine = Engine(Host(A, cluster_store(*members_), version="2.0.0"))
    await engine.pool(BLUE)
    request = NetworkRequest(NetworkId("7" * 64), ipv4=SUBNET, space4=LOCAL_SPACE)
    with pytest.raises(Conflict, match="upgrade host b, or leave the option out"):
        await engine.host.networks.create(request)
    assert not engine.host.everywhere


@pytest.mark.parametrize("name", ["", "-a", "a/b", "a|b", "ä", "x" * 64, "a b"])
def test_what_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(BadRequest, match="use up to 63 letters"):
        parse_ipam_options({"space": name})


def test_a_network_keeps_its_space_in_the_store() -> None:
    kept = Network(NetworkId("a" * 64), Vni(7), ipv4=SUBNET, space="blue")
    shape = LOCAL.shapes[Network]
    row = type("Row", (), dict(shape.encode(kept, row_uuid)))
    assert shape.decode(row) == kept
