"""Hands bundles to a switch, each with one `ovs-ofctl bundle`, whose program is started ahead.

The program reads the whole of its input before it looks for the switch (utilities/ovs-ofctl.c, ofctl_bundle): one that
waits for its input has everything behind it but that and the exchange itself (docs/decisions/0077). It waits without a
connection, and ends by itself with who holds its input.
"""

import asyncio
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from ovsnet import processes
from ovsnet.model.errors import Unavailable
from ovsnet.ovs import programs

WRITING = 1.0
"""Seconds in which a switch that has begun anew is written to, if anything is wanted of it at all."""


class Writer:
    """Writes to the switch at `target`; `deadline` (seconds) holds for each bundle."""

    def __init__(self, target: str, deadline: float) -> None:
        self._command = (*programs.OFCTL, "bundle", target, "-")
        self._deadline = deadline
        self._ahead = False
        self._starting = asyncio.Lock()
        self._waiting: Process | None = None
        self._wrote = asyncio.Event()

    @asynccontextmanager
    async def ahead(self) -> AsyncIterator[None]:
        """In this block there is always a program that waits for the next bundle."""
        self._ahead = True
        try:
            await self._start_next()
            yield
        finally:
            async with self._starting:
                self._ahead = False
                waiting, self._waiting = self._waiting, None
            if waiting is not None:
                await processes.end(waiting)

    async def write(self, bundle: str) -> programs.Outcome:
        """Unavailable when the switch does not answer in time."""
        waiting, self._waiting = self._waiting, None
        try:
            outcome = await self._finish(waiting or await programs.start_waiting(self._command), bundle)
            if outcome.code < 0 and waiting:  # a signal has ended it, and a bundle may come twice
                outcome = await self._finish(await programs.start_waiting(self._command), bundle)
        finally:
            await self._start_next()
        if outcome.code == 0:
            self._wrote.set()
        return outcome

    def lost(self) -> None:
        """The switch is away."""
        self._wrote.clear()

    async def written(self) -> None:
        """Returns after the first bundle since `lost` that was taken, or after WRITING seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(WRITING):
                await self._wrote.wait()

    async def _finish(self, writing: Process, bundle: str) -> programs.Outcome:
        return await programs.finish(writing, self._command, stdin=bundle, deadline=self._deadline)

    async def _start_next(self) -> None:
        async with self._starting:
            if not self._ahead or self._waiting is not None:
                return
            with suppress(OSError, Unavailable):  # who writes is told
                self._waiting = await programs.start_waiting(self._command)
