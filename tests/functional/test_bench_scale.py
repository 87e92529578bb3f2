"""`ovsnet bench scale`: a tiny run, so that the bench cannot rot, and one that is interrupted."""

import json
import signal

from tests.functional.bench_run import interrupted, measured
from tests.rows import Figures

TINY = ("scale", "--quick", "--hosts", "10", "--endpoints", "100")
SIZE = "10 hosts/100 endpoints"
QUANTITIES = {
    "start to first forwarding": 60.0,
    "memory of the agent": 500.0,
    "flows": 1000,
    "change to data plane p50": 10_000.0,
    "CPU per change": 1000.0,
}
"""What is measured, with what it never exceeds."""


def test_a_tiny_run_measures_everything_and_leaves_nothing(figures: Figures) -> None:
    done = measured(*TINY, deadline=120)
    report = done.report
    assert (report.bench, len(report.measured), report.missing) == ("scale", 2, [])
    for case in report.measured:
        found = {it.quantity: it.values[0] for it in report.series if it.subject == case}
        assert all(0 < found[f"{quantity}, {SIZE}"] < limit for quantity, limit in QUANTITIES.items()), found
        figures[f"scale, {case}"] = json.dumps(found)
    assert any("packets" in it for it in report.limits)
    assert "100 endpoints" in done.progress


def test_an_interrupted_run_leaves_nothing() -> None:
    interrupted(*TINY, at="the agent starts", signal=signal.SIGINT)
