"""`ovsnet bench overlay` against networks that need programs of their own: Docker's overlay and OVN."""

import pytest
from tests.functional.bench_run import measured
from tests.rows import Figures

from ovsnet.bench.overlay.ovn import NAME as OVN
from ovsnet.bench.overlay.swarm import NAME as DOCKER

TINY = ("overlay", "--quick", "--datapath", "netdev", "--probe", "connections")


@pytest.mark.row(102)
@pytest.mark.parametrize(
    "subject", [pytest.param(DOCKER, marks=pytest.mark.long), pytest.param(OVN, marks=pytest.mark.matrix)]
)
def test_it_is_built_and_measured(subject: str, figures: Figures) -> None:
    report = measured(*TINY, "--only", subject, deadline=180).report
    assert not report.missing
    (value,) = report.values("new connections", subject)
    assert value > 0
    figures[f"overlay, {subject}"] = f"{value:.0f} new connections per second"
