"""Which interfaces may lead to other hosts."""

import pytest

from ovsnet.linux.lan import outward
from ovsnet.linux.linkmessage import Link

ETH = Link(2, "eth0", up=True)
IN_A_CONTAINER = Link(2, "eth0", kind="veth", up=True)
DOCKER = Link(3, "docker0", kind="bridge", up=True)
GUEST = Link(4, "veth1", kind="veth", up=True, master=3)
MACHINE = Link(5, "vnet0", kind="tun", up=True, master=3)


@pytest.mark.parametrize("link", [ETH, IN_A_CONTAINER, Link(2, "br-phy", kind="tun", up=True)])
def test_an_interface_of_the_host_does(link: Link) -> None:
    assert outward([link]) == {2}


def test_one_that_is_down_or_ours_does_not() -> None:
    ours = Link(6, "ovdnsh", kind="veth", alias="ovsnet names", up=True)
    assert outward([Link(2, "eth0"), ours]) == set()


@pytest.mark.parametrize("ports", [[], [GUEST], [GUEST, MACHINE]])
def test_a_bridge_of_containers_or_machines_does_not(ports: list[Link]) -> None:
    assert 3 not in outward([DOCKER, *ports])


def test_a_bridge_with_a_network_card_does() -> None:
    assert 3 in outward([DOCKER, GUEST, Link(7, "eth1", up=True, master=3)])
