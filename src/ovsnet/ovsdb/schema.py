"""Which tables and columns a replica holds: those wanted, as far as the server's own schema has them.

The schema is always asked of the server, so that one build of ours works with every version of Open vSwitch.
"""

import asyncio
from collections.abc import Collection, Mapping
from typing import Any

import msgspec
import ovs.db.error
import ovs.db.idl

from ovsnet.model.errors import Unavailable

MAX_REPLY = 16 << 20
"""Bytes after which a reply cannot be a schema; that of Open vSwitch 3.1 has about 40 000."""

Wanted = Mapping[str, Collection[str]]
"""Columns by table."""


def socket_path(remote: str) -> str:
    """The path in "unix:PATH", the only kind of remote we speak to."""
    kind, _, path = remote.partition(":")
    if kind != "unix" or not path:
        raise ValueError(f"remote {remote!r} is not a Unix socket; write it like unix:/run/db.sock")
    return path


async def fetch_schema(remote: str, database: str) -> Any:
    """The schema (RFC 7047 3.2) of `database` as its server tells it; Unavailable says why it does not."""
    try:
        reply = await _ask(socket_path(remote), {"id": 0, "method": "get_schema", "params": [database]})
    except OSError as error:
        raise Unavailable(remote, error.strerror or str(error)) from error
    if not isinstance(reply, dict) or not isinstance(reply.get("result"), dict):
        raise Unavailable(remote, f"there is no database {database} on this server ({_words(reply)})")
    return reply["result"]


async def _ask(path: str, request: Mapping[str, object]) -> Any:
    reader, writer = await asyncio.open_unix_connection(path)
    try:
        writer.write(msgspec.json.encode(request))
        return await _read(reader)
    finally:
        writer.close()


async def _read(reader: asyncio.StreamReader) -> Any:
    """One JSON value. Tried at every pause of the server: it sends one reply and then waits for us."""
    text = b""
    while chunk := await reader.read(1 << 16):
        text += chunk
        try:
            return msgspec.json.decode(text)
        except (msgspec.DecodeError, UnicodeDecodeError):
            if len(text) > MAX_REPLY or text[:1] != b"{":
                break
    raise OSError(0, "it does not speak the OVSDB protocol")


def _words(reply: Any) -> str:
    error = reply.get("error") if isinstance(reply, dict) else reply
    return str(error.get("details", error) if isinstance(error, dict) else error)


def select(schema: Any, wanted: Wanted) -> Any:
    """A SchemaHelper with the wanted columns that exist; ValueError when `schema` is none."""
    try:
        known = {name: table["columns"].keys() for name, table in schema["tables"].items()}
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"the server's schema is not one (RFC 7047 3.2): {error}") from error
    helper = ovs.db.idl.SchemaHelper(schema_json=schema)
    for table, columns in wanted.items():
        present = sorted(known.get(table, frozenset()) & set(columns))
        if present:
            helper.register_columns(table, present)
    return helper
