"""`ovsnet bench overlay` against networks that need programs of their own: Docker's overlay and OVN."""

import shutil
import subprocess
import sys

import pytest
from tests.rows import Figures

from ovsnet.bench.overlay.ovn import NAME as OVN
from ovsnet.bench.overlay.ovn import PROGRAMS
from ovsnet.bench.overlay.swarm import NAME as DOCKER
from ovsnet.bench.report import from_json

pytestmark = pytest.mark.long

COMMAND = [sys.executable, "-c", "from ovsnet.cli.main import main; main()", "bench", "overlay"]
TINY = [*COMMAND, "--quick", "--datapath", "netdev", "--probe", "connections"]


@pytest.mark.parametrize(("subject", "programs"), [(DOCKER, ("dockerd",)), (OVN, PROGRAMS)])
def test_it_is_built_and_measured(subject: str, programs: tuple[str, ...], figures: Figures) -> None:
    lacking = [it for it in programs if shutil.which(it) is None]
    if lacking:
        pytest.skip(f"not installed: {', '.join(lacking)}")
    done = subprocess.run([*TINY, "--only", subject, "--json"], capture_output=True, check=False, timeout=180)
    assert done.returncode == 0, done.stderr.decode()
    report = from_json(done.stdout, "this run")
    assert not report.missing
    (value,) = report.values("new connections", subject)
    assert value > 0
    figures[f"overlay, {subject}"] = f"{value:.0f} new connections per second"
