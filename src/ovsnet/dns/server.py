"""Serves names on sockets that somebody else opened: UDP and TCP (RFC 1035 4.2, RFC 7766).

    packet ─► read ─► the zone knows ─────────────────► reply, at once
                 └──► it does not ─► upstream, waiting ─► reply

Whatever arrives is dealt with in one go, unless others have to be asked: those questions wait in tasks, of which there
are only so many, and only so many for one who asks. What is beyond that is refused at once, so that the asker's
resolver goes on to its next server instead of waiting for us.
"""

import asyncio
import contextlib
import socket
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Protocol, cast

import structlog
from dns.message import Message

from ovsnet.dns import replies
from ovsnet.dns.replies import Responder
from ovsnet.model.errors import Unavailable
from ovsnet.model.ids import IpAddress

MAX_WAITING = 512
MAX_WAITING_OF_ONE = 64
"""Questions that wait for other servers: together, and of one address."""
MAX_CONNECTIONS = 128
MAX_CONNECTIONS_OF_ONE = 8
IDLE = 10.0
"""Seconds a connection may be silent."""

log = structlog.get_logger("dns")


class Resolver(Protocol):
    """Who is asked for what is not ours."""

    async def ask(self, query: Message) -> Message:
        """The answer; Unavailable when there is none."""


@dataclass(frozen=True, slots=True)
class Open:
    """A question that others have to be asked, and how many bytes the reply may have."""

    query: Message
    source: IpAddress
    size: int


class Server:
    """Answers on one pair of sockets."""

    def __init__(self, responder: Responder, upstream: Resolver) -> None:
        self._responder = responder
        self._upstream = upstream
        self._waiting: Counter[IpAddress] = Counter()
        self._connections: Counter[IpAddress] = Counter()

    async def serve(self, datagrams: socket.socket, streams: socket.socket) -> None:
        """Until cancelled. The sockets are bound, `streams` listens; both are closed at the end."""
        loop = asyncio.get_running_loop()
        async with asyncio.TaskGroup() as tasks, contextlib.AsyncExitStack() as stack:
            door, _ = await loop.create_datagram_endpoint(lambda: _Datagrams(self, tasks), sock=datagrams)
            stack.callback(door.close)
            listening = await asyncio.start_server(lambda *it: self._connected(tasks, *it), sock=streams)
            stack.callback(listening.close)
            await asyncio.Event().wait()

    # ------------------------------------------------------------ one question

    def begin(self, packet: bytes, source: IpAddress, *, stream: bool) -> bytes | Open | None:
        """The reply; what others have to be asked; None for what deserves none."""
        try:
            return self._begin(packet, source, stream=stream)
        except Exception:
            # The last resort of a door: one odd question must not end the service for everybody.
            log.exception("a question failed by an error of ours", source=str(source))
            return None

    def _begin(self, packet: bytes, source: IpAddress, *, stream: bool) -> bytes | Open | None:
        query = replies.read(packet)
        if query is None:
            return replies.format_error(packet)
        if not replies.is_question(query):
            return None
        asker = self._responder.asker(source)
        size = replies.STREAM_SIZE if stream else replies.datagram_size(query, asker)
        reply = self._responder.reply(query, asker)
        if reply is not None:
            return replies.packed(reply, size)
        if self._waiting.total() >= MAX_WAITING or self._waiting[source] >= MAX_WAITING_OF_ONE:
            return replies.packed(replies.failure(query), size)
        return Open(query, source, size)

    async def finish(self, question: Open) -> bytes:
        """The reply that others give."""
        with _counted(self._waiting, question.source):
            try:
                reply = await self._upstream.ask(question.query)
                return replies.packed(reply, question.size)
            except Unavailable:
                pass
            except Exception:
                log.exception("a question failed by an error of ours", source=str(question.source))
        return replies.packed(replies.failure(question.query), question.size)

    # ------------------------------------------------------------ connections

    def _connected(self, tasks: asyncio.TaskGroup, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = writer.get_extra_info("peername")
        source = ip_address(peer[0]) if peer else None
        crowded = self._connections.total() >= MAX_CONNECTIONS
        if source is None or crowded or self._connections[source] >= MAX_CONNECTIONS_OF_ONE:
            writer.transport.abort()
            return
        tasks.create_task(self._converse(reader, writer, source))

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, source: IpAddress) -> None:
        """Question by question, until the other side closes, falls silent, or sends what is no question."""
        with _counted(self._connections, source):
            try:
                while await self._exchange(reader, writer, source):
                    pass
            except (OSError, EOFError, TimeoutError):
                pass
            finally:
                writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, source: IpAddress) -> bool:
        async with asyncio.timeout(IDLE):
            length = int.from_bytes(await reader.readexactly(2))
            packet = await reader.readexactly(length)
        reply = self.begin(packet, source, stream=True)
        octets = await self.finish(reply) if isinstance(reply, Open) else reply
        if octets is None:
            return False
        async with asyncio.timeout(IDLE):
            writer.write(len(octets).to_bytes(2) + octets)
            await writer.drain()
        return True


class _Datagrams(asyncio.DatagramProtocol):
    """The UDP door."""

    def __init__(self, server: Server, tasks: asyncio.TaskGroup) -> None:
        self._server = server
        self._tasks = tasks
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Not to be asked for: before Python 3.12 the transport does not say that it is one.
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        reply = self._server.begin(data, ip_address(addr[0]), stream=False)
        if isinstance(reply, bytes):
            self._send(reply, addr)
        elif reply is not None:
            self._tasks.create_task(self._send_later(reply, addr))

    async def _send_later(self, question: Open, addr: tuple[str, int]) -> None:
        self._send(await self._server.finish(question), addr)

    def _send(self, octets: bytes, addr: tuple[str, int]) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.sendto(octets, addr)


@contextlib.contextmanager
def _counted(counter: Counter[IpAddress], source: IpAddress) -> Iterator[None]:
    counter[source] += 1
    try:
        yield
    finally:
        counter[source] -= 1
        if not counter[source]:
            del counter[source]
