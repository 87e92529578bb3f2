"""What a probe is, and waiting for the servers it needs."""

import asyncio
import shutil
import time
from collections.abc import Mapping, Sequence
from typing import Protocol

from ovsnet.bench.report import Quantity
from ovsnet.bench.wiring import End, Joined
from ovsnet.model.errors import Unavailable

LISTENING = 10.0
LOOK_AGAIN = 0.02
"""Seconds until a server that is being started is looked for again."""
SLACK = 15.0
"""Seconds a program may take beyond those it measures."""


class Probe(Protocol):
    """Measures some quantities between two ends."""

    @property
    def quantities(self) -> Sequence[Quantity]: ...

    @property
    def programs(self) -> Mapping[str, str]:
        """The programs it runs, each with the Debian package that brings it."""
        ...

    async def serve(self, server: End) -> None:
        """Start what has to wait at the server's end; returns when it listens."""
        ...

    async def measure(self, joined: Joined, seconds: float) -> Mapping[str, float]:
        """The quantities by name, measured for so many seconds; OvsnetError when the program fails."""
        ...


def lacking(probe: Probe) -> str:
    """Why it cannot run on this machine: what is to be installed. Empty when it can."""
    packages = [package for program, package in probe.programs.items() if shutil.which(program) is None]
    return f"not installed: apt-get install {' '.join(dict.fromkeys(packages))}" if packages else ""


async def listens(server: End, port: int, *, kind: str = "tcp") -> None:
    """Returns when something listens on the port; no server tells when it does."""
    end = time.monotonic() + LISTENING
    while not (await server.crew.call("ss", "-Hln", f"--{kind}", "sport", "=", f":{port}")).strip():
        if time.monotonic() > end:
            raise Unavailable("the bench", f"nothing listens on {kind} port {port} after {LISTENING:g} s")
        await asyncio.sleep(LOOK_AGAIN)
