"""What the `ovs` package wants to be woken for: recorded like by `ovs.poller`, awaited by asyncio."""

import asyncio
from typing import Protocol

import ovs.poller
import ovs.timeval


class HasFileno(Protocol):
    """A socket, for instance."""

    def fileno(self) -> int:
        """The file descriptor."""


class Waits:
    """One round of waiting: handed to `wait()` of an IDL, then awaited by `over`."""

    def __init__(self) -> None:
        self._readers: set[int] = set()
        self._writers: set[int] = set()
        self._seconds: float | None = None

    def fd_wait(self, fd: int | HasFileno, events: int) -> None:
        """Wake when `fd` is readable (POLLIN) or writable (POLLOUT)."""
        number = fd if isinstance(fd, int) else fd.fileno()
        if events & ovs.poller.POLLIN:
            self._readers.add(number)
        if events & ovs.poller.POLLOUT:
            self._writers.add(number)

    def timer_wait(self, msec: float) -> None:
        """Wake after `msec` milliseconds at the latest."""
        seconds = max(0.0, msec / 1000)
        self._seconds = seconds if self._seconds is None else min(self._seconds, seconds)

    def timer_wait_until(self, msec: float) -> None:
        """Wake when the clock of the `ovs` package shows `msec` milliseconds."""
        self.timer_wait(msec - ovs.timeval.msec())

    def immediate_wake(self) -> None:
        """Do not wait at all."""
        self._seconds = 0.0

    async def over(self, wake: asyncio.Event) -> None:
        """Returns when something recorded has happened, or `wake` is set; clears `wake`."""
        loop = asyncio.get_running_loop()
        for number in self._readers:
            loop.add_reader(number, wake.set)
        for number in self._writers:
            loop.add_writer(number, wake.set)
        try:
            async with asyncio.timeout(self._seconds):
                await wake.wait()
        except TimeoutError:
            pass
        finally:
            for number in self._readers:
                loop.remove_reader(number)
            for number in self._writers:
                loop.remove_writer(number)
        wake.clear()
