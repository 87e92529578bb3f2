"""One question and its answer, on a connection of their own: for what is asked rarely and watched by nobody.

ovsdb-server's databases (RFC 7047 4) and the control sockets of all of Open vSwitch (ovs-appctl(8)) both speak
JSON-RPC 1.0.
"""

import asyncio
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import msgspec

from ovsnet.model.errors import ApplyError, Unavailable
from ovsnet.ovsdb.framing import Framing

MAX_REPLY = 256 << 20
"""Bytes after which a reply is not one; of 100 000 endpoints all columns are some 40 million."""
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class HungUp(OSError):
    """The server closed the connection instead of answering."""


class Place(Protocol):
    """Where a server listens."""

    async def connect(self) -> Streams:
        """A new connection; OSError."""


@dataclass(frozen=True, slots=True)
class Local:
    """A Unix socket."""

    path: str | Path

    async def connect(self) -> Streams:
        return await asyncio.open_unix_connection(self.path)

    def __str__(self) -> str:
        return f"unix:{self.path}"


@dataclass(frozen=True, slots=True)
class Remote:
    """A TLS port."""

    address: str
    port: int
    trust: ssl.SSLContext

    async def connect(self) -> Streams:
        return await asyncio.open_connection(self.address, self.port, ssl=self.trust)

    def __str__(self) -> str:
        return f"ssl:{self.address}:{self.port}"


async def ask(place: Place, method: str, parameters: Sequence[object]) -> Any:
    """The whole reply, with `result` and `error`; OSError when there is none. The caller sets the deadline."""
    reader, writer = await place.connect()
    try:
        writer.write(msgspec.json.encode({"id": 0, "method": method, "params": parameters}))
        return await _read(reader)
    finally:
        writer.close()


async def last_word(place: Place, method: str, parameters: Sequence[object]) -> None:
    """Ask for something that ends the server; returns when it has closed the connection. OSError when it is not there.

    The caller sets the deadline.
    """
    reader, writer = await place.connect()
    try:
        writer.write(msgspec.json.encode({"id": 0, "method": method, "params": parameters}))
        while await _some(reader):
            pass
    finally:
        writer.close()


async def result_of(place: Place, method: str, parameters: Sequence[object], *, deadline: float) -> Any:
    """The answer's result; Unavailable when none comes within `deadline` seconds, ApplyError with the server's words.

    Unavailable leaves open whether what was asked for has happened, or will.
    """
    try:
        async with asyncio.timeout(deadline):
            reply = await ask(place, method, parameters)
    except TimeoutError:
        raise Unavailable(str(place), f"no answer to {method} within {deadline:g} s") from None
    except OSError as error:
        raise Unavailable(str(place), error.strerror or str(error)) from error
    if not isinstance(reply, dict):
        raise Unavailable(str(place), "it does not speak JSON-RPC")
    if reply.get("error") == "canceled":  # a relay that lost its source while it waited
        raise Unavailable(str(place), "it lost the server behind it")
    if reply.get("error") is not None:
        raise ApplyError(method, words(reply).strip())
    return reply["result"]


async def transact(
    place: Place, database: str, operations: Sequence[Mapping[str, object]], *, deadline: float
) -> list[Any]:
    """The results of the operations, one each (RFC 7047 5.2); all are done or none.

    ApplyError with the first refusal; Unavailable as in `result_of`.
    """
    results = await result_of(place, "transact", [database, *operations], deadline=deadline)
    refused = next((it for it in results if isinstance(it, dict) and it.get("error")), None)
    if refused is not None:
        raise ApplyError(database, f"{refused['error']}: {refused.get('details', '')}".rstrip(": "))
    return list(results)


def words(reply: Any) -> str:
    """What a reply without a result says, for people."""
    error = reply.get("error") if isinstance(reply, dict) else reply
    return str(error.get("details", error) if isinstance(error, dict) else error)


async def _read(reader: asyncio.StreamReader) -> Any:
    """One JSON object: the server sends one reply and then waits for us."""
    framing, size = Framing(), 0
    try:
        while chunk := await _some(reader):
            size += len(chunk)
            if complete := framing.feed(chunk):
                return msgspec.json.decode(complete[0])
            if size > MAX_REPLY:
                break
    except (ValueError, msgspec.DecodeError):
        size = -1
    if not size:
        raise HungUp(0, "it closed the connection")
    raise OSError(0, "it does not speak the OVSDB protocol")


async def _some(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.read(1 << 16)
    except (ConnectionResetError, BrokenPipeError):
        return b""
