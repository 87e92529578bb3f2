"""One connection's copy of a database: an `ovs.db.idl.Idl` that lives exactly as long as its connection."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import ovs.db.error
import ovs.db.idl
import ovs.jsonrpc

from ovsnet.model.errors import Unavailable
from ovsnet.ovsdb.connection import Connection
from ovsnet.ovsdb.repeats import Repeats
from ovsnet.ovsdb.schema import Wanted, select
from ovsnet.ovsdb.waits import Waits

Condition = Sequence[Sequence[object]]
"""Clauses (RFC 7047 5.1); a row is replicated when one of them holds."""
Only = Mapping[str, Condition]
"""Conditions by table. A table that is not named is replicated whole."""

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
        self._repeats = Repeats()

    def notify(self, event: str, row: Any, updates: Any = None) -> None:
        if event != ovs.db.idl.ROW_DELETE:
            self._repeats.share(row, updates)
        self.touched.setdefault(row._table.name, set()).add(row.uuid)  # noqa: SLF001


class Replica:
    """Connects on the first `run`; `complete` once the server has sent everything that is wanted."""

    def __init__(self, remote: str, schema: Any, wanted: Wanted, only: Only) -> None:
        self._remote = remote
        self._asked: Only | None = only
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

    def narrow(self, only: Only) -> None:
        """Have these rows instead; tables that were named before are named again."""
        self._asked = only

    @property
    def narrowed(self) -> bool:
        """True once the rows are those that were asked for last."""
        return self.complete and self._asked is None and not self._is_asking()

    def _is_asking(self) -> bool:
        # The request's own id says so: the IDL takes late answers of aborted transactions for answers to conditions.
        states = (it.condition_state for it in self.idl.tables.values())
        return self.idl._request_id is not None or any(it.new or it.requested for it in states)  # noqa: SLF001

    def _ask(self) -> None:
        """One question at a time: while another is under way, the IDL would not wait for anything."""
        begins = self.idl.state == self.idl.IDL_S_INITIAL
        if self._asked is None or not (begins or (self.complete and not self._is_asking())):
            return
        for table, condition in self._asked.items():
            if table in self.idl.tables:
                self.idl.cond_change(table, [list(clause) for clause in condition])
        self._asked = None

    def run(self) -> bool:
        """Handle what has arrived, up to 50 messages; True if a row changed. Unavailable is its end."""
        was_complete = self.complete
        try:
            self._ask()
            self.idl.run()
            self._ask()  # what had to wait for an answer that came just now
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
