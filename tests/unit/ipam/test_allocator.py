"""Which address of a pool comes next."""

from collections.abc import Iterable
from dataclasses import replace
from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ovsnet.ipam import allocator
from ovsnet.ipam.allocator import check_address, rests
from ovsnet.model.addressing import Allocation, AllocationKind, Pool
from ovsnet.model.errors import BadRequest, Conflict
from ovsnet.model.ids import IpAddress, pool_id


def pool(subnet: str, sub_range: str | None = None, cursor: str | None = None) -> Pool:
    network = ip_network(subnet)
    part = ip_network(sub_range) if sub_range else None
    last = ip_address(cursor) if cursor else None
    return Pool(id=pool_id("local", network, part), space="local", subnet=network, sub_range=part, cursor=last)


def held(where: Pool, *addresses: str | IpAddress) -> list[Allocation]:
    return [Allocation(where.id, ip_address(it), AllocationKind.ENDPOINT) for it in addresses]


def resting(where: Pool, address: str | IpAddress, since: float) -> Allocation:
    return replace(held(where, address)[0], released_at=since)


def taken(allocations: Iterable[Allocation]) -> set[IpAddress]:
    return {it.address for it in allocations if it.held}


def next_address(where: Pool, allocations: Iterable[Allocation]) -> IpAddress:
    known = list(allocations)
    released = {it.address: it.released_at for it in known if it.released_at is not None}
    return allocator.next_address(where, taken(known), released)


def gateway_address(where: Pool, allocations: Iterable[Allocation]) -> IpAddress:
    return allocator.gateway_address(where, taken(allocations))


def handed_out(where: Pool, before: Iterable[Allocation] = ()) -> list[str]:
    """Every address until the pool is full, in the order in which they come."""
    allocations, order = list(before), list[str]()
    while True:
        try:
            address = next_address(where, allocations)
        except Conflict:
            return order
        order.append(str(address))
        allocations.append(Allocation(where.id, address, AllocationKind.ENDPOINT))
        where = replace(where, cursor=address)


def test_a_slash_29_gives_its_six_addresses_and_no_other() -> None:
    assert handed_out(pool("10.1.0.0/29")) == [f"10.1.0.{it}" for it in range(1, 7)]


def test_held_addresses_are_passed_over_whatever_they_are_held_for() -> None:
    small = pool("10.1.0.0/29")
    taken = [
        Allocation(small.id, ip_address("10.1.0.1"), AllocationKind.GATEWAY),
        Allocation(small.id, ip_address("10.1.0.3"), AllocationKind.RESERVED),
        Allocation(small.id, ip_address("10.1.0.5"), AllocationKind.ENDPOINT),
    ]
    assert handed_out(small, taken) == ["10.1.0.2", "10.1.0.4", "10.1.0.6"]


@pytest.mark.parametrize(
    ("subnet", "expected"),
    [
        ("10.1.0.0/31", ["10.1.0.0", "10.1.0.1"]),
        ("10.1.0.4/32", ["10.1.0.4"]),
        ("10.1.0.0/30", ["10.1.0.1", "10.1.0.2"]),
        ("fd00::/127", ["fd00::", "fd00::1"]),
        ("fd00::7/128", ["fd00::7"]),
        ("fd00::/126", ["fd00::1", "fd00::2", "fd00::3"]),
    ],
)
def test_ends_of_a_subnet(subnet: str, expected: list[str]) -> None:
    assert handed_out(pool(subnet)) == expected


def test_the_search_goes_on_after_the_last_one_and_round_the_end() -> None:
    assert handed_out(pool("10.1.0.0/29", cursor="10.1.0.4")) == [f"10.1.0.{it}" for it in (5, 6, 1, 2, 3, 4)]


def test_only_the_range_is_used_but_all_of_it() -> None:
    ranged = pool("10.1.0.0/16", "10.1.4.0/30")
    assert handed_out(ranged) == ["10.1.4.0", "10.1.4.1", "10.1.4.2", "10.1.4.3"]


def test_a_range_at_the_end_of_the_subnet_leaves_the_broadcast_address_alone() -> None:
    assert handed_out(pool("10.1.0.0/24", "10.1.0.252/30")) == ["10.1.0.252", "10.1.0.253", "10.1.0.254"]


def test_a_range_that_is_only_the_network_address_is_full_from_the_start() -> None:
    with pytest.raises(Conflict, match="all of its 0 addresses"):
        next_address(pool("10.1.0.0/24", "10.1.0.0/32"), [])


def test_a_cursor_outside_the_range_does_not_matter() -> None:
    assert str(next_address(pool("10.1.0.0/16", "10.1.4.0/24", cursor="10.1.9.9"), [])) == "10.1.4.0"


def test_resting_addresses_are_passed_over_while_another_is_free() -> None:
    small = pool("10.1.0.0/29")
    tired = [resting(small, f"10.1.0.{it}", since=100.0) for it in (1, 2, 3)]
    assert str(next_address(small, tired)) == "10.1.0.4"


def test_when_nothing_else_is_free_the_one_that_rested_longest_is_given() -> None:
    small = pool("10.1.0.0/29")
    taken = held(small, "10.1.0.1", "10.1.0.2", "10.1.0.3", "10.1.0.4")
    taken += [resting(small, "10.1.0.5", since=60.0), resting(small, "10.1.0.6", since=50.0)]
    assert str(next_address(small, taken)) == "10.1.0.6"


def test_a_resting_address_outside_the_range_does_not_fill_in() -> None:
    ranged = pool("10.1.0.0/24", "10.1.0.8/31")
    taken = [*held(ranged, "10.1.0.8", "10.1.0.9"), resting(ranged, "10.1.0.50", since=1.0)]
    with pytest.raises(Conflict, match=r"range 10\.1\.0\.8/31 of subnet 10\.1\.0\.0/24 is full: all of its 2"):
        next_address(ranged, taken)


def test_of_two_that_rested_as_long_the_lower_is_given() -> None:
    small = pool("10.1.0.0/30")
    assert str(next_address(small, [resting(small, f"10.1.0.{it}", since=5.0) for it in (2, 1)])) == "10.1.0.1"


def test_what_is_taken_is_not_given_although_it_rests() -> None:
    small = pool("10.1.0.0/30")
    one, two = ip_address("10.1.0.1"), ip_address("10.1.0.2")
    assert allocator.next_address(small, {one}, {one: 1.0, two: 2.0}) == two


def test_a_full_pool_says_how_full_and_what_to_do() -> None:
    small = pool("10.1.0.0/29")
    with pytest.raises(Conflict, match=r"subnet 10\.1\.0\.0/29 is full: all of its 6 .*larger --subnet"):
        next_address(small, held(small, *(f"10.1.0.{it}" for it in range(1, 7))))


@pytest.mark.parametrize(
    ("subnet", "first", "last"),
    [
        ("fd00::/64", "fd00::fdff:ffff:ffff:ff80", "fd00::fdff:ffff:ffff:ffff"),
        ("fd00::/112", "fd00::ff80", "fd00::ffff"),
        ("fd00::/48", "fd00::ffff:ffff:ffff:ffff:ff80", "fd00::ffff:ffff:ffff:ffff:ffff"),
    ],
)
def test_reserved_anycast_addresses_are_jumped_over(subnet: str, first: str, last: str) -> None:
    before = ip_address(first) - 1
    after = ip_address(last) + 1
    inside = after in ip_network(subnet)
    expected = after if inside else ip_network(subnet)[1]
    assert next_address(pool(subnet, cursor=str(before)), []) == expected


def test_a_slash_120_keeps_its_lower_half_and_a_slash_121_all() -> None:
    assert len(handed_out(pool("fd00::/120"))) == 127
    assert len(handed_out(pool("fd00::/121"))) == 127


def test_low_numbers_of_ipv6_stay_ipv6() -> None:
    assert next_address(pool("::/96"), []) == ip_address("::1")


def test_a_slash_64_answers_at_once_with_thousands_held() -> None:
    wide = pool("fd00::/64")
    taken = held(wide, *(wide.subnet[it] for it in range(1, 5001)))
    assert next_address(wide, taken) == wide.subnet[5001]


def test_a_slash_16_that_is_nearly_full_gives_its_last_address() -> None:
    wide = pool("10.1.0.0/16", cursor="10.1.128.0")
    free = 0x7FFF
    taken = held(wide, *(wide.subnet[it] for it in range(1, 0xFFFF) if it != free))
    assert next_address(wide, taken) == wide.subnet[free]


@given(data=st.data(), prefix=st.integers(24, 32))
def test_no_address_is_ever_given_twice_and_none_is_lost(data: st.DataObject, prefix: int) -> None:
    subnet = ip_network((data.draw(st.integers(0, 2**32 - 1)), prefix), strict=False)
    usable = [ip_address(str(it)) for it in subnet.hosts()]
    taken = data.draw(st.lists(st.sampled_from(usable), unique=True))
    start = data.draw(st.none() | st.sampled_from(usable))
    where = replace(pool(str(subnet)), cursor=start)
    order = handed_out(where, held(where, *taken))
    assert sorted(order) == sorted(str(it) for it in usable if it not in taken)


def test_the_gateway_is_the_lowest_address_also_with_a_range() -> None:
    ranged = pool("10.1.0.0/16", "10.1.4.0/24")
    assert str(gateway_address(ranged, [])) == "10.1.0.1"
    assert str(gateway_address(ranged, held(ranged, "10.1.0.1"))) == "10.1.0.2"
    assert str(gateway_address(pool("fd00:1::/64"), [])) == "fd00:1::1"


def test_a_gateway_needs_a_free_address_too() -> None:
    lonely = pool("10.1.0.4/32")
    with pytest.raises(Conflict, match="all of its 1"):
        gateway_address(lonely, held(lonely, "10.1.0.4"))


@pytest.mark.parametrize(
    ("subnet", "address"),
    [
        ("10.1.0.0/16", "10.1.9.9"),
        ("10.1.0.0/31", "10.1.0.0"),
        ("10.1.0.0/31", "10.1.0.1"),
        ("fd00::/64", "fd00::ffff"),
    ],
)
def test_addresses_a_user_may_ask_for(subnet: str, address: str) -> None:
    check_address(pool(subnet), ip_address(address))


def test_an_address_outside_the_range_may_be_asked_for() -> None:
    check_address(pool("10.1.0.0/16", "10.1.4.0/24"), ip_address("10.1.0.250"))


@pytest.mark.parametrize(
    ("subnet", "address", "words"),
    [
        ("10.1.0.0/24", "10.1.0.0", "network address"),
        ("10.1.0.0/24", "10.1.0.255", "broadcast address"),
        ("10.1.0.0/24", "10.1.1.1", "not in subnet"),
        ("10.1.0.0/24", "fd00::1", "not in subnet"),
        ("fd00::/64", "fd00::", "network address"),
        ("fd00::/64", "10.1.0.1", "not in subnet"),
    ],
)
def test_addresses_no_interface_can_have_are_refused(subnet: str, address: str, words: str) -> None:
    with pytest.raises(BadRequest, match=words):
        check_address(pool(subnet), ip_address(address))


def test_rest_lasts_its_seconds_and_ends_when_the_clock_is_set_back() -> None:
    allocation = resting(pool("10.1.0.0/24"), "10.1.0.1", since=100.0)
    assert rests(allocation, now=100.0, rest=60.0)
    assert rests(allocation, now=159.9, rest=60.0)
    assert not rests(allocation, now=160.0, rest=60.0)
    assert not rests(allocation, now=99.0, rest=60.0)
    assert not rests(replace(allocation, released_at=None), now=100.0, rest=60.0)
