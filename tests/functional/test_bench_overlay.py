"""`ovsnet bench overlay`: a tiny run, and one that is interrupted."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.functional.test_bench_scale import commands, left, ours

from ovsnet.bench.overlay.buffers import LARGE, enlarge
from ovsnet.bench.overlay.kernel import BRIDGED
from ovsnet.bench.overlay.ours import AUTOMATIC
from ovsnet.bench.overlay.underlay import NAME as UNDERLAY
from ovsnet.bench.report import from_json

COMMAND = [sys.executable, "-c", "from ovsnet.cli.main import main; main()", "bench", "overlay"]
TINY = [*COMMAND, "--quick", "--datapath", "netdev", "--probe", "connections"]


@pytest.fixture
def folder() -> Iterator[Path]:
    """Where the bench makes its own; a run that leaves something there fails the test."""
    # Not pytest's folder: with it, socket paths would be longer than the 107 bytes Linux allows.
    made = Path(tempfile.mkdtemp(prefix="t"))
    namespaces = ours()
    yield made
    made.rmdir()  # refused while anything is in it
    assert ours() == namespaces
    assert not [it for it in commands() if str(made).encode() in it]


def only(*names: str) -> list[str]:
    return [word for it in names for word in ("--only", it)]


def test_a_tiny_run_measures_ours_and_others(folder: Path) -> None:
    subjects = [AUTOMATIC, BRIDGED, UNDERLAY]
    done = subprocess.run(
        [*TINY, *only(*subjects), "--no-underlay-offload", "--json"],
        capture_output=True,
        check=False,
        timeout=120,
        env={**os.environ, "TMPDIR": str(folder)},
    )
    assert done.returncode == 0, done.stderr.decode()
    report = from_json(done.stdout, "this run")
    assert not report.missing
    assert (report.subjects, report.ours) == (subjects, [AUTOMATIC])
    assert report.facts["offloads of the wire"] == "off"
    for it in subjects:
        (value,) = report.values("new connections", it)
        assert value > 0


def test_an_interrupted_run_leaves_nothing(folder: Path) -> None:
    command = [*TINY, *only(AUTOMATIC)]
    environment = {**os.environ, "TMPDIR": str(folder)}
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as run:
        assert run.stderr is not None
        assert any("warm-up" in line for line in run.stderr)
        assert left(folder)
        run.send_signal(signal.SIGINT)
        run.stderr.read()
        assert run.wait(60) == 130


def test_the_packet_sockets_of_a_process_hold_more_and_others_do_not() -> None:
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as packets, socket.socket() as stream:
        before = stream.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
        assert enlarge(os.getpid()) == 1
        assert packets.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) == LARGE
        assert stream.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) == before
