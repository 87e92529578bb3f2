"""`ovsnet bench churn`: containers come and go, while two others on the same network exchange numbered packets.

What is measured: how long the ones that come wait for their network, what the two notice, and what is left afterwards.
"""

import asyncio
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ovsnet.bench.bystanders import Pair, pairs_on
from ovsnet.bench.containers import Containers, timed
from ovsnet.bench.datapath import datapath_name
from ovsnet.bench.facts import machine
from ovsnet.bench.host import Host
from ovsnet.bench.inventory import left_over, taken
from ovsnet.bench.networks import BRIDGE, INTERNAL, NETWORKS, OURS, chosen_networks
from ovsnet.bench.numbered import FPING, numbered
from ovsnet.bench.report import Better, Quantity, Report
from ovsnet.bench.stats import percentile
from ovsnet.bench.tally import Progress, Step, Tally, take_turns
from ovsnet.bench.together import together
from ovsnet.bench.usage import memory_of_family

LIVES = 2.0
"""Seconds between a container's start and its end."""
LIMITS = [
    "the packets share the processors with the engine, which works hard: a gap can be a pause of fping; compare",
    "what is left is counted when it has settled, or after 15 s",
]


def _lower(name: str, unit: str) -> Quantity:
    return Quantity(name, unit, Better.LOWER)


P50, P95 = _lower("start p50", "ms"), _lower("start p95", "ms")
LOST, GAP = _lower("packets lost", ""), _lower("longest gap", "ms")
CALM_LOST, CALM_GAP = _lower("packets lost, nothing happens", ""), _lower("longest gap, nothing happens", "ms")
AGENT, SWITCH = _lower("growth of the agent and its store", "MiB"), _lower("growth of the switch", "MiB")
LEFT = {it: _lower(f"{it} left", "") for it in ("ports", "links", "flows", "rows")}
SEEN = (P50, P95, LOST, GAP)
OF_OURS = (AGENT, SWITCH, *LEFT.values())


@dataclass(frozen=True, slots=True)
class Plan:
    """`rate` containers in a second come for `seconds` in each round."""

    rounds: int
    seconds: float
    rate: float
    datapath: str
    warm_up: bool = True


async def run(folder: Path, plan: Plan, progress: Progress) -> Report:
    """In a sandbox, with its folder."""
    names = [OURS, *([INTERNAL] if plan.datapath == "system" else []), BRIDGE]
    networks = chosen_networks(NETWORKS, names)
    tally, host = Tally(), Host(folder, plan.datapath)
    facts = await machine(host.crew, ["ovs-vswitchd", "dockerd", FPING])
    progress("switch, agent and engine start", 0.0)
    async with host.running():
        churn = Churn(host, plan)
        steps = [step for it in await pairs_on(networks, host, tally) for step in churn.steps(it)]
        await take_turns(steps, plan.rounds, tally, progress, warm_up=plan.warm_up)
    progress("done", 1.0)
    return Report(
        bench="churn",
        facts=facts | _facts(plan),
        quantities=tally.quantities,
        subjects=[it.subject for it in networks],
        ours=[it.subject for it in networks if it.ours],
        series=tally.series,
        missing=tally.missing,
        limits=LIMITS,
    )


class Churn:
    """Comings and goings on one host."""

    def __init__(self, host: Host, plan: Plan) -> None:
        self._host = host
        self._plan = plan
        self._containers = Containers(host.engine)

    def steps(self, pair: Pair) -> Iterator[Step]:
        """Of one network."""
        subject = pair.network.subject
        yield Step(subject, [CALM_LOST, CALM_GAP], partial(self._calm, pair))
        yield Step(subject, [*SEEN, *(OF_OURS if pair.network.ours else ())], partial(self._stormy, pair))

    async def _calm(self, pair: Pair) -> Mapping[str, float]:
        async with numbered(pair.ends.client, pair.ends.server) as stream:
            await asyncio.sleep(self._plan.seconds)
        found = stream.heard()
        return {CALM_LOST.name: found.lost, CALM_GAP.name: found.gap}

    async def _stormy(self, pair: Pair) -> Mapping[str, float]:
        before, sizes = await taken(self._host), self._sizes()
        async with numbered(pair.ends.client, pair.ends.server) as stream:
            took = await self._come_and_go(pair.network.name)
        found = stream.heard()
        seen = {
            P50.name: 1000 * percentile(took, 0.5),
            P95.name: 1000 * percentile(took, 0.95),
            LOST.name: found.lost,
            GAP.name: found.gap,
        }
        left = await left_over(self._host, before)
        if not pair.network.ours:
            return seen
        grown = {name: size - sizes[name] for name, size in self._sizes().items()}
        return seen | grown | {LEFT[name].name: count for name, count in left.items()}

    async def _come_and_go(self, network: str) -> list[float]:
        """Seconds that each start took."""
        began, count = time.monotonic(), max(1, round(self._plan.rate * self._plan.seconds))

        async def one(number: int) -> float:
            await asyncio.sleep(max(0.0, began + number / self._plan.rate - time.monotonic()))
            return await self._comes_and_goes(network)

        return await together(one, range(count), at_once=count)

    async def _comes_and_goes(self, network: str) -> float:
        async with self._containers.made(network, 1) as (name,):
            took = await timed(self._host.engine.start(name))
            await asyncio.sleep(LIVES)
        return took

    def _sizes(self) -> Mapping[str, float]:
        return {
            AGENT.name: sum(map(memory_of_family, self._host.control_plane)),
            SWITCH.name: memory_of_family(self._host.switch_pid),
        }


def _facts(plan: Plan) -> dict[str, str]:
    return {
        "datapath": datapath_name(plan.datapath),
        "rounds": str(plan.rounds),
        "seconds of each": f"{plan.seconds:g}",
        "containers in a second": f"{plan.rate:g}",
    }
