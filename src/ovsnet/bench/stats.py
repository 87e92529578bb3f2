"""Medians, spread and ratios. Pure."""

import statistics
from collections.abc import Sequence

import msgspec


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """One measured quantity of one subject: milliseconds over all rounds."""

    case: str
    subject: str
    median: float
    low: float
    high: float
    rounds: int


class Ratio(msgspec.Struct, frozen=True, kw_only=True):
    """A subject against the peer: the median of the ratios of neighbouring runs; below 1 is faster than the peer."""

    case: str
    subject: str
    peer: str
    median: float
    low: float
    high: float


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What one run of the bench found, and on what."""

    facts: dict[str, str]
    ratios: list[Ratio]
    figures: list[Figure]


def figure(case: str, subject: str, seconds: Sequence[float]) -> Figure:
    """Median, minimum and maximum in milliseconds."""
    times = [it * 1000 for it in seconds]
    return Figure(
        case=case,
        subject=subject,
        median=round(statistics.median(times), 3),
        low=round(min(times), 3),
        high=round(max(times), 3),
        rounds=len(times),
    )


def ratio(case: str, subject: str, peer: str, mine: Sequence[float], theirs: Sequence[float]) -> Ratio:
    """Pair by pair, so that a machine whose speed drifts does not favour either."""
    pairs = [a / b for a, b in zip(mine, theirs, strict=True)]
    return Ratio(
        case=case,
        subject=subject,
        peer=peer,
        median=round(statistics.median(pairs), 3),
        low=round(min(pairs), 3),
        high=round(max(pairs), 3),
    )
