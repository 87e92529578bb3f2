"""`ovsnet bench overlay` against networks that need programs of their own: Docker's overlay and OVN."""

import shutil

import pytest
from tests.functional.bench_run import measured
from tests.rows import Figures

from ovsnet.bench.overlay.ovn import NAME as OVN
from ovsnet.bench.overlay.ovn import PROGRAMS
from ovsnet.bench.overlay.swarm import NAME as DOCKER

pytestmark = pytest.mark.long

TINY = ("overlay", "--quick", "--datapath", "netdev", "--probe", "connections")


@pytest.mark.parametrize(("subject", "programs"), [(DOCKER, ("dockerd",)), (OVN, PROGRAMS)])
def test_it_is_built_and_measured(subject: str, programs: tuple[str, ...], figures: Figures) -> None:
    lacking = [it for it in programs if shutil.which(it) is None]
    if lacking:
        pytest.skip(f"not installed: {', '.join(lacking)}")
    report = measured(*TINY, "--only", subject, deadline=180).report
    assert not report.missing
    (value,) = report.values("new connections", subject)
    assert value > 0
    figures[f"overlay, {subject}"] = f"{value:.0f} new connections per second"
