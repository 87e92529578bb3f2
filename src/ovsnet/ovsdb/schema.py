"""Which tables and columns a replica holds: those wanted, as far as the server's own schema has them.

The schema is always asked of the server, so that one build of ours works with every version of Open vSwitch.
"""

from collections.abc import Collection, Mapping
from typing import Any

import ovs.db.error
import ovs.db.idl

from ovsnet.model.errors import Unavailable
from ovsnet.ovsdb.question import Local, ask, words

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
        reply = await ask(Local(socket_path(remote)), "get_schema", [database])
    except OSError as error:
        raise Unavailable(remote, error.strerror or str(error)) from error
    if not isinstance(reply, dict) or not isinstance(reply.get("result"), dict):
        raise Unavailable(remote, f"there is no database {database} on this server ({words(reply)})")
    return reply["result"]


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
