"""The plugin socket with everything behind it but the switch, and a client that speaks as the engine does."""

import asyncio
import json
import socket
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ovsnet.control.addresses import Addresses
from ovsnet.control.commit import Committer
from ovsnet.control.endpoints import Endpoints
from ovsnet.control.networks import Networks
from ovsnet.control.publishing import Publishing
from ovsnet.docker.calls import Calls
from ovsnet.docker.ipam_driver import IpamDriver
from ovsnet.docker.network_driver import NetworkDriver
from ovsnet.docker.server import PluginServer
from ovsnet.linux.hostports import HostPorts
from ovsnet.model.host import SwitchFacts
from ovsnet.model.ids import IpNetwork
from ovsnet.model.state import State
from ovsnet.settings import Settings
from ovsnet.store.local import LOCAL
from ovsnet.store.memory import MemoryStore

PATIENCE = 20.0
"""Seconds any answer may take; generous, since the machine may be busy."""


class ObedientHost:
    """A switch that does at once what is wanted of it."""

    async def settled(self, revision: int, resources: Sequence[str], deadline: float) -> None:
        """Nothing to wait for."""

    def reachable(self) -> bool:
        return True


@dataclass
class Reply:
    """What came back: the status and the object in the body; `closed` when there was no answer at all."""

    status: int = 0
    body: dict[str, Any] = field(default_factory=dict)
    headers: str = ""
    closed: bool = False

    @property
    def refusal(self) -> str:
        """The text the user reads, "" when the call succeeded."""
        assert self.body.get("Err") == self.body.get("Error")
        return str(self.body.get("Err") or "")


@dataclass
class Door:
    """The listening socket, the state behind it, and the engine's way of calling."""

    path: Path
    listener: socket.socket
    store: MemoryStore[State]
    calls: Calls
    settings: Settings

    @property
    def state(self) -> State:
        return self.store.snapshot()

    async def serve(self, calls: Calls | None = None) -> PluginServer:
        """A server on a copy of the listening socket, as a new agent process would have it."""
        server = PluginServer(calls or self.calls, self.settings)
        await server.start(self.listener.dup())
        return server

    async def call(self, method: str, message: object = None, *, host: str = "plugin.moby") -> Reply:
        """One call as an engine makes it: no Content-Type; None is a call without a body."""
        return await self.send(method, b"" if message is None else json.dumps(message).encode(), host=host)

    async def send(self, method: str, body: bytes, *, host: str = "plugin.moby") -> Reply:
        """A call with any body."""
        head = (
            f"POST /{method} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: Go-http-client/1.1\r\n"
            f"Content-Length: {len(body)}\r\nAccept: application/vnd.docker.plugins.v1.2+json\r\n\r\n"
        )
        return await self.raw(head.encode() + body)

    async def done(self, method: str, message: object = None) -> dict[str, Any]:
        """The answer to a call that must succeed."""
        reply = await self.call(method, message)
        assert (reply.status, reply.refusal) == (200, ""), (method, reply)
        return reply.body

    async def raw(self, sent: bytes, *, then_close: bool = False) -> Reply:
        """Whatever bytes; reads until the other side closes, or closes first."""
        async with asyncio.timeout(PATIENCE):
            reader, writer = await asyncio.open_unix_connection(str(self.path))
            try:
                writer.write(sent)
                await writer.drain()
                return Reply(closed=True) if then_close else parsed(await reader.read())
            except ConnectionError:
                return Reply(closed=True)
            finally:
                writer.close()


def parsed(answer: bytes) -> Reply:
    """The first answer on a connection."""
    head, separator, body = answer.partition(b"\r\n\r\n")
    if not separator:
        return Reply(closed=True)
    headers = head.decode()
    status = int(headers.split(" ", 2)[1])
    is_json = "json" in headers
    return Reply(status=status, body=json.loads(body) if is_json else {}, headers=headers)


async def _no_host_networks() -> Sequence[IpNetwork]:
    return []


@asynccontextmanager
async def door(settings: Settings | None = None) -> AsyncIterator[Door]:
    """The socket and the drivers, not served yet."""
    settings = settings or Settings()
    store = MemoryStore(LOCAL)
    committer = Committer(store)
    endpoints = Endpoints(
        committer,
        ObedientHost(),
        clock=time.time,
        new_prefix=lambda: "0a:1b:2c",
        deadline=settings.attach_deadline,
    )
    networks = Networks(committer, SwitchFacts, time.time)
    addresses = Addresses(committer, time.time, _no_host_networks, settings)
    ports = Publishing(committer, ObedientHost(), HostPorts(), deadline=settings.attach_deadline)
    calls = {**NetworkDriver(networks, endpoints, ports).calls, **IpamDriver(addresses).calls}
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as listener:
        path = Path(folder) / "ovsnet.sock"
        listener.bind(str(path))
        listener.listen(1024)
        yield Door(path, listener, store, calls, settings)


@asynccontextmanager
async def open_door(settings: Settings | None = None) -> AsyncIterator[Door]:
    """The socket, served."""
    async with door(settings) as it:
        server = await it.serve()
        try:
            yield it
        finally:
            await server.stop()
