"""Flows and groups of ours on a real switch; other people's stay as they are."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TypeVar

import pytest
from tests.functional.switch import DEADLINE, Switch

from ovsnet.model.delta import Delta, diff
from ovsnet.model.errors import Unavailable
from ovsnet.ovs.openflow import FlowApplier
from ovsnet.pipeline.cookies import GROUP_FIRST, Feature, cookie
from ovsnet.pipeline.flow import Flow, Group, Resource

pytestmark = pytest.mark.functional
BRIDGE = "br-ours"
Found = TypeVar("Found")
FLOOD = Group(GROUP_FIRST + 1, ("output:1", "set_field:7->reg1,output:2"))
WANTED: tuple[Resource, ...] = (
    FLOOD,
    Flow(0, 0, "", "drop", cookie(Feature.BASE)),
    # In words that are not the switch's own.
    Flow(
        0,
        100,
        "dl_type=0x0800,in_port=1,dl_src=02:00:00:00:00:0A",
        "load:7->NXM_NX_REG6[],goto_table:2",
        cookie(Feature.GUARD, 7),
    ),
    Flow(0, 100, "in_port=1,icmp6,icmpv6_type=135,ipv6_src=FD00:0::1", "resubmit(,2)", cookie(Feature.GUARD, 7)),
    Flow(
        2,
        32768,
        "reg6=7,dl_dst=01:00:00:00:00:00/01:00:00:00:00:00",
        f"group:{FLOOD.id}",
        cookie(Feature.FLOOD, 7),
    ),
)
FOREIGN_FLOWS = (
    "cookie=0x99,table=0,priority=7,ip,actions=output:2",
    "cookie=0x0,table=2,priority=100,reg6=8,actions=group:5",
    "cookie=0xdeadbeef00000000,table=9,priority=1,idle_timeout=600,tcp,actions=drop",
)
FOREIGN_GROUP = "group_id=5,type=all,bucket=actions=output:2"


@pytest.fixture
def flows(switch: Switch) -> FlowApplier:
    switch.add_bridge(BRIDGE)
    return FlowApplier(BRIDGE, switch.run_dir, deadline=DEADLINE)


def by_key(resources: tuple[Resource, ...]) -> dict[str, Resource]:
    return {it.key: it for it in resources}


def adding(*resources: Resource) -> Delta[Resource]:
    return Delta(by_key(resources), {}, {})


async def converge(applier: FlowApplier, *wanted: Resource) -> Delta[Resource]:
    """One round as the reconciler does it; returns what differed."""
    delta = diff(by_key(wanted), applier.have())
    assert await applier.apply(delta) == []
    return delta


def counters(switch: Switch) -> list[str]:
    """Flows with their age left out and their packet counts kept: a rewritten flow counts from zero again."""
    lines = switch.ofctl("dump-flows", BRIDGE).splitlines()[1:]
    return sorted(" ".join(word for word in line.split() if not word.startswith("duration=")) for line in lines)


def send_a_packet(switch: Switch) -> None:
    frame = "ffffffffffff02000000000a0800" + "45000014000000004011000000000000ffffffff".ljust(92, "0")
    switch.ofctl("packet-out", BRIDGE, f"in_port=1 packet={frame} actions=table")


async def test_what_was_written_is_what_there_is_after_a_new_look(flows: FlowApplier) -> None:
    await converge(flows, *WANTED)
    await flows.resync()
    assert flows.have() == by_key(WANTED)


async def test_a_second_round_changes_nothing(flows: FlowApplier) -> None:
    await converge(flows, *WANTED)
    await flows.resync()
    assert not await converge(flows, *WANTED)


async def test_a_new_process_finds_its_flows_and_rewrites_none(flows: FlowApplier, switch: Switch) -> None:
    await converge(flows, *WANTED)
    send_a_packet(switch)
    before = counters(switch)
    assert any("n_packets=1" in line for line in before)

    reborn = FlowApplier(BRIDGE, switch.run_dir)
    await reborn.resync()
    await converge(reborn, *WANTED)

    assert counters(switch) == before
    assert reborn.have() == by_key(WANTED)


async def test_a_new_process_may_split_its_first_round(flows: FlowApplier, switch: Switch) -> None:
    await converge(flows, *WANTED)
    before = switch.flows(BRIDGE)

    reborn = FlowApplier(BRIDGE, switch.run_dir)
    await reborn.resync()
    delta = diff(by_key(WANTED), reborn.have())
    await reborn.apply(delta.without_removals())
    await reborn.apply(delta.only_removals())

    assert switch.flows(BRIDGE) == before
    assert reborn.have() == by_key(WANTED)


async def test_a_new_process_that_writes_before_it_looks_rewrites_nothing(flows: FlowApplier, switch: Switch) -> None:
    await converge(flows, *WANTED)
    send_a_packet(switch)
    before = counters(switch)
    await converge(FlowApplier(BRIDGE, switch.run_dir), *WANTED)
    assert counters(switch) == before


async def test_without_a_bridge_of_ours_there_is_nothing_to_read(switch: Switch) -> None:
    ours = False
    applier = FlowApplier(BRIDGE, switch.run_dir, is_ours=lambda: ours)
    await applier.resync()
    assert applier.have() == {}
    switch.add_bridge(BRIDGE)
    ours = True
    await converge(applier, *WANTED)
    ours = False
    await applier.resync()
    assert applier.have() == {}


async def test_a_new_process_corrects_what_differs_and_removes_what_is_left_over(
    flows: FlowApplier, switch: Switch
) -> None:
    await converge(flows, *WANTED)
    guard, rest = WANTED[2], [it for it in WANTED if it is not WANTED[2]]
    assert isinstance(guard, Flow)
    changed = Flow(guard.table, guard.priority, guard.match, "drop", guard.cookie)

    reborn = FlowApplier(BRIDGE, switch.run_dir)
    await reborn.resync()
    await converge(reborn, *rest[:-1], changed)
    await reborn.resync()

    assert reborn.have() == by_key((*rest[:-1], changed))


async def test_removing_all_of_ours_leaves_foreign_flows_and_groups_byte_identical(
    flows: FlowApplier, switch: Switch
) -> None:
    switch.ofctl("add-group", BRIDGE, FOREIGN_GROUP)
    switch.ofctl("add-flows", BRIDGE, "-", stdin="\n".join(FOREIGN_FLOWS))
    before = (switch.flows(BRIDGE), switch.groups(BRIDGE))

    await converge(flows, *WANTED)
    await flows.resync()
    assert set(before[0]) < set(switch.flows(BRIDGE))
    await converge(flows)

    assert (switch.flows(BRIDGE), switch.groups(BRIDGE)) == before


async def test_a_foreign_flow_in_a_place_of_ours_is_replaced(flows: FlowApplier, switch: Switch) -> None:
    await converge(flows, *WANTED)
    switch.ofctl("add-flow", BRIDGE, "cookie=0x99,table=0,priority=0,actions=output:1")
    await flows.resync()
    delta = await converge(flows, *WANTED)
    assert list(delta.add) == ["table=0,priority=0"]
    assert not any("cookie=0x99" in line for line in switch.flows(BRIDGE))


async def test_a_removal_spares_a_foreign_flow_that_took_the_place(flows: FlowApplier, switch: Switch) -> None:
    await converge(flows, *WANTED)
    switch.ofctl("add-flow", BRIDGE, "cookie=0x99,table=0,priority=0,actions=output:1")
    await converge(flows)
    assert [line.strip() for line in switch.flows(BRIDGE)] == ["cookie=0x99, priority=0 actions=output:1"]


@pytest.mark.parametrize(
    "edit",
    [
        "cookie=0x0f5e020000000007,table=0,priority=100,ip,in_port=1,dl_src=02:00:00:00:00:0a,actions=drop",
        "cookie=0x0f5e020000000008,table=0,priority=100,ip,in_port=1,dl_src=02:00:00:00:00:0a,actions=load:7->NXM_NX_REG6[],goto_table:2",
        "cookie=0x0f5e020000000007,table=0,priority=100,idle_timeout=60,ip,in_port=1,dl_src=02:00:00:00:00:0a,actions=load:7->NXM_NX_REG6[],goto_table:2",
    ],
    ids=["actions", "cookie", "timeout"],
)
async def test_a_flow_edited_by_hand_is_seen_as_changed_and_put_right(
    flows: FlowApplier, switch: Switch, edit: str
) -> None:
    await converge(flows, *WANTED)
    before = switch.flows(BRIDGE)
    switch.ofctl("add-flow", BRIDGE, edit)
    await flows.resync()
    delta = await converge(flows, *WANTED)
    assert (list(delta.add), list(delta.change), list(delta.remove)) == ([], [WANTED[2].key], [])
    assert switch.flows(BRIDGE) == before


async def test_an_unknown_flow_with_our_mark_is_shown_and_removed(flows: FlowApplier, switch: Switch) -> None:
    await converge(flows, *WANTED)
    switch.ofctl("add-flow", BRIDGE, f"cookie={cookie(Feature.BASE):#x},table=77,priority=3,tcp,actions=drop")
    switch.ofctl("add-group", BRIDGE, f"group_id={GROUP_FIRST + 9},type=select,bucket=actions=output:1")
    await flows.resync()
    delta = await converge(flows, *WANTED)
    assert set(delta.remove) == {"table=77,priority=3,tcp", f"group_id={GROUP_FIRST + 9}"}
    await flows.resync()
    assert flows.have() == by_key(WANTED)


async def test_a_group_edited_by_hand_is_put_right(flows: FlowApplier, switch: Switch) -> None:
    await converge(flows, *WANTED)
    before = switch.groups(BRIDGE)
    switch.ofctl("mod-group", BRIDGE, f"group_id={FLOOD.id},type=all,bucket=actions=output:1")
    await flows.resync()
    assert list((await converge(flows, *WANTED)).change) == [FLOOD.key]
    assert switch.groups(BRIDGE) == before


async def test_a_refused_flow_is_named_and_the_others_are_written(flows: FlowApplier) -> None:
    bad = Flow(3, 10, "ip", "group:77", cookie(Feature.BASE))
    unreadable = Flow(3, 11, "ip", "fly:1", cookie(Feature.BASE))
    failures = await flows.apply(adding(*WANTED, bad, unreadable))
    assert {it.resource: it.reason for it in failures} == {
        bad.key: "OFPBAC_BAD_OUT_GROUP",
        unreadable.key: "unknown action fly",
    }
    await flows.resync()
    assert flows.have() == by_key(WANTED)


async def test_a_group_that_cannot_be_is_named(flows: FlowApplier) -> None:
    bad = Group(GROUP_FIRST + 2, ("fly:1",))
    failures = await flows.apply(adding(*WANTED, bad))
    assert [it.resource for it in failures] == [bad.key]
    await flows.resync()
    assert flows.have() == by_key(WANTED)


async def test_a_batch_of_refused_flows_ends_in_one_error_each(flows: FlowApplier, switch: Switch) -> None:
    bad = [Flow(3, number, "ip", "group:77", cookie(Feature.BASE)) for number in range(1, 31)]
    failures = await flows.apply(adding(*bad))
    assert {it.resource for it in failures} == {it.key for it in bad}
    assert switch.flows(BRIDGE) == []


async def test_a_bundle_with_a_refused_flow_leaves_nothing_behind(flows: FlowApplier, switch: Switch) -> None:
    """What the applier builds on: the switch takes all of a bundle or none."""
    lines = [f"flow add {it.text}" for it in WANTED if isinstance(it, Flow) and "group" not in it.actions]
    with pytest.raises(AssertionError, match="OFPBAC_BAD_OUT_GROUP"):
        switch.ofctl("bundle", BRIDGE, "-", stdin="\n".join((*lines, "flow add table=3,actions=group:77")))
    assert switch.flows(BRIDGE) == []


async def test_a_thousand_flows_go_in_one_bundle(flows: FlowApplier) -> None:
    many = tuple(
        Flow(
            1,
            100,
            f"ip,in_port={n},nw_src=10.0.{n >> 8}.{n & 255}",
            f"set_field:{n}->reg6,goto_table:2",
            cookie(Feature.GUARD),
        )
        for n in range(1, 1001)
    )
    await converge(flows, *many)
    await flows.resync()
    assert flows.have() == by_key(many)


# ---------------------------------------------------------------- a switch that is away


async def test_a_bridge_that_does_not_exist_is_unavailable(switch: Switch) -> None:
    applier = FlowApplier("br-none", switch.run_dir)
    with pytest.raises(Unavailable, match="Open vSwitch is not available"):
        await applier.apply(adding(*WANTED))
    with pytest.raises(Unavailable):
        await applier.resync()


async def test_a_stopped_switch_is_unavailable_inside_the_deadline(flows: FlowApplier, switch: Switch) -> None:
    hasty = FlowApplier(BRIDGE, switch.run_dir, deadline=0.3)
    os.kill(switch.pid("ovs-vswitchd"), signal.SIGSTOP)
    try:
        async with asyncio.timeout(DEADLINE):
            with pytest.raises(Unavailable, match=r"within 0\.3 s"):
                await hasty.apply(adding(*WANTED))
    finally:
        os.kill(switch.pid("ovs-vswitchd"), signal.SIGCONT)


async def test_after_a_restart_of_the_switch_the_flows_come_back(flows: FlowApplier, switch: Switch) -> None:
    await converge(flows, *WANTED)
    before = switch.flows(BRIDGE)
    switch.stop_daemon()
    with pytest.raises(Unavailable):
        await flows.resync()
    assert flows.have() == by_key(WANTED)
    switch.start_daemon()
    await flows.resync()
    assert flows.have() == {}
    await converge(flows, *WANTED)
    assert switch.flows(BRIDGE) == before


# ---------------------------------------------------------------- watching


@asynccontextmanager
async def watching(applier: FlowApplier, folder: Path) -> AsyncIterator[asyncio.Event]:
    changed = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        watch = group.create_task(applier.watch(changed.set, changed.set, folder / "watch.ctl"))
        yield changed
        watch.cancel()


async def until(event: asyncio.Event) -> None:
    async with asyncio.timeout(DEADLINE):
        await event.wait()
    event.clear()


HAND_EDITS = {
    "flow deleted": ["--strict", "del-flows", BRIDGE, "table=0,priority=0"],
    "flow changed": ["mod-flows", BRIDGE, "table=0,dl_type=0x0800,in_port=1,actions=drop"],
    "flow replaced by a foreign one": ["add-flow", BRIDGE, "cookie=0x1,table=0,priority=0,actions=output:1"],
    "flow added": ["add-flow", BRIDGE, f"cookie={cookie(Feature.BASE):#x},table=7,priority=0,actions=drop"],
    "all flows deleted": ["del-flows", BRIDGE],
    "group deleted": ["del-groups", BRIDGE, FLOOD.key],
    "all groups deleted": ["del-groups", BRIDGE],
    "group changed": ["mod-group", BRIDGE, f"group_id={FLOOD.id},type=all,bucket=actions=output:1"],
    "bucket added": [
        "-OOpenFlow15",
        "insert-buckets",
        BRIDGE,
        f"group_id={FLOOD.id},command_bucket_id=last,bucket=bucket_id:9,actions=output:9",
    ],
}


@pytest.mark.parametrize("edit", HAND_EDITS.values(), ids=HAND_EDITS.keys())
async def test_an_edit_by_hand_is_noticed_and_can_be_repaired(
    flows: FlowApplier, switch: Switch, edit: list[str]
) -> None:
    await converge(flows, *WANTED)
    before = (switch.flows(BRIDGE), switch.groups(BRIDGE))
    async with watching(flows, switch.run_dir) as changed:
        await followed(flows, switch, changed)
        switch.ofctl(*edit)
        await until(changed)
        await converge(flows, *WANTED)
    assert (switch.flows(BRIDGE), switch.groups(BRIDGE)) == before


async def followed(applier: FlowApplier, switch: Switch, changed: asyncio.Event) -> None:
    """Returns when the watch is at work: it notices a flow that nobody wants."""
    probe = "table=250,priority=9"
    async with asyncio.timeout(DEADLINE):
        while not changed.is_set():
            switch.ofctl("add-flow", BRIDGE, f"cookie={cookie(Feature.BASE):#x},{probe},actions=drop")
            await asyncio.sleep(0.02)
    while probe in applier.have():
        await applier.apply(Delta({}, {}, {probe: applier.have()[probe]}))
        await applier.resync()
    changed.clear()


async def test_what_we_write_ourselves_is_no_news(flows: FlowApplier, switch: Switch) -> None:
    async with watching(flows, switch.run_dir) as changed:
        await followed(flows, switch, changed)
        await converge(flows, *WANTED)
        await converge(flows, *WANTED[:-1])
        await converge(flows)
        switch.ofctl("add-flow", BRIDGE, "cookie=0x99,table=9,priority=1,actions=drop")
        # A change that is news comes after all of those.
        switch.ofctl("add-flow", BRIDGE, f"cookie={cookie(Feature.BASE):#x},table=7,actions=drop")
        await until(changed)
        assert list(flows.have()) == ["table=7,priority=32768"]


async def test_the_watch_survives_a_restart_of_the_switch(flows: FlowApplier, switch: Switch) -> None:
    async with outage(flows, switch) as (_, changed):
        switch.start_daemon()
        await until(changed)
        assert flows.have() == {}
        await converge(flows, *WANTED)
        switch.ofctl("del-flows", BRIDGE)
        await until(changed)


@asynccontextmanager
async def outage(applier: FlowApplier, switch: Switch) -> AsyncIterator[tuple[list[str], asyncio.Event]]:
    """A switch that had what is wanted, was watched and is stopped: the flows it had, and the watch's event."""
    await converge(applier, *WANTED)
    before = switch.flows(BRIDGE)
    async with watching(applier, switch.run_dir) as changed:
        await followed(applier, switch, changed)
        switch.stop_daemon()
        await until(changed)
        yield before, changed


async def test_a_switch_that_begins_anew_is_written_to_before_anything_is_asked(
    flows: FlowApplier, switch: Switch
) -> None:
    async with outage(flows, switch) as (before, changed):
        switch.start_daemon()
        stranger = f"cookie={cookie(Feature.BASE):#x},table=7,priority=1,actions=drop"
        switch.ofctl("add-flow", BRIDGE, stranger)
        await until(changed)
        await flows.resync()
        assert flows.have() == {}, "nothing was read"
        await converge(flows, *WANTED)
        assert set(before) < set(switch.flows(BRIDGE))
        await until(changed)
        assert "table=7,priority=1" in flows.have(), "what somebody put there meanwhile is found by the watch"
        await converge(flows, *WANTED)
        assert switch.flows(BRIDGE) == before


async def test_who_writes_to_a_switch_that_is_back_was_started_while_it_was_away(
    flows: FlowApplier, switch: Switch
) -> None:
    async with outage(flows, switch) as (before, changed):
        (waiting,) = await sooner_or_later(partial(running, switch, "bundle"))
        switch.start_daemon()
        await until(changed)
        await flows.resync()
        assert running(switch, "bundle") == [waiting]
        await converge(flows, *WANTED)
        assert not running(switch, "bundle")
        assert switch.flows(BRIDGE) == before


async def test_a_writer_that_somebody_ended_while_it_waited_is_replaced(flows: FlowApplier, switch: Switch) -> None:
    async with outage(flows, switch) as (before, changed):
        (waiting,) = await sooner_or_later(partial(running, switch, "bundle"))
        os.kill(waiting, signal.SIGKILL)
        await sooner_or_later(lambda: not running(switch, "bundle"))
        switch.start_daemon()
        await until(changed)
        await flows.resync()
        await converge(flows, *WANTED)
        assert switch.flows(BRIDGE) == before


async def test_of_a_switch_that_is_back_and_of_which_nothing_is_wanted_no_writer_is_left(
    flows: FlowApplier, switch: Switch
) -> None:
    async with watching(flows, switch.run_dir) as changed:
        await followed(flows, switch, changed)
        switch.stop_daemon()
        await sooner_or_later(partial(running, switch, "bundle"))
        switch.start_daemon()
        await sooner_or_later(lambda: not running(switch, "bundle"))
        switch.stop_daemon()
        await sooner_or_later(partial(running, switch, "bundle"))
    assert not running(switch, "bundle")


async def test_a_watch_leaves_no_process_and_no_socket_behind(flows: FlowApplier, switch: Switch) -> None:
    async with watching(flows, switch.run_dir) as changed:
        await followed(flows, switch, changed)
        await sooner_or_later(partial(running, switch, "monitor"))
    assert not running(switch, "monitor")
    assert not (switch.run_dir / "watch.ctl").exists()


WATCHER = """
import asyncio, sys
from pathlib import Path
from ovsnet.ovs.openflow import FlowApplier
applier = FlowApplier(sys.argv[1], sys.argv[2])
asyncio.run(applier.watch(lambda: None, lambda: None, Path(sys.argv[2]) / "watch.ctl"))
"""


async def test_a_killed_agent_leaves_no_monitor_behind(flows: FlowApplier, switch: Switch) -> None:
    agent = await asyncio.create_subprocess_exec(sys.executable, "-c", WATCHER, BRIDGE, switch.run_dir)
    await sooner_or_later(partial(running, switch, "monitor"))
    agent.kill()
    await agent.wait()
    await sooner_or_later(lambda: not running(switch, "monitor"))


async def test_a_killed_agent_leaves_no_writer_behind(flows: FlowApplier, switch: Switch) -> None:
    agent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", WATCHER, BRIDGE, switch.run_dir, stdout=asyncio.subprocess.PIPE
    )
    assert agent.stdout is not None
    async with asyncio.timeout(DEADLINE):
        await agent.stdout.readuntil(b"flows are watched")
    switch.stop_daemon()
    await sooner_or_later(partial(running, switch, "bundle"))
    agent.kill()
    await agent.wait()
    await sooner_or_later(lambda: not running(switch, "bundle"))


def running(switch: Switch, does: str) -> list[int]:
    """Processes that do this to this switch."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            words = entry.read_bytes().decode(errors="replace")
            if does in words and str(switch.run_dir) in words:
                found.append(int(entry.parent.name))
    return found


async def sooner_or_later(look: Callable[[], Found]) -> Found:
    """What is found at last; looks again and again: nothing tells about other processes' children."""
    async with asyncio.timeout(DEADLINE):
        while not (found := look()):  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    return found
