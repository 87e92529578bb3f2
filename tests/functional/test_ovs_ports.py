"""Bridge and ports of ours in a real Open vSwitch, in the userspace datapath; other people's stay as
they are.
"""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.functional.port_rig import BRIDGE, OURS, Rig, bridge, converge, everything_but, port, running, until
from tests.functional.switch import DEADLINE, Switch

from ovsnet.model.delta import Delta
from ovsnet.model.errors import Unavailable
from ovsnet.model.host import BridgePlan, Datapath, PortPlan
from ovsnet.model.network import PortKind
from ovsnet.ovs.kernel import kernel_has_datapath
from ovsnet.ovs.openflow import FlowApplier
from ovsnet.ovs.ports import PortApplier
from ovsnet.ovs.rows import FAULT_KEY
from ovsnet.ovs.switch import Switch as OurSwitch
from ovsnet.ovs.switch import choose_datapath
from ovsnet.pipeline.cookies import Feature, cookie
from ovsnet.pipeline.flow import Flow
from ovsnet.plan.names import SPARE_KEY
from ovsnet.settings import Settings

pytestmark = pytest.mark.functional


@pytest.fixture
async def rig(switch: Switch) -> AsyncIterator[Rig]:
    async with running(switch) as it:
        yield it
    it.close()


@pytest.fixture
async def bridged(rig: Rig) -> Rig:
    await converge(rig.bridges, bridge())
    return rig


# ---------------------------------------------------------------- bridge


async def test_the_bridge_is_made_as_planned_and_needs_nothing_more(rig: Rig) -> None:
    await converge(rig.bridges, bridge())
    assert rig.bridges.have() == {BRIDGE: bridge()}
    assert rig.real.vsctl("get", "Bridge", BRIDGE, "fail_mode", "datapath_type") == "secure\nnetdev\n"
    assert rig.real.vsctl("get", "Bridge", BRIDGE, "other_config:disable-in-band") == '"true"\n'
    assert rig.real.flows(BRIDGE) == []
    assert "state DOWN" in rig.real.call("ip", "link", "show", BRIDGE)


async def test_dumps_show_the_names_of_the_tables(bridged: Rig) -> None:
    bridged.real.ofctl("add-flow", BRIDGE, "table=10,actions=drop")
    assert "table=guard" in bridged.real.call("ovs-ofctl", "--names", "-O", "OpenFlow14", "dump-flows", BRIDGE)


async def test_the_bridge_keeps_its_address_when_ports_come(bridged: Rig) -> None:
    before = bridged.real.vsctl("get", "Bridge", BRIDGE, "datapath_id")
    bridged.veth("va", 1)
    bridged.real.call("ip", "link", "set", "va", "address", "00:00:00:00:00:02")
    await converge(bridged.ports, port("va"))
    assert bridged.real.vsctl("get", "Bridge", BRIDGE, "datapath_id") == before


@pytest.mark.parametrize(
    "edit",
    [
        ("set", "Bridge", BRIDGE, "fail_mode=standalone"),
        ("clear", "Bridge", BRIDGE, "fail_mode"),
        ("set", "Bridge", BRIDGE, "protocols=OpenFlow10"),
        ("set", "Bridge", BRIDGE, "mcast_snooping_enable=true"),
        ("remove", "Bridge", BRIDGE, "other_config", "disable-in-band"),
        ("clear", "Bridge", BRIDGE, "flow_tables"),
        ("set", "Bridge", BRIDGE, "external_ids:ovsnet-other=x"),
        ("del-br", BRIDGE),
    ],
    ids=" ".join,
)
async def test_a_hand_edit_of_the_bridge_is_seen_and_put_right(bridged: Rig, edit: tuple[str, ...]) -> None:
    bridged.real.vsctl(*edit)
    await until(bridged, lambda: dict(bridged.bridges.have()) != {BRIDGE: bridge()})
    await converge(bridged.bridges, bridge())
    assert bridged.bridges.have() == {BRIDGE: bridge()}


async def test_what_others_put_beside_our_marks_stays(bridged: Rig) -> None:
    bridged.real.vsctl("set", "Bridge", BRIDGE, "external_ids:someone=else", "other_config:mac-table-size=4096")
    bridged.real.vsctl("set", "Bridge", BRIDGE, "fail_mode=standalone")
    await until(bridged, lambda: FAULT_KEY in bridged.bridges.have()[BRIDGE].external_ids)
    await converge(bridged.bridges, bridge())
    assert bridged.real.vsctl("get", "Bridge", BRIDGE, "external_ids:someone") == "else\n"
    assert bridged.real.vsctl("get", "Bridge", BRIDGE, "other_config:mac-table-size") == '"4096"\n'


async def test_a_foreign_bridge_of_our_name_is_left_alone_and_named(rig: Rig) -> None:
    rig.real.add_bridge(BRIDGE, datapath="netdev")
    await until(rig, lambda: rig.switch.ports.bridge() is not None)
    before = everything_but(rig.real)
    assert rig.bridges.have() == {}
    (failure,) = await rig.bridges.apply(Delta({BRIDGE: bridge()}, {}, {}))
    assert failure.resource == BRIDGE
    assert "there is a bridge of this name that is not ours" in failure.reason
    rig.veth("va", 1)
    (failure,) = await rig.ports.apply(Delta({"va": port("va")}, {}, {}))
    assert failure.reason == f"there is no bridge {BRIDGE} of ours"
    flows = FlowApplier(BRIDGE, rig.real.run_dir, is_ours=lambda: bool(rig.bridges.have()))
    flow = Flow(0, 1, "", "drop", cookie(Feature.BASE))
    with pytest.raises(Unavailable, match=f"there is no bridge {BRIDGE} of ours"):
        await flows.apply(Delta({flow.key: flow}, {}, {}))
    assert everything_but(rig.real) == before
    assert rig.real.flows(BRIDGE) == []


async def test_a_datapath_that_does_not_exist_is_an_error_that_says_so(rig: Rig) -> None:
    wanted = BridgePlan(BRIDGE, Datapath.KERNEL, OURS)
    (failure,) = await rig.bridges.apply(Delta({BRIDGE: wanted}, {}, {}))
    assert "ovs-vswitchd does not run it" in failure.reason
    assert "datapath system" in failure.reason
    await converge(rig.bridges, bridge())


async def test_the_bridge_is_not_removed_while_somebody_uses_it(bridged: Rig) -> None:
    bridged.veth("foreign", 1)
    bridged.real.vsctl("add-port", BRIDGE, "foreign")
    await until(bridged, lambda: bridged.switch.ports.port("foreign") is not None)
    (failure,) = await bridged.bridges.apply(Delta({}, {}, {BRIDGE: bridge()}))
    assert "it carries ports that are not ours: foreign" in failure.reason
    bridged.real.vsctl("del-port", "foreign")
    await until(bridged, lambda: bridged.switch.ports.port("foreign") is None)
    await converge(bridged.bridges)
    assert bridged.real.vsctl("list-br") == ""


# ---------------------------------------------------------------- ports


async def test_ports_are_plugged_in_one_batch_and_have_numbers(bridged: Rig) -> None:
    for number in range(1, 4):
        bridged.veth(f"v{number}", number)
    wanted = [port("v1"), port("v2", vlan=7), port("v3")]
    await converge(bridged.ports, *wanted)
    assert bridged.ports.have() == {it.name: it for it in wanted}
    assert sorted(bridged.switch.facts().ofports) == ["v1", "v2", "v3"]
    bridged.forward_everything()
    assert bridged.ping("v1", 3)


async def test_a_port_is_changed_in_place_and_keeps_its_number(bridged: Rig) -> None:
    bridged.veth("va", 1)
    await converge(bridged.ports, port("va", vlan=7, **{"ovsnet-old": "x"}))
    number = bridged.switch.facts().ofports["va"]
    delta = await converge(bridged.ports, port("va", vlan=8, **{"ovsnet-container": "abc"}))
    assert list(delta.change) == ["va"]
    assert bridged.ports.have() == {"va": port("va", vlan=8, **{"ovsnet-container": "abc"})}
    assert bridged.switch.facts().ofports["va"] == number


async def test_a_spare_is_taken_without_waiting_for_the_switch(bridged: Rig) -> None:
    bridged.veth("va", 1)
    await converge(bridged.ports, port("va", vlan=0, **{SPARE_KEY: "true"}))
    count = ("--no-wait", "get", "Open_vSwitch", ".", "next_cfg")
    number, configured = bridged.switch.facts().ofports["va"], bridged.real.vsctl(*count)
    await converge(bridged.ports, port("va", vlan=8, **{"ovsnet-container": "abc"}))
    assert bridged.ports.have() == {"va": port("va", vlan=8, **{"ovsnet-container": "abc"})}
    assert bridged.switch.facts().ofports["va"] == number
    assert bridged.real.vsctl(*count) == configured


async def test_a_new_process_finds_its_ports(bridged: Rig) -> None:
    bridged.veth("va", 1)
    await converge(bridged.ports, port("va"))
    async with running(bridged.real) as reborn:
        assert reborn.bridges.have() == {BRIDGE: bridge()}
        assert reborn.ports.have() == {"va": port("va")}
        assert reborn.switch.facts().ofports == bridged.switch.facts().ofports


async def test_a_port_without_a_link_is_refused_and_the_others_go_on(bridged: Rig) -> None:
    bridged.veth("va", 1)
    failures = await bridged.ports.apply(Delta({"va": port("va"), "vx": port("vx")}, {}, {}))
    assert [(it.resource, it.reason) for it in failures] == [("vx", "its link does not exist")]
    assert list(bridged.ports.have()) == ["va"]


async def test_a_port_that_the_switch_refuses_is_named_in_its_words(bridged: Rig) -> None:
    blind = PortApplier(bridged.switch, lambda _: 1)
    bridged.veth("va", 1)
    failures = await blind.apply(Delta({"vx": port("vx"), "va": port("va")}, {}, {}))
    reasons = {it.resource: it.reason for it in failures}
    assert reasons["vx"] == "could not open network device vx (No such device)"
    assert blind.have()["vx"] != port("vx")
    # As soon as there is a link the next round succeeds.
    bridged.veth("vx", 2)
    await converge(bridged.ports, port("va"), port("vx"))
    assert bridged.ports.have() == {"va": port("va"), "vx": port("vx")}


async def test_a_deleted_port_is_missed_at_once(bridged: Rig) -> None:
    bridged.veth("va", 1)
    await converge(bridged.ports, port("va"))
    bridged.real.vsctl("del-port", "va")
    await until(bridged, lambda: not bridged.ports.have())
    assert list((await converge(bridged.ports, port("va"))).add) == ["va"]


async def test_a_port_plugged_by_hand_under_our_name_on_our_bridge_becomes_ours(bridged: Rig) -> None:
    bridged.veth("va", 1)
    bridged.real.vsctl("add-port", BRIDGE, "va")
    await until(bridged, lambda: bridged.switch.ports.port("va") is not None)
    assert bridged.ports.have() == {}
    await converge(bridged.ports, port("va"))
    assert bridged.ports.have() == {"va": port("va")}


async def test_a_port_moved_to_another_bridge_comes_back(bridged: Rig) -> None:
    bridged.veth("va", 1)
    await converge(bridged.ports, port("va"))
    bridged.real.add_bridge("br-other", datapath="netdev")
    uuid = bridged.real.vsctl("get", "Port", "va", "_uuid").strip()
    move = ("remove", "Bridge", BRIDGE, "ports", uuid, "--", "add", "Bridge", "br-other", "ports", uuid)
    bridged.real.vsctl(*move)
    await until(bridged, lambda: FAULT_KEY in bridged.ports.have()["va"].external_ids)
    await converge(bridged.ports, port("va"))
    assert bridged.real.vsctl("port-to-br", "va") == f"{BRIDGE}\n"


async def test_a_foreign_port_of_our_name_elsewhere_is_left_alone_and_named(bridged: Rig) -> None:
    bridged.veth("va", 1)
    bridged.real.add_bridge("br-other", datapath="netdev")
    bridged.real.vsctl("add-port", "br-other", "va")
    await until(bridged, lambda: bridged.switch.ports.port("va") is not None)
    (failure,) = await bridged.ports.apply(Delta({"va": port("va")}, {}, {}))
    assert (
        failure.reason
        == "bridge br-other has a port of this name that is not ours; remove it with 'ovs-vsctl del-port va'"
    )
    assert bridged.real.vsctl("port-to-br", "va") == "br-other\n"


async def test_without_a_bridge_each_port_says_so(rig: Rig) -> None:
    (failure,) = await rig.ports.apply(Delta({"va": port("va")}, {}, {}))
    assert failure.reason == f"there is no bridge {BRIDGE} of ours"


async def test_foreign_bridges_and_ports_are_byte_identical_after_our_whole_life(rig: Rig) -> None:
    rig.real.add_bridge("br-foreign", datapath="netdev")
    rig.veth("vfor", 9)
    rig.real.vsctl(
        "add-port",
        "br-foreign",
        "vfor",
        "--",
        "set",
        "Port",
        "vfor",
        "external_ids:ovsnet-owner=another-instance",
    )
    rig.veth("va", 1)
    before = everything_but(rig.real)
    await converge(rig.bridges, bridge())
    await converge(rig.ports, port("va"))
    assert everything_but(rig.real, BRIDGE, "va") == before
    assert "vfor" not in rig.ports.have()
    await converge(rig.ports)
    await converge(rig.bridges)
    assert everything_but(rig.real) == before


async def test_an_internal_port_is_made_with_its_mtu(bridged: Rig) -> None:
    wanted = PortPlan("oi1", PortKind.INTERNAL, mtu=1400, external_ids=OURS)
    await converge(bridged.ports, wanted)
    assert bridged.ports.have() == {"oi1": wanted}
    link = bridged.real.call("ip", "link", "show", "oi1")
    assert "mtu 1400" in link
    await bridged.ports.replug(["oi1"])
    assert "mtu 1400" in bridged.real.call("ip", "link", "show", "oi1")


# ---------------------------------------------------------------- dead ports


async def two_that_talk(rig: Rig) -> list[PortPlan]:
    rig.forward_everything()
    rig.veth("va", 1)
    rig.veth("vb", 2)
    wanted = [port("va"), port("vb")]
    await converge(rig.ports, *wanted)
    assert rig.ping("va", 2)
    return wanted


async def test_a_port_whose_link_was_made_anew_forwards_again(bridged: Rig) -> None:
    wanted = await two_that_talk(bridged)
    bridged.real.call("ip", "link", "del", "va")
    await until(bridged, lambda: FAULT_KEY in bridged.ports.have()["va"].external_ids)
    assert bridged.ports.have()["va"].external_ids[FAULT_KEY] == "its link is gone"
    assert "va" not in bridged.switch.facts().ofports
    bridged.veth("va", 1)
    await converge(bridged.ports, *wanted)
    assert bridged.ports.have() == {it.name: it for it in wanted}
    assert bridged.ping("va", 2)


async def test_a_link_that_was_swapped_while_nobody_looked_is_noticed(bridged: Rig) -> None:
    wanted = await two_that_talk(bridged)
    bridged.real.call("ip", "link", "del", "va")
    bridged.veth("va", 1)
    await until(bridged, lambda: FAULT_KEY in bridged.ports.have()["va"].external_ids)
    await converge(bridged.ports, *wanted)
    assert bridged.ping("va", 2)


async def test_a_dead_port_that_nobody_wants_is_removed(bridged: Rig) -> None:
    await two_that_talk(bridged)
    bridged.real.call("ip", "link", "del", "va")
    await until(bridged, lambda: FAULT_KEY in bridged.ports.have()["va"].external_ids)
    await converge(bridged.ports, port("vb"))
    assert bridged.real.vsctl("list-ports", BRIDGE) == "vb\n"


async def test_a_link_that_goes_down_and_up_is_not_taken_for_another(bridged: Rig) -> None:
    wanted = await two_that_talk(bridged)
    for state in ("down", "up"):
        bridged.real.call("ip", "link", "set", "va", state)
    assert not await converge(bridged.ports, *wanted)
    assert bridged.ping("va", 2)


async def test_replug_gives_a_new_number(bridged: Rig) -> None:
    wanted = await two_that_talk(bridged)
    before = bridged.switch.facts().ofports["va"]
    assert await bridged.ports.replug(["va", "unknown"]) == []
    assert bridged.switch.facts().ofports["va"] != before
    assert bridged.ports.have() == {it.name: it for it in wanted}
    assert bridged.ping("va", 2)


# ---------------------------------------------------------------- daemons that go away


async def test_a_restart_of_the_daemon_changes_nothing_of_ours(bridged: Rig) -> None:
    wanted = await two_that_talk(bridged)
    bridged.real.stop_daemon()
    bridged.real.start_daemon()
    await until(bridged, lambda: len(bridged.switch.facts().ofports) == 2)
    assert not await converge(bridged.bridges, bridge())
    assert not await converge(bridged.ports, *wanted)
    bridged.forward_everything()
    assert bridged.ping("va", 2)


async def test_a_restart_of_the_database_is_survived(bridged: Rig) -> None:
    wanted = await two_that_talk(bridged)
    bridged.real.stop_database()
    await until(bridged, lambda: not bridged.switch.facts().available)
    assert bridged.switch.facts().reason
    assert len(bridged.switch.facts().ofports) == 2
    with pytest.raises(Unavailable, match=r"the Open vSwitch database is not available: .*systemctl start"):
        await bridged.ports.apply(Delta({}, {}, {"va": wanted[0]}))
    with pytest.raises(Unavailable):
        await bridged.ports.resync()
    bridged.real.start_database()
    await bridged.switch.wait_ready(DEADLINE)
    assert bridged.ports.have() == {it.name: it for it in wanted}
    await converge(bridged.ports, wanted[0])


async def test_a_stopped_daemon_is_unavailable_inside_the_deadline(bridged: Rig) -> None:
    bridged.veth("va", 1)
    hasty = OurSwitch(Settings(instance="test", bridge=BRIDGE, ovsdb_socket=str(bridged.real.db_socket)), deadline=0.3)
    async with asyncio.TaskGroup() as group:
        following = group.create_task(hasty.run())
        await hasty.wait_ready(DEADLINE)
        os.kill(bridged.real.pid("ovs-vswitchd"), signal.SIGSTOP)
        try:
            with pytest.raises(Unavailable, match="ovs-vswitchd did not take up a change"):
                await PortApplier(hasty, bridged.ifindex).apply(Delta({"va": port("va")}, {}, {}))
        finally:
            os.kill(bridged.real.pid("ovs-vswitchd"), signal.SIGCONT)
            following.cancel()
    await until(bridged, lambda: "va" in bridged.switch.facts().ofports)


async def test_a_daemon_that_lives_and_is_slow_is_waited_for(bridged: Rig) -> None:
    bridged.veth("va", 1)
    given = Settings(
        instance="test",
        bridge=BRIDGE,
        ovsdb_socket=str(bridged.real.db_socket),
        ovs_run_dir=str(bridged.real.run_dir),
    )
    patient = OurSwitch(given, deadline=0.1, patience=DEADLINE)
    async with asyncio.TaskGroup() as group:
        following = group.create_task(patient.run())
        await patient.wait_ready(DEADLINE)
        os.kill(bridged.real.pid("ovs-vswitchd"), signal.SIGSTOP)
        asyncio.get_running_loop().call_later(0.5, os.kill, bridged.real.pid("ovs-vswitchd"), signal.SIGCONT)
        assert await PortApplier(patient, bridged.ifindex).apply(Delta({"va": port("va")}, {}, {})) == []
        following.cancel()
    assert "va" in patient.facts().ofports


# ---------------------------------------------------------------- facts


async def test_facts_tell_what_the_switch_is(switch: Switch) -> None:
    switch.vsctl("set", "Open_vSwitch", ".", "ovs_version=9.8.7", "other_config:userspace-tso-enable=true")
    async with running(switch, datapath="netdev") as it:
        facts = it.switch.facts()
        assert (facts.available, facts.version, facts.datapath, facts.tso) == (
            True,
            "9.8.7",
            Datapath.USERSPACE,
            True,
        )
        assert (dict(facts.ofports), facts.reason) == ({}, "")
    async with running(switch, datapath="system") as it:
        assert it.switch.facts().datapath is Datapath.KERNEL


async def test_a_version_that_nobody_wrote_down_is_asked_of_the_daemon(switch: Switch) -> None:
    async with running(switch) as it, asyncio.timeout(DEADLINE):
        assert not next(iter(it.switch.database.rows("Open_vSwitch"))).ovs_version
        while not it.switch.facts().version:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.01)
        program = switch.call("ovs-vswitchd", "--version").partition("\n")[0]
        assert program.endswith(f" {it.switch.facts().version}")


def test_the_datapath_is_the_kernels_where_the_kernel_has_one() -> None:
    there = Path("/sys/module/openvswitch").exists()
    assert kernel_has_datapath() is there
    assert choose_datapath("auto") is (Datapath.KERNEL if there else Datapath.USERSPACE)


def test_before_the_first_contact_nothing_is_known() -> None:
    facts = OurSwitch(Settings(ovsdb_socket="/nonexistent/db.sock")).facts()
    assert not facts.available
    assert facts.reason
