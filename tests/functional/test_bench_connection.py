"""`ovsnet bench connection`: a tiny run, so that the bench cannot rot, and runs that are interrupted and killed."""

import os
import signal
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from tests.functional.bench_run import COMMAND, interrupted, own_folder

from ovsnet.bench.report import Report, from_json

TINY = ["connection", "--quick", "--only", "ovsnet", "--only", "veth", "--datapath", "netdev"]


@pytest.fixture
def folder() -> Iterator[Path]:
    """Where a run puts what it needs; a run that leaves something there fails the test."""
    with own_folder() as made:
        yield made


def environment(folder: Path) -> Mapping[str, str]:
    return {**os.environ, "TMPDIR": str(folder)}


@pytest.mark.row(102)
def test_a_tiny_run_gives_a_report_and_figures_and_leaves_nothing(folder: Path, tmp_path: Path) -> None:
    where = ["--json", str(tmp_path / "a.json"), "--csv", "-", "--plot", str(tmp_path / "figures")]
    done = subprocess.run(
        [*COMMAND, *TINY, "--probe", "packets", *where],
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


def test_an_interrupted_run_leaves_nothing() -> None:
    said = interrupted(*TINY, "--probe", "tcp", at="TCP, 1 stream, ovsnet", signal=signal.SIGINT)
    assert "interrupted; nothing is left behind" in said


def test_a_killed_run_leaves_nothing() -> None:
    """Who has killed it does not clean up after it; its caretaker does, and holds stderr until it has."""
    interrupted(*TINY, "--probe", "tcp", at="TCP, 1 stream, ovsnet", signal=signal.SIGKILL)


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
