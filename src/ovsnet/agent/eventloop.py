"""The agent's event loop: its clock stands while the loop does.

The kernel works on a request while it is being sent, and holds the sender up while somebody else has its lock: for
seconds on a busy host. What was answered in that time has not been read yet when the loop goes on, and a clock that
went on would end all waiting first, as if nobody had answered.
"""

import asyncio
import selectors
import time
from typing import Final

AT_A_STRETCH: Final = 0.1
"""Seconds that one turn of the loop may take by its own clock, however long it takes."""


class _Turns(selectors.DefaultSelector):
    """Tells how long ago the loop's present turn began, and how much of the turns before did not count."""

    def __init__(self, most: float) -> None:
        super().__init__()
        self._most = most
        self._began = time.monotonic()
        self._uncounted = 0.0

    def now(self) -> float:
        """Seconds since some moment, less what did not count."""
        now = time.monotonic()
        return now - self._uncounted - self._beyond(now)

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """As ever; all that happens between one call and the next is a turn."""
        self._begin()
        try:
            return super().select(timeout)
        finally:
            self._began = time.monotonic()

    def _begin(self) -> None:
        now = time.monotonic()
        self._uncounted += self._beyond(now)
        self._began = now

    def _beyond(self, now: float) -> float:
        return max(0.0, now - self._began - self._most)


class FairLoop(asyncio.SelectorEventLoop):
    """An event loop in which a deadline counts no more than `most` seconds of each of its own turns."""

    def __init__(self, *, most: float = AT_A_STRETCH) -> None:
        self._turns = _Turns(most)
        super().__init__(self._turns)

    def time(self) -> float:
        """Seconds by the loop's clock (BaseEventLoop.time)."""
        return self._turns.now()
