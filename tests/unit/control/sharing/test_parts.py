"""Which calls of the engine are for this host's part of a network of the cluster."""

from dataclasses import replace
from ipaddress import IPv4Network

from ovsnet.control.requests import PoolRequest
from ovsnet.control.sharing.parts import Parts
from tests.unit.control.sharing.member_hosts import DUAL, NET

SPACE = "ovsnet-local"


def test_the_network_made_with_a_subnet_that_was_given_for_a_part_is_that_part() -> None:
    parts = Parts()
    with parts.expected(DUAL):
        for subnet in (DUAL.ipv4, DUAL.ipv6):
            assert parts.wanting(PoolRequest(SPACE, subnet)) == DUAL.id
        parts.given(PoolRequest(SPACE, DUAL.ipv6))
        assert parts.made_with(None, DUAL.ipv6) == parts.made_with(IPv4Network("172.18.0.0/16"), DUAL.ipv6) == DUAL.id
        assert parts.made_with(DUAL.ipv4, None) == ""


def test_a_user_who_got_the_same_subnet_a_moment_before_makes_a_network_of_his_own() -> None:
    """The subnet of the part is refused then, as it is taken; the cluster refuses the user's network afterwards."""
    parts = Parts()
    with parts.expected(NET):
        assert parts.made_with(NET.ipv4) == ""


def test_a_range_belongs_to_it() -> None:
    parts, ranged = Parts(), replace(NET, range4=IPv4Network("10.20.0.128/25"))
    with parts.expected(ranged):
        assert parts.wanting(PoolRequest(SPACE, NET.ipv4)) == ""
        assert parts.wanting(PoolRequest(SPACE, NET.ipv4, ranged.range4)) == NET.id
        assert parts.wanting(PoolRequest(SPACE)) == ""


def test_afterwards_nothing_is_expected() -> None:
    parts = Parts()
    with parts.expected(NET):
        parts.given(PoolRequest(SPACE, NET.ipv4))
    assert parts.wanting(PoolRequest(SPACE, NET.ipv4)) == parts.made_with(NET.ipv4) == ""
    with parts.expected(NET):
        assert parts.made_with(NET.ipv4) == "", "each time anew"
