"""Figures of clusters of several sizes, and how much faster they grow than what a host needs to know. Pure."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from typing import TypeVar

import msgspec


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
        return f"{self.hosts}/{self.endpoints}"


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


R = TypeVar("R", Measured, Growth)


class ScaleReport(msgspec.Struct, frozen=True, kw_only=True):
    """What one run found, on what, and what it cannot tell."""

    facts: dict[str, str]
    growth: list[Growth]
    figures: list[Measured]
    unmeasured: list[str]


def growths(figures: Iterable[Measured]) -> Iterator[Growth]:
    """Of every quantity of every case, from each size to the next larger one."""
    rows: dict[tuple[str, str], list[Measured]] = {}
    for it in figures:
        rows.setdefault((it.case, it.quantity), []).append(it)
    for row in rows.values():
        for small, large in pairwise(sorted(row, key=lambda it: it.endpoints)):
            if small.value > 0:
                yield _growth(small, large)


def percentile(values: Sequence[float], share: float) -> float:
    """The value that this share of all does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def rows_of(
    them: Sequence[R], column: Callable[[R], str], columns: Sequence[str]
) -> Iterator[tuple[str, Sequence[R | None]]]:
    """By quantity, with a place for each column."""
    for quantity in dict.fromkeys(it.quantity for it in them):
        found = {column(it): it for it in them if it.quantity == quantity}
        yield quantity, [found.get(it) for it in columns]


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
