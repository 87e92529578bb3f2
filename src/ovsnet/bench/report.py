"""What a run of the bench found: one form for every verb, so that tables, plots and comparisons are made once. Pure.

A report keeps what each round measured and nothing that follows from it: medians, spread and ratios are worked out
from the rounds by whoever shows them (`stats`).
"""

import csv
import io
from collections.abc import Iterable, Iterator
from enum import StrEnum

import msgspec

from ovsnet.model.errors import BadRequest

FORM = 1
"""The version of the JSON form; another one is refused."""


class Better(StrEnum):
    """Which direction of a quantity is good."""

    HIGHER = "higher"
    LOWER = "lower"


class Quantity(msgspec.Struct, frozen=True):
    """What is measured: its name for people, its unit, and which direction is good."""

    name: str
    unit: str
    better: Better


class Series(msgspec.Struct, frozen=True, kw_only=True):
    """One quantity of one subject, a value for each counted round in the order of the rounds."""

    quantity: str
    subject: str
    values: list[float]


class Missing(msgspec.Struct, frozen=True, kw_only=True):
    """What was not measured and why. Without a quantity: nothing of this subject was; without a subject: of none.

    The reason is one line, whatever a program has said.
    """

    subject: str
    reason: str
    quantity: str = ""

    def __post_init__(self) -> None:
        msgspec.structs.force_setattr(self, "reason", " ".join(self.reason.split()))


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """One run of one verb.

    `subjects` are in the order they are shown, `ours` those of them that are ours, the chief one first; the others
    are the peers. `facts` say on what machine and with what programs. `limits` say what the figures cannot tell.
    """

    bench: str
    facts: dict[str, str]
    quantities: list[Quantity]
    subjects: list[str]
    ours: list[str]
    series: list[Series]
    missing: list[Missing] = []
    limits: list[str] = []
    form: int = FORM

    def values(self, quantity: str, subject: str) -> list[float]:
        """Those of all rounds; empty when it was not measured."""
        return next((it.values for it in self.series if (it.quantity, it.subject) == (quantity, subject)), [])

    @property
    def measured(self) -> list[str]:
        """The subjects of which anything was measured."""
        found = {it.subject for it in self.series if it.values}
        return [it for it in self.subjects if it in found]

    @property
    def peers(self) -> list[str]:
        """The subjects that are not ours."""
        return [it for it in self.subjects if it not in self.ours]


def to_json(report: Report) -> str:
    """As it is kept in a file: one line for each series, so that two versions can be compared by eye."""
    return msgspec.json.format(msgspec.json.encode(report), indent=1).decode()


def from_json(text: str | bytes, name: str) -> Report:
    """A report of a file of this name; BadRequest when it is none, or of another form."""
    try:
        report = msgspec.json.decode(text, type=Report)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise BadRequest(f"{name} is not a report of ovsnet bench: {error}; make one with --json") from error
    if report.form != FORM:
        raise BadRequest(f"{name} has form {report.form}, this version reads {FORM}; measure again")
    return report


def to_csv(report: Report) -> str:
    """A line for each measured value: bench, quantity, unit, better, subject, round, value."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(("bench", "quantity", "unit", "better", "subject", "round", "value"))
    table.writerows(_lines(report))
    return text.getvalue()


def _lines(report: Report) -> Iterator[Iterable[object]]:
    quantities = {it.name: it for it in report.quantities}
    for series in report.series:
        quantity = quantities[series.quantity]
        for number, value in enumerate(series.values, 1):
            yield report.bench, quantity.name, quantity.unit, quantity.better, series.subject, number, value
