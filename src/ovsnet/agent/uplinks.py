"""Uplinks on this host: who moves them, and who puts one back that nobody confirms.

    agent ──► guard (a process of its own, which knows all of the move)
      │  keep       the neighbours answer: the guard ends
      │  back       it was put back: the guard ends
      -  nothing    the agent died, or said neither in time: the guard puts it back

The guard is told everything before anything is changed, and needs neither the store nor the agent. It is started so
that it outlives the agent.
"""

import asyncio
import fcntl
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import msgspec
import structlog

from ovsnet import processes
from ovsnet.linux.nics import Nics, chain_of
from ovsnet.model.errors import Unavailable
from ovsnet.model.uplink import Uplink
from ovsnet.ovs.switch import Switch
from ovsnet.ovs.uplinks import Uplinks as Bridges
from ovsnet.reconcile.uplinks import Moved, UplinkApplier
from ovsnet.settings import Settings
from ovsnet.store.uplinks import encode_uplink

TO_START = 15.0
"""Seconds the guard's process has until it is ready."""
TO_ANSWER = 5.0
LONGEST = 16 << 20
"""Bytes of what the guard is told."""
KEEP, KEPT, BACK, ARMED = b"keep\n", b"kept\n", b"back\n", b"armed\n"

log = structlog.get_logger("uplinks")


class Told(msgspec.Struct, frozen=True):
    """What the guard is told. `seconds`: how long it waits."""

    settings: Settings
    uplink: dict[str, object]
    seconds: float


def applier(settings: Settings, switch: Switch, moved: Moved = lambda *_: None) -> UplinkApplier:
    """The one of this host, in whichever process."""
    return UplinkApplier(Bridges(switch), Nics(settings.instance), lambda: turn(settings), moved)


@asynccontextmanager
async def turn(settings: Settings) -> AsyncIterator[None]:
    """Be the only process that moves addresses while this lasts."""
    path = Path(settings.run_dir) / "uplinks.lock"
    with path.open("a") as lock:
        await asyncio.to_thread(fcntl.flock, lock, fcntl.LOCK_EX)
        yield


class Trial:
    """One move that is being tried."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def keep(self) -> None:
        """Tell the guard to let it be; Unavailable when it has begun to put it back, or is gone."""
        if await self._say(KEEP) != KEPT:
            raise Unavailable("the guard of the move", "it has begun to put everything back")

    async def lost(self) -> None:
        """Return when the guard is gone, or has begun to put it back."""
        await self._reader.readline()

    async def was_put_back(self) -> None:
        """Tell the guard that there is nothing to do for it."""
        with suppress(Unavailable):
            await self._say(BACK)

    async def _say(self, word: bytes) -> bytes:
        try:
            async with asyncio.timeout(TO_ANSWER):
                self._writer.write(word)
                await self._writer.drain()
                return await self._reader.readline()
        except (OSError, TimeoutError) as error:
            raise Unavailable("the guard of the move", str(error) or "no answer") from error


class Trials:
    """Starts guards. `nics` are the NICs whose move is being tried with one."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.nics: frozenset[str] = frozenset()

    @asynccontextmanager
    async def guarded(self, uplink: Uplink, seconds: float) -> AsyncIterator[Trial]:
        """A guard watches while this lasts; Unavailable when none can be had. Nothing may be changed before."""
        path = Path(self._settings.run_dir) / f"uplink-{chain_of(uplink.nic)}.sock"
        path.unlink(missing_ok=True)
        came: asyncio.Future[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Future()

        async def meet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            if not came.done():
                came.set_result((reader, writer))

        server = await asyncio.start_unix_server(meet, path)
        path.chmod(0o600)
        writer: asyncio.StreamWriter | None = None
        try:
            await self._start(path, uplink)
            reader, writer = await self._met(came)
            told = Told(self._settings, dict(encode_uplink(uplink)), seconds)
            writer.write(msgspec.json.encode(told) + b"\n")
            if await self._armed(reader) != ARMED:
                raise Unavailable("the guard of the move", "it ended at once; see the log")
            self.nics |= {uplink.nic}
            yield Trial(reader, writer)
        finally:
            self.nics -= {uplink.nic}
            server.close()
            path.unlink(missing_ok=True)
            if writer is not None:
                writer.close()

    async def _met(
        self, came: asyncio.Future[tuple[asyncio.StreamReader, asyncio.StreamWriter]]
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        try:
            async with asyncio.timeout(TO_START):
                return await came
        except TimeoutError as error:
            raise Unavailable("the guard of the move", f"it did not start within {TO_START:g} s") from error

    @staticmethod
    async def _armed(reader: asyncio.StreamReader) -> bytes:
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(TO_ANSWER):
                return await reader.readline()
        return b""

    async def _start(self, path: Path, uplink: Uplink) -> None:
        """A process that what ends us does not end."""
        unit = f"ovsnet-guard-{chain_of(uplink.nic)}-{os.getpid()}.service"
        beside = processes.beside_us(unit, f"Guard of the move of {uplink.nic}, by ovsnet")
        program = [*beside, sys.executable, "-P", "-m", "ovsnet.agent.guard", str(path)]
        try:
            # Without pipes, which it would keep open for as long as it lives.
            started = await asyncio.create_subprocess_exec(*program, stdin=asyncio.subprocess.DEVNULL)
            code = await started.wait()
        except OSError as error:
            raise Unavailable("the guard of the move", f"it cannot be started: {error.strerror}") from error
        if code:
            raise Unavailable("the guard of the move", f"it cannot be started: {program[0]} ended with code {code}")
