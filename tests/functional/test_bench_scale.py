"""`ovsnet bench scale`: a tiny run, so that the bench cannot rot, and one that is interrupted."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import msgspec
from tests.rows import Figures

from ovsnet.bench.growth import ScaleReport

COMMAND = [sys.executable, "-c", "from ovsnet.cli.main import main; main()", "bench", "scale", "--quick"]
TINY = ["--hosts", "10", "--endpoints", "100"]
QUANTITIES = {
    "start to first forwarding": 60.0,
    "memory of the agent": 500.0,
    "flows": 1000,
    "change to data plane p50": 10_000.0,
    "CPU per change": 1000.0,
}
"""What is measured, with what it never exceeds."""


def ours() -> set[str]:
    """The namespaces of the machine that could be an agent's; other tests have theirs."""
    named = subprocess.run(["ip", "netns"], capture_output=True, text=True, check=True).stdout.splitlines()
    return {it for it in named if it.startswith("ovsnet")}


def commands() -> Iterator[bytes]:
    """What runs on this machine."""
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            yield (process / "cmdline").read_bytes()


def left(folder: Path) -> set[str]:
    return {it.name for it in folder.iterdir() if it.name.startswith("ovb")}


def test_a_tiny_run_measures_everything_and_leaves_nothing(figures: Figures) -> None:
    namespaces = ours()
    # Not pytest's folder: with it, socket paths would be longer than the 107 bytes Linux allows.
    folder = Path(tempfile.mkdtemp(prefix="t"))
    environment = {**os.environ, "TMPDIR": str(folder)}
    done = subprocess.run(
        [*COMMAND, *TINY, "--json"], capture_output=True, text=True, check=False, timeout=120, env=environment
    )
    assert done.returncode == 0, done.stderr
    report = msgspec.json.decode(done.stdout, type=ScaleReport)
    cases = {it.case for it in report.figures}
    assert len(cases) == 2
    for case in cases:
        found = {it.quantity: it.value for it in report.figures if it.case == case}
        assert all(0 < found[quantity] < limit for quantity, limit in QUANTITIES.items()), found
        figures[f"scale, {case}"] = json.dumps(found)
    assert report.unmeasured
    assert "100 endpoints" in done.stderr
    folder.rmdir()  # refused while anything is in it
    assert ours() == namespaces


def test_an_interrupted_run_leaves_nothing() -> None:
    folder = Path(tempfile.mkdtemp(prefix="t"))
    environment = {**os.environ, "TMPDIR": str(folder)}
    with subprocess.Popen(
        [*COMMAND, *TINY], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=environment
    ) as run:
        assert run.stderr is not None
        assert any("the agent starts" in line for line in run.stderr)
        (stage,) = left(folder)
        run.send_signal(signal.SIGINT)
        run.stderr.read()
        assert run.wait(60) != 0
    folder.rmdir()  # refused while anything is in it
    assert not [it for it in commands() if stage.encode() in it]
