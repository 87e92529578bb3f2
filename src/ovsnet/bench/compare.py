"""Two reports of one bench, B against A: what became better or worse by more than the spread. Pure."""

from collections.abc import Iterator, Sequence
from enum import StrEnum

import msgspec

from ovsnet.bench.report import Better, Quantity, Report
from ovsnet.bench.stats import advantages, spread
from ovsnet.model.errors import BadRequest

ENOUGH = 3
"""Rounds without which nobody knows the spread."""
ENDLESS = 1e9
"""How many times as good it is when what was lost is lost no more: JSON has no infinity."""


class Verdict(StrEnum):
    """`better` and `worse`: every round of one run beyond every round of the other; `unknown`: too few rounds."""

    BETTER = "better"
    WORSE = "worse"
    ALIKE = "alike"
    UNKNOWN = "unknown"


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """One quantity of one subject, or with a peer the ratio to it: the medians, and how many times as good B is."""

    quantity: str
    unit: str
    subject: str
    peer: str
    a: float
    b: float
    factor: float
    verdict: Verdict

    @property
    def told(self) -> str:
        """What it is, for people."""
        return f"{self.quantity}, {self.subject}{f' by {self.peer}' if self.peer else ''}"


class FactPair(msgspec.Struct, frozen=True):
    """A fact that differs; empty where one has none."""

    name: str
    a: str
    b: str


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """`ratios` are of ours to a peer of the same run, `figures` of all subjects; `alone` is what only one run has."""

    bench: str
    ours: list[str]
    facts: list[FactPair]
    ratios: list[Difference]
    figures: list[Difference]
    alone: list[str]


def comparison(a: Report, b: Report) -> Comparison:
    """Of what both have; BadRequest when that is nothing."""
    if a.bench != b.bench:
        raise BadRequest(f"A is a report of bench {a.bench}, B one of bench {b.bench}: compare two of one bench")
    figures = list(_figures(a, b))
    if not figures:
        raise BadRequest(f"bench {a.bench}: A and B have no quantity of one subject in common; measure the same again")
    return Comparison(
        bench=a.bench,
        ours=[it for it in a.ours if it in b.ours],
        facts=[
            FactPair(name, a.facts.get(name, ""), b.facts.get(name, ""))
            for name in dict.fromkeys((*a.facts, *b.facts))
            if a.facts.get(name) != b.facts.get(name)
        ],
        ratios=list(_ratios(a, b)),
        figures=figures,
        alone=[*_alone(a, b, "A"), *_alone(b, a, "B")],
    )


def failing(found: Comparison, factor: float) -> list[Difference]:
    """Those of ours that are below the factor, and not for the spread: ratios where there are any."""
    ours = [it for it in found.ratios or found.figures if it.subject in found.ours]
    return [it for it in ours if it.factor < factor and it.verdict in {Verdict.WORSE, Verdict.UNKNOWN}]


def verdict(a: Sequence[float], b: Sequence[float], better: Better) -> Verdict:
    """What B is, seen from A."""
    if min(len(a), len(b)) < ENOUGH:
        return Verdict.UNKNOWN
    if min(b) > max(a):
        return Verdict.BETTER if better is Better.HIGHER else Verdict.WORSE
    if max(b) < min(a):
        return Verdict.WORSE if better is Better.HIGHER else Verdict.BETTER
    return Verdict.ALIKE


def _common(a: Report, b: Report) -> Iterator[Quantity]:
    return (it for it in a.quantities if it in b.quantities)


def _figures(a: Report, b: Report) -> Iterator[Difference]:
    for quantity in _common(a, b):
        for subject in a.subjects:
            pair = a.values(quantity.name, subject), b.values(quantity.name, subject)
            yield from _difference(quantity, subject, "", *pair, quantity.better)


def _ratios(a: Report, b: Report) -> Iterator[Difference]:
    for mine in (it for it in a.ours if it in b.ours):
        for quantity in _common(a, b):
            for peer in (it for it in a.peers if it in b.peers):
                was, now = (
                    advantages(it.values(quantity.name, mine), it.values(quantity.name, peer), quantity.better)
                    for it in (a, b)
                )
                yield from _difference(quantity, mine, peer, was, now, Better.HIGHER)


def _difference(
    quantity: Quantity, subject: str, peer: str, a: Sequence[float], b: Sequence[float], better: Better
) -> Iterator[Difference]:
    if not a or not b:
        return
    was, now = spread(a).median, spread(b).median
    good, bad = (now, was) if better is Better.HIGHER else (was, now)
    factor = good / bad if bad else ENDLESS if good else 1.0
    yield Difference(
        quantity=quantity.name,
        unit="" if peer else quantity.unit,
        subject=subject,
        peer=peer,
        a=was,
        b=now,
        factor=factor,
        verdict=verdict(a, b, better),
    )


def _alone(one: Report, other: Report, name: str) -> Iterator[str]:
    """What the other does not have."""
    has = {(it.quantity, it.subject) for it in other.series}
    for it in one.series:
        if (it.quantity, it.subject) not in has:
            yield f"only in {name}: {it.quantity}, {it.subject}"
