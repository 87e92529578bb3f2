"""Medians, spread and ratios. Pure."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from ovsnet.bench.report import Better


@dataclass(frozen=True, slots=True)
class Spread:
    """The median of some values, the least and the greatest of them."""

    median: float
    low: float
    high: float


def spread(values: Sequence[float]) -> Spread:
    """Of at least one value."""
    return Spread(statistics.median(values), min(values), max(values))


def percentile(values: Sequence[float], share: float) -> float:
    """The value that this share of all does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def advantages(mine: Sequence[float], theirs: Sequence[float], better: Better) -> list[float]:
    """How many times as good mine is as theirs in each round: above 1 is in my favour, whichever direction is good.

    Round by round, because neighbours in time are alike: a machine whose speed drifts favours neither. Empty without
    rounds that both have, or where a value is not above 0 and there is no ratio.
    """
    pairs = list(zip(mine, theirs, strict=False))
    if better is Better.LOWER:
        pairs = [(b, a) for a, b in pairs]
    return [] if any(a <= 0 or b <= 0 for a, b in pairs) else [a / b for a, b in pairs]


def advantage(mine: Sequence[float], theirs: Sequence[float], better: Better) -> Spread | None:
    """The same with its spread; None where there is none."""
    found = advantages(mine, theirs, better)
    return spread(found) if found else None
