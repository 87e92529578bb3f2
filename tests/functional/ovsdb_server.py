"""A real ovsdb-server in a private directory, to be killed, stopped and started at will."""

import asyncio
import os
import signal
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Protocol

from ovsnet.model.state import State
from ovsnet.ovsdb.serverfile import UMASK
from ovsnet.settings import Settings
from ovsnet.store import process
from ovsnet.store.local import LOCAL
from ovsnet.store.ovsdb import OvsdbStore

PATIENCE = 20.0
"""Seconds after which a test gives up waiting; never reached on a machine that works."""


class Runs(Protocol):
    """Something with an endless `run`."""

    def run(self) -> Awaitable[None]: ...


class Server:
    """`command` in the foreground; start it with `start`."""

    def __init__(self, command: list[str], socket: Path) -> None:
        self.socket = socket
        self._command = command
        self._process: subprocess.Popen[bytes] | None = None
        self._log = socket.parent / "server.log"

    @property
    def remote(self) -> str:
        return f"unix:{self.socket}"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> "Server":
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, umask=UMASK
            )
        return self

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def terminate(self) -> None:
        self._end(signal.SIGTERM)

    def wait(self) -> int:
        """The exit code, once it has ended."""
        assert self._process is not None
        return self._process.wait(PATIENCE)

    def freeze(self) -> None:
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def log(self) -> str:
        return self._log.read_text()

    def _end(self, number: int) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(number)
            self._process.wait(PATIENCE)


def plain_server(directory: Path, schema: Path) -> Server:
    """A server of any schema, not started."""
    file, socket = directory / "conf.db", directory / "db.sock"
    subprocess.run(["ovsdb-tool", "create", str(file), str(schema)], check=True)
    places = [f"--unixctl={directory / 'ctl'}", f"--pidfile={directory / 'pid'}"]
    return Server(["ovsdb-server", str(file), f"--remote=punix:{socket}", *places, "-vconsole:info"], socket)


def store_settings(directory: Path) -> Settings:
    """Settings of a store that lives in `directory`."""
    return Settings(run_dir=str(directory / "run"), state_dir=str(directory / "state"))


def store_server(directory: Path) -> Server:
    """The store's own server with its file made, not started."""
    settings = store_settings(directory)
    Path(settings.run_dir).mkdir(parents=True, exist_ok=True)
    process.create_if_missing(Path(settings.state_dir))
    return Server(process.command(settings), process.store_socket(settings))


@asynccontextmanager
async def following(it: Runs) -> AsyncIterator[None]:
    """`it.run()` runs inside the block and is cancelled at its end."""
    async with asyncio.TaskGroup() as group:

        async def run() -> None:
            await it.run()

        task = group.create_task(run())
        try:
            yield
        finally:
            task.cancel()


@asynccontextmanager
async def open_store(server: Server, deadline: float = PATIENCE) -> AsyncIterator[OvsdbStore[State]]:
    """A store that follows `server` and has seen its state."""
    store = OvsdbStore(str(server.socket), LOCAL, deadline=deadline)
    async with following(store):
        await store.wait_ready(PATIENCE)
        yield store


async def until(condition: Callable[[], Any], watch: Callable[[Callable[[], None]], None]) -> None:
    """Returns once `condition` holds; looks again at every call of what `watch` was given."""
    changed = asyncio.Event()
    watch(changed.set)
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await changed.wait()
            changed.clear()
