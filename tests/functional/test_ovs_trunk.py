"""The trunk's ports in a real Open vSwitch: a NIC, or a cable to somebody else's bridge, which stays as it is."""

import re
from collections.abc import AsyncIterator

import pytest
from tests.functional.port_rig import BRIDGE, OURS, Rig, bridge, converge, everything_but, running, until
from tests.functional.switch import Switch

from ovsnet.model.delta import Delta
from ovsnet.model.host import Datapath, PortPlan
from ovsnet.model.network import PortKind

pytestmark = [pytest.mark.functional, pytest.mark.row(65)]

MARKS = {**OURS, "ovsnet-trunk": "true"}
NIC = PortPlan("eth7", PortKind.VETH, external_ids=MARKS)
NEAR = PortPlan("ovtrunk", PortKind.PATCH, external_ids=MARKS, options={"peer": "ovtrunkp"})
FAR = PortPlan("ovtrunkp", PortKind.PATCH, external_ids=MARKS, options={"peer": "ovtrunk"}, bridge="br-phys")


@pytest.fixture
async def rig(switch: Switch) -> AsyncIterator[Rig]:
    """Appliers, our bridge, and a NIC that is nobody's."""
    async with running(switch) as it:
        await converge(it.bridges, bridge())
        switch.call("ip", "link", "add", "eth7", "type", "veth", "peer", "name", "cable")
        switch.call("ip", "link", "set", "eth7", "up")
        yield it
    it.close()


@pytest.fixture
async def theirs(rig: Rig) -> str:
    """A bridge of somebody else's that holds the NIC."""
    rig.real.vsctl("add-br", "br-phys", "--", "set", "bridge", "br-phys", "datapath_type=netdev")
    rig.real.vsctl("add-port", "br-phys", "eth7", "--", "set", "port", "eth7", "external_ids:whose=theirs")
    await until(rig, lambda: rig.switch.ports.foreign_carrier("eth7") == "br-phys")
    return "br-phys"


def others(rig: Rig) -> dict[str, list[str]]:
    """Everything in the database but what is ours."""
    return without_lists(everything_but(rig.real, BRIDGE, "ovtrunk"))


def without_lists(found: dict[str, list[str]]) -> dict[str, list[str]]:
    """A bridge's list of ports names ours, and is cut out."""
    return {table: [re.sub(r'"\[[^]]*\]"', "", it) for it in rows] for table, rows in found.items()}


async def test_a_nic_becomes_a_port_and_is_given_back_as_it_was(rig: Rig) -> None:
    before = rig.real.call("sh", "-c", "ip -d -o link show eth7 | sed 's/promiscuity [0-9]*//'")
    await converge(rig.ports, NIC)
    assert rig.ports.have() == {"eth7": NIC}
    assert rig.switch.facts().ofports["eth7"] > 0
    assert not await converge(rig.ports, NIC)
    await converge(rig.ports)
    assert "eth7" not in rig.real.vsctl("list-ports", BRIDGE)
    assert rig.real.call("sh", "-c", "ip -d -o link show eth7 | sed 's/promiscuity [0-9]*//'") == before


async def test_somebody_elses_port_is_refused_and_whose_it_is_is_known(rig: Rig, theirs: str) -> None:
    assert rig.switch.ports.foreign_carrier("eth7") == theirs
    before = others(rig)
    (refused,) = await rig.ports.apply(Delta(add={"eth7": NIC}, change={}, remove={}))
    assert "bridge br-phys has a port of this name that is not ours" in refused.reason
    assert others(rig) == before
    assert rig.switch.ports.foreign_carrier("eth8") == ""


async def test_a_cable_leads_to_somebody_elses_bridge_and_leaves_no_trace(rig: Rig, theirs: str) -> None:
    assert rig.switch.ports.foreign_datapath(theirs) is Datapath.USERSPACE
    before = others(rig)
    ports = rig.real.vsctl("list-ports", theirs)
    await converge(rig.ports, NEAR, FAR)
    assert dict(rig.ports.have()) == {"ovtrunk": NEAR, "ovtrunkp": FAR}
    assert not await converge(rig.ports, NEAR, FAR)
    assert rig.real.vsctl("list-ports", theirs).split() == ["eth7", "ovtrunkp"]
    assert others(rig) == before
    async with running(rig.real) as reborn:
        assert dict(reborn.ports.have()) == {"ovtrunk": NEAR, "ovtrunkp": FAR}
        await converge(reborn.ports)
    assert rig.real.vsctl("list-ports", theirs) == ports
    assert others(rig) == before


async def test_frames_pass_the_cable_with_their_tags(rig: Rig, theirs: str) -> None:
    await converge(rig.ports, NEAR, FAR)
    number = rig.switch.facts().ofports["ovtrunk"]
    rig.real.ofctl("add-flow", BRIDGE, f"in_port={number},dl_vlan=65,actions=drop")
    said = rig.real.call("ovs-appctl", "ofproto/trace", theirs, "in_port=eth7,dl_vlan=65,dl_dst=ff:ff:ff:ff:ff:ff")
    assert f'bridge("{BRIDGE}")' in said
    assert "dl_vlan=65, priority 32768" in said


async def test_a_bridge_that_went_takes_our_end_along_and_is_missed_in_words(rig: Rig, theirs: str) -> None:
    await converge(rig.ports, NEAR, FAR)
    rig.real.vsctl("del-br", theirs)
    await until(rig, lambda: "ovtrunkp" not in rig.ports.have())
    assert rig.switch.ports.foreign_datapath(theirs) is None
    (refused,) = await rig.ports.apply(Delta(add={"ovtrunkp": FAR}, change={}, remove={}))
    assert refused.reason == "there is no bridge br-phys"


async def test_our_own_bridge_is_nobody_elses(rig: Rig) -> None:
    assert rig.switch.ports.foreign_datapath(BRIDGE) is None
