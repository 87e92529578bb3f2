"""The programs a measurement starts: servers that run until it ends, and others that are run to their end."""

import asyncio
import os
import signal
from asyncio.subprocess import Process
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from ovsnet import processes
from ovsnet.model.errors import OvsnetError, Unavailable

PATIENCE = 120.0
"""Seconds a program that does something small may take; large clusters take their time."""
LAST_WORDS = 300
"""Characters of its log that are told when a server ends."""
DIE_WITH_US = ("setpriv", "--pdeathsig", "KILL", "--")


class Crew:
    """Programs in one network namespace, all with one log.

    `namespace` is a path, as `/run/netns/NAME`; empty is where we are. What is started ends with `close`, the newest
    first, or with us.
    """

    def __init__(self, log: Path, *, namespace: str = "", environment: Mapping[str, str] | None = None) -> None:
        self.namespace = namespace
        self._inside = ("nsenter", f"--net={namespace}", "--") if namespace else ()
        self.folder = log.parent
        self._log = log
        self._environment = {**os.environ, **(environment or {})}
        self._started: list[Process] = []

    async def call(self, *command: str, deadline: float = PATIENCE) -> str:
        """What a program prints. OvsnetError when it fails or does not end, Unavailable when it is not there."""
        try:
            done = await processes.run((*self._inside, *command), deadline=deadline, environment=self._environment)
        except FileNotFoundError:
            raise Unavailable(command[0], "it is not installed") from None
        except TimeoutError:
            raise OvsnetError(f"{command[0]} has not ended within {deadline:g} s") from None
        if done.code:
            raise OvsnetError(f"bench: {' '.join(command)}: {done.complaint or done.output.decode().strip()}")
        return done.output.decode()

    async def start(self, *command: str, keep: Sequence[int] = (), umask: int = -1) -> Process:
        """Start a server."""
        quiet = asyncio.subprocess.DEVNULL
        with self._log.open("ab") as log:
            started = await asyncio.create_subprocess_exec(
                *self._inside,
                *DIE_WITH_US,
                *command,
                env=self._environment,
                stdin=quiet,
                stdout=log,
                stderr=log,
                pass_fds=keep,
                umask=umask,
                start_new_session=True,
            )
        self._started.append(started)
        return started

    def last_words(self) -> str:
        """The end of the log."""
        return self._log.read_text(errors="replace")[-LAST_WORDS:].strip() if self._log.exists() else ""

    async def stop(self, server: Process) -> None:
        """End one of them at once, with those it has started itself: trafgen's workers would go on sending."""
        with suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGKILL)
        await server.wait()
        self._started.remove(server)

    async def close(self) -> None:
        """End what was started."""
        for server in reversed(self._started[:]):
            await self.stop(server)
