"""When flows come and go, as the switch tells who asks for it: the end of a change's way."""

import asyncio
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from ovsnet import processes
from ovsnet.model.errors import Unavailable
from ovsnet.ovs import programs

FORWARD = 40
"""The table that is the last one to know a MAC (docs/pipeline.md)."""
LISTENING = 10.0
"""Seconds until a bridge that has just been made takes a monitor."""
AGAIN = 0.02
_EVENT = re.compile(r"event=(?P<event>ADDED|DELETED|MODIFIED).*dl_dst=(?P<mac>[0-9a-f:]{17})(?!/)")


class FlowsSeen:
    """Asks a monitor, whose lines are read while somebody waits for one of them."""

    def __init__(self, monitor: asyncio.subprocess.Process) -> None:
        self._monitor = monitor
        self._times: dict[tuple[str, bool], float] = {}

    async def when(self, mac: str, *, there: bool, deadline: float) -> float:
        """The time (monotonic) at which the flow to a MAC came or went; Unavailable after `deadline` seconds."""
        try:
            async with asyncio.timeout(deadline):
                while (mac, there) not in self._times:
                    self._note(await self._next())
        except TimeoutError:
            what = f"no flow to {mac} {'came' if there else 'went'}"
            raise Unavailable("the bench", f"{what} within {deadline:g} s") from None
        return self._times[mac, there]

    async def _next(self) -> str:
        line = await _line(self._monitor)
        if not line:
            raise programs.unavailable("the flow monitor of the bench ended")
        return line

    def _note(self, line: str) -> None:
        event = _EVENT.search(line)
        if event is not None:
            self._times[event["mac"], event["event"] != "DELETED"] = time.monotonic()


@asynccontextmanager
async def flows_seen(bridge: str, run_dir: Path, macs: str) -> AsyncIterator[FlowsSeen]:
    """Flows of table forward to these MACs (a value and a mask), those that are there included."""
    watch = f"watch:table={FORWARD},dl_dst={macs}"
    control = f"--unixctl={run_dir / 'bench-monitor.ctl'}"
    monitor = await _listening(control, "monitor", programs.management_socket(bridge, run_dir), watch)
    try:
        yield FlowsSeen(monitor)
    finally:
        await processes.end(monitor)


async def _listening(*arguments: str) -> asyncio.subprocess.Process:
    """Nobody tells when a bridge takes monitors."""
    end = time.monotonic() + LISTENING
    while True:
        process = await programs.start((*programs.OFCTL, *arguments))
        said = await _line(process)
        if said.startswith("OFPST_FLOW_MONITOR"):
            return process
        await processes.end(process)
        if time.monotonic() > end:
            raise programs.unavailable(said.strip() or "it takes no flow monitor")
        await asyncio.sleep(AGAIN)


async def _line(process: asyncio.subprocess.Process) -> str:
    """The next line it prints; "" at its end."""
    return (await process.stdout.readline()).decode(errors="replace") if process.stdout else ""
