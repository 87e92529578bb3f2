"""Measuring subjects in turns with probes between their two ends."""

from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial

from ovsnet.bench.probes.interface import Probe, lacking
from ovsnet.bench.report import Missing, Quantity, Series
from ovsnet.bench.tally import Progress, Step, Tally, take_turns
from ovsnet.bench.wiring import Joined, Subject, reach
from ovsnet.model.errors import OvsnetError

__all__ = ["Effort", "Progress", "Turns"]


@dataclass(frozen=True, slots=True)
class Effort:
    """`rounds` that count, after one that does not; `seconds` of each measurement."""

    rounds: int
    seconds: float


class Turns:
    """One run. What cannot be built or measured is left out from there on, and it is said why."""

    def __init__(self, effort: Effort, progress: Progress) -> None:
        self._effort = effort
        self._progress = progress
        self._tally = Tally()

    async def run(self, subjects: Sequence[Subject], probes: Sequence[Probe]) -> None:
        """Build all, measure all, take all away."""
        able = [it for it in probes if not self._lacks(it)]
        async with AsyncExitStack() as stack:
            built = [it for subject in subjects if (it := await self._build(subject, able, stack))]
            steps = [
                Step(it.subject, probe.quantities, partial(probe.measure, it, self._effort.seconds))
                for probe in able
                for it in built
            ]
            await take_turns(steps, self._effort.rounds, self._tally, self._progress)
        self._progress("done", 1.0)

    @property
    def quantities(self) -> list[Quantity]:
        """Those of which there is at least one value."""
        return self._tally.quantities

    @property
    def series(self) -> list[Series]:
        return self._tally.series

    @property
    def missing(self) -> list[Missing]:
        return self._tally.missing

    def _lacks(self, probe: Probe) -> bool:
        reason = lacking(probe)
        if reason:
            self._tally.lacks("", reason, probe.quantities)
        return bool(reason)

    async def _build(self, subject: Subject, probes: Sequence[Probe], stack: AsyncExitStack) -> Joined | None:
        self._progress(f"building: {subject.name}", 0.0)
        try:
            joined = await subject.build(stack)
            await reach(joined)
            for probe in probes:
                await probe.serve(joined.server)
        except OvsnetError as error:
            self._tally.lacks(subject.name, str(error))
            return None
        return joined
