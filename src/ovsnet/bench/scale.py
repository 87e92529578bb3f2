"""`ovsnet bench scale`: what a larger cluster costs one of its members.

The member is real: agent, store, relay, switch. The other hosts are rows of the cluster's database, written as their
agents would write them (`crowd`). Two cases: the member has a container on every network, or on a tenth of them.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from ovsnet.bench import crowd
from ovsnet.bench.crowd import Size
from ovsnet.bench.facts import machine
from ovsnet.bench.flows import FlowsSeen, flows_seen
from ovsnet.bench.growth import Measured, report_of
from ovsnet.bench.report import Report
from ovsnet.bench.rows import Operation, inserted
from ovsnet.bench.stage import Stage, opened
from ovsnet.bench.station import BRIDGE
from ovsnet.bench.stats import percentile
from ovsnet.bench.tally import Progress
from ovsnet.bench.usage import cpu, memory
from ovsnet.cluster.schema import DATABASE
from ovsnet.model.errors import BadRequest, Unavailable
from ovsnet.ovs import programs
from ovsnet.ovsdb.question import transact

Say = Callable[[str], None]
CASES = {"every network": crowd.NETWORKS, "a tenth of the networks": crowd.NETWORKS // 10}
ROWS_AT_ONCE = 2000
DEADLINE = 120.0
"""Seconds one transaction or one change on its way to the data plane may take."""
STARTING = 600.0
"""Seconds until a started agent forwards to everybody, at the largest sizes."""
QUIET_SHARE, QUIET_WINDOW = 0.02, 0.25
"""An agent that used less than this share of a core for two windows (seconds) in a row has come to rest."""
FEWEST_HOSTS = 3
"""One that serves the database, the one that is measured, and another."""
WRITERS = 8
BEATS = 0.1
"""Signs of life that each host gives in a second."""
UNMEASURED = [
    "other hosts are rows: no packets, and no other agents that use the same processors",
    "one voter, so a commit waits for one disk and for no network",
    "the number of relays on a voter: only one is connected",
    "the userspace datapath's own cost: no traffic passes",
    "the Docker engine: there is none, so networks and addresses are not asked for",
]


@dataclass(frozen=True, slots=True)
class Effort:
    """`changes` that are followed one by one, and `seconds` of each window."""

    changes: int = 30
    seconds: float = 3.0


FULL = Effort()
QUICK = Effort(changes=5, seconds=0.5)


class ScaleBench:
    """One run over these sizes, the smallest first."""

    def __init__(self, folder: Path, sizes: Sequence[Size], effort: Effort, progress: Progress) -> None:
        self._folder = folder
        self._sizes = sizes
        self._effort = effort
        self._progress = progress
        self._figures: list[Measured] = []
        self._done = 0.0

    async def run(self) -> Report:
        """All sizes and cases."""
        async with opened(self._folder) as stage:
            facts = await self._facts(stage)
            before = Size(0, 0)
            for number, size in enumerate(self._sizes):
                self._done = number / len(self._sizes)
                await self._grow(stage, before, size)
                for case, networks in CASES.items():
                    await Case(stage, size, case, networks, self._effort, self._say).measure(self._figures)
                before = size
        self._progress("done", 1.0)
        return report_of(self._figures, facts, UNMEASURED)

    async def _grow(self, stage: Stage, before: Size, size: Size) -> None:
        """The sentinel, whose flow says that all are there, has an owner that depends on the size."""
        if before.hosts:
            await write(stage, crowd.deleted(crowd.watched(0, before.hosts)))
        rows = [inserted(it) for it in (*crowd.growth(before, size), crowd.watched(0, size.hosts))]
        for start in range(0, len(rows), ROWS_AT_ONCE):
            self._say(f"{size.hosts} hosts, {size.endpoints} endpoints: {start} of {len(rows)} rows are written")
            await write(stage, *rows[start : start + ROWS_AT_ONCE])

    def _say(self, what: str) -> None:
        """The sizes are the steps: how long one takes depends on the machine."""
        self._progress(what, self._done)

    async def _facts(self, stage: Stage) -> dict[str, str]:
        facts = await machine(stage.crew, ["ovs-vswitchd"])
        return facts | {"changes": str(self._effort.changes), "networks": str(crowd.NETWORKS)}


class Case:
    """One case at one size."""

    def __init__(self, stage: Stage, size: Size, case: str, networks: int, effort: Effort, say: Say) -> None:
        self._stage = stage
        self._size = size
        self._case = case
        self._networks = networks
        self._effort = effort
        self._say = say
        self._agent = 0

    async def measure(self, into: list[Measured]) -> None:
        """Start an agent on a host that is as new, and look at it."""
        self._progress("the agent starts")
        await self._stage.reset(crowd.here(self._networks))
        began = time.monotonic()
        async with self._stage.station.agent() as self._agent, self._watching() as seen:
            there = await seen.when(crowd.watched(0, self._size.hosts).mac, there=True, deadline=STARTING)
            into.append(self._figure("start to first forwarding", "s", there - began))
            await self._rest()
            into.append(self._figure("CPU of the start", "s", cpu(self._agent)))
            into.extend([it async for it in self._at_rest(seen)])

    async def _at_rest(self, seen: FlowsSeen) -> AsyncIterator[Measured]:
        for name, pid in (("agent", self._agent), ("relay", self._stage.relay), ("voter", self._stage.server)):
            yield self._figure(f"memory of the {name}", "MiB", memory(pid))
        yield self._figure("flows", "", await self._flows())
        yield self._figure("forwarding entries", "", await self._forwards())
        idle = await self._cost_per_second(self._nothing)
        yield self._figure("CPU when nothing happens", "ms/s", 1000 * idle)
        self._progress("the others give signs of life")
        yield self._figure("CPU of signs of life", "ms/s", 1000 * await self._cost_per_second(self._beats))
        for it in await self._changes(seen, idle):
            yield it
        self._progress("commits")
        yield self._figure("commits", "1/s", await self._commits())

    # ------------------------------------------------------------ what is measured

    async def _changes(self, seen: FlowsSeen, idle: float) -> list[Measured]:
        """Endpoints of other hosts come and go, one after the other."""
        came: list[float] = []
        went: list[float] = []
        before, start = cpu(self._agent), time.monotonic()
        for number in range(1, self._effort.changes + 1):
            self._progress(f"change {number} of {self._effort.changes}")
            it = crowd.watched(number, self._size.hosts)
            for operation, there, times in ((inserted(it), True, came), (crowd.deleted(it), False, went)):
                began = time.monotonic()
                await write(self._stage, operation)
                times.append(await seen.when(it.mac, there=there, deadline=DEADLINE) - began)
        await self._rest()
        cost = cpu(self._agent) - before - idle * (time.monotonic() - start)
        return [
            self._figure("CPU per change", "ms", 1000 * max(0.0, cost) / (2 * self._effort.changes)),
            *self._spread("change to data plane", came),
            *self._spread("removal to data plane", went),
        ]

    async def _cost_per_second(self, doing: Callable[[], AsyncIterator[None]]) -> float:
        """Seconds of CPU of agent and children in each second of a window in which this is done."""
        before, began = cpu(self._agent), time.monotonic()
        async for _ in doing():
            if time.monotonic() - began >= self._effort.seconds:
                break
        return (cpu(self._agent) - before) / (time.monotonic() - began)

    async def _nothing(self) -> AsyncIterator[None]:
        while True:
            await asyncio.sleep(QUIET_WINDOW)
            yield

    async def _beats(self) -> AsyncIterator[None]:
        """All of them in turn, evenly over their period."""
        began, pause = time.monotonic(), 1 / (BEATS * self._size.hosts)
        others = [it for it in range(self._size.hosts) if it != crowd.MEASURED]
        count = 0
        while True:
            await asyncio.sleep(max(0.0, began + count * pause - time.monotonic()))
            await write(self._stage, crowd.beaten(others[count % len(others)]))
            count += 1
            yield

    async def _commits(self) -> float:
        """Of single rows, by several writers at once, on a network the measured host does not have last."""
        done, end = 0, time.monotonic() + self._effort.seconds

        async def writer(number: int) -> int:
            count = 0
            while time.monotonic() < end:
                await write(self._stage, crowd.beaten(2 + (number + WRITERS * count) % (self._size.hosts - 2)))
                count += 1
            return count

        began = time.monotonic()
        async with asyncio.TaskGroup() as group:
            writers = [group.create_task(writer(number)) for number in range(WRITERS)]
        done = sum(it.result() for it in writers)
        return done / (time.monotonic() - began)

    async def _flows(self) -> int:
        target = programs.management_socket(BRIDGE, self._stage.folder)
        said = await self._stage.crew.call(*programs.OFCTL, "dump-aggregate", target)
        return int(said.rpartition("flow_count=")[2].split()[0])

    async def _forwards(self) -> int:
        return (await self._stage.crew.call("bridge", "fdb", "show")).count(" dst ")

    # ------------------------------------------------------------ how

    @asynccontextmanager
    async def _watching(self) -> AsyncIterator[FlowsSeen]:
        """From the moment on at which the agent has made its bridge."""
        made = ("wait-until", "Bridge", BRIDGE, "datapath_id!=[]")
        await self._stage.station.vsctl(f"--timeout={DEADLINE:.0f}", *made)
        async with flows_seen(BRIDGE, self._stage.folder, crowd.WATCHED) as seen:
            yield seen

    async def _rest(self) -> None:
        """Returns when the agent has nothing to do any more."""
        quiet, end = 0, time.monotonic() + STARTING
        while quiet < 2:
            before = cpu(self._agent)
            await asyncio.sleep(QUIET_WINDOW)
            quiet = quiet + 1 if cpu(self._agent) - before < QUIET_SHARE * QUIET_WINDOW else 0
            if time.monotonic() > end:
                raise Unavailable("the bench", f"the agent has not come to rest within {STARTING:g} s")

    def _spread(self, quantity: str, seconds: Sequence[float]) -> Iterator[Measured]:
        yield self._figure(f"{quantity} p50", "ms", 1000 * percentile(seconds, 0.5))
        yield self._figure(f"{quantity} p99", "ms", 1000 * percentile(seconds, 0.99))

    def _figure(self, quantity: str, unit: str, value: float) -> Measured:
        return Measured(
            case=self._case,
            quantity=quantity,
            unit=unit,
            hosts=self._size.hosts,
            endpoints=self._size.endpoints,
            known=self._size.hosts + crowd.known(self._size, self._networks),
            value=round(value, 3),
        )

    def _progress(self, what: str) -> None:
        self._say(f"{self._size.hosts} hosts, {self._size.endpoints} endpoints, {self._case}: {what}")


def sizes_of(hosts: str, endpoints: str) -> Sequence[Size]:
    """The sizes as a person writes them, smallest first; BadRequest says what is wrong with them."""
    try:
        pairs = list(zip(_numbers(hosts), _numbers(endpoints), strict=True))
    except ValueError:
        raise BadRequest(f"--hosts {hosts} --endpoints {endpoints}: write as many whole numbers for both") from None
    if pairs != sorted(pairs) or pairs[0][0] < FEWEST_HOSTS or pairs[0][1] < 1:
        raise BadRequest(
            f"--hosts {hosts} --endpoints {endpoints}: begin at {FEWEST_HOSTS} hosts and 1 endpoint, and grow"
        )
    return [Size(*it) for it in pairs]


def _numbers(text: str) -> list[int]:
    return [int(it) for it in text.split(",")]


async def write(stage: Stage, *operations: Operation) -> None:
    """One commit, on a connection of its own."""
    await transact(stage.database, DATABASE, operations, deadline=DEADLINE)
