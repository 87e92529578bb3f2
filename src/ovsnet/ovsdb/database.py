"""One database of one OVSDB server, replicated into this process and driven by asyncio; no thread.

    run():  ask for the schema ──► connect, monitor ──► follow ──► lost ──► pause (at most MAX_PAUSE) ──┐
                ▲                                                                                       │
                └───────────────────────────────────────────────────────────────────────────────────────┘

Every connection gets an `ovs.db.idl.Idl` of its own: a server that was upgraded, converted or that sent
nonsense is met with a fresh schema and a fresh replica. Until that one is complete the old one stays visible.
"""

import asyncio
import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID

import ovs.db.idl
import structlog

from ovsnet.model.errors import ApplyError, Conflict, Stale, Unavailable
from ovsnet.ovsdb.replica import Only, Replica
from ovsnet.ovsdb.rows import Row, Transaction
from ovsnet.ovsdb.schema import Wanted, fetch_schema, socket_path

T = TypeVar("T")

MIN_PAUSE, MAX_PAUSE = 0.05, 0.4
"""Seconds between attempts to reach the server: the first one, and what doubling ends at."""
SILENCE, LONGEST_SILENCE = 10.0, 160.0
"""Seconds a server may send nothing at all before its replica is complete: the first time, and what doubling ends at.
Of a large database a busy server needs a while until the first byte.
"""
DURABLE = {"op": "commit", "durable": True}
"""RFC 7047 5.2.7: the reply comes when the change is on disk. A standalone server never syncs unasked."""
LOST = "connection lost"

log = structlog.get_logger(__name__)


class NotSent(Unavailable):
    """There is no connection: the transaction was not sent, so nothing changed."""


class OutcomeUnknown(Unavailable):
    """The transaction was sent and its answer never came: it may be in force or not.

    `lost`: the connection broke, so that after the next `wait_ready` the replica tells. Otherwise the server
    is slow, and the change may still come.
    """

    def __init__(self, neighbour: str, reason: str, *, lost: bool, remedy: str = "") -> None:
        super().__init__(neighbour, reason, remedy=remedy)
        self.lost = lost


@dataclass(frozen=True, slots=True)
class Touched:
    """Which rows changed; with `reloaded` all rows of the replica are new objects and none is named."""

    reloaded: bool
    rows: Mapping[str, frozenset[UUID]]


class Database:
    """A replica of the wanted tables, and transactions on them. Use it from one event loop only.

    `remote` is "unix:PATH"; `wanted` names columns by table, of which those the server does not know are left
    out; `title` is what messages call this database, `remedy` what they say to do when it does not answer;
    `durable` makes every commit wait for the disk.
    """

    def __init__(
        self, remote: str, name: str, wanted: Wanted, *, title: str, remedy: str = "", durable: bool = False
    ) -> None:
        socket_path(remote)
        self.title = title
        self.remedy = remedy
        self._remote = remote
        self._name = name
        self._wanted = wanted
        self._durable = durable
        self._live: Replica | None = None
        self._shown: Replica | None = None
        self._ready = asyncio.Event()
        self._wake = asyncio.Event()
        self._pending: dict[Transaction, asyncio.Future[str]] = {}
        self._watchers: list[Callable[[], None]] = []
        self._row_watchers: list[Callable[[Touched], None]] = []
        self._only: Only = {}
        self._narrowed = False
        self._reason = f"no answer from {remote} yet"
        self._complained = False
        self._silence = SILENCE

    # ------------------------------------------------------------ reading

    @property
    def connected(self) -> bool:
        """True while there is a connection to the server, whether or not the replica is complete."""
        return self._live is not None and self._live.connected

    @property
    def ready(self) -> bool:
        """True while the replica is complete and follows the server."""
        return self._ready.is_set()

    @property
    def reason(self) -> str:
        """Why it is not ready, for people; "" while it is."""
        return "" if self.ready else self._reason

    def rows(self, table: str) -> Collection[Row]:
        """The rows of a table as last known; none before the first replica or when the server lacks it."""
        known = self._shown.tables.get(table) if self._shown else None
        return known.rows.values() if known else ()

    def row(self, table: str, uuid: UUID) -> Row | None:
        """One row as last known."""
        known = self._shown.tables.get(table) if self._shown else None
        return known.rows.get(uuid) if known else None

    def has_column(self, table: str, column: str) -> bool:
        """Whether this server's schema has a wanted column; False before the first replica."""
        known = self._shown.tables.get(table) if self._shown else None
        return known is not None and column in known.columns

    def watch(self, changed: Callable[[], None]) -> None:
        """Call `changed` after every change of the replica, and when the server comes or goes."""
        self._watchers.append(changed)

    def watch_rows(self, changed: Callable[[Touched], None]) -> None:
        """Call `changed` with the rows of every change of the replica, before anybody else hears of it."""
        self._row_watchers.append(changed)

    async def wait_ready(self, deadline: float) -> None:
        """Returns once `ready`; Unavailable with the reason after `deadline` seconds."""
        try:
            async with asyncio.timeout(deadline):
                await self._ready.wait()
        except TimeoutError:
            raise Unavailable(self.title, self._reason, remedy=self.remedy) from None

    def tell(self) -> None:
        """Call the watchers although nothing has changed here."""
        self._tell(None)

    # ------------------------------------------------------------ narrowing

    def narrow(self, only: Only) -> None:
        """Replicate only these rows from now on. Rows come and go like those that were made and deleted."""
        if only == self._only:
            return
        self._only, self._narrowed = only, False
        if self._live is not None:
            self._live.narrow(only)
            self._wake.set()

    @property
    def narrowed(self) -> bool:
        """True while the replica follows the server and holds every row that was asked for last; watchers are told."""
        return self.ready and self._narrowed

    # ------------------------------------------------------------ writing

    async def transact(self, build: Callable[[Transaction], T], deadline: float) -> T:
        """Commit what `build` writes; return its result once the server agreed and the replica shows it.

        `build` runs at once and must not wait; an exception from it abandons the transaction. Any number of
        transactions may be under way. Stale: a verified row changed, or a row of that UUID exists. Conflict:
        a constraint of the schema forbids it. ApplyError: refused for another reason. NotSent: not ready.
        OutcomeUnknown: no answer within `deadline` seconds, or the connection broke.
        """
        if not self.ready or self._live is None:
            raise NotSent(self.title, self._reason, remedy=self.remedy)
        transaction = ovs.db.idl.Transaction(self._live.idl)
        try:
            result = build(transaction)
            if self._durable:
                transaction.add_op(DURABLE)
            status = transaction.commit()
        except BaseException:
            # Whatever it was: while this transaction is open, the IDL takes no other and does not run.
            transaction.abort()
            raise
        if status == transaction.TRY_AGAIN:
            self._lose(f"{self._remote}: the connection was closed")
            raise NotSent(self.title, self._reason, remedy=self.remedy)
        if status == transaction.INCOMPLETE:
            status = await self._outcome(transaction, deadline)
        self._judge(transaction, status)
        return result

    async def _outcome(self, transaction: Transaction, deadline: float) -> str:
        future = asyncio.get_running_loop().create_future()
        self._pending[transaction] = future
        # What did not fit into the socket needs a new round of waiting.
        self._wake.set()
        try:
            async with asyncio.timeout(deadline):
                return str(await future)
        except TimeoutError:
            transaction.abort()
            reason = f"no answer to a change within {deadline:.3g} s"
            raise OutcomeUnknown(self.title, reason, lost=False, remedy=self.remedy) from None
        finally:
            del self._pending[transaction]

    def _judge(self, transaction: Transaction, status: str) -> None:
        if status in (transaction.SUCCESS, transaction.UNCHANGED):
            return
        if status == LOST:
            reason = "the connection broke while a change was under way"
            raise OutcomeUnknown(self.title, reason, lost=True, remedy=self.remedy)
        if status == transaction.TRY_AGAIN:
            raise Stale(f"{self.title}: the same thing was changed by somebody else first; try again")
        kind, words = _refusal(transaction.get_error())
        if kind == "duplicate uuid":
            raise Stale(f"{self.title}: the same thing was made by somebody else first; try again")
        if kind in ("constraint violation", "referential integrity violation"):
            raise Conflict(f"{self.title}: {kind}: {words}")
        raise ApplyError(self.title, f"{kind}: {words}" if words else kind)

    # ------------------------------------------------------------ following the server

    async def run(self) -> None:
        """Follow the server until cancelled; come back to a server that went away."""
        pause = MIN_PAUSE
        try:
            while True:
                was_ready = await self._one_connection()
                pause = MIN_PAUSE if was_ready else min(MAX_PAUSE, pause * 2)
                if was_ready or pause == MAX_PAUSE:
                    # A server that starts together with us is not worth a warning.
                    self._complain()
                await asyncio.sleep(pause)
        finally:
            self._lose("it is no longer followed")

    async def _one_connection(self) -> bool:
        """One connection from its beginning to its end; True if its replica was ever complete."""
        try:
            async with asyncio.timeout(self._silence) as patience:
                schema = await fetch_schema(self._remote, self._name)
                self._live = live = Replica(self._remote, schema, self._wanted, self._only)
                await self._completed(live, schema, patience)
                while True:
                    self._advance(live)
                    await live.waits().over(self._wake)
        except TimeoutError:
            self._silence = min(LONGEST_SILENCE, 2 * self._silence)
            return self._missed(f"{self._remote} accepts connections but does not answer")
        except Unavailable as error:
            return self._missed(f"{error.neighbour}: {error.reason}")

    async def _completed(self, live: Replica, schema: Any, patience: asyncio.Timeout) -> None:
        """Returns when all rows are here. Unavailable when the database has another schema than was asked for: between
        that answer and the monitor nobody would have told, and its new columns would never be seen.
        """
        live.run()
        while not live.complete:
            patience.reschedule(live.heard_at + self._silence)
            await live.waits().over(self._wake)
            live.run()
        if await fetch_schema(self._remote, self._name) != schema:
            raise Unavailable(self._remote, "the database was converted meanwhile")
        patience.reschedule(None)

    def _missed(self, reason: str) -> bool:
        was_ready = self.ready
        self._lose(reason)
        return was_ready

    def _complain(self) -> None:
        if not self._complained:
            log.warning("database not available", database=self.title, reason=self._reason)
        self._complained = True

    def _advance(self, live: Replica) -> None:
        changed = live.run()
        before, self._narrowed = self._narrowed, live.narrowed
        if live.complete and not self.ready:
            self._shown = live
            self._ready.set()
            self._complained, self._silence = False, SILENCE
            log.info("database replicated", database=self.title, remote=self._remote)
            live.take_touched()
            self._tell(Touched(reloaded=True, rows={}))
        elif self.ready and (changed or self._narrowed is not before):
            self._tell(Touched(reloaded=False, rows=live.take_touched()))
        self._settle()

    def _tell(self, touched: Touched | None) -> None:
        if touched is not None:
            for row_watcher in self._row_watchers:
                row_watcher(touched)
        for watcher in self._watchers:
            watcher()

    def _settle(self) -> None:
        """Hand out the answers that have arrived."""
        for transaction, future in self._pending.items():
            status = transaction.commit()
            if status != transaction.INCOMPLETE and not future.done():
                future.set_result(status)

    def _lose(self, reason: str) -> None:
        """The connection is gone and so are the answers under way. Wakes `run`, which finds it closed."""
        self._wake.set()
        was_ready, self._reason = self.ready, reason
        self._ready.clear()
        if self._live is not None:
            self._live.close()
            self._live = None
        for future in self._pending.values():
            if not future.done():
                future.set_result(LOST)
        if was_ready:
            self._tell(None)


def _refusal(text: str) -> tuple[str, str]:
    """The kind of an error the server returned (RFC 7047 3.1) and its words."""
    try:
        error = json.loads(text)
    except ValueError:
        return text, ""
    return (str(error.get("error")), str(error.get("details", ""))) if isinstance(error, dict) else (text, "")
