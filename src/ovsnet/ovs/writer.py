"""Hands bundles to a switch, each with one `ovs-ofctl bundle`; the one that ends an outage is started while it lasts.

The program reads the whole of its input before it looks for the switch (utilities/ovs-ofctl.c, ofctl_bundle): one that
waits for its input has everything behind it but that and the exchange itself (docs/decisions/0077).
"""

import asyncio
from asyncio.subprocess import Process
from contextlib import suppress

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
        self._waiting: Process | None = None
        self._wrote = asyncio.Event()

    async def make_ready(self) -> None:
        """The next bundle will have to be there soon: start its program now."""
        self._wrote.clear()
        if self._waiting is None:
            with suppress(Unavailable):  # who writes is told
                self._waiting = await programs.start_waiting(self._command)

    async def stand_down(self) -> None:
        """Nothing is waited for any more."""
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            await processes.end(waiting)

    async def write(self, bundle: str) -> programs.Outcome:
        """Unavailable when the switch does not answer in time."""
        waiting, self._waiting = self._waiting, None
        outcome = await self._finish(waiting or await programs.start_waiting(self._command), bundle)
        if outcome.code < 0 and waiting:  # a signal has ended it, and a bundle may come twice
            outcome = await self._finish(await programs.start_waiting(self._command), bundle)
        if outcome.code == 0:
            self._wrote.set()
        return outcome

    async def written(self) -> None:
        """Returns after the first bundle since `make_ready` that was taken, or after WRITING seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(WRITING):
                await self._wrote.wait()

    async def _finish(self, writing: Process, bundle: str) -> programs.Outcome:
        return await programs.finish(writing, self._command, stdin=bundle, deadline=self._deadline)
