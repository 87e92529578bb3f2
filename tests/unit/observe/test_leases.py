"""Addresses in use and how full pools are."""

from dataclasses import replace
from datetime import UTC, datetime
from ipaddress import ip_address, ip_network

import pytest

from ovsnet.model.addressing import Allocation, AllocationKind, Pool
from ovsnet.model.ids import IpNetwork, pool_id
from ovsnet.model.state import State
from ovsnet.observe.leases import LeaseState, PoolUsage, all_leases, capacity, usage
from tests.states import WEB, WEB_ID, endpoint


def pool(subnet: str) -> Pool:
    return Pool(pool_id("local", ip_network(subnet), None), "local", ip_network(subnet))


WEB4, WEB6, TINY = pool("10.20.0.0/24"), pool("fd00:20::/64"), pool("10.99.0.0/30")
HELD = Allocation(WEB4.id, ip_address("10.20.0.10"), AllocationKind.ENDPOINT, "db1", created_at=1000.0)
RESTS = Allocation(WEB4.id, ip_address("10.20.0.9"), AllocationKind.ENDPOINT, released_at=2000.0, created_at=1.0)
GATEWAY = Allocation(WEB6.id, ip_address("fd00:20::1"), AllocationKind.GATEWAY)


def state(*values: Pool | Allocation) -> State:
    return State(
        networks={WEB_ID: WEB},
        pools={it.id: it for it in values if isinstance(it, Pool)},
        allocations={it.key: it for it in values if isinstance(it, Allocation)},
    )


FULL = state(WEB4, WEB6, TINY, HELD, RESTS, GATEWAY)


def test_leases_are_ordered_by_subnet_and_address() -> None:
    assert [it.address for it in all_leases(FULL)] == ["10.20.0.9", "10.20.0.10", "fd00:20::1"]


def test_a_lease_tells_who_holds_it_and_since_when() -> None:
    held = all_leases(FULL)[1]
    assert (held.holder, held.state, held.subnet) == ("db1", LeaseState.HELD, "10.20.0.0/24")
    assert held.since == datetime.fromtimestamp(1000, UTC)


def test_the_container_is_found_by_its_address_where_the_engine_did_not_name_it() -> None:
    first = endpoint(1)
    held = Allocation(WEB4.id, ip_address("10.20.0.2"), AllocationKind.ENDPOINT)
    both = Allocation(WEB6.id, ip_address("fd00:20::2"), AllocationKind.ENDPOINT)
    leases = all_leases(replace(state(WEB4, WEB6, held, both, GATEWAY), endpoints={first.id: first}))
    assert [(it.kind, it.holder) for it in leases] == [
        ("endpoint", "c1"),
        ("gateway", ""),
        ("endpoint", "c1"),
    ]


def test_a_resting_lease_tells_when_it_was_released() -> None:
    rests = all_leases(FULL)[0]
    assert (rests.state, rests.since) == (LeaseState.RESTING, datetime.fromtimestamp(2000, UTC))


def test_an_unknown_moment_is_left_out() -> None:
    assert all_leases(FULL)[2].since is None


def test_usage_counts_held_and_resting_and_names_the_networks() -> None:
    web = usage(FULL)[0]
    assert (web.used, web.resting, web.total, web.networks) == (1, 1, 254, ("web",))
    assert not web.full


def test_a_pool_is_full_when_held_and_resting_take_all() -> None:
    first = Allocation(TINY.id, ip_address("10.99.0.1"), AllocationKind.GATEWAY)
    second = Allocation(TINY.id, ip_address("10.99.0.2"), AllocationKind.ENDPOINT, released_at=1.0)
    assert usage(state(TINY, first, second))[0].full
    assert not usage(state(TINY, first))[0].full


def test_a_pool_that_cannot_be_counted_is_never_full() -> None:
    assert not PoolUsage(pool="p", subnet="fd00::/64", networks=(), used=10**9, resting=0).full


@pytest.mark.parametrize(
    ("subnet", "expected"),
    [
        ("10.0.0.0/24", 254),
        ("10.0.0.0/29", 6),
        ("10.0.0.0/30", 2),
        ("10.0.0.0/31", 2),
        ("10.0.0.0/32", 1),
        ("fd00::/120", 255),
        ("fd00::/127", 2),
        ("fd00::/64", None),
    ],
)
def test_capacity_leaves_out_what_nobody_can_have(subnet: str, expected: int | None) -> None:
    network: IpNetwork = ip_network(subnet)
    assert capacity(network) == expected
