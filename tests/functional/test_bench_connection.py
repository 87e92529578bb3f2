"""`ovsnet bench connection`: a tiny run, so that the bench cannot rot, and runs that are interrupted and killed."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from ovsnet.bench.report import Report, from_json

COMMAND = [sys.executable, "-c", "from ovsnet.cli.main import main; main()", "bench"]
TINY = [*COMMAND, "connection", "--quick", "--only", "ovsnet", "--only", "veth", "--datapath", "netdev"]


@pytest.fixture
def folder() -> Iterator[Path]:
    """Where a run puts what it needs. Not pytest's: socket paths would be longer than the 107 bytes Linux allows."""
    made = Path(tempfile.mkdtemp(prefix="t"))
    yield made
    made.rmdir()  # refused while anything is in it


def environment(folder: Path) -> Mapping[str, str]:
    return {**os.environ, "TMPDIR": str(folder)}


def mentions(name: str) -> list[bytes]:
    """The programs of this machine whose command line speaks of it."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            command = (process / "cmdline").read_bytes()
            if name.encode() in command:
                found.append(command)
    return found


def cgroups(name: str) -> list[Path]:
    """Of every hierarchy there is."""
    return [*Path("/sys/fs/cgroup").glob(name), *Path("/sys/fs/cgroup").glob(f"*/{name}")]


@contextmanager
def started(folder: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A run that is in the midst of measuring, and the name of what it has on this machine."""
    with subprocess.Popen(
        [*TINY, "--probe", "tcp"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(folder),
    ) as run:
        assert run.stderr is not None
        assert any("TCP, 1 stream, ovsnet" in line for line in run.stderr)
        (made,) = folder.iterdir()
        assert mentions(made.name)
        yield run, made.name


def test_a_tiny_run_gives_a_report_and_figures_and_leaves_nothing(folder: Path, tmp_path: Path) -> None:
    where = ["--json", str(tmp_path / "a.json"), "--csv", "-", "--plot", str(tmp_path / "figures")]
    done = subprocess.run(
        [*TINY, "--probe", "packets", *where],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env=environment(folder),
    )
    assert done.returncode == 0, done.stderr
    report = from_json((tmp_path / "a.json").read_bytes(), "a.json")
    assert (report.measured, report.ours, report.missing) == (["ovsnet", "veth"], ["ovsnet"], [])
    assert {len(it.values) for it in report.series} == {1}
    assert all(value > 0 for it in report.series for value in it.values)
    assert len(done.stdout.splitlines()) == 1 + len(report.series)
    assert "round 1 of 1: 64 B packets, veth" in done.stderr
    assert (tmp_path / "figures" / "connection-packet-rate.png").exists()
    assert_it_is_like_itself(tmp_path / "a.json", report)


def assert_it_is_like_itself(kept: Path, report: Report) -> None:
    done = subprocess.run(
        [*COMMAND, "compare", str(kept), str(kept), "--fail-below", "0.99"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert all(it.name in done.stdout for it in report.quantities)


def test_an_interrupted_run_leaves_nothing(folder: Path) -> None:
    with started(folder) as (run, name):
        run.send_signal(signal.SIGINT)
        _, said = run.communicate(timeout=60)
    assert run.returncode == 130
    assert "interrupted; nothing is left behind" in said
    assert not list(folder.iterdir())
    assert not mentions(name)
    assert not cgroups(name)


def test_a_killed_run_leaves_nothing(folder: Path) -> None:
    """Who has killed it does not clean up after it; its caretaker does, and holds stderr until it has."""
    with started(folder) as (run, name):
        run.kill()
        run.communicate(timeout=60)
    assert not list(folder.iterdir())
    assert not mentions(name)
    assert not cgroups(name)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--only", "token ring"], "--only token ring: there is no such subject; there are: ovsnet"),
        (["--probe", "smell"], "--probe smell: there is no such probe; there are: tcp"),
        (["--json", "/run/a.json"], "the bench runs with a /run of its own"),
        (["--json", "/no/such/a.json"], "there is no folder /no/such"),
        (["--plot", "/proc/figures"], "the bench runs with a /proc of its own"),
        (["--json", "--csv", "-"], "only one of them can go to standard output"),
    ],
)
def test_wrong_arguments_are_refused_before_anything_is_built(folder: Path, arguments: list[str], reason: str) -> None:
    done = subprocess.run(
        [*COMMAND, "connection", *arguments], capture_output=True, text=True, check=False, env=environment(folder)
    )
    assert done.returncode == 2
    assert reason in done.stderr
    assert "building" not in done.stderr
