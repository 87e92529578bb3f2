"""Which tunnels a host has, and what people are told of them."""

import pytest

from ovsnet.agent.tunnels import problems, tunnel_kind, warnings
from ovsnet.linux.underlay import Underlay
from ovsnet.model.cluster import Encapsulation
from ovsnet.model.host import Datapath, OtherBridge, SwitchFacts
from ovsnet.model.overlay import TunnelKind
from ovsnet.settings import Settings

VXLAN, GENEVE = Encapsulation.VXLAN, Encapsulation.GENEVE
KERNEL = SwitchFacts(available=True, datapath=Datapath.KERNEL)
USERSPACE = SwitchFacts(
    available=True,
    bridges={"br-eth1": OtherBridge(Datapath.USERSPACE), "br-kernel": OtherBridge(Datapath.KERNEL)},
)
CARRIERS = {"br-eth1": "br-eth1", "host20": "br-eth1", "br-kernel": "br-kernel"}


@pytest.mark.parametrize(
    ("setting", "switch", "encapsulation", "kind"),
    [
        ("auto", KERNEL, VXLAN, TunnelKind.OVS),
        ("auto", USERSPACE, VXLAN, TunnelKind.KERNEL),
        ("ovs", USERSPACE, VXLAN, TunnelKind.OVS),
        ("kernel", KERNEL, VXLAN, TunnelKind.KERNEL),
        ("auto", USERSPACE, GENEVE, TunnelKind.OVS),
        ("kernel", KERNEL, GENEVE, TunnelKind.OVS),
    ],
)
def test_the_kernels_devices_are_for_vxlan_only(
    setting: str, switch: SwitchFacts, encapsulation: Encapsulation, kind: TunnelKind
) -> None:
    assert tunnel_kind(Settings(tunnel=setting), switch, encapsulation) is kind


def told(switch: SwitchFacts, device: str, kind: TunnelKind = TunnelKind.OVS) -> list[str]:
    return [*problems(kind, switch, Underlay(device, 1500, 4), lambda it: CARRIERS.get(it, ""))]


@pytest.mark.row(68)
@pytest.mark.parametrize("device", ["eth1", "br-kernel"])
def test_a_tunnel_end_beside_the_userspace_datapath_is_told_with_what_to_do(device: str) -> None:
    (said,) = told(USERSPACE, device)
    assert f"this host's tunnel end is on {device}, which is on none" in said
    assert f"'ovsnet uplink add {device}'" in said


def test_one_that_is_on_it_or_need_not_be_is_not() -> None:
    assert told(USERSPACE, "br-eth1") == told(USERSPACE, "host20") == []
    assert told(KERNEL, "eth1") == told(USERSPACE, "eth1", TunnelKind.KERNEL) == []
    assert [*problems(TunnelKind.OVS, USERSPACE, None, str)] == []


@pytest.mark.row(68)
def test_a_setting_that_asks_for_what_the_kernel_has_not_is_told() -> None:
    (said,) = warnings(Settings(tunnel="kernel"), KERNEL, None, GENEVE)
    assert said.startswith("tunnel=kernel is set, and the kernel has no such devices for Geneve")
    assert [*warnings(Settings(tunnel="kernel"), KERNEL, None, VXLAN)] == []


def test_joined_packets_are_told_where_the_kernels_devices_hand_them_up() -> None:
    joins = Underlay("eth1", 1500, 4, joins=True)
    (said,) = warnings(Settings(), USERSPACE, joins, VXLAN)
    assert "Interface eth1 joins packets" in said
    assert [*warnings(Settings(), USERSPACE, joins, GENEVE)] == []
    assert [*warnings(Settings(), KERNEL, joins, VXLAN)] == []
