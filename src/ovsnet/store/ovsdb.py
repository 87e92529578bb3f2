"""The desired state in an OVSDB database of our own. Every commit is on disk before it returns."""

import asyncio
import json
from collections.abc import Callable, Sequence
from typing import Any

from ovsnet.model.errors import ApplyError, BadRequest, Conflict, Stale, Unavailable
from ovsnet.model.state import Counters, State
from ovsnet.ovsdb.database import Database, OutcomeUnknown, Touched
from ovsnet.ovsdb.rows import Transaction, assign, insert, verify
from ovsnet.store.changes import Edits, Kind, check, fold, part
from ovsnet.store.codec import SHAPES
from ovsnet.store.interface import Change, Value
from ovsnet.store.reading import Reading
from ovsnet.store.schema import DATABASE, columns


class OvsdbStore:
    """A Store (see `interface`) on an ovsdb-server that serves our schema at the Unix socket `socket`.

    Nothing happens unless `run` runs. `deadline`: seconds a commit may take, waiting for the server included.
    """

    def __init__(self, socket: str, *, deadline: float) -> None:
        self._deadline = deadline
        self._database = Database(f"unix:{socket}", DATABASE, columns(), title="the store", durable=True)
        self._reading = Reading(self._database)
        self._database.watch_rows(self._absorb)

    async def run(self) -> None:
        """Follow the server until cancelled."""
        await self._database.run()

    async def wait_ready(self, deadline: float) -> None:
        """Returns once the snapshot is what the server holds; Unavailable with the reason after `deadline` seconds."""
        await self._database.wait_ready(deadline)

    def snapshot(self) -> State:
        """The state as last known; empty before the first contact."""
        return self._reading.state

    def watch(self, changed: Callable[[], None]) -> None:
        """Call `changed` after every change of the state, and when the server comes or goes."""
        self._database.watch(changed)

    @property
    def available(self) -> bool:
        """True while the server answers and the snapshot follows it."""
        return self._database.ready

    @property
    def reason(self) -> str:
        """Why it is not available, for people; "" while it is."""
        return self._database.reason

    async def commit(self, base: State, changes: Sequence[Change]) -> State:
        """Apply all changes or none, durably; errors as in `Store.commit`.

        When the server goes down while it has the changes, this waits for it to come back and looks what became of them.
        """
        edits = fold(changes)
        end = asyncio.get_running_loop().time() + self._deadline
        await self._database.wait_ready(self._deadline)
        check(base, self._reading.state, edits)
        try:
            await self._database.transact(lambda it: self._write(it, base, edits), _left(end))
        except OutcomeUnknown:
            await self._find_out(edits, _left(end))
        except Stale:
            raise
        except Conflict as error:
            # The rules held on what this process knew, so a commit it had not heard of must have broken them.
            raise Stale(f"somebody else was faster: {error}") from error
        except ApplyError as error:
            raise Unavailable(self._database.title, f"it refused a change: {error.reason}") from error
        return self._reading.state

    def _absorb(self, touched: Touched) -> None:
        self._reading.absorb(touched)

    async def _find_out(self, edits: Edits, deadline: float) -> None:
        """After a lost answer: returns if the edits are in force, raises Stale if they are not."""
        await self._database.wait_ready(deadline)
        for kind, wanted in edits.items():
            values = part(self._reading.state, kind)
            if any(values.get(key) != value for key, value in wanted.items()):
                raise Stale("the store was restarted before it took the change; try again")

    def _write(self, transaction: Transaction, base: State, edits: Edits) -> None:
        for kind, wanted in edits.items():
            before = part(base, kind)
            for key, value in wanted.items():
                self._write_one(transaction, kind, key, (before.get(key), value))

    def _write_one(self, transaction: Transaction, kind: Kind, key: Any, step: tuple[Value | None, Value | None]) -> None:
        """`step`: the value before and after."""
        old, new = step
        shape, uuid = SHAPES[kind], self._reading.row_of(kind, key)
        row = self._database.row(shape.table, uuid)
        if row is None:
            if new is not None and new != Counters():
                self._insert(transaction, kind, new, uuid)
            return
        ...
