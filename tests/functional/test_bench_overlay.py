"""`ovsnet bench overlay`: a tiny run, and one that is interrupted."""

import signal

import pytest
from tests.functional.bench_run import interrupted, measured

from ovsnet.bench.overlay.kernel import BRIDGED
from ovsnet.bench.overlay.ours import AUTOMATIC
from ovsnet.bench.overlay.underlay import NAME as UNDERLAY

TINY = ("overlay", "--quick", "--datapath", "netdev", "--probe", "connections", "--only", AUTOMATIC)


@pytest.mark.row(102)
def test_a_tiny_run_measures_ours_and_others() -> None:
    others = ("--only", BRIDGED, "--only", UNDERLAY)
    report = measured(*TINY, *others, "--no-underlay-offload", deadline=120).report
    assert not report.missing
    assert (report.subjects, report.ours) == ([AUTOMATIC, BRIDGED, UNDERLAY], [AUTOMATIC])
    assert report.facts["offloads of the wire"] == "off"
    for it in report.subjects:
        (value,) = report.values("new connections", it)
        assert value > 0


def test_an_interrupted_run_leaves_nothing() -> None:
    interrupted(*TINY, at="warm-up", signal=signal.SIGINT)
