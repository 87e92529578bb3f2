"""One run of `ovsnet bench attach`, in a sandbox with an engine, an agent and a switch of its own.

For each number of endpoints that are there already, the networks take turns. The engine without any network is the
floor: what is beyond it is what a network costs.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ovsnet.bench.attach.figures import Names, beyond, names_of
from ovsnet.bench.containers import Containers
from ovsnet.bench.datapath import datapath_name
from ovsnet.bench.facts import machine
from ovsnet.bench.host import Host
from ovsnet.bench.networks import NETWORKS, NONE, OURS, EngineNetwork, chosen_networks, make
from ovsnet.bench.report import Report
from ovsnet.bench.stats import percentile
from ovsnet.bench.tally import Progress, Step, Tally, part, take_turns
from ovsnet.bench.together import together
from ovsnet.bench.usage import memory_of_family
from ovsnet.model.errors import OvsnetError

FILLED_AT_ONCE = 8
FILLING = 0.5
"""The part of the time of one number of endpoints that goes into making them."""
ENGINE_NONE = "none"
LIMITS = [
    "a start is timed through the engine's API, so no `docker` command is started; its image is one static program",
    "the endpoints that are there belong to containers that sleep, each on every network that is measured",
    f"{OURS} has egress=none: one interface, as with the others",
    "with Docker's gateway (networks that name no egress have it) the engine makes a second one, as for its overlay",
]


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be measured. `filled`: numbers of endpoints there; `only`: names of subjects, none for all; `peers`:
    hosts of a cluster that this one is a member of, 0 for none.
    """

    rounds: int
    parallel: int
    filled: Sequence[int]
    datapath: str
    only: Sequence[str] = ()
    peers: int = 0
    warm_up: bool = True


async def run(folder: Path, plan: Plan, progress: Progress) -> Report:
    """In a sandbox, with its folder. BadRequest when there is no such subject."""
    networks = chosen_networks(NETWORKS, plan.only)
    tally = Tally()
    host = Host(folder, plan.datapath, peers=plan.peers)
    facts = await machine(host.crew, ["ovs-vswitchd", "dockerd"])
    progress("switch, agent and engine start", 0.0)
    async with host.running():
        able = [it for it in networks if await _made(it, host, tally)]
        bench = AttachBench(host, plan, able, tally)
        for number, filled in enumerate(plan.filled):
            await bench.measure(filled, part(progress, number / len(plan.filled), (number + 1) / len(plan.filled)))
    progress("done", 1.0)
    report = Report(
        bench="attach",
        facts=facts | _facts(plan),
        quantities=tally.quantities,
        subjects=[*(it.subject for it in networks), NONE],
        ours=[it.subject for it in networks if it.ours],
        series=tally.series,
        missing=tally.missing,
        limits=LIMITS,
    )
    return beyond(report, [names_of(it, plan.parallel) for it in plan.filled])


class AttachBench:
    """The networks that could be made, on one host that is filled more and more."""

    def __init__(self, host: Host, plan: Plan, networks: Sequence[EngineNetwork], tally: Tally) -> None:
        self._host = host
        self._plan = plan
        self._networks = networks
        self._tally = tally
        self._containers = Containers(host.engine)
        self._there = 0

    async def measure(self, filled: int, progress: Progress) -> None:
        """All networks with so many endpoints there."""
        names = names_of(filled, self._plan.parallel)
        try:
            await self._fill(filled, part(progress, 0.0, FILLING))
        except OvsnetError as error:
            for it in self._networks:
                self._tally.lacks(it.subject, f"{filled} endpoints could not be made: {error}", names.all)
            return
        start = FILLING if filled else 0.0
        steps = list(self._steps(names))
        await take_turns(steps, self._plan.rounds, self._tally, part(progress, start, 1.0), warm_up=self._plan.warm_up)

    async def _fill(self, filled: int, progress: Progress) -> None:
        everywhere = [it.name for it in self._networks]

        async def one(number: int) -> None:
            await self._containers.fill(everywhere)
            progress(f"{number} of {filled} containers fill the networks", number / filled)

        if everywhere:
            await together(one, range(self._there + 1, filled + 1), at_once=FILLED_AT_ONCE)
            self._there = max(self._there, filled)

    def _steps(self, names: Names) -> Iterator[Step]:
        subjects = {it.subject: it.name for it in self._networks} | {NONE: ENGINE_NONE}
        for subject, network in subjects.items():
            yield Step(subject, [names.start], partial(self._start, names, network))
        for it in self._networks:
            yield Step(it.subject, [names.connect], partial(self._connect, names, it.name))
        for subject, network in subjects.items():
            yield Step(subject, [names.many, names.many_p95], partial(self._start_many, names, network))
        if any(it.subject == OURS for it in self._networks):
            yield Step(OURS, [names.control, names.switch], partial(self._memory, names))

    async def _start(self, names: Names, network: str) -> Mapping[str, float]:
        return {names.start.name: 1000 * await self._containers.start(network)}

    async def _connect(self, names: Names, network: str) -> Mapping[str, float]:
        return {names.connect.name: 1000 * await self._containers.connect(network)}

    async def _start_many(self, names: Names, network: str) -> Mapping[str, float]:
        took, each = await self._containers.start_many(network, self._plan.parallel)
        return {names.many.name: 1000 * took, names.many_p95.name: 1000 * percentile(each, 0.95)}

    async def _memory(self, names: Names) -> Mapping[str, float]:
        """Agent and store, with the programs they run."""
        pids = self._host.control_plane
        return {
            names.control.name: sum(map(memory_of_family, pids)),
            names.switch.name: memory_of_family(self._host.switch_pid),
        }


async def _made(network: EngineNetwork, host: Host, tally: Tally) -> bool:
    try:
        await make(network, host)
    except OvsnetError as error:
        tally.lacks(network.subject, str(error))
        return False
    return True


def _facts(plan: Plan) -> dict[str, str]:
    return {
        "datapath": datapath_name(plan.datapath),
        "rounds": str(plan.rounds),
        "started at once": str(plan.parallel),
        "other hosts of the cluster": str(plan.peers),
    }
