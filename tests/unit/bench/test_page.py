"""docs/benchmarks.md: honest when there is nothing, targets met and missed, ratios before figures."""

import msgspec
import pytest

from ovsnet.bench.page import page
from ovsnet.bench.targets import TARGETS, Limit, State, Target, judged
from tests.unit.bench.reports import BRIDGE, OURS, RATE, report


def target(factor: float, datapath: str = "kernel", peer: str = BRIDGE) -> Target:
    return Target("connection", RATE.name, OURS, peer, factor, datapath)


def test_without_reports_the_page_says_so_and_hides_no_target() -> None:
    text = page({}, {})
    assert "Nothing is here yet" in text
    assert text.count("not measured") == len(TARGETS)


def test_a_report_is_shown_with_ratios_first_figures_machine_and_what_is_missing() -> None:
    text = page({"connection-kernel": report()}, {"connection-kernel": ["connection-kernel-throughput.svg"]})
    order = [
        "## Targets",
        "## connection, kernel",
        "kernel 6.1",
        "| TCP, 1 stream (Gbit/s) | 2.00 ±10% |",
        "median of 3",
        "| TCP, 1 stream (Gbit/s) | 20 ±10% | 10 |",
        "](benchmarks/connection-kernel-throughput.svg)",
        "* ovsnet internal port: it is not available",
        "* both ends share the processors",
    ]
    places = [text.index(it) for it in order]
    assert places == sorted(places)
    assert "Nothing is here yet" not in text


@pytest.mark.parametrize(
    ("wanted", "state"),
    [
        (target(1.9), State.MET),
        (target(2.1), State.MISSED),
        (target(1.0, datapath="userspace"), State.UNMEASURED),
        (target(1.0, peer="nobody"), State.UNMEASURED),
    ],
)
def test_a_target_is_judged_by_the_median_of_its_own_datapath(wanted: Target, state: State) -> None:
    (found,) = judged([wanted], [report()])
    assert found.state is state


def test_the_worst_report_counts() -> None:
    halved = msgspec.structs.replace(
        report(), series=[msgspec.structs.replace(it, values=[10.0]) for it in report().series]
    )
    (found,) = judged([target(1.5)], [report(), halved])
    assert found.state is State.MISSED


@pytest.mark.parametrize(
    ("limit", "speaks"),
    [
        (Limit(bench="connection", datapath="kernel", why="w"), True),
        (Limit(bench="connection", datapath="kernel", why="w", quantities=(RATE.name,), peers=(BRIDGE,)), True),
        (Limit(bench="connection", datapath="kernel", why="w", quantities=("other",)), False),
        (Limit(bench="connection", datapath="kernel", why="w", peers=("nobody",)), False),
        (Limit(bench="connection", datapath="userspace", why="w"), False),
    ],
)
def test_a_limit_speaks_of_its_own_targets_only(limit: Limit, speaks: bool) -> None:
    assert limit.concerns(target(2.1)) is speaks
