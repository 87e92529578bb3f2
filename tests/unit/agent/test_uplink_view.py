"""What is collected of a port before it may be an uplink."""

from collections.abc import Mapping

import pytest

from ovsnet.agent.uplink_view import UplinkView
from ovsnet.linux.hostnet import Has
from ovsnet.linux.nics import Nics
from ovsnet.model.datapath import Datapath
from ovsnet.model.host import SwitchFacts
from ovsnet.model.ids import Mac
from ovsnet.model.uplink import Carrier, NicFacts, NicSettings
from ovsnet.ovs.uplinks import Uplinks as Bridges

BRIDGE = NicSettings(Mac("0a:00:00:00:00:01"), 1400)
ETH1 = NicSettings(Mac("0a:00:00:00:00:02"), 1500)
BR_LAN = Carrier("br-lan", ours=False, datapath=Datapath.USERSPACE, ports=frozenset({"dpdk0", "eth1"}))


class Kernel(Nics):
    """What the kernel has, by name."""

    def __init__(self, settings: Mapping[str, NicSettings]) -> None:
        self._settings = settings

    def look(self, name: str) -> NicFacts:
        known = self._settings.get(name)
        return (
            NicFacts(name, f"this host has no interface '{name}'") if known is None else NicFacts(name, settings=known)
        )

    def read(self, name: str) -> Has | None:
        return None

    def boot(self) -> str:
        return "this boot"


class OneBridge(Bridges):
    """A switch with one bridge."""

    def __init__(self) -> None:
        """It needs none of what the real one is built from."""

    def carrier(self, nic: str) -> str:
        return BR_LAN.name if nic in BR_LAN.ports else ""

    def bridge(self, name: str) -> Carrier | None:
        return BR_LAN if name == BR_LAN.name else None


@pytest.mark.row(68)
@pytest.mark.parametrize(("port", "settings"), [("dpdk0", BRIDGE), ("eth1", ETH1)])
def test_a_port_that_the_kernel_does_not_know_has_the_mac_and_the_mtu_of_its_bridge(
    port: str, settings: NicSettings
) -> None:
    kernel = Kernel({"br-lan": BRIDGE, "eth1": ETH1})
    view = UplinkView(kernel, OneBridge(), SwitchFacts, dict)
    assert view.situation(port, "").nic.settings == settings


def test_what_is_neither_an_interface_nor_a_port_is_told() -> None:
    view = UplinkView(Kernel({"br-lan": BRIDGE}), OneBridge(), SwitchFacts, dict)
    seen = view.situation("eth9", "")
    assert (seen.carrier, seen.nic.obstacle) == (None, "this host has no interface 'eth9'")
