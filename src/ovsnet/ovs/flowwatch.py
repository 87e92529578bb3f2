"""Follows what others do to the flows and groups of a bridge: one idle `ovs-ofctl monitor` process.

A flow monitor (OpenFlow 1.4 7.3.5.17) tells of flows only. Requests that change groups are told to
connections that ask for it (7.3.10 and 7.4.7, OFPT_REQUESTFORWARD); the monitor is made to ask through its
control socket. What we write ourselves is told too: the watched applier knows whether it is news.
"""

import asyncio
import struct
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Protocol

import structlog

from ovsnet import processes
from ovsnet.model.errors import Unavailable
from ovsnet.ovs import programs

MIN_PAUSE, MAX_PAUSE = 0.1, 1.0
"""Seconds between attempts to reach a switch that is away: the first, and what doubling ends at."""
CHUNK = 1 << 18
"""Bytes taken from the monitor at once."""
LISTENING = "OFPST_FLOW_MONITOR reply"
"""What the monitor prints once the switch has accepted it."""
DIE_WITH_US = ("setpriv", "--pdeathsig", "TERM", "--")
"""A killed agent must not leave a monitor behind; SIGTERM lets it remove its control socket."""
_VERSION_1_4, _SET_ASYNC = 5, 28
_ASYNC_PROPERTIES = {2: 0, 3: 0, 10: 1, 11: 1}
"""OFPACPT_PORT_STATUS_* off, OFPACPT_REQUESTFORWARD_* for groups on, each for both roles (OpenFlow 1.4
7.3.10).
"""

log = structlog.get_logger(__name__)


class Watched(Protocol):
    """Believes something about the switch, and can correct it."""

    async def disagrees(self, printed: Iterable[str]) -> bool:
        """True when these lines of a monitor were news; the belief was corrected then."""

    async def seen_afresh(self) -> bool:
        """Read everything; True when anything was news."""


async def watch_flows(
    target: str, control_socket: Path, watched: Watched, changed: Callable[[], None], *, deadline: float
) -> None:
    """Until cancelled: call `changed` after news, and when the switch cannot be followed any more."""
    pause = MIN_PAUSE
    followed = True
    while True:
        try:
            async with _monitor(target, control_socket, deadline) as monitor:
                log.info("flows are watched", target=target)
                pause, followed = MIN_PAUSE, True
                await _follow(monitor, watched, changed)
        except Unavailable as error:
            if followed:
                log.warning("flows are not watched", target=target, reason=error.reason)
                followed = False
                changed()
        await asyncio.sleep(pause)
        pause = min(MAX_PAUSE, pause * 2)


async def _follow(monitor: "_Monitor", watched: Watched, changed: Callable[[], None]) -> None:
    """Until the monitor ends, which is Unavailable."""
    # The monitor listens already: what happens while we read is told afterwards.
    if await watched.seen_afresh():
        changed()
    while True:
        if await watched.disagrees(await monitor.printed()):
            changed()


class _Monitor:
    """The output of a monitor process, line by line."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._rest = ""

    async def printed(self) -> list[str]:
        """At least one line, and all that came with it; Unavailable when the monitor has ended."""
        while True:
            chunk = await self._process.stdout.read(CHUNK) if self._process.stdout else b""
            if not chunk:
                raise programs.unavailable(self._rest.strip() or "its flow monitor ended")
            *lines, self._rest = (self._rest + chunk.decode(errors="replace")).split("\n")
            if lines:
                return lines

    async def listening(self) -> None:
        """Returns when the switch has accepted the monitor."""
        said = ""
        while not said.startswith(LISTENING):
            said = (await self.printed())[0]
            if said.startswith("ovs-ofctl:"):
                raise programs.unavailable(said)


@asynccontextmanager
async def _monitor(target: str, control_socket: Path, deadline: float) -> AsyncIterator[_Monitor]:
    command = (
        *DIE_WITH_US,
        *programs.OFCTL,
        f"--unixctl={control_socket}",
        "monitor",
        target,
        "watch:!initial",
    )
    process = await programs.start(command)
    try:
        monitor = _Monitor(process)
        try:
            async with asyncio.timeout(deadline):
                await monitor.listening()
        except TimeoutError:
            raise programs.unavailable(f"no flow monitor within {deadline:g} s") from None
        await _ask_for_groups(control_socket, deadline)
        yield monitor
    finally:
        await processes.end(process)
        _remove(control_socket)


def _remove(control_socket: Path) -> None:
    """A killed monitor leaves it behind."""
    control_socket.unlink(missing_ok=True)


async def _ask_for_groups(control_socket: Path, deadline: float) -> None:
    command = ("ovs-appctl", "-t", str(control_socket), "ofctl/send", set_async().hex())
    outcome = await programs.run(command, deadline=deadline)
    if outcome.code:
        raise programs.unavailable(f"its flow monitor cannot be told to watch groups: {outcome.complaint}")


def set_async() -> bytes:
    """The message that asks for reports on groups and for none on ports."""
    properties = b"".join(struct.pack("!HHI", kind, 8, mask) for kind, mask in _ASYNC_PROPERTIES.items())
    return struct.pack("!BBHI", _VERSION_1_4, _SET_ASYNC, 8 + len(properties), 0) + properties
