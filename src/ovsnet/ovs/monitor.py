"""One idle `ovs-ofctl monitor` process, and what it prints: flows that change, or packets for the agent."""

import asyncio
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import structlog

from ovsnet import processes
from ovsnet.model.errors import Unavailable
from ovsnet.ovs import programs

MIN_PAUSE, MAX_PAUSE = 0.1, 1.0
"""Seconds between attempts to monitor a switch that is there: the first, and what doubling ends at."""
AWAY = 0.05
"""Seconds between two looks whether a switch that is away is back: as long as it takes, more packets are lost."""
LOOK_AGAIN = 0.005
"""Seconds until the control socket of a monitor is looked for again."""
LISTENING = "OFPST_FLOW_MONITOR reply"
"""What the monitor prints once the switch has accepted it."""
DIE_WITH_US = ("setpriv", "--pdeathsig", "TERM", "--")
"""A killed agent must not leave a monitor behind; SIGTERM lets it remove its control socket."""

WHOLE = 65535
"""As many octets of a packet are told: all of it."""
NO_TABLE = 253
"""A table in which no flow of ours is: its silence is that of a monitor that is there for packets only."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Wish:
    """What a monitor is for: `what` it is called in errors, `good` and `bad` the words of the log while it is there and
    while it is not, the OpenFlow message that asks for more, octets that are taken at once, and whether it is told
    packets, too, or flows only.
    """

    what: str
    good: str
    bad: str
    request: bytes
    chunk: int
    packets: bool = False


class Monitor:
    """The output of a monitor process, line by line."""

    def __init__(self, process: Process, wish: Wish) -> None:
        self._process = process
        self._wish = wish
        self._rest = ""

    async def printed(self) -> list[str]:
        """At least one line, and all that came with it; Unavailable when the monitor has ended."""
        while True:
            chunk = await self._process.stdout.read(self._wish.chunk) if self._process.stdout else b""
            if not chunk:
                raise programs.unavailable(self._rest.strip() or f"its {self._wish.what} ended")
            *lines, self._rest = (self._rest + chunk.decode(errors="replace")).split("\n")
            if lines:
                return lines

    async def listening(self) -> None:
        """Returns when the switch has accepted the monitor."""
        said = [""]
        while not any(it.startswith(LISTENING) for it in said):
            said = await self.printed()
            if said[0].startswith("ovs-ofctl:"):
                raise programs.unavailable(said[0])


async def nothing() -> None:
    """For who has nothing to do when the switch is back."""


async def keep_monitoring(
    wish: Wish,
    target: str,
    control_socket: Path,
    follow: Callable[[Monitor], Awaitable[None]],
    lost: Callable[[], Awaitable[None]],
    back: Callable[[], Awaitable[None]] = nothing,
    *,
    deadline: float,
) -> None:
    """Until cancelled: a monitor after the other, each followed until it ends, which is Unavailable.

    `lost` is called when one has ended, or could not be begun, and none was there since; `back` when a switch that was
    followed has begun anew, before there is a monitor.
    """
    pause, followed, life = MIN_PAUSE, True, None
    while True:
        try:
            async with monitoring(wish, target, control_socket, deadline=deadline) as monitor:
                log.info(wish.good, target=target)
                pause, followed, life = MIN_PAUSE, True, programs.life(target)
                await follow(monitor)
        except Unavailable as error:
            if followed:
                log.warning(wish.bad, target=target, reason=error.reason)
                followed = False
                await lost()
        await asyncio.sleep(pause)
        pause = min(MAX_PAUSE, pause * 2) if await _is_back(target) else MIN_PAUSE
        if life is not None and programs.life(target) != life:
            life = None
            await back()


async def _is_back(target: str) -> bool:
    """Returns when the switch listens, which nobody tells; True when it had done so all the time."""
    there = True
    while not programs.listens(target):
        there = False
        await asyncio.sleep(AWAY)
    return there


@asynccontextmanager
async def monitoring(wish: Wish, target: str, control_socket: Path, *, deadline: float) -> AsyncIterator[Monitor]:
    """A monitor that the switch has accepted; its process is gone after the block."""
    options = ("-m",) if wish.packets else ()
    watched = (str(WHOLE), f"watch:!initial,table={NO_TABLE}") if wish.packets else ("watch:!initial",)
    command = (*DIE_WITH_US, *programs.OFCTL, *options, f"--unixctl={control_socket}", "monitor", target, *watched)
    process = await programs.start(command)
    try:
        it = Monitor(process, wish)
        try:
            async with asyncio.timeout(deadline):
                await it.listening()
        except TimeoutError:
            raise programs.unavailable(f"no {wish.what} within {deadline:g} s") from None
        await _appeared(control_socket, process, deadline)
        await _send(control_socket, wish, deadline)
        yield it
    finally:
        await processes.end(process)
        _remove(control_socket)


async def _appeared(control_socket: Path, process: Process, deadline: float) -> None:
    """The program makes it a moment after it has said that it listens, and tells nobody."""
    with suppress(TimeoutError):
        async with asyncio.timeout(deadline):
            while process.returncode is None and not control_socket.exists():  # noqa: ASYNC110, ASYNC240 - see above
                await asyncio.sleep(LOOK_AGAIN)


def _remove(control_socket: Path) -> None:
    """A killed monitor leaves it behind."""
    control_socket.unlink(missing_ok=True)


async def _send(control_socket: Path, wish: Wish, deadline: float) -> None:
    command = ("ovs-appctl", "-t", str(control_socket), "ofctl/send", wish.request.hex())
    outcome = await programs.run(command, deadline=deadline)
    if not outcome.code and wish.packets:
        # Who is asked to report answers at once: the switch must have understood before.
        outcome = await programs.run((*command[:3], "ofctl/barrier"), deadline=deadline)
    if outcome.code:
        raise programs.unavailable(f"its {wish.what} cannot be told what to watch: {outcome.complaint}")
