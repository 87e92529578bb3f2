"""Attachments' ports in a real Open vSwitch: on somebody's bridge, which stays as it is, and on a learning one."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from tests.functional.port_rig import BRIDGE, OURS, Rig, bridge, converge, everything_but, running, until
from tests.functional.switch import Switch
from tests.functional.test_ovs_trunk import without_lists

from ovsnet.model.delta import Delta
from ovsnet.model.host import BridgePlan, Datapath, OtherBridge, PortPlan
from ovsnet.model.ids import Vlan
from ovsnet.model.network import PortKind
from ovsnet.plan.names import BRIDGE_KEY

pytestmark = [pytest.mark.functional, pytest.mark.row(16, 17)]

SWITCH = BridgePlan("lan", Datapath.USERSPACE, OURS, learning=True)
ONE, TWO = (
    PortPlan(
        name,
        PortKind.VETH,
        external_ids={**OURS, BRIDGE_KEY: "lan"},
        bridge="lan",
        marks={"container_id": name, "container_iface": "eth1"},
    )
    for name in ("va", "vb")
)


@pytest.fixture
async def rig(switch: Switch) -> AsyncIterator[Rig]:
    """Appliers, our bridge, and two containers."""
    async with running(switch) as it:
        await converge(it.bridges, bridge())
        it.veth("va", 1)
        it.veth("vb", 2)
        yield it
    it.close()


@pytest.fixture
async def theirs(rig: Rig) -> None:
    """A bridge of somebody else's, which forwards nothing but what its flows say."""
    rig.real.vsctl("add-br", "lan", "--", "set", "bridge", "lan", "datapath_type=netdev", "fail_mode=secure")
    rig.real.vsctl("add-port", "lan", "theirs0", "--", "set", "interface", "theirs0", "type=internal")
    rig.real.ofctl("add-flow", "lan", "cookie=0x77,priority=7,actions=normal")
    await until(rig, lambda: rig.switch.ports.foreign_carrier("theirs0") == "lan")


async def test_ports_on_somebodys_bridge_change_nothing_of_it(rig: Rig, theirs: None) -> None:
    before = without_lists(everything_but(rig.real, BRIDGE, "va", "vb"))
    await converge(rig.ports, ONE, TWO)
    assert rig.ports.have() == {"va": ONE, "vb": TWO}
    assert rig.real.vsctl("list-ports", "lan").split() == ["theirs0", "va", "vb"]
    assert rig.real.vsctl("get", "interface", "va", "external_ids:container_iface").strip() == "eth1"
    assert rig.ping("va", 2)
    assert without_lists(everything_but(rig.real, BRIDGE, "va", "vb")) == before

    assert not await converge(rig.ports, ONE, TWO)
    await converge(rig.ports)

    assert without_lists(everything_but(rig.real, BRIDGE)) == before
    assert rig.switch.facts().bridges == {"lan": OtherBridge(Datapath.USERSPACE)}
    assert "lan" not in rig.bridges.have()


async def test_without_the_bridge_the_port_is_refused(rig: Rig) -> None:
    (refused,) = await rig.ports.apply(Delta({"va": ONE}, {}, {}))
    assert refused.reason == "there is no bridge lan"


async def test_a_switch_of_our_own_forwards_and_stays_as_long_as_it_is_wanted(rig: Rig) -> None:
    await converge(rig.bridges, bridge(), SWITCH)
    await converge(rig.ports, ONE, TWO)
    assert rig.bridges.have()["lan"] == SWITCH
    assert rig.switch.facts().bridges == {"lan": OtherBridge(Datapath.USERSPACE, ours=True)}
    assert rig.ping("va", 2)
    await converge(rig.ports)
    assert not await converge(rig.bridges, bridge(), SWITCH)
    await converge(rig.bridges, bridge())
    assert "lan" not in rig.real.vsctl("list-br").split()


@pytest.mark.row(97)
async def test_a_switch_that_somebody_took_into_use_is_given_to_them(rig: Rig) -> None:
    await converge(rig.bridges, bridge(), SWITCH)
    rig.real.vsctl("add-port", "lan", "theirs0", "--", "set", "interface", "theirs0", "type=internal")
    await until(rig, lambda: rig.switch.ports.foreign_carrier("theirs0") == "lan")
    await converge(rig.bridges, bridge())
    assert rig.real.vsctl("list-ports", "lan").split() == ["theirs0"]
    assert rig.switch.facts().bridges == {"lan": OtherBridge(Datapath.USERSPACE)}


async def test_a_port_that_somebody_moved_is_put_back(rig: Rig, theirs: None) -> None:
    await converge(rig.ports, ONE)
    rig.real.vsctl("del-port", "lan", "va", "--", "add-port", BRIDGE, "va")
    await until(rig, lambda: rig.ports.have().get("va") != ONE)
    await converge(rig.ports, ONE)
    assert rig.real.vsctl("port-to-br", "va").strip() == "lan"


@pytest.mark.row(33)
async def test_a_rate_comes_changes_and_goes_and_foreign_ones_stay(rig: Rig, theirs: None) -> None:
    rig.real.vsctl("set", "port", "theirs0", "qos=@q", "--", "--id=@q", "create", "qos", "type=linux-htb")
    before = without_lists(everything_but(rig.real, BRIDGE, "va", "vb"))
    for rate in (20_000_000, 30_000_000):
        await converge(rig.ports, replace(ONE, rate=rate), TWO)
        assert f"rate {rate // 10**6}Mbit" in rig.real.call("tc", "class", "show", "dev", "va")
    await converge(rig.ports, ONE, TWO)
    assert "htb" not in rig.real.call("tc", "qdisc", "show", "dev", "va")
    assert without_lists(everything_but(rig.real, BRIDGE, "va", "vb")) == before

    fast = replace(ONE, rate=20_000_000)
    await converge(rig.ports, fast, TWO)
    rig.real.vsctl("clear", "port", "va", "qos")
    await until(rig, lambda: rig.ports.have().get("va") != fast)
    assert await converge(rig.ports, fast, TWO)
    assert not await converge(rig.ports, fast, TWO)
    await converge(rig.ports, TWO)
    assert without_lists(everything_but(rig.real, BRIDGE, "va", "vb")) == before


@pytest.mark.row(20)
async def test_vlans_change_without_a_new_number(rig: Rig, theirs: None) -> None:
    await converge(rig.ports, ONE, TWO)
    number = rig.switch.facts().ofports["va"]
    access = replace(ONE, vlan=Vlan(20))
    await converge(rig.ports, access, TWO)
    assert rig.real.vsctl("get", "port", "va", "tag").strip() == "20"
    assert not rig.ping("va", 2)
    trunk = replace(ONE, vlan=Vlan(5), tagging="native-untagged", trunks=(Vlan(10), Vlan(20)))
    await converge(rig.ports, trunk, TWO)
    assert rig.real.vsctl("get", "port", "va", "vlan_mode").strip() == "native-untagged"
    assert rig.real.vsctl("get", "port", "va", "trunks").strip() == "[10, 20]"
    await converge(rig.ports, ONE, TWO)
    assert rig.ping("va", 2)
    assert rig.switch.facts().ofports["va"] == number
