"""Addresses of networks that several hosts share: leases, the reserve, and what hosts ask of each other."""

import asyncio
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network, ip_address

import pytest

from ovsnet.control.sharing.leases import unleased
from ovsnet.model.cluster import Cluster, Lease
from ovsnet.model.errors import BadRequest, Conflict, Unavailable
from ovsnet.model.ids import NOT_SHARED, IpAddress
from ovsnet.settings import Settings
from tests.unit.control.sharing.member_hosts import DUAL, NET, TINY, Host, members, quiet

FEW = Settings(address_reserve=2)
NONE = Settings(address_reserve=0)


# ------------------------------------------------------------------ any address


async def test_a_start_takes_an_address_that_was_leased_before() -> None:
    async with members() as hosts:
        await hosts[0].ask()
        await quiet()
        before = len(hosts[0].contact.commits)
        held = hosts[0].leases()
        assert str(await hosts[0].ask()) in held
        assert len(hosts[0].contact.commits) == before


async def test_every_address_is_leased_to_its_host_before_it_is_handed_out() -> None:
    async with members() as hosts:
        for _ in range(30):
            for host in hosts.hosts:
                assert str(await host.ask()) in host.leases()


async def test_two_hosts_with_two_hundred_requests_each_get_four_hundred_addresses_in_few_commits() -> None:
    async with members(network=replace(NET, ipv4=IPv4Network("10.20.0.0/16"))) as hosts:
        got = await asyncio.gather(*(hosts[it % 2].ask() for it in range(400)))
        assert len(set(got)) == 400
        assert all(hosts.owners()[str(it)] == "ab"[number % 2] for number, it in enumerate(got))
        assert sum(len(it.contact.commits) for it in hosts.hosts) <= 8


async def test_both_families_are_leased() -> None:
    async with members(network=DUAL) as hosts:
        four, six = await hosts[0].ask(), await hosts[1].ask(version=6)
        assert hosts.owners()[str(four)] == "a"
        assert hosts.owners()[str(six)] == "b"
        assert six.version == 6


async def test_hosts_begin_at_different_places() -> None:
    async with members("abc", replace(NET, ipv4=IPv4Network("10.20.0.0/16"))) as hosts:
        first = [await it.ask() for it in hosts.hosts]
        assert len({int(it) >> 8 for it in first}) == 3


async def test_hosts_that_want_the_same_addresses_at_the_same_moment_get_different_ones() -> None:
    async with members("ab", replace(NET, ipv4=IPv4Network("10.20.0.0/27")), NONE) as hosts:
        for _ in range(5):
            one, other = await asyncio.gather(hosts[0].ask(), hosts[1].ask())
            assert one != other


async def test_range_gateway_and_reserved_addresses_are_honoured_by_every_host() -> None:
    narrow = replace(
        NET,
        range4=IPv4Network("10.20.0.0/28"),
        gateway4=IPv4Address("10.20.0.1"),
        reserved=(ip_address("10.20.0.5"), ip_address("10.20.0.7")),
    )
    async with members(network=narrow, settings=NONE) as hosts:
        got = {str(await hosts[it % 2].ask()) for it in range(12)}
        assert got == {f"10.20.0.{it}" for it in range(1, 16)} - {"10.20.0.1", "10.20.0.5", "10.20.0.7"}
        with pytest.raises(Conflict, match=r"range 10\.20\.0\.0/28 of subnet 10\.20\.0\.0/24 is full"):
            await hosts[0].ask()


async def test_a_slash_29_gives_five_addresses_to_three_hosts_and_is_full_then() -> None:
    async with members("abc", TINY) as hosts:
        got = {str(await hosts[it % 3].ask()) for it in range(5)}
        assert got == {f"10.20.0.{it}" for it in range(2, 7)}
        with pytest.raises(Conflict, match=r"subnet 10\.20\.0\.0/29 is full: all of its 6 addresses are in use"):
            await hosts[2].ask()


async def test_the_last_addresses_lie_in_no_reserve() -> None:
    async with members("ab", replace(NET, ipv4=IPv4Network("10.20.0.0/26"))) as hosts:
        assert len({await hosts[it % 2].ask() for it in range(61)}) == 61
        with pytest.raises(Conflict, match="full"):
            await hosts[0].ask()


async def test_a_small_network_is_not_divided_among_many_hosts() -> None:
    async with members("abcdefghijklmnopqrstuvwxyz") as hosts:
        await asyncio.gather(*(it.ask() for it in hosts.hosts))
        await quiet()
        assert len(hosts.owners()) <= 26 * 2


# ------------------------------------------------------------------ while the database is away


async def test_the_reserve_lasts_while_the_database_is_away_and_then_a_sentence_says_so() -> None:
    async with members() as hosts:
        await hosts[0].ask()
        await quiet()
        hosts[0].contact.cut()
        for _ in range(8):
            assert str(await hosts[0].ask()) in hosts[0].leases()
        with pytest.raises(
            Unavailable, match="nobody answers; and the addresses this host holds ahead for network web"
        ):
            await hosts[0].ask()
        hosts[0].contact.mend()
        assert str(await hosts[0].ask()) in hosts[0].leases()


async def test_what_rests_is_handed_out_while_nothing_else_can_be() -> None:
    async with members(settings=FEW) as hosts:
        first = await hosts[0].ask()
        await hosts[0].release(first)
        await quiet()
        hosts[0].contact.cut()
        got = [await hosts[0].ask() for _ in range(3)]
        assert got[-1] == first


async def test_the_reserve_is_filled_again_when_the_database_is_back() -> None:
    async with members() as hosts:
        await hosts[0].ask()
        await quiet()
        hosts[0].contact.cut()
        for _ in range(8):
            await hosts[0].ask()
        hosts[0].contact.mend()
        await quiet()
        assert len(hosts[0].leases()) == 9 + 8


async def test_a_claim_that_comes_into_force_too_late_is_in_the_reserve() -> None:
    async with members(settings=Settings(address_reserve=2, attach_deadline=0.2)) as hosts:
        hosts[0].contact.answers.clear()
        with pytest.raises(Unavailable, match="no answer in time; and the addresses this host holds ahead"):
            await hosts[0].ask()
        hosts[0].contact.answers.set()
        await quiet()
        claimed = hosts[0].leases()
        assert str(await hosts[0].ask()) in claimed


async def test_an_address_on_its_way_back_is_not_handed_out() -> None:
    """Its lease may be gone, whatever the last snapshot says."""
    async with members() as hosts:
        await hosts[0].ask()
        await quiet()
        address = ip_address(min(hosts[0].leases() - {str(it) for it in _held(hosts[0])}))
        hosts[0].contact.answers.clear()
        async with asyncio.TaskGroup() as group:
            yielding = group.create_task(hosts[0].reserve.yield_address(NET.id, address))
            await quiet()
            got = {await hosts[0].ask() for _ in range(7)}
            hosts[0].contact.answers.set()
        assert yielding.result()
        assert address not in got


@pytest.mark.parametrize("asked", ["", "10.20.0.99"])
async def test_an_address_on_its_way_to_a_container_is_not_given_back(asked: str) -> None:
    async with members() as hosts:
        await hosts[0].ask()
        await quiet()
        hosts[0].local.answers.clear()
        async with asyncio.TaskGroup() as group:
            request = group.create_task(hosts[0].ask(asked))
            await quiet()
            given = await hosts[0].reserve.yield_addresses(NET.id, 100, 4)
            for address in hosts[0].leases():
                await hosts[0].reserve.yield_address(NET.id, ip_address(address))
            hosts[0].local.answers.set()
        assert request.result() not in given
        assert hosts.owners()[str(request.result())] == "a"


async def test_a_failed_return_is_carried_through() -> None:
    async with members() as hosts:
        first = await hosts[0].ask("10.20.0.9")
        await quiet()
        hosts[0].contact.cut()
        await hosts[0].release(first)
        hosts[0].contact.mend()
        await quiet()
        assert "10.20.0.9" not in hosts.owners()


# ------------------------------------------------------------------ --ip


async def test_an_address_asked_for_is_leased_and_goes_back_at_its_release() -> None:
    async with members() as hosts:
        assert str(await hosts[0].ask("10.20.0.77")) == "10.20.0.77"
        assert hosts.owners()["10.20.0.77"] == "a"
        await hosts[0].release("10.20.0.77")
        await quiet()
        assert "10.20.0.77" not in hosts.owners()
        assert str(await hosts[1].ask("10.20.0.77")) == "10.20.0.77"


async def test_the_same_host_gets_it_again_at_once() -> None:
    async with members() as hosts:
        for _ in range(5):
            await hosts[0].ask("10.20.0.77")
            await hosts[0].release("10.20.0.77")
        assert str(await hosts[0].ask("10.20.0.77")) == "10.20.0.77"
        assert hosts.owners()["10.20.0.77"] == "a"


async def test_an_address_another_host_holds_ahead_is_yielded() -> None:
    async with members() as hosts:
        used = await hosts[0].ask()
        await quiet()
        spare = next(iter(hosts[0].leases() - {str(used)}))
        assert str(await hosts[1].ask(spare)) == spare
        assert hosts.owners()[spare] == "b"


async def test_an_address_that_rests_on_another_host_is_yielded() -> None:
    async with members() as hosts:
        used = await hosts[0].ask()
        await hosts[0].release(used)
        assert await hosts[1].ask(str(used)) == used


async def test_a_used_address_is_refused_with_container_and_host() -> None:
    async with members() as hosts:
        await hosts[0].ask("10.20.0.9")
        await hosts.publish(hosts[0], ip_address("10.20.0.9"), "db1")
        message = (
            r"10\.20\.0\.9 of network web is held by container db1 on host a; choose another --ip or disconnect it"
        )
        with pytest.raises(Conflict, match=message):
            await hosts[1].ask("10.20.0.9")


async def test_an_address_between_two_calls_on_another_host_says_so() -> None:
    async with members() as hosts:
        used = await hosts[0].ask()
        with pytest.raises(Conflict, match="container that is just starting or stopping on host a"):
            await hosts[1].ask(str(used))


async def test_a_host_that_does_not_answer_is_named_with_what_to_do() -> None:
    async with members() as hosts:
        await hosts[0].ask("10.20.0.9")
        hosts.net.dead.add(hosts[0].name)
        with pytest.raises(Conflict, match=r"belongs to host a, .*no answer.*'ovsnet cluster forget a'"):
            await hosts[1].ask("10.20.0.9")


async def test_two_hosts_that_want_one_address_are_served_one_after_the_other() -> None:
    async with members() as hosts:
        outcomes = await asyncio.gather(hosts[0].ask("10.20.0.50"), hosts[1].ask("10.20.0.50"), return_exceptions=True)
        assert sorted(type(it).__name__ for it in outcomes) == ["Conflict", "IPv4Address"]
        winner = "ab"[[isinstance(it, Conflict) for it in outcomes].index(False)]
        assert hosts.owners()["10.20.0.50"] == winner


@pytest.mark.parametrize(
    ("address", "error"),
    [("10.20.0.0", BadRequest), ("10.20.0.255", BadRequest), ("10.30.0.1", BadRequest), ("10.20.0.1", Conflict)],
)
async def test_what_no_container_can_have_is_refused_before_anything_is_claimed(
    address: str, error: type[Exception]
) -> None:
    async with members() as hosts:
        with pytest.raises(error):
            await hosts[1].ask(address)
        assert hosts.owners() == {}


async def test_a_reserved_address_is_refused_by_name_on_hosts_whose_engine_never_heard_of_it() -> None:
    async with members(network=replace(NET, reserved=(ip_address("10.20.0.50"),))) as hosts:
        with pytest.raises(Conflict, match="--aux-address"):
            await hosts[1].ask("10.20.0.50")


async def test_an_address_outside_the_range_may_be_asked_for_and_does_not_stay() -> None:
    async with members(network=replace(NET, range4=IPv4Network("10.20.0.128/25"))) as hosts:
        await hosts[0].ask("10.20.0.9")
        await hosts[0].release("10.20.0.9")
        await quiet()
        assert "10.20.0.9" not in hosts.owners()


async def test_an_address_of_ours_needs_no_database() -> None:
    async with members() as hosts:
        used = await hosts[0].ask()
        await quiet()
        spare = next(iter(hosts[0].leases() - {str(used)}))
        hosts[0].contact.cut()
        assert str(await hosts[0].ask(spare)) == spare
        with pytest.raises(Unavailable):
            await hosts[0].ask("10.20.0.251")


async def test_the_address_of_one_family_rests_where_the_other_is_refused() -> None:
    async with members(network=DUAL) as hosts:
        four = await hosts[0].ask()
        hosts[0].contact.cut()
        with pytest.raises(Unavailable):
            await hosts[0].ask(version=6)
        assert four not in _held(hosts[0])


# ------------------------------------------------------------------ giving back


async def test_what_is_too_much_goes_back_when_it_has_rested() -> None:
    async with members() as hosts:
        got = [await hosts[0].ask() for _ in range(40)]
        for address in got[1:]:
            await hosts[0].release(address)
        await quiet()
        assert len(hosts[0].leases()) >= 40
        before = len(hosts[0].contact.commits)
        await hosts[0].later(80)
        assert len(hosts[0].leases()) == 1 + 8
        assert len(hosts[0].contact.commits) == before + 1


async def test_a_restarting_container_costs_no_commit() -> None:
    async with members() as hosts:
        await hosts[0].ask()
        await quiet()
        before = len(hosts[0].contact.commits)
        for _ in range(10):
            address = await hosts[0].ask()
            await hosts[0].release(address)
            await hosts[0].later(30)
        assert len(hosts[0].contact.commits) == before


async def test_a_network_without_containers_gives_everything_back_after_a_while() -> None:
    async with members(network=DUAL) as hosts:
        four, six = await hosts[0].ask(), await hosts[0].ask(version=6)
        await hosts[0].release(four)
        await hosts[0].release(six)
        await quiet()
        await hosts[0].later(30)
        assert hosts[0].leases()
        await hosts[0].later(31)
        assert hosts[0].leases() == set()


async def test_the_task_wakes_up_for_that_by_itself() -> None:
    async with members(settings=Settings(reserve_idle=0.05)) as hosts:
        address = await hosts[0].ask()
        await hosts[0].release(address)
        await quiet()
        hosts[0].now += 1
        gone = asyncio.Event()
        hosts.store.watch(lambda: gone.set() if not hosts[0].leases() else None)
        async with asyncio.timeout(10):
            await gone.wait()


async def test_used_networks_keep_what_they_have() -> None:
    async with members() as hosts:
        await hosts[0].attach(await hosts[0].ask())
        await quiet()
        before = hosts[0].leases()
        await hosts[0].later(1000)
        assert hosts[0].leases() == before


async def test_leases_of_a_network_that_is_gone_go_too() -> None:
    async with members() as hosts:
        address = await hosts[0].ask()
        await hosts[0].release(address)
        await hosts.drop(NET)
        assert hosts.owners() == {}


async def test_two_containers_in_a_full_network_share_one_address_one_after_the_other() -> None:
    """The last address rests on one host, and the other one gets it."""
    async with members(network=TINY) as hosts:
        got = [await hosts[0].ask() for _ in range(5)]
        await hosts[0].release(got[2])
        await quiet()
        assert await hosts[1].ask() == got[2]
        with pytest.raises(Conflict, match="full"):
            await hosts[0].ask()


async def test_a_full_network_says_who_was_not_asked() -> None:
    async with members("abc", TINY) as hosts:
        got = [await hosts[0].ask() for _ in range(5)]
        await hosts[0].release(got[0])
        await quiet()
        hosts.net.dead.add(hosts[0].name)
        with pytest.raises(Conflict, match=r"full.*; some may lie idle on host a, which does not answer"):
            await hosts[1].ask()


async def test_nobody_waits_for_a_host_that_is_known_to_be_dead() -> None:
    async with members("abc", TINY) as hosts:
        for address in [await hosts[0].ask() for _ in range(5)]:
            await hosts[0].release(address)
        await quiet()
        hosts.net.known_dead.add(hosts[0].name)
        with pytest.raises(Conflict, match="idle on host a, which does not answer"):
            await hosts[1].ask()
        assert hosts.net.asked == []


async def test_many_requests_to_a_full_network_ask_the_others_together() -> None:
    async with members(network=TINY) as hosts:
        for _ in range(5):
            await hosts[0].ask()
        await quiet()
        outcomes = await asyncio.gather(*(hosts[1].ask() for _ in range(50)), return_exceptions=True)
        assert {type(it) for it in outcomes} == {Conflict}
        assert len(hosts.net.asked) < 10


async def test_a_host_never_yields_what_its_own_requests_wait_for() -> None:
    async with members() as hosts:
        await hosts[0].ask()
        await quiet()
        with hosts[0].reserve.taking((NET.id, 4)), hosts[0].reserve.taking((NET.id, 4)):
            assert len(await hosts[0].reserve.yield_addresses(NET.id, 100, 4)) == 6


async def test_yielding_what_is_not_ours_is_no_refusal() -> None:
    async with members() as hosts:
        assert await hosts[0].reserve.yield_address(NET.id, ip_address("10.20.0.99"))


# ------------------------------------------------------------------ who may still speak


async def test_in_every_normal_moment_no_endpoint_is_without_a_lease() -> None:
    async with members() as hosts:
        fenced: set[str] = set()

        def look() -> None:
            for host in hosts.hosts:
                fenced.update(unleased(host.local.snapshot(), hosts.store.snapshot(), host.name))

        hosts.store.watch(look)
        for host in hosts.hosts:
            host.local.watch(look)
        for turn in range(6):
            made = [await it.attach(await it.ask()) for it in hosts.hosts]
            if turn % 2:
                for host, endpoint in zip(hosts.hosts, made, strict=True):
                    await host.detach(endpoint)
        assert fenced == set()


async def test_nobody_is_fenced_while_the_cluster_was_not_seen() -> None:
    async with members() as hosts:
        await hosts[0].attach(await hosts[0].ask())
        assert unleased(hosts[0].local.snapshot(), Cluster(), hosts[0].name) == frozenset()


async def test_a_forgotten_host_keeps_still_and_gets_back_what_nobody_took() -> None:
    async with members() as hosts:
        taken, free = [await hosts[0].attach(await hosts[0].ask()) for _ in range(2)]
        await hosts.forget(hosts[0])
        state = hosts[0].local.snapshot()
        assert unleased(state, hosts.store.snapshot(), hosts[0].name) == {taken.id, free.id}
        assert taken.ipv4
        assert free.ipv4
        assert await hosts[1].ask(str(taken.ipv4.ip)) == taken.ipv4.ip
        with pytest.raises(Conflict, match="host a is not a member of the cluster any more"):
            await asyncio.gather(*(hosts[0].ask() for _ in range(9)))
        with pytest.raises(Conflict, match="host a is not a member of the cluster any more"):
            await hosts[0].ask("10.20.0.200")
        await hosts.rejoin(hosts[0])
        await quiet()
        assert unleased(state, hosts.store.snapshot(), hosts[0].name) == {taken.id}
        assert hosts.owners()[str(free.ipv4.ip)] == "a"


async def test_endpoints_of_other_networks_are_nobodys_business() -> None:
    async with members() as hosts:
        endpoint = await hosts[0].attach(await hosts[0].ask())
        part = next(iter(hosts[0].local.snapshot().networks.values()))
        state = replace(hosts[0].local.snapshot(), networks={part.id: replace(part, shared=NOT_SHARED)})
        await hosts.forget(hosts[0])
        assert endpoint.id in state.endpoints
        assert unleased(state, hosts.store.snapshot(), hosts[0].name) == frozenset()


async def test_a_lost_lease_of_a_running_container_is_claimed_again() -> None:
    """As after an older copy of the cluster's database was put back."""
    async with members() as hosts:
        endpoint = await hosts[0].attach(await hosts[0].ask())
        assert endpoint.ipv4
        await hosts.drop(Lease(NET.id, endpoint.ipv4.ip, hosts[0].name))
        assert hosts.owners()[str(endpoint.ipv4.ip)] == "a"


def _held(host: Host) -> set[IpAddress]:
    return {it.address for it in host.local.snapshot().allocations.values() if it.held}
