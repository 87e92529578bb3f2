"""The desired state in an OVSDB database of our own. Every commit is on disk before it returns."""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Generic, TypeVar
from uuid import UUID

import structlog

from ovsnet.model.errors import ApplyError, BadRequest, Conflict, OvsnetError, Stale, Unavailable
from ovsnet.ovsdb.database import Database, NotSent, OutcomeUnknown, Touched
from ovsnet.ovsdb.replica import Only
from ovsnet.ovsdb.rows import Transaction, assign, insert, verify
from ovsnet.store.changes import check, fold, part
from ovsnet.store.interface import Change, Value
from ovsnet.store.older import default
from ovsnet.store.reading import Reading
from ovsnet.store.schema import columns
from ovsnet.store.vocabulary import Columns, Edits, Kind, Vocabulary
from ovsnet.store.witness import Witness

S = TypeVar("S")

log = structlog.get_logger("store")


class OvsdbStore(Generic[S]):
    """A Store (see `interface`) on an ovsdb-server that serves the vocabulary's schema at the Unix socket `socket`.

    Nothing happens unless `run` runs. `deadline`: seconds a commit may take, waiting for the server included.
    `durable`: ask the server to sync each commit, as one without a cluster does not do it by itself. `title` is
    what messages call it, `remedy` what they say to do when it does not answer. `last_seen`: the snapshot before the
    first contact.
    """

    def __init__(
        self,
        socket: str,
        vocabulary: Vocabulary[S],
        *,
        deadline: float,
        durable: bool = True,
        title: str = "the store",
        remedy: str = "",
        last_seen: S | None = None,
    ) -> None:
        self._deadline = deadline
        self._vocabulary = vocabulary
        wanted = columns(vocabulary)
        self._database = Database(
            f"unix:{socket}", vocabulary.database, wanted, title=title, remedy=remedy, durable=durable
        )
        self._reading = Reading(self._database, vocabulary, last_seen)
        self._told_of: set[tuple[str, str]] = set()
        self._witness: Witness | None = None
        self._lost = asyncio.Event()
        self._whole = asyncio.Event()
        self._whole.set()
        self._database.watch_rows(self._absorb)

    def gives_back(self, witness: Witness) -> None:
        """Before `run`: a server that comes back without a single row, as its file was lost, is given all that was
        known. Until it has it the snapshot stays. `witness` stands from the first snapshot on.
        """
        self._witness = witness

    async def run(self) -> None:
        """Follow the server until cancelled."""
        if self._witness is None:
            await self._database.run()
            return
        async with asyncio.TaskGroup() as group:
            group.create_task(self._give_back())
            group.create_task(self._database.run())

    async def wait_ready(self, deadline: float) -> None:
        """Returns once the snapshot is the server's; Unavailable after `deadline` seconds."""
        end = asyncio.get_running_loop().time() + deadline
        await self._database.wait_ready(deadline)
        try:
            async with asyncio.timeout(_left(end)):
                await self._whole.wait()
        except TimeoutError:
            raise Unavailable(self._database.title, self.reason, remedy=self._database.remedy) from None

    def narrow(self, only: Only) -> None:
        """Keep only these rows of these tables in the snapshot from now on."""
        self._database.narrow(only)

    @property
    def narrowed(self) -> bool:
        """True while the snapshot follows the server and has every row that was asked for last; watchers are told."""
        return self._database.narrowed

    def row_of(self, kind: Kind, key: Any) -> UUID:
        """The row that holds a value, or is to hold it."""
        return self._reading.row_of(kind, key)

    def snapshot(self) -> S:
        """The state as last known; before the first contact what was last seen, or an empty one."""
        return self._reading.state

    def watch(self, changed: Callable[[], None]) -> None:
        """Call `changed` after every change of the state, and when the server comes or goes."""
        self._database.watch(changed)

    @property
    def available(self) -> bool:
        """True while the server answers and the snapshot follows it."""
        return self._database.ready and self._whole.is_set()

    @property
    def reason(self) -> str:
        """Why it is not available, for people; "" while it is."""
        return self._database.reason or ("" if self._whole.is_set() else "its file was lost, and it is given all back")

    async def commit(self, base: S, changes: Sequence[Change]) -> S:
        """Apply all changes or none, durably; errors as in `Store.commit`.

        If the server goes down while it has them, this waits for it and looks what became of them.
        """
        edits = fold(changes)
        end = asyncio.get_running_loop().time() + self._deadline
        while True:
            await self.wait_ready(_left(end))
            check(self._vocabulary, base, self._reading.state, edits)
            self._check_faults(edits)
            try:
                await self._send(base, edits, _left(end))
            except NotSent:
                # The server went down just now, and may be coming back.
                continue
            except OutcomeUnknown as error:
                if not error.lost:
                    raise
                await self._find_out(edits, _left(end))
            self._remember(edits)
            return self._reading.state

    async def _send(self, base: S, edits: Edits, deadline: float) -> None:
        try:
            await self._database.transact(lambda it: self._write(it, base, edits), deadline)
        except Stale:
            raise
        except Conflict as error:
            if self._reading.has_faults:
                # Trying again would meet the same row, which nobody sees.
                raise Conflict(f"{error} A row that cannot be read may be in the way: docs/store.md") from error
            # The rules held on what this process knew, so a commit it had not heard of must have broken them.
            raise Stale(f"somebody else was faster: {error}") from error
        except ApplyError as error:
            raise Unavailable(self._database.title, f"it refused a change: {error.reason}") from error

    def _absorb(self, touched: Touched) -> None:
        if touched.reloaded and self._witness is not None:
            self._witness.stand()
            if self._known() and not any(self._database.rows(it.table) for it in self._vocabulary.shapes.values()):
                self._whole.clear()
                self._lost.set()
                return
            self._whole.set()
        self._reading.absorb(touched)

    def _known(self) -> Edits:
        """All there is, as edits of an empty state."""
        state, empty = self._reading.state, self._vocabulary.empty()
        parts = {kind: part(self._vocabulary, state, kind) for kind in self._vocabulary.shapes}
        return {
            kind: dict(values)
            for kind, values in parts.items()
            if values and values != part(self._vocabulary, empty, kind)
        }

    async def _give_back(self) -> None:
        """All or nothing, as one change; what is refused is left to people, and the snapshot stays as it is."""
        while True:
            await self._lost.wait()
            self._lost.clear()
            edits = self._known()
            try:
                await self._database.transact(partial(self._write_all, edits=edits), self._deadline)
            except NotSent:
                continue  # it went away again: its next coming is looked at anew
            except OutcomeUnknown as error:
                if not error.lost:
                    self._lost.set()
                continue
            except OvsnetError as error:
                log.warning("a store that lost its file does not take back what it held", reason=str(error))
                continue
            log.warning("the store had lost its file and was given back all", rows=sum(map(len, edits.values())))
            self._whole.set()
            self._database.tell()

    def _write_all(self, transaction: Transaction, edits: Edits) -> None:
        self._write(transaction, self._vocabulary.empty(), edits)

    async def _find_out(self, edits: Edits, deadline: float) -> None:
        """After a lost answer: returns if the edits are in force, raises Stale if they are not."""
        await self.wait_ready(deadline)
        for kind, wanted in edits.items():
            values = part(self._vocabulary, self._reading.state, kind)
            if any(values.get(key) != value for key, value in wanted.items()):
                raise Stale("the store was restarted before it took the change; try again")

    def _check_faults(self, edits: Edits) -> None:
        for kind, wanted in edits.items():
            for key in wanted:
                table, uuid = self._vocabulary.shapes[kind].table, self._reading.row_of(kind, key)
                fault = self._reading.fault(kind, uuid)
                if fault is not None:
                    raise Conflict(
                        f"row {uuid} of the table {table} is in the way and cannot be read ({fault}); "
                        f"correct or delete it with ovsdb-client (docs/store.md)"
                    )

    def _write(self, transaction: Transaction, base: S, edits: Edits) -> None:
        for kind, wanted in edits.items():
            before = part(self._vocabulary, base, kind)
            for key, value in wanted.items():
                self._write_one(transaction, kind, key, before.get(key), value)

    def _write_one(self, transaction: Transaction, kind: Kind, key: Any, old: Value | None, new: Value | None) -> None:
        shape, uuid = self._vocabulary.shapes[kind], self._reading.row_of(kind, key)
        row = self._database.row(shape.table, uuid)
        if row is not None:
            verify(row)
        if new is None:
            if row is not None:
                row.delete()
            return
        columns = self._writable(kind, shape.encode(new, self._reading.row_of))
        try:
            if row is None:
                insert(transaction, shape.table, columns, uuid)
            else:
                assign(row, _differing(columns, shape.encode(old, self._reading.row_of) if old else None))
        except ValueError as error:
            raise BadRequest(f"{kind.__name__.lower()} cannot be stored: {error}") from error

    # ------------------------------------------------------------ a server that is older than we are

    def has_all_columns(self, kind: Kind) -> bool:
        """False while the server's schema is older, as members run an older version, and lacks some of this kind."""
        return not self._reading.absent(kind)

    def _writable(self, kind: Kind, columns: Columns) -> Columns:
        """Without the columns that the server lacks; Unavailable when it lacks the whole table, or what is vital."""
        absent, table = self._reading.absent(kind), self._vocabulary.shapes[kind].table
        if not columns.keys() - absent:
            reason = f"it has no table {table} yet; it gets one {self._vocabulary.upgraded}"
            raise Unavailable(self._database.title, reason)
        for column in sorted(self._vocabulary.shapes[kind].vital.intersection(absent)):
            if columns[column] != default(self._vocabulary, table, column):
                reason = f"it has no column {column} in {table} yet; it gets one {self._vocabulary.upgraded}"
                raise Unavailable(self._database.title, reason)
        for column in sorted(absent):
            if (table, column) not in self._told_of:
                self._told_of.add((table, column))
                log.info("not written: the database has no such column yet", table=table, column=column)
        return {name: it for name, it in columns.items() if name not in absent}

    def _remember(self, edits: Edits) -> None:
        """What was left out is shown to this process as if it were there."""
        for kind, wanted in edits.items():
            absent = self._reading.absent(kind)
            for key, value in wanted.items() if absent else ():
                if value is not None:
                    columns = self._vocabulary.shapes[kind].encode(value, self._reading.row_of)
                    unwritten = {name: it for name, it in columns.items() if name in absent}
                    self._reading.remember(kind, self._reading.row_of(kind, key), unwritten)


def _differing(columns: Columns, before: Columns | None) -> Columns:
    return {name: it for name, it in columns.items() if before is None or before[name] != it}


def _left(end: float) -> float:
    """Seconds until `end` of the loop's clock, never negative."""
    return max(0.0, end - asyncio.get_running_loop().time())
