"""`ovsnet bench restart`: what running containers notice while the programs below them are killed and restarted.

Two containers exchange numbered packets on each subject; every event hits one subject at a time. Peers are there where
the event concerns them: Docker's bridge while the engine restarts, a bare bridge while Open vSwitch does.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ovsnet.bench.bystanders import pairs_on
from ovsnet.bench.choosing import check_names
from ovsnet.bench.connection.bare import BARE, Joining, bare_bridge
from ovsnet.bench.datapath import datapath_name
from ovsnet.bench.facts import machine
from ovsnet.bench.host import Host
from ovsnet.bench.networks import BRIDGE, INTERNAL, NETWORKS, OURS, chosen_networks
from ovsnet.bench.numbered import FPING, numbered
from ovsnet.bench.report import Better, Quantity, Report
from ovsnet.bench.station import KERNEL, Station
from ovsnet.bench.tally import Progress, Step, Tally, take_turns
from ovsnet.bench.wiring import Joined, namespace, reach
from ovsnet.model.errors import OvsnetError

Event = Callable[[], Awaitable[None]]
"""Makes it happen; returns when all is as before."""
NOTHING, KILLED, RESTARTED = "nothing happens", "agent killed", "agent restarted"
SWITCH, WHOLE, ENGINE = "ovs-vswitchd killed", "Open vSwitch restarted", "dockerd restarted"
EVENTS = (NOTHING, KILLED, RESTARTED, SWITCH, WHOLE, ENGINE)
LIVE_RESTORE = "--live-restore"
LIMITS = [
    "what is killed or stopped is started again at once: a gap has in it how long the program takes to start",
    "a gap of a few ms is at times only a pause of fping; compare with the one while nothing happens",
    "Open vSwitch is stopped and started without the help of ovs-ctl, which keeps flows over a restart",
]


@dataclass(frozen=True, slots=True)
class Plan:
    """`calm` is for how many seconds nothing happens; `only` are names of events, none for all."""

    rounds: int
    calm: float
    datapath: str
    only: Sequence[str] = ()
    warm_up: bool = True


async def run(folder: Path, plan: Plan, progress: Progress) -> Report:
    """In a sandbox, with its folder. BadRequest when there is no such event."""
    check_names("--event", "event", plan.only, EVENTS)
    names = [OURS, *([INTERNAL] if plan.datapath == "system" else []), BRIDGE]
    networks = chosen_networks(NETWORKS, names)
    tally, host = Tally(), Host(folder, plan.datapath, LIVE_RESTORE)
    facts = await machine(host.crew, ["ovs-vswitchd", "dockerd", FPING])
    progress("switches, agent and engine start", 0.0)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(host.running())
        nothing: dict[str, Event] = {NOTHING: partial(asyncio.sleep, plan.calm)}
        steps: list[Step] = []
        for it in await pairs_on(networks, host, tally):
            events = events_of(host) if it.network.ours else {ENGINE: host.engine.restart}
            steps += steps_of(it.ends, {**nothing, **events}, plan.only)
        steps += await _bare(folder, plan, tally, nothing, stack)
        await take_turns(steps, plan.rounds, tally, progress, warm_up=plan.warm_up)
    progress("done", 1.0)
    return Report(
        bench="restart",
        facts=facts | {"datapath": datapath_name(plan.datapath), "rounds": str(plan.rounds)},
        quantities=tally.quantities,
        subjects=[*(it.subject for it in networks), BARE],
        ours=[it.subject for it in networks if it.ours],
        series=tally.series,
        missing=tally.missing,
        limits=LIMITS,
    )


def events_of(host: Host) -> Mapping[str, Event]:
    """All that can happen to a network of ours."""
    return {
        KILLED: partial(host.restart_agent, kill=True),
        RESTARTED: partial(host.restart_agent, kill=False),
        SWITCH: partial(_then_well, host, host.station.restart_switch),
        WHOLE: partial(_then_well, host, host.station.restart_all_of_it),
        ENGINE: host.engine.restart,
    }


def steps_of(ends: Joined, events: Mapping[str, Event], only: Sequence[str]) -> Sequence[Step]:
    """One for each event, or for these."""
    return [
        Step(ends.subject, quantities_of(what), partial(_during, ends, what, event))
        for what, event in events.items()
        if not only or what in only
    ]


def quantities_of(what: str) -> Sequence[Quantity]:
    """Of one event."""
    return (
        Quantity(f"packets lost, {what}", "", Better.LOWER),
        Quantity(f"longest gap, {what}", "ms", Better.LOWER),
    )


async def _during(ends: Joined, what: str, event: Event) -> Mapping[str, float]:
    async with numbered(ends.client, ends.server) as stream:
        await event()
    found = stream.heard()
    lost, gap = quantities_of(what)
    return {lost.name: found.lost, gap.name: found.gap}


async def _then_well(host: Host, restart: Event) -> None:
    await restart()
    await host.well()


async def _bare(
    folder: Path, plan: Plan, tally: Tally, nothing: Mapping[str, Event], stack: AsyncExitStack
) -> Sequence[Step]:
    """A switch of its own, which no agent looks after, in a network of its own: two switches do not share one."""
    try:
        inside = await namespace("bare", folder)
        station = Station(folder / "b", datapath=plan.datapath, namespace=inside.namespace)
        stack.push_async_callback(station.crew.close)
        await station.open_switch()
        ends = await bare_bridge(station, folder, Joining(BARE, "b", offload=plan.datapath == KERNEL))
        await reach(ends)
    except OvsnetError as error:
        tally.lacks(BARE, str(error))
        return ()
    return steps_of(ends, {**nothing, SWITCH: station.restart_switch, WHOLE: station.restart_all_of_it}, plan.only)
