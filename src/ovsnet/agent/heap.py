"""Gives the machine back what bursts leave free inside the process (docs/decisions/0078).

Python returns what it frees to the C library, which keeps it: between blocks that are in use it would lie there until
the next burst.
"""

import ctypes
import time
from collections.abc import Callable

PERIOD = 30.0
"""Seconds from one time to the next at least: it takes a millisecond or two with a thousand endpoints."""

_give_back = getattr(ctypes.CDLL(None), "malloc_trim", None)
"""malloc_trim(3); None where the C library is not glibc."""


class Heap:
    """Of this process; `clock` counts seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._due = 0.0

    def tidy(self) -> None:
        """To be called when a piece of work is done. Cheap while it is not due."""
        now = self._clock()
        if now < self._due or _give_back is None:
            return
        self._due = now + PERIOD
        _give_back(0)
