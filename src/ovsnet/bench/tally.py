"""What a run has measured so far, and what it could not.

Subjects take turns (A B C, C B A, A B C, …), so that a machine whose speed drifts favours none of them, and what one
leaves for the kernel to do, as taking apart a namespace, is not always to the cost of the same one.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from ovsnet.bench.report import Missing, Quantity, Series
from ovsnet.model.errors import OvsnetError

Progress = Callable[[str, float], None]
"""What is done now, and the part of the whole that is done (0 to 1)."""
DIGITS = 6


@dataclass(frozen=True, slots=True)
class Effort:
    """`rounds` that count, after one that does not; `seconds` of each measurement."""

    rounds: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Step:
    """Measures some quantities of one subject once. The first of them names it for people."""

    subject: str
    quantities: Sequence[Quantity]
    measure: Callable[[], Awaitable[Mapping[str, float]]]


class Tally:
    """The values of the rounds that count, and the reasons for what is missing."""

    def __init__(self) -> None:
        self._values: dict[tuple[str, str], list[float]] = {}
        self._quantities: dict[str, Quantity] = {}
        self.missing: list[Missing] = []

    def expect(self, quantities: Sequence[Quantity]) -> None:
        """These are to be measured, and are shown in this order."""
        self._quantities |= {it.name: it for it in quantities}

    def note(self, subject: str, found: Mapping[str, float]) -> None:
        """One more round of these quantities."""
        for quantity, value in found.items():
            self._values.setdefault((quantity, subject), []).append(float(f"{value:.{DIGITS}g}"))

    def lacks(self, subject: str, reason: str, quantities: Sequence[Quantity] = ()) -> None:
        """Why these are not measured of the subject; without quantities: nothing of it is."""
        self.missing += [Missing(subject=subject, quantity=it.name, reason=reason) for it in quantities] or [
            Missing(subject=subject, reason=reason)
        ]

    def gave_up(self, step: Step) -> bool:
        """Whether an earlier round of it failed."""
        names = {"", *(it.name for it in step.quantities)}
        return any(it.subject == step.subject and it.quantity in names for it in self.missing)

    @property
    def quantities(self) -> list[Quantity]:
        """Those of which there is at least one value."""
        measured = {quantity for quantity, _ in self._values}
        return [it for it in self._quantities.values() if it.name in measured]

    @property
    def series(self) -> list[Series]:
        return [
            Series(quantity=quantity, subject=subject, values=values)
            for (quantity, subject), values in self._values.items()
        ]


async def take_turns(
    steps: Sequence[Step], rounds: int, tally: Tally, progress: Progress, *, warm_up: bool = True
) -> None:
    """So many rounds that count, after one that does not. What fails once is left out from there on."""
    for it in steps:
        tally.expect(it.quantities)
    numbers = range(0 if warm_up else 1, rounds + 1)
    total = len(steps) * len(numbers)
    turns = ((number, step) for number in numbers for step in (steps[::-1] if number % 2 else steps))
    for done, (number, step) in enumerate(turns):
        if tally.gave_up(step):
            continue
        turn = f"round {number} of {rounds}" if number else "warm-up"
        progress(f"{turn}: {step.quantities[0].name}, {step.subject}", done / total)
        try:
            found = await step.measure()
        except OvsnetError as error:
            tally.lacks(step.subject, str(error), step.quantities)
            continue
        if number:
            tally.note(step.subject, found)


def part(progress: Progress, start: float, end: float) -> Progress:
    """For a part of the whole: its own 0 to 1 is from `start` to `end`."""
    return lambda what, done: progress(what, start + (end - start) * done)
