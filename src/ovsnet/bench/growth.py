"""Figures of clusters of several sizes, and how much faster they grow than what a host needs to know. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise

import msgspec

from ovsnet.bench.report import Better, Quantity, Report, Series

KNOWN = "hosts and endpoints to know"
GROWN = "growth: times it grew, divided by the times that what the host needs to know grew; 1 and less is no faster"
MORE_IS_BETTER = {"commits"}


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """One quantity of one case at one size. `known` is how many hosts and endpoints the measured host needs to know."""

    case: str
    quantity: str
    unit: str
    hosts: int
    endpoints: int
    known: int
    value: float

    @property
    def size(self) -> str:
        """For people."""
        return f"{self.hosts} hosts/{self.endpoints} endpoints"


class Growth(msgspec.Struct, frozen=True, kw_only=True):
    """From one size to the next: `grew` times as much, while `known` and the whole cluster grew so many times.

    `relative` is `grew` by `known`: at most 1 is what "no faster than what a host needs to know" allows.
    """

    case: str
    quantity: str
    step: str
    grew: float
    known: float
    cluster: float
    relative: float


def growths(figures: Iterable[Measured]) -> Iterator[Growth]:
    """Of every quantity of every case, from each size to the next larger one."""
    rows: dict[tuple[str, str], list[Measured]] = {}
    for it in figures:
        rows.setdefault((it.case, it.quantity), []).append(it)
    for row in rows.values():
        for small, large in pairwise(sorted(row, key=lambda it: it.endpoints)):
            if small.value > 0:
                yield _growth(small, large)


def report_of(figures: Sequence[Measured], facts: Mapping[str, str], unmeasured: Sequence[str]) -> Report:
    """As all verbs report: a subject for each case, and a quantity for each figure at each size and for its growth."""
    found = [*map(_as_figure, figures), *map(_as_known, figures), *map(_as_growth, growths(figures))]
    series = {(quantity.name, subject): value for quantity, subject, value in found}
    cases = list(dict.fromkeys(it.case for it in figures))
    return Report(
        bench="scale",
        facts=dict(facts),
        quantities=list({quantity.name: quantity for quantity, _, _ in found}.values()),
        subjects=cases,
        ours=cases,
        series=[Series(quantity=name, subject=subject, values=[value]) for (name, subject), value in series.items()],
        limits=[GROWN, *(f"not measured: {it}" for it in unmeasured)],
    )


Found = tuple[Quantity, str, float]


def _as_figure(it: Measured) -> Found:
    better = Better.HIGHER if it.quantity in MORE_IS_BETTER else Better.LOWER
    return Quantity(f"{it.quantity}, {it.size}", it.unit, better), it.case, it.value


def _as_known(it: Measured) -> Found:
    return Quantity(f"{KNOWN}, {it.size}", "", Better.LOWER), it.case, it.known


def _as_growth(it: Growth) -> Found:
    return Quantity(f"growth of {it.quantity}, {it.step}", "", Better.LOWER), it.case, it.relative


def _growth(small: Measured, large: Measured) -> Growth:
    grew, known = large.value / small.value, large.known / small.known
    return Growth(
        case=large.case,
        quantity=large.quantity,
        step=f"{small.size} → {large.size}",
        grew=round(grew, 2),
        known=round(known, 2),
        cluster=round(large.endpoints / small.endpoints, 2),
        relative=round(grew / known, 3),
    )
