"""Two reports: better and worse are told from the spread, ratios from figures, one machine from another."""

import msgspec
import pytest

from ovsnet.bench.compare import ENDLESS, Comparison, Difference, Verdict, comparison, failing, verdict
from ovsnet.bench.comparison_tables import show_comparison
from ovsnet.bench.report import Better
from ovsnet.model.errors import BadRequest
from tests.unit.bench.reports import BRIDGE, COST, DELAY, OURS, RATE, VETH, report, series
from tests.unit.bench.terminal import shown


def figure(found: Comparison, quantity: str, subject: str) -> Difference:
    return next(it for it in found.figures if (it.quantity, it.subject) == (quantity, subject))


def ratio(found: Comparison, quantity: str, peer: str) -> Difference:
    return next(it for it in found.ratios if (it.quantity, it.subject, it.peer) == (quantity, OURS, peer))


def test_a_report_is_like_itself() -> None:
    found = comparison(report(), report())
    assert {it.verdict for it in (*found.figures, *found.ratios)} == {Verdict.ALIKE}
    assert {it.factor for it in (*found.figures, *found.ratios)} == {1.0}
    assert not found.facts
    assert not found.alone


@pytest.mark.parametrize(
    ("b", "better", "expected"),
    [
        ([4.0, 5.0, 6.0], Better.HIGHER, Verdict.BETTER),
        ([4.0, 5.0, 6.0], Better.LOWER, Verdict.WORSE),
        ([3.0, 5.0, 6.0], Better.HIGHER, Verdict.ALIKE),
        ([0.1, 0.2, 0.3], Better.HIGHER, Verdict.WORSE),
        ([0.1, 0.2, 0.3], Better.LOWER, Verdict.BETTER),
        ([9.0], Better.HIGHER, Verdict.UNKNOWN),
    ],
)
def test_only_what_is_beyond_every_round_is_better_or_worse(b: list[float], better: Better, expected: Verdict) -> None:
    assert verdict([1.0, 2.0, 3.0], b, better) is expected


def test_a_slower_machine_makes_figures_worse_and_leaves_ratios_alone() -> None:
    slower = report(series(RATE, OURS, 9.0, 10.0, 11.0), series(RATE, BRIDGE, 5.0, 5.0, 5.0), facts={"kernel": "6.2"})
    found = comparison(report(), slower)
    assert (figure(found, RATE.name, OURS).factor, figure(found, RATE.name, OURS).verdict) == (0.5, Verdict.WORSE)
    assert (ratio(found, RATE.name, BRIDGE).factor, ratio(found, RATE.name, BRIDGE).verdict) == (1.0, Verdict.ALIKE)
    assert [(it.name, it.a, it.b) for it in found.facts] == [("kernel", "6.1", "6.2")]
    assert not failing(found, 0.9)


def test_ours_that_became_worse_fails_below_the_factor_and_peers_do_not() -> None:
    worse = report(series(COST, OURS, 75.0, 75.0, 75.0), series(DELAY, VETH, 60.0, 60.0, 60.0))
    found = comparison(report(), worse)
    assert [(it.quantity, it.peer) for it in failing(found, 0.9)] == [(COST.name, BRIDGE)]
    assert not failing(found, 0.5)


def test_what_is_lost_no_more_is_endlessly_better() -> None:
    found = comparison(report(series(COST, BRIDGE, 1.0)), report(series(COST, BRIDGE, 0.0)))
    assert figure(found, COST.name, BRIDGE).factor == ENDLESS
    found = comparison(report(series(COST, BRIDGE, 0.0)), report(series(COST, BRIDGE, 1.0)))
    assert figure(found, COST.name, BRIDGE).factor == 0


def test_what_only_one_of_them_has_is_told() -> None:
    found = comparison(report(), report(series(RATE, VETH, 1.0)))
    assert found.alone == [f"only in B: {RATE.name}, {VETH}"]


def test_two_benches_cannot_be_compared() -> None:
    with pytest.raises(BadRequest, match="A is a report of bench connection, B one of bench overlay"):
        comparison(report(), report(bench="overlay"))


def test_nothing_in_common_is_refused() -> None:
    with pytest.raises(BadRequest, match="no quantity of one subject in common"):
        comparison(report(), msgspec.structs.replace(report(), series=[]))


def test_a_person_sees_first_what_differs_of_the_machines() -> None:
    slower = report(series(RATE, OURS, 9.0, 10.0, 11.0), facts={"kernel": "6.2"})
    text = shown(lambda console: show_comparison(comparison(report(), slower), console), width=100)
    lines = [" ".join(it.split()) for it in text.splitlines()]
    order = [
        "kernel 6.1 6.2",
        "ovsnet by Docker bridge 2 1 0.50 worse",
        "TCP, 1 stream [Gbit/s]",
        "ovsnet 20 10 0.50 worse",
        "1 worse, 2 alike",
    ]
    places = [lines.index(it) for it in order]
    assert places == sorted(places), text
