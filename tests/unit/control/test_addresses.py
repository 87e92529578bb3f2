"""Pools and addresses as Docker asks for them."""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from dataclasses import replace
from ipaddress import IPv4Interface, IPv4Network, IPv6Network, ip_address, ip_network

import pytest

from ovsnet.control.addresses import Addresses
from ovsnet.control.commit import Committer
from ovsnet.control.requests import AddressRequest, PoolRequest
from ovsnet.model.addressing import Allocation, AllocationKind, Pool
from ovsnet.model.endpoint import Endpoint
from ovsnet.model.errors import BadRequest, Conflict, NotFound
from ovsnet.model.ids import IpAddress, IpNetwork, PoolId, pool_id
from ovsnet.model.network import Network
from ovsnet.model.state import State
from ovsnet.settings import Settings
from ovsnet.store.interface import Put
from ovsnet.store.local import LOCAL
from ovsnet.store.memory import MemoryStore
from tests.states import WEB, endpoint

GATEWAY, ENDPOINT, RESERVED = AllocationKind.GATEWAY, AllocationKind.ENDPOINT, AllocationKind.RESERVED
START = 1_000_000.0


class Rig:
    """Addresses on a store in memory, with a clock that is set by hand."""

    def __init__(self, *, state: State | None = None, routes: Collection[str] = (), settings: Settings | None = None):
        self.store = MemoryStore(LOCAL, state)
        self.now = START
        self.settings = settings or Settings()
        host = _host_networks(routes)
        self.addresses = Addresses(Committer(self.store), lambda: self.now, host, self.settings, _not_random)

    @property
    def state(self) -> State:
        return self.store.snapshot()

    async def put(self, *values: Network | Endpoint | Allocation) -> None:
        await self.store.commit(self.state, [Put(it) for it in values])

    async def pool(self, subnet: str = "", *, sub_range: str = "", space: str = "local", v6: bool = False) -> Pool:
        request = PoolRequest(
            space=space,
            subnet=ip_network(subnet) if subnet else None,
            sub_range=ip_network(sub_range) if sub_range else None,
            v6=v6,
        )
        return await self.addresses.request_pool(request)

    async def web(self) -> Pool:
        """The pool of the network web of `states`, after CreateNetwork."""
        pool = await self.pool("10.20.0.0/24")
        await self.ask(pool, "10.20.0.1", kind=GATEWAY)
        await self.put(WEB)
        return pool

    async def ask(self, pool: Pool, address: str = "", kind: AllocationKind = ENDPOINT, holder: str = "") -> str:
        wanted = ip_address(address) if address else None
        request = AddressRequest(pool_id=pool.id, address=wanted, kind=kind, holder=holder)
        return str(await self.addresses.request_address(request))

    async def release(self, pool: Pool, address: str) -> None:
        await self.addresses.release_address(pool.id, ip_address(address))

    def allocation(self, pool: Pool, address: str) -> Allocation | None:
        return self.state.allocations.get((pool.id, ip_address(address)))


def _host_networks(routes: Collection[str]) -> Callable[[], Awaitable[Collection[IpNetwork]]]:
    async def read() -> Collection[IpNetwork]:
        return [ip_network(it) for it in routes]

    return read


def _not_random(count: int) -> bytes:
    return bytes(range(1, count + 1))


# ------------------------------------------------------------------ pools


async def test_a_given_subnet_becomes_a_pool_with_a_computable_id() -> None:
    rig = Rig()
    pool = await rig.pool("10.20.0.0/16", sub_range="10.20.4.0/24")
    assert pool.id == pool_id("local", ip_network("10.20.0.0/16"), ip_network("10.20.4.0/24"))
    assert rig.state.pools == {pool.id: pool}
    assert pool.created_at == START


async def test_a_chosen_subnet_overlaps_no_route_no_pool_and_no_network() -> None:
    other = replace(WEB, ipv4=IPv4Network("10.192.16.0/20"), ipv6=None, gateway4=None, gateway6=None)
    rig = Rig(routes=["10.192.0.0/20", "0.0.0.0/0", "192.168.1.0/24"])
    await rig.put(other)
    await rig.pool("10.192.32.0/20")
    assert str((await rig.pool()).subnet) == "10.192.48.0/20"


async def test_every_request_for_any_subnet_gets_a_different_one() -> None:
    rig = Rig()
    pools = await asyncio.gather(*(rig.pool() for _ in range(300)))
    assert len({it.subnet for it in pools}) == 300


async def test_running_out_of_subnets_is_an_error() -> None:
    rig = Rig(settings=Settings(pools_v4=("10.192.0.0/23",), pool_prefix_v4=24))
    await rig.pool()
    await rig.pool()
    with pytest.raises(Conflict, match="no free /24 subnet"):
        await rig.pool()
    assert len(rig.state.pools) == 2


async def test_ipv6_pools_come_from_one_random_prefix_that_is_kept() -> None:
    rig = Rig()
    first, second = await rig.pool(v6=True), await rig.pool(v6=True)
    assert (str(first.subnet), str(second.subnet)) == ("fd01:203:405::/64", "fd01:203:405:1::/64")
    assert IPv6Network(rig.state.counters.ula_prefix).is_private


async def test_an_overlapping_subnet_is_refused_with_the_network_in_the_way() -> None:
    rig = Rig()
    await rig.web()
    with pytest.raises(Conflict, match=r"10\.20\.0\.0/16 overlaps 10\.20\.0\.0/24 of network web; choose another"):
        await rig.pool("10.20.0.0/16")


async def test_the_same_subnet_is_refused_while_a_network_uses_it() -> None:
    rig = Rig()
    await rig.web()
    rig.now += 1000
    with pytest.raises(Conflict, match="network web"):
        await rig.pool("10.20.0.0/24")


async def test_the_same_subnet_with_another_range_is_the_same_subnet() -> None:
    rig = Rig()
    await rig.web()
    with pytest.raises(Conflict, match="network web"):
        await rig.pool("10.20.0.0/24", sub_range="10.20.0.128/25")


async def test_address_spaces_are_separate_worlds() -> None:
    rig = Rig()
    local, shared = await rig.pool("10.20.0.0/24"), await rig.pool("10.20.0.0/24", space="global")
    assert local.id != shared.id
    assert await rig.ask(local) == await rig.ask(shared) == "10.20.0.1/24"


async def test_a_pool_that_a_broken_creation_left_is_taken_over_when_that_is_surely_over() -> None:
    rig = Rig()
    await rig.pool("10.20.0.0/24")
    rig.now += rig.settings.attach_deadline
    assert (await rig.pool("10.20.0.0/24")).created_at == rig.now
    assert len(rig.state.pools) == 1


async def test_two_creations_at_the_same_moment_do_not_share_a_pool() -> None:
    rig = Rig()
    await rig.pool("10.20.0.0/24")
    rig.now += rig.settings.attach_deadline - 0.1
    with pytest.raises(Conflict, match="being made or removed, or that another driver made"):
        await rig.pool("10.20.0.0/24")


async def test_a_pool_with_a_held_address_is_not_taken_over() -> None:
    rig = Rig()
    await rig.ask(await rig.pool("10.20.0.0/24"), kind=GATEWAY)
    rig.now += 1000
    with pytest.raises(Conflict, match="overlaps"):
        await rig.pool("10.20.0.0/24")


async def test_a_pool_of_a_network_is_not_taken_over_although_it_holds_no_address() -> None:
    rig = Rig()
    await rig.pool("10.20.0.0/24")
    await rig.put(WEB)
    rig.now += 1000
    with pytest.raises(Conflict, match="network web"):
        await rig.pool("10.20.0.0/24")


async def test_resting_addresses_do_not_keep_a_left_pool() -> None:
    rig = Rig()
    pool = await rig.pool("10.20.0.0/24")
    await rig.release(pool, (await rig.ask(pool)).split("/")[0])
    rig.now += 10
    taken_over = await rig.pool("10.20.0.0/24")
    assert await rig.ask(taken_over) == "10.20.0.2/24"


@pytest.mark.parametrize("subnet", ["0.0.0.0/0", "224.0.0.0/24", "fe80::/64"])
async def test_an_unfit_subnet_is_refused(subnet: str) -> None:
    rig = Rig()
    with pytest.raises(BadRequest):
        await rig.pool(subnet)
    assert rig.state.pools == {}


async def test_releasing_a_pool_forgets_all_its_addresses_and_may_be_repeated() -> None:
    rig = Rig()
    pool, other = await rig.pool("10.20.0.0/24"), await rig.pool("10.30.0.0/24")
    await rig.ask(pool, kind=GATEWAY)
    await rig.ask(pool)
    await rig.ask(other)
    await rig.addresses.release_pool(pool.id)
    await rig.addresses.release_pool(pool.id)
    assert set(rig.state.pools) == {other.id}
    assert {it.pool_id for it in rig.state.allocations.values()} == {other.id}


async def test_a_bad_setting_is_named_at_the_start() -> None:
    with pytest.raises(BadRequest, match="pools_v4"):
        Rig(settings=Settings(pools_v4=("10.0.0.1/8",)))


# -------------------------------------------------------------- addresses


async def test_addresses_carry_the_prefix_length_of_the_subnet() -> None:
    rig = Rig()
    pool = await rig.pool("10.20.0.0/16", sub_range="10.20.4.0/24")
    assert await rig.ask(pool, kind=GATEWAY) == "10.20.0.1/16"
    assert await rig.ask(pool) == "10.20.4.0/16"
    assert await rig.ask(await rig.pool("fd00:20::/64")) == "fd00:20::1/64"


async def test_gateway_and_aux_addresses_may_lie_outside_the_range() -> None:
    rig = Rig()
    pool = await rig.pool("10.20.0.0/16", sub_range="10.20.4.0/24")
    assert await rig.ask(pool, "10.20.255.254", kind=GATEWAY) == "10.20.255.254/16"
    assert await rig.ask(pool, "10.20.9.9") == "10.20.9.9/16"


async def test_aux_addresses_are_never_handed_out() -> None:
    rig = Rig()
    pool = await rig.pool("10.20.0.0/29")
    await rig.ask(pool, kind=GATEWAY)
    await rig.ask(pool, "10.20.0.3")
    kept = rig.allocation(pool, "10.20.0.3")
    assert kept is not None
    assert kept.kind is RESERVED
    assert [await rig.ask(pool) for _ in range(4)] == [f"10.20.0.{it}/29" for it in (2, 4, 5, 6)]


async def test_an_address_asked_for_after_the_network_is_made_is_an_endpoints() -> None:
    rig = Rig()
    pool = await rig.web()
    await rig.ask(pool, "10.20.0.9")
    taken = rig.allocation(pool, "10.20.0.9")
    assert taken is not None
    assert taken.kind is ENDPOINT


async def test_fifty_at_once_get_fifty_addresses() -> None:
    rig = Rig()
    pool = await rig.pool("10.20.0.0/24")
    got = await asyncio.gather(*(rig.ask(pool) for _ in range(50)))
    assert len(set(got)) == 50
    assert len(rig.state.allocations) == 50


async def test_two_agents_on_one_store_never_give_the_same_address() -> None:
    store, settings = SlowStore(LOCAL), Settings()
    agents = [Addresses(Committer(store), lambda: START, _host_networks([]), settings) for _ in range(2)]
    pool = await agents[0].request_pool(PoolRequest(space="local", subnet=ip_network("10.20.0.0/24")))
    wanted = AddressRequest(pool_id=pool.id)
    got = await asyncio.gather(*(agents[it % 2].request_address(wanted) for it in range(40)))
    assert len(set(got)) == 40


class SlowStore(MemoryStore[State]):
    """Lets others run between the decision and its commit, as a store behind a socket does."""

    async def commit(self, base, changes):  # type: ignore[no-untyped-def]
        await asyncio.sleep(0)
        return await super().commit(base, changes)


async def test_a_slash_29_is_used_up_and_then_full() -> None:
    rig = Rig()
    pool = await rig.pool("10.20.0.0/29")
    await rig.ask(pool, kind=GATEWAY)
    for _ in range(5):
        await rig.ask(pool)
    with pytest.raises(Conflict, match=r"subnet 10\.20\.0\.0/29 is full: all of its 6"):
        await rig.ask(pool)
    assert len(rig.state.allocations) == 6


async def test_dual_stack_uses_two_pools_side_by_side() -> None:
    rig = Rig()
    four, six = await rig.pool("10.20.0.0/24"), await rig.pool("fd00:20::/64")
    assert await rig.ask(four, kind=GATEWAY) == "10.20.0.1/24"
    assert await rig.ask(six, kind=GATEWAY) == "fd00:20::1/64"
    assert (await rig.ask(four), await rig.ask(six)) == ("10.20.0.2/24", "fd00:20::2/64")


async def test_where_one_family_is_refused_the_others_address_of_the_same_container_rests() -> None:
    rig = Rig()
    four = await rig.web()
    six = await rig.pool("fd00:20::/126", v6=True)
    await rig.put(replace(WEB, ipv6=IPv6Network("fd00:20::/126"), gateway6=None))
    await rig.put(endpoint(1))
    rig.now += 1
    before = await rig.ask(four)
    rig.now += 1
    given = await rig.ask(four)
    await rig.ask(six, "fd00:20::3")
    with pytest.raises(Conflict, match="fd00:20::3"):
        await rig.ask(six, "fd00:20::3")

    def held(address: str) -> bool:
        found = rig.allocation(four, address.partition("/")[0])
        return found is not None and found.held

    assert not held(given)
    assert held(before)
    assert held("10.20.0.1")


async def test_a_refused_gateway_touches_no_other_address() -> None:
    rig = Rig()
    four = await rig.web()
    six = await rig.pool("fd00:20::/64", v6=True)
    await rig.put(WEB)
    given = await rig.ask(four)
    with pytest.raises(BadRequest):
        await rig.ask(six, "fd00:99::1", kind=GATEWAY)
    found = rig.allocation(four, given.partition("/")[0])
    assert found is not None
    assert found.held


async def test_a_released_address_rests_before_it_comes_again() -> None:
    rig = Rig()
    pool = await rig.pool("10.20.0.0/29")
    for _ in range(6):
        await rig.ask(pool)
    await rig.release(pool, "10.20.0.2")
    rig.now += 10
    await rig.release(pool, "10.20.0.1")
    rig.now += 55
    assert await rig.ask(pool) == "10.20.0.2/29"
    assert await rig.ask(pool) == "10.20.0.1/29"


async def test_in_a_full_pool_the_one_that_rested_longest_is_given() -> None:
    rig = Rig()
    pool = await rig.pool("10.20.0.0/30")
    await rig.ask(pool)
    await rig.ask(pool)
    await rig.release(pool, "10.20.0.2")
    rig.now += 1
    await rig.release(pool, "10.20.0.1")
    assert await rig.ask(pool) == "10.20.0.2/30"


async def test_an_address_that_rests_may_be_asked_for() -> None:
    rig = Rig()
    pool = await rig.web()
    await rig.ask(pool, "10.20.0.9")
    await rig.release(pool, "10.20.0.9")
    assert await rig.ask(pool, "10.20.0.9") == "10.20.0.9/24"


async def test_rest_is_forgotten_when_it_is_over() -> None:
    rig = Rig()
    pool = await rig.pool("10.20.0.0/24")
    for _ in range(3):
        await rig.ask(pool)
    await rig.release(pool, "10.20.0.1")
    await rig.release(pool, "10.20.0.2")
    rig.now += rig.settings.address_rest
    await rig.ask(pool)
    assert {str(it.address) for it in rig.state.allocations.values()} == {"10.20.0.3", "10.20.0.4"}


async def test_after_its_rest_an_address_is_as_good_as_any() -> None:
    rig = Rig()
    pool = await rig.pool("10.20.0.0/29")
    await rig.ask(pool, "10.20.0.3")
    for _ in range(5):
        await rig.ask(pool)
    await rig.release(pool, "10.20.0.1")
    await rig.release(pool, "10.20.0.3")
    rig.now += rig.settings.address_rest
    assert await rig.ask(pool) == "10.20.0.1/29"


async def test_releasing_may_be_repeated_and_does_not_lengthen_the_rest() -> None:
    rig = Rig()
    pool = await rig.pool("10.20.0.0/24")
    await rig.ask(pool)
    await rig.release(pool, "10.20.0.1")
    rig.now += 30
    await rig.release(pool, "10.20.0.1")
    rested = rig.allocation(pool, "10.20.0.1")
    assert rested is not None
    assert rested.released_at == START


async def test_releasing_something_unknown_succeeds() -> None:
    rig = Rig()
    pool = await rig.pool("10.20.0.0/24")
    before = rig.state
    await rig.release(pool, "10.20.0.77")
    await rig.addresses.release_address(PoolId("nobody's"), ip_address("10.20.0.77"))
    assert rig.state == before


async def test_gateways_and_aux_addresses_do_not_rest() -> None:
    rig = Rig()
    pool = await rig.pool("10.20.0.0/24")
    await rig.ask(pool, kind=GATEWAY)
    await rig.ask(pool, "10.20.0.50")
    await rig.release(pool, "10.20.0.1")
    await rig.release(pool, "10.20.0.50")
    assert rig.state.allocations == {}


async def test_an_unknown_pool_is_an_error() -> None:
    with pytest.raises(NotFound, match="remove the network and create it again"):
        await Rig().addresses.request_address(AddressRequest(pool_id=PoolId("local|10.20.0.0/24|")))


@pytest.mark.parametrize("address", ["10.20.0.0", "10.20.0.255", "10.20.1.1", "fd00::1"])
async def test_an_address_no_interface_can_have_is_refused(address: str) -> None:
    rig = Rig()
    pool = await rig.web()
    before = rig.state
    with pytest.raises(BadRequest):
        await rig.ask(pool, address)
    assert rig.state == before


async def test_a_repeated_gateway_request_gets_the_same_gateway() -> None:
    rig = Rig()
    pool = await rig.pool("10.20.0.0/24")
    first = await rig.ask(pool, kind=GATEWAY)
    before = rig.state
    assert await rig.ask(pool, kind=GATEWAY) == first
    assert await rig.ask(pool, "10.20.0.1", kind=GATEWAY) == first
    assert rig.state == before


async def test_an_address_whose_answer_was_lost_is_given_to_the_same_container_again() -> None:
    rig = Rig()
    pool = await rig.web()
    first = await rig.ask(pool, holder="c1")
    assert await rig.ask(pool, holder="c1") == first
    assert await rig.ask(pool, first.split("/")[0], holder="c1") == first
    assert await rig.ask(pool, holder="c2") != first


async def test_a_container_whose_endpoint_lives_gets_no_second_hold_on_its_address() -> None:
    """A renamed container keeps its address; a new one of the old name must not share it."""
    rig = Rig()
    pool = await rig.web()
    taken = await rig.ask(pool, holder="c1")
    await rig.put(replace(endpoint(1), ipv4=IPv4Interface(taken), container_name="renamed"))
    assert await rig.ask(pool, holder="c1") != taken
    with pytest.raises(Conflict, match="container renamed"):
        await rig.ask(pool, taken.split("/")[0], holder="c1")


async def test_in_networks_of_other_drivers_names_prove_nothing() -> None:
    rig = Rig()
    pool = await rig.pool("10.40.0.0/24")
    assert await rig.ask(pool, holder="c1") != await rig.ask(pool, holder="c1")


async def test_an_address_of_an_endpoint_is_never_handed_out_whatever_the_allocations_say() -> None:
    rig = Rig()
    pool = await rig.web()
    await rig.put(endpoint(1))
    assert await rig.ask(pool) == "10.20.0.3/24"
    with pytest.raises(Conflict, match="container c1"):
        await rig.ask(pool, "10.20.0.2")


# ------------------------------------------------------ who is in the way


async def test_a_held_address_is_refused_with_the_name_the_engine_told() -> None:
    rig = Rig()
    pool = await rig.web()
    await rig.ask(pool, "10.20.0.9", holder="db1")
    with pytest.raises(Conflict, match=r"10\.20\.0\.9 of network web is held by container db1; choose another --ip"):
        await rig.ask(pool, "10.20.0.9", holder="db2")


async def test_before_engine_29_the_name_comes_from_the_endpoint() -> None:
    rig = Rig()
    pool = await rig.web()
    await rig.ask(pool, "10.20.0.2")
    await rig.put(endpoint(1))
    with pytest.raises(Conflict, match="held by container c1"):
        await rig.ask(pool, "10.20.0.2")


async def test_without_any_name_the_endpoint_is_named() -> None:
    rig = Rig()
    pool = await rig.web()
    await rig.ask(pool, "10.20.0.2")
    await rig.put(replace(endpoint(1), container_name=""))
    with pytest.raises(Conflict, match="held by endpoint 010101010101"):
        await rig.ask(pool, "10.20.0.2")


async def test_the_gateway_and_aux_addresses_say_what_they_are() -> None:
    rig = Rig()
    pool = await rig.pool("10.20.0.0/24")
    await rig.ask(pool, kind=GATEWAY)
    await rig.ask(pool, "10.20.0.50")
    await rig.put(WEB)
    with pytest.raises(Conflict, match="the network's gateway"):
        await rig.ask(pool, "10.20.0.1")
    with pytest.raises(Conflict, match="--aux-address"):
        await rig.ask(pool, "10.20.0.50")


async def test_an_address_between_two_calls_says_so() -> None:
    rig = Rig()
    pool = await rig.web()
    await rig.ask(pool, "10.20.0.9")
    with pytest.raises(Conflict, match="just starting or stopping"):
        await rig.ask(pool, "10.20.0.9")


async def test_an_ipv6_address_is_refused_with_its_holder_too() -> None:
    rig = Rig()
    pool = await rig.pool("fd00:20::/64")
    await rig.put(WEB, endpoint(1))
    assert _ip(endpoint(1)) == ip_address("fd00:20::2")
    with pytest.raises(Conflict, match="container c1"):
        await rig.ask(pool, "fd00:20::2")


def _ip(it: Endpoint) -> IpAddress:
    assert it.ipv6 is not None
    return it.ipv6.ip
