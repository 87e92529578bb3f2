"""Numbered packets at a steady rate from one container to another and back: how many are lost, and for how long at
most none comes back. fping sends a thousand in a second and writes down when each one came back.
"""

import asyncio
import itertools
import re
import shutil
import signal
import time
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from ovsnet.bench.crew import Crew
from ovsnet.bench.wiring import End
from ovsnet.model.errors import Unavailable

FPING = "fping"
EVERY, LATE = 1, 1000
"""Milliseconds between two packets, and those after which fping waits for one no more."""
BACK = 60.0
"""Seconds until traffic has come back, or never will."""
LOOK_AGAIN = 0.02
_CAME = re.compile(r"\[(?P<when>[\d.]+)\] \S+ : \[(?P<number>\d+)\], \d+ bytes")
_numbers = itertools.count()


@dataclass(frozen=True, slots=True)
class Heard:
    """What of a stream of packets came back: how many did not, and the longest time (ms) without one."""

    lost: int
    gap: float


def heard(lines: Iterable[str]) -> Heard:
    """Of what fping has written: which packets came back, and when. Pure."""
    came = [(float(it["when"]), int(it["number"])) for line in lines if (it := _CAME.match(line))]
    if not came:
        return Heard(0, 0.0)
    numbers = {number for _, number in came}
    return Heard(
        lost=max(numbers) - min(numbers) + 1 - len(numbers),
        gap=1000 * max((after - before for (before, _), (after, _) in pairwise(came)), default=0.0),
    )


class Stream:
    """Packets that are on their way."""

    def __init__(self, crew: Crew, sender: Process, written: Path, what: str) -> None:
        self._crew, self._sender = crew, sender
        self._written = written
        self._what = what

    async def comes_back(self) -> None:
        """Returns when one has come back after now."""
        since = time.time()
        end = time.monotonic() + BACK
        while self._last() < since:
            if time.monotonic() > end or self._sender.returncode is not None:
                reason = "no packet has come back" if self._sender.returncode is None else f"{FPING} has ended"
                raise Unavailable(self._what, f"{reason}: {self._crew.last_words()}")
            await asyncio.sleep(LOOK_AGAIN)

    def _last(self) -> float:
        with self._written.open("rb") as text:
            text.seek(max(0, self._written.stat().st_size - 4096))
            found = [float(it["when"]) for it in _CAME.finditer(text.read().decode(errors="replace"))]
        return found[-1] if found else 0.0

    def heard(self) -> Heard:
        """When it has ended."""
        with self._written.open() as text:
            return heard(text)


@asynccontextmanager
async def numbered(client: End, server: End) -> AsyncIterator[Stream]:
    """Packets flow, from before the body begins until it ends; ask what was heard after that."""
    if shutil.which(FPING) is None:
        raise Unavailable(FPING, f"not installed: apt-get install {FPING}")
    written = client.crew.folder / f"numbered{next(_numbers)}"
    crew = Crew(written, namespace=client.crew.namespace)
    how = ("-D", "-i", str(EVERY), "-p", str(EVERY), "-t", str(LATE), "--loop")
    sender = await crew.start(FPING, *how, server.address)
    stream = Stream(crew, sender, written, f"{client.address} to {server.address}")
    try:
        await stream.comes_back()
        yield stream
        await stream.comes_back()
        sender.send_signal(signal.SIGINT)
        await sender.wait()
    finally:
        await crew.close()
