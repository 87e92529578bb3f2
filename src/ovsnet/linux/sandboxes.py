"""Network namespaces as files: whether one is there, whose it is, and word when one comes or goes.

A namespace that has a name, as containers' and those of `ip netns` have, is a mount. The kernel tells of every change
of the table of mounts, and of the end of a process by its file descriptor.
"""

import asyncio
import os
import select
from collections.abc import Callable, Collection
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from ovsnet.model.host import OWN_NAMESPACE

OWN = OWN_NAMESPACE
MOUNTS = "/proc/self/mountinfo"
NAMED = Path("/run/netns")
"""Where `ip netns` keeps its namespaces."""
_STARTED = 19
"""Which word after the name in /proc/PID/stat is the start time, in ticks since the boot (proc(5))."""


def is_alive(path: str) -> bool:
    """Whether there is a namespace at that path, and not only what is left of its file."""
    try:
        return os.stat(path).st_dev == os.stat(OWN).st_dev
    except OSError:
        return False


def is_own(path: str) -> bool:
    """Whether it is the host's."""
    try:
        return os.path.samefile(path, OWN)
    except OSError:
        return False


def path_of(name: str) -> str:
    """Of a namespace as people call it: by its path, or by its name as `ip netns` has it."""
    return name if name.startswith("/") else str(NAMED / name)


def of_process(pid: str) -> str:
    """The path of a process's namespace."""
    return f"/proc/{pid}/ns/net"


def birth_of(pid: str) -> str:
    """What tells this process from every other one that has, had or will have its number; "" when there is none."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        words = Path("/proc", pid, "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return f"{boot[:8]}-{words[_STARTED]}" if len(words) > _STARTED and words[0] not in "ZX" else ""


class Comings:
    """Calls its watcher whenever a namespace may have come or gone; a context manager."""

    def __init__(self) -> None:
        self._changed: Callable[[], None] = lambda: None
        self._mounts: int | None = None
        self._poll: select.epoll | None = None
        self._ends: dict[str, int] = {}

    def watch(self, changed: Callable[[], None]) -> None:
        """Call `changed`; it may be called without a reason."""
        self._changed = changed

    def follow(self, pids: Collection[str]) -> None:
        """Of these processes, and of no others, the end is told."""
        for pid in self._ends.keys() - set(pids):
            self._forget(pid)
        for pid in set(pids) - self._ends.keys():
            with suppress(OSError):  # it has ended: whoever asks about it finds that out
                self._ends[pid] = os.pidfd_open(int(pid))
                asyncio.get_running_loop().add_reader(self._ends[pid], self._ended, pid)

    def __enter__(self) -> Self:
        self._mounts = os.open(MOUNTS, os.O_RDONLY | os.O_CLOEXEC)
        # The loop itself waits for readers and writers only; this file is always readable, and says POLLERR.
        self._poll = select.epoll()
        self._poll.register(self._mounts, select.EPOLLERR | select.EPOLLPRI | select.EPOLLET)
        asyncio.get_running_loop().add_reader(self._poll.fileno(), self._mounted)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for pid in list(self._ends):
            self._forget(pid)
        if self._poll is not None and self._mounts is not None:
            asyncio.get_running_loop().remove_reader(self._poll.fileno())
            self._poll.close()
            os.close(self._mounts)

    def _mounted(self) -> None:
        if self._poll is not None:
            self._poll.poll(0)
        self._changed()

    def _ended(self, pid: str) -> None:
        self._forget(pid)
        self._changed()

    def _forget(self, pid: str) -> None:
        descriptor = self._ends.pop(pid)
        asyncio.get_running_loop().remove_reader(descriptor)
        os.close(descriptor)
