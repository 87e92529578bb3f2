"""What a process has cost so far, as the kernel counts it."""

import os
import time
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
