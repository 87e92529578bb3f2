"""Tunnel ports of ours in a real Open vSwitch; other people's tunnels stay as they are."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from tests.functional.port_rig import BRIDGE, OURS, Rig, bridge, converge, everything_but, running, until
from tests.functional.switch import Switch

from ovsnet.model.delta import Delta
from ovsnet.model.host import PortPlan
from ovsnet.model.network import PortKind
from ovsnet.model.paths import PathState
from ovsnet.ovs.rows import FAULT_KEY

pytestmark = pytest.mark.functional

OPTIONS = {"remote_ip": "flow", "key": "flow", "local_ip": "10.99.0.1", "dst_port": "4789"}
TUNNEL = PortPlan("ovxlan0", PortKind.VXLAN, external_ids=OURS, options=OPTIONS)
GENEVE = PortPlan("ovxgeneve0", PortKind.GENEVE, external_ids=OURS, options={**OPTIONS, "dst_port": "6081"})
OVER_IPV6 = replace(TUNNEL, options={**OPTIONS, "local_ip": "fd99::1", "csum": "true"})
DEVICE = PortPlan("ovxa", PortKind.VETH, external_ids={**OURS, "ovsnet-network": "n"})
FOREIGN = ("add-port", "br-other", "theirs", "--", "set", "Interface", "theirs", "type=vxlan")


@pytest.fixture
async def rig(switch: Switch) -> AsyncIterator[Rig]:
    """Appliers, and our bridge."""
    async with running(switch) as it:
        await converge(it.bridges, bridge())
        yield it
    it.close()


def ofport(rig: Rig) -> int:
    return rig.switch.facts().ofports["ovxlan0"]


def set_interface(rig: Rig, *columns: str) -> None:
    rig.real.vsctl("set", "Interface", "ovxlan0", *columns)


def make_device(rig: Rig, vni: int = 10) -> None:
    what = ("type", "vxlan", "id", str(vni), "local", "127.0.0.1", "dstport", "4789", "nolearning")
    rig.real.call("ip", "link", "add", "ovxa", *what)
    rig.real.call("ip", "link", "set", "ovxa", "up")


# ---------------------------------------------------------------- Open vSwitch's own


@pytest.mark.parametrize("wanted", [TUNNEL, OVER_IPV6, GENEVE], ids=["IPv4", "IPv6", "Geneve"])
async def test_a_tunnel_is_made_as_planned_and_needs_nothing_more(rig: Rig, wanted: PortPlan) -> None:
    await converge(rig.ports, wanted)
    assert rig.ports.have() == {wanted.name: wanted}
    assert rig.switch.facts().ofports[wanted.name] > 0
    assert not await converge(rig.ports, wanted)
    assert rig.real.vsctl("get", "Interface", wanted.name, "type") == f"{wanted.kind}\n"


@pytest.mark.row(68)
async def test_a_host_that_changed_to_a_cluster_of_another_encapsulation_has_its_tunnel(rig: Rig) -> None:
    for wanted in (TUNNEL, GENEVE, TUNNEL):
        await converge(rig.ports, wanted)
        assert rig.ports.have() == {wanted.name: wanted}


async def test_a_new_process_finds_its_tunnel(rig: Rig) -> None:
    await converge(rig.ports, TUNNEL)
    async with running(rig.real) as reborn:
        assert reborn.ports.have() == {"ovxlan0": TUNNEL}


async def test_a_tunnel_changes_in_place_and_keeps_its_number(rig: Rig) -> None:
    await converge(rig.ports, TUNNEL)
    before = ofport(rig)
    assert list((await converge(rig.ports, OVER_IPV6)).change) == ["ovxlan0"]
    assert rig.ports.have() == {"ovxlan0": OVER_IPV6}
    assert ofport(rig) == before


@pytest.mark.parametrize(
    "edit", ["options:key=5", "options:local_ip=10.99.0.9", "options:tos=inherit", "options:dst_port=8472"]
)
async def test_options_edited_by_hand_are_seen_and_put_right(rig: Rig, edit: str) -> None:
    await converge(rig.ports, TUNNEL)
    before = ofport(rig)
    set_interface(rig, edit)
    await until(rig, lambda: dict(rig.ports.have()) != {"ovxlan0": TUNNEL})
    await converge(rig.ports, TUNNEL)
    assert rig.ports.have() == {"ovxlan0": TUNNEL}
    assert ofport(rig) == before


@pytest.mark.parametrize("edit", ["type=gre", "type=geneve", "type=internal", 'type=""'])
async def test_a_tunnel_that_became_something_else_is_plugged_anew(rig: Rig, edit: str) -> None:
    await converge(rig.ports, TUNNEL)
    set_interface(rig, edit)
    await until(rig, lambda: dict(rig.ports.have()) != {"ovxlan0": TUNNEL})
    await converge(rig.ports, TUNNEL)
    assert rig.ports.have() == {"ovxlan0": TUNNEL}
    assert ofport(rig) > 0


async def test_a_veth_that_became_a_tunnel_is_plugged_anew(rig: Rig) -> None:
    rig.veth("va", 1)
    wanted = PortPlan("va", PortKind.VETH, external_ids=OURS)
    await converge(rig.ports, wanted)
    rig.real.vsctl("set", "Interface", "va", "type=vxlan", "options:remote_ip=flow", "options:key=flow")
    await until(rig, lambda: rig.ports.have() != {"va": wanted})
    await converge(rig.ports, wanted)
    assert rig.ports.have() == {"va": wanted}


async def test_a_tunnel_removed_by_hand_is_missed_and_one_that_nobody_wants_removed(rig: Rig) -> None:
    await converge(rig.ports, TUNNEL)
    rig.real.vsctl("del-port", "ovxlan0")
    await until(rig, lambda: not rig.ports.have())
    await converge(rig.ports, TUNNEL)
    assert rig.ports.have() == {"ovxlan0": TUNNEL}
    await converge(rig.ports)
    assert rig.real.vsctl("list-ports", BRIDGE) == ""


# ---------------------------------------------------------------- beside others


async def test_the_same_tunnel_of_somebody_else_is_named_and_ours_comes_when_it_goes(rig: Rig) -> None:
    rig.real.add_bridge("br-other", datapath="netdev")
    rig.real.vsctl(*FOREIGN, *(f"options:{key}={value}" for key, value in OPTIONS.items()))
    before = everything_but(rig.real, BRIDGE, "ovxlan0")
    (failure,) = await rig.ports.apply(Delta({"ovxlan0": TUNNEL}, {}, {}))
    assert failure.resource == "ovxlan0"
    assert "File exists" in failure.reason
    assert "another tunnel port of this Open vSwitch has the same options" in failure.reason
    assert everything_but(rig.real, BRIDGE, "ovxlan0") == before
    rig.real.vsctl("del-port", "theirs")
    await converge(rig.ports, TUNNEL)
    assert ofport(rig) > 0


async def test_other_tunnels_live_beside_ours_and_are_never_touched(rig: Rig) -> None:
    rig.real.add_bridge("br-other", datapath="netdev")
    rig.real.vsctl(*FOREIGN, "options:remote_ip=10.99.0.7", "options:key=77")
    before = everything_but(rig.real, BRIDGE, "ovxlan0")
    await converge(rig.ports, TUNNEL)
    assert everything_but(rig.real, BRIDGE, "ovxlan0") == before
    await converge(rig.ports)
    assert everything_but(rig.real, BRIDGE, "ovxlan0") == before


async def test_a_port_of_our_name_on_another_bridge_is_left_alone_and_named(rig: Rig) -> None:
    rig.real.add_bridge("br-other", datapath="netdev")
    rig.real.vsctl(*(it.replace("theirs", "ovxlan0") for it in FOREIGN), "options:remote_ip=10.99.0.7")
    await until(rig, lambda: rig.switch.ports.port("ovxlan0") is not None)
    (failure,) = await rig.ports.apply(Delta({"ovxlan0": TUNNEL}, {}, {}))
    assert "bridge br-other has a port of this name that is not ours" in failure.reason


# ---------------------------------------------------------------- the kernel's


async def test_a_device_of_the_kernel_is_a_port_like_a_veth(rig: Rig) -> None:
    make_device(rig)
    await converge(rig.ports, DEVICE)
    assert rig.ports.have() == {"ovxa": DEVICE}
    assert rig.switch.facts().ofports["ovxa"] > 0


async def test_a_device_that_was_made_anew_is_plugged_anew(rig: Rig) -> None:
    make_device(rig)
    await converge(rig.ports, DEVICE)
    rig.real.call("ip", "link", "del", "ovxa")
    make_device(rig, vni=11)
    await until(rig, lambda: FAULT_KEY in rig.ports.have()["ovxa"].external_ids)
    await converge(rig.ports, DEVICE)
    assert rig.ports.have() == {"ovxa": DEVICE}


async def test_without_its_device_a_port_is_refused(rig: Rig) -> None:
    (failure,) = await rig.ports.apply(Delta({"ovxa": DEVICE}, {}, {}))
    assert (failure.resource, failure.reason) == ("ovxa", "its link does not exist")


# ---------------------------------------------------------------- ways that are watched

WATCHED = PortPlan(
    "ovxp7f000002",
    PortKind.VXLAN,
    external_ids=OURS,
    options={**OPTIONS, "remote_ip": "127.0.0.2", "key": "16777215"},
    bfd={"enable": "true", "min_rx": "1000", "min_tx": "1000"},
)


@pytest.mark.parametrize("tunnel", [TUNNEL, GENEVE], ids=["VXLAN", "Geneve"])
async def test_a_way_is_watched_beside_the_tunnel_and_nobody_answers(rig: Rig, tunnel: PortPlan) -> None:
    watched = replace(WATCHED, kind=tunnel.kind, options={**WATCHED.options, "dst_port": tunnel.options["dst_port"]})
    await converge(rig.ports, tunnel, watched)
    assert rig.ports.have() == {it.name: it for it in (tunnel, watched)}
    assert not await converge(rig.ports, tunnel, watched)

    await until(rig, lambda: bool(rig.real.vsctl("get", "Interface", WATCHED.name, "bfd_status:state").strip()))
    (path,) = rig.switch.paths().values()
    assert (list(rig.switch.paths()), path.state) == (["127.0.0.2"], PathState.UNKNOWN)
    assert path.since is not None

    await converge(rig.ports, tunnel)
    assert rig.switch.paths() == {}


async def test_a_hand_that_stops_watching_is_undone(rig: Rig) -> None:
    await converge(rig.ports, WATCHED)
    rig.real.vsctl("set", "Interface", WATCHED.name, "bfd:enable=false")
    await until(rig, lambda: rig.ports.have()[WATCHED.name] != WATCHED)
    await converge(rig.ports, WATCHED)
    assert rig.ports.have() == {WATCHED.name: WATCHED}
