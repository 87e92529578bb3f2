"""What a process has cost so far, as the kernel counts it."""

import os
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

SCHEDULED = 2
"""CPUCLOCK_SCHED: nanoseconds, all threads of a process, those that have ended too (linux/posix-timers.h)."""


def cpu(pid: int) -> float:
    """Seconds of CPU of a process and of the children it has waited for."""
    own = time.clock_gettime(~pid << 3 | SCHEDULED)
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return own + (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")


def memory(pid: int) -> float:
    """MiB of a process that are in memory."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(it.split()[1]) for it in lines if it.startswith("VmRSS")) / 1024


def memory_of_family(pid: int) -> float:
    """MiB of a process and of all that descend from it."""
    children: dict[int, list[int]] = {}
    for it in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            parent = int(it.read_text().rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(it.parent.name))
    return _memory_below(pid, children)


def _memory_below(pid: int, children: Mapping[int, Sequence[int]]) -> float:
    try:
        own = memory(pid)
    except (OSError, StopIteration):
        own = 0.0  # it has ended meanwhile
    return own + sum(_memory_below(it, children) for it in children.get(pid, ()))


class Window:
    """What all processors of this machine do from now on, whoever has them do it: packets cost time that the kernel
    counts for nobody.
    """

    def __init__(self) -> None:
        self._before, self._began = _busy(), time.monotonic()

    def busy(self) -> tuple[float, float]:
        """Seconds of work of all processors since, and seconds that have passed."""
        return _busy() - self._before, time.monotonic() - self._began


def _busy() -> float:
    """proc_stat(5): user, nice, system, idle, iowait, irq, softirq."""
    fields = [int(it) for it in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:8]]
    return (sum(fields) - fields[3] - fields[4]) / os.sysconf("SC_CLK_TCK")
