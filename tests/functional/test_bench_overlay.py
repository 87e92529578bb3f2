"""`ovsnet bench overlay`: a tiny run, one that is interrupted, and what it does to sockets."""

import os
import signal
import socket

from tests.functional.bench_run import interrupted, measured

from ovsnet.bench.overlay.buffers import LARGE, enlarge
from ovsnet.bench.overlay.kernel import BRIDGED
from ovsnet.bench.overlay.ours import AUTOMATIC
from ovsnet.bench.overlay.underlay import NAME as UNDERLAY

# One that loads the machine little.
TINY = ("overlay", "--quick", "--datapath", "netdev", "--probe", "connections")
SUBJECTS = [AUTOMATIC, BRIDGED, UNDERLAY]


def test_a_tiny_run_measures_ours_and_others_and_leaves_nothing() -> None:
    only = [word for it in SUBJECTS for word in ("--only", it)]
    report = measured(*TINY, *only, "--no-underlay-offload", deadline=120).report
    assert (report.subjects, report.ours, report.missing) == (SUBJECTS, [AUTOMATIC], [])
    assert report.facts["offloads of the wire"] == "off"
    assert all(report.values("new connections", it)[0] > 0 for it in SUBJECTS)


def test_an_interrupted_run_leaves_nothing() -> None:
    interrupted(*TINY, "--only", AUTOMATIC, at="warm-up", signal=signal.SIGINT)


def test_the_packet_sockets_of_a_process_hold_more_and_others_do_not() -> None:
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as packets, socket.socket() as stream:
        before = stream.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
        assert enlarge(os.getpid()) == 1
        assert packets.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) == LARGE
        assert stream.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) == before
