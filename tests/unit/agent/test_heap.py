"""Memory that a burst leaves free goes back to the machine, now and then."""

import re
import sys
from subprocess import run

import pytest

from ovsnet.agent.heap import PERIOD, Heap

BURST = """
import sys
from ovsnet.agent.heap import Heap
clock = [0.0]
heap = Heap(lambda: clock[0])

def resident():
    with open("/proc/self/status") as it:
        return next(int(line.split()[1]) for line in it if line.startswith("VmRSS"))

def burst():
    blocks = [bytes(2000) for _ in range(20_000)]
    return blocks[::10]  # what stays lies between what goes

seen = []
for when in map(float, sys.argv[1:]):
    clock[0] = when
    kept = burst()
    before = resident()
    heap.tidy()
    seen.append(before - resident())
    del kept
print(*seen)
"""
MUCH = 10_000
"""KiB, of some 36 000 that are free."""


def given_back(*moments: float) -> list[int]:
    """KiB given back after bursts at these moments, in a process of its own."""
    command = (sys.executable, "-c", BURST, *map(str, moments))
    return [int(it) for it in run(command, check=True, capture_output=True, text=True).stdout.split()]


def test_what_a_burst_leaves_free_goes_back() -> None:
    (freed,) = given_back(0.0)
    assert freed > MUCH


def test_it_is_given_back_once_in_a_while() -> None:
    first, soon, later = given_back(0.0, PERIOD / 2, PERIOD)
    assert first > MUCH
    assert abs(soon) < MUCH
    assert later > MUCH


def test_a_c_library_that_cannot_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ovsnet.agent.heap._give_back", None)
    Heap().tidy()


def test_the_agent_does_not_load_what_only_people_at_a_terminal_need() -> None:
    program = "import sys; from ovsnet.agent import __main__ as it; it.spare_memory(); import ovsnet.agent.main; "
    done = run((sys.executable, "-c", program + "print(*sys.modules)"), check=True, capture_output=True, text=True)
    assert not re.search(r"\brich\.\w", done.stdout)
    assert "structlog.dev" in done.stdout.split()
