"""Which NIC may be a trunk, and what is said of others."""

from ipaddress import ip_address

import pytest

from ovsnet.linux.linkmessage import Link
from ovsnet.linux.trunk import obstacle_of

pytestmark = pytest.mark.row(65)

NIC = Link(2, "eth1", up=True)


def test_a_nic_without_anything_of_its_own_may() -> None:
    assert obstacle_of(NIC, None, [], has_default_route=False) == ""


def test_one_that_is_a_port_of_the_switch_already_may() -> None:
    assert obstacle_of(NIC, Link(9, "ovs-system", kind="openvswitch"), [], has_default_route=False) == ""


def test_one_with_addresses_may_not() -> None:
    said = obstacle_of(NIC, None, [ip_address("192.0.2.1"), ip_address("2001:db8::1")], has_default_route=False)
    assert "interface 'eth1' has the address 192.0.2.1, 2001:db8::1, at which nobody would reach this host" in said
    assert "name a NIC without addresses" in said


def test_one_that_the_default_route_leads_through_may_not() -> None:
    said = obstacle_of(NIC, None, [], has_default_route=True)
    assert said == "the default route of this host leads through interface 'eth1'; name another NIC"


@pytest.mark.parametrize(("master", "kind"), [("br0", "bridge"), ("bond0", "bond")])
def test_one_that_is_a_port_of_something_else_may_not(master: str, kind: str) -> None:
    said = obstacle_of(NIC, Link(9, master, kind=kind), [], has_default_route=False)
    assert said == f"interface 'eth1' is a port of '{master}' ({kind}); take it out, or name another NIC"


def test_what_we_made_ourselves_may_not() -> None:
    ours = Link(7, "ov0123", kind="veth", alias="ovsnet:abc", up=True)
    assert "made by ovsnet itself" in obstacle_of(ours, None, [], has_default_route=False)
