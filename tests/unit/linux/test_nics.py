"""Which interfaces cannot be uplinks, and the rules that keep a NIC from the kernel's stack."""

from ipaddress import ip_address, ip_network

import pytest

from ovsnet.linux.hostnet import Has
from ovsnet.linux.linkmessage import Link
from ovsnet.linux.nics import chain_of, obstacle_of, ruleset
from ovsnet.model.uplink import HostRoute

NIC = Link(2, "eth0")
BRIDGE, SWITCH = Link(9, "br0", kind="bridge"), Link(8, "ovs-system", kind="openvswitch")
SEVERAL = HostRoute(ip_network("10.0.0.0/8"), 254, 3, 0, ip_address("192.0.2.1"))


def refused(link: Link = NIC, master: Link | None = None, **facts: bool) -> str:
    asked = {"wireless": False, "ruled": False, **facts}
    return obstacle_of(Has(link), master, **asked)


def test_a_nic_is_fine_also_as_a_port_of_the_kernels_own_switch() -> None:
    assert refused() == ""
    assert refused(master=SWITCH) == ""
    assert refused(Link(2, "eth0", kind="veth")) == ""


@pytest.mark.parametrize("kind", ["bridge", "bond", "team", "openvswitch", "tun"])
def test_what_is_no_nic_is_refused(kind: str) -> None:
    assert f"is a {kind}, no NIC" in refused(Link(2, "it", kind=kind))


def test_everything_else_is_refused_with_the_reason() -> None:
    assert "made by ovsnet itself" in refused(Link(2, "ovabc", alias="ovsnet:abc"))
    assert "loopback" in refused(Link(1, "lo"))
    assert "wireless" in refused(wireless=True)
    assert "is a port of 'br0'" in refused(master=BRIDGE)
    assert "ip rule" in refused(ruled=True)
    strange = obstacle_of(Has(NIC, strange=(SEVERAL,)), None, wireless=False, ruled=False)
    assert "10.0.0.0/8 (table 254)" in strange


def test_each_nic_has_a_chain_whatever_its_name() -> None:
    assert chain_of("eth0") == "nic-eth0"
    assert chain_of("eth0.7") != chain_of("eth0_7")
    assert 'hook ingress device "eth0.7"' in ruleset("ovsnet-uplink", "eth0.7")
