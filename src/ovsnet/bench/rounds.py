"""Measuring subjects in turns (A B C, A B C, …), so that a machine whose speed drifts favours none of them."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass

from ovsnet.bench.probes.interface import Probe, lacking
from ovsnet.bench.report import Missing, Quantity, Series
from ovsnet.bench.wiring import Joined, Subject, reach
from ovsnet.model.errors import OvsnetError

Progress = Callable[[str, float], None]
"""What is done now, and the part of the whole that is done (0 to 1)."""


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
        self._values: dict[tuple[str, str], list[float]] = {}
        self._quantities: list[Quantity] = []
        self.missing: list[Missing] = []

    async def run(self, subjects: Sequence[Subject], probes: Sequence[Probe]) -> None:
        """Build all, measure all, take all away."""
        able = [it for it in probes if not self._lacks(it)]
        self._quantities = [quantity for it in able for quantity in it.quantities]
        async with AsyncExitStack() as stack:
            built = [it for subject in subjects if (it := await self._build(subject, able, stack))]
            steps = [(probe, it) for probe in able for it in built]
            total = len(steps) * (self._effort.rounds + 1)
            for done, (number, (probe, joined)) in enumerate(self._turns(steps)):
                name = probe.quantities[0].name
                if any(it.subject == joined.subject and it.quantity == name for it in self.missing):
                    continue
                turn = f"round {number} of {self._effort.rounds}" if number else "warm-up"
                self._progress(f"{turn}: {name}, {joined.subject}", done / total)
                await self._measure(probe, joined, counts=number > 0)
        self._progress("done", 1.0)

    @property
    def quantities(self) -> list[Quantity]:
        """Those of which there is at least one value."""
        measured = {quantity for quantity, _ in self._values}
        return [it for it in self._quantities if it.name in measured]

    @property
    def series(self) -> list[Series]:
        return [
            Series(quantity=quantity, subject=subject, values=values)
            for (quantity, subject), values in self._values.items()
        ]

    def _turns(self, steps: Sequence[tuple[Probe, Joined]]) -> Iterator[tuple[int, tuple[Probe, Joined]]]:
        """Round 0 is the warm-up."""
        return ((number, step) for number in range(self._effort.rounds + 1) for step in steps)

    def _lacks(self, probe: Probe) -> bool:
        reason = lacking(probe)
        if reason:
            self.missing.extend(Missing(subject="", quantity=it.name, reason=reason) for it in probe.quantities)
        return bool(reason)

    async def _build(self, subject: Subject, probes: Sequence[Probe], stack: AsyncExitStack) -> Joined | None:
        self._progress(f"building: {subject.name}", 0.0)
        try:
            joined = await subject.build(stack)
            await reach(joined)
            for probe in probes:
                await probe.serve(joined.server)
        except OvsnetError as error:
            self.missing.append(Missing(subject=subject.name, reason=str(error)))
            return None
        return joined

    async def _measure(self, probe: Probe, joined: Joined, *, counts: bool) -> None:
        try:
            found = await probe.measure(joined, self._effort.seconds)
        except OvsnetError as error:
            for it in probe.quantities:
                self.missing.append(Missing(subject=joined.subject, quantity=it.name, reason=str(error)))
            return
        if counts:
            for quantity, value in found.items():
                self._values.setdefault((quantity, joined.subject), []).append(float(f"{value:.6g}"))
