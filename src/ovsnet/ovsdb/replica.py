"""One connection's copy of a database: an `ovs.db.idl.Idl` that lives exactly as long as its connection."""

import asyncio
from typing import Any
from uuid import UUID

import ovs.db.error
import ovs.db.idl
import ovs.jsonrpc

from ovsnet.model.errors import Unavailable
from ovsnet.ovsdb.connection import Connection
from ovsnet.ovsdb.schema import Wanted, select
from ovsnet.ovsdb.waits import Waits

NONSENSE = (
    ovs.db.error.Error,
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    TypeError,
    ValueError,
)
"""What surfaces from the IDL when a server's message is not what it should be: it hardly checks them."""


class _Idl(ovs.db.idl.Idl):  # type: ignore[misc]
    """Remembers which rows a batch of messages changed."""

    def __init__(self, remote: str, helper: Any) -> None:
        super().__init__(remote, helper, probe_interval=0, leader_only=False)
        self.touched: dict[str, set[UUID]] = {}

    def notify(self, event: str, row: Any, updates: Any = None) -> None:  # noqa: ARG002
        self.touched.setdefault(row._table.name, set()).add(row.uuid)  # noqa: SLF001


class Replica:
    """Connects on the first `run`; `complete` once the server has sent everything that is wanted."""

    def __init__(self, remote: str, schema: Any, wanted: Wanted) -> None:
        self._remote = remote
        try:
            self.idl = _Idl(remote, select(schema, wanted))
        except NONSENSE as error:
            raise Unavailable(remote, f"its schema cannot be read: {error}") from error
        self._session = self.idl._session  # noqa: SLF001
        self._seen = -1
        self._received = 0
        self._clock = asyncio.get_running_loop().time
        self.heard_at = self._clock()
        """When the server last sent something, by the loop's clock."""

    @property
    def tables(self) -> Any:
        """The IDL's tables by name; each has `rows`."""
        return self.idl.tables

    @property
    def connected(self) -> bool:
        """True while the socket is open at both ends, as far as known."""
        return bool(self._session.is_connected())

    @property
    def complete(self) -> bool:
        """True once every wanted row is here."""
        return bool(self.idl.state == self.idl.IDL_S_MONITORING)

    def run(self) -> bool:
        """Handle what has arrived, up to 50 messages; True if a row changed. Unavailable is its end."""
        was_complete = self.complete
        try:
            self.idl.run()
        except NONSENSE as error:
            raise Unavailable(self._remote, f"it sent something that is not OVSDB ({error!r})") from error
        if type(self._session.rpc) is ovs.jsonrpc.Connection:
            # `run` returns right after connecting, before anything is read.
            self._session.rpc = Connection(self._session.rpc)
        elif self._session.rpc and self._session.rpc.get_received_bytes() != self._received:
            self._received = self._session.rpc.get_received_bytes()
            self.heard_at = self._clock()
        # The session would connect again by itself, and the IDL keep its old schema: both are ours to do.
        if self._session.get_seqno() > 1 or not (self._session.rpc or self._session.stream):
            raise Unavailable(self._remote, self._why_closed())
        if was_complete and not self.complete:
            raise Unavailable(self._remote, "the database was replaced or converted")
        changed: bool = self._seen != self.idl.change_seqno
        self._seen = self.idl.change_seqno
        return changed

    def _why_closed(self) -> str:
        """The IDL leaves a server that has lost the others (ovsdb-server(5), `Database.connected`)."""
        known = (self.idl.server_tables or {}).get("Database")
        lost = {it.model for it in known.rows.values() if not it.connected} if known else set()
        if ovs.db.idl.RELAY in lost:
            return "the server of this host reaches no voter"
        if ovs.db.idl.CLUSTERED in lost:
            return "the server of this host reaches no majority of the voters"
        return "the connection was closed"

    def take_touched(self) -> dict[str, frozenset[UUID]]:
        """Rows made, changed or deleted since the last call, by table."""
        touched, self.idl.touched = self.idl.touched, {}
        return {table: frozenset(uuids) for table, uuids in touched.items()}

    def waits(self) -> Waits:
        """What must happen before `run` has something to do again."""
        waits = Waits()
        self.idl.wait(waits)
        return waits

    def close(self) -> None:
        """Drop the connection; the rows stay readable."""
        self.idl.close()
