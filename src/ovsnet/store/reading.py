"""The rows of a database of ours as one state; only rows that changed are read again.

A row that makes no sense (somebody edited it) is left out, and so is what refers to it: the agent goes on
with the rest.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Generic, TypeVar
from uuid import UUID

import structlog

from ovsnet.ovsdb.database import Database, Touched
from ovsnet.store.changes import copy_of, key_of
from ovsnet.store.codec import UNREADABLE, row_uuid
from ovsnet.store.older import Absent, Filled, absent
from ovsnet.store.vocabulary import Columns, Kind, Vocabulary

S = TypeVar("S")

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Known:
    """What was read of one table."""

    by_row: dict[UUID, Any] = field(default_factory=dict)
    by_key: Mapping[Any, Any] = field(default_factory=lambda: MappingProxyType({}))
    rows: dict[Any, UUID] = field(default_factory=dict)
    unreadable: dict[UUID, str] = field(default_factory=dict)
    unwritten: dict[UUID, Columns] = field(default_factory=dict)
    """What this process wrote to columns that the server lacks, by row."""


class Reading(Generic[S]):
    """Follows the replica; `state` is what it says now."""

    def __init__(self, database: Database, vocabulary: Vocabulary[S], last_seen: S | None = None) -> None:
        """`last_seen` is shown until the database was seen."""
        self.state = vocabulary.empty() if last_seen is None else last_seen
        self._guessed = last_seen is not None
        self._vocabulary = vocabulary
        self._database = database
        self._known: Mapping[Kind, _Known] = {kind: _Known() for kind in vocabulary.shapes}
        self._absent: Absent = {}

    def absorb(self, touched: Touched) -> bool:
        """Read what was touched; True if `state` is now another one."""
        if touched.reloaded:
            self._meet_schema()
        faults = self.has_faults
        changed = [kind for kind in self._known if self._read(kind, self._uuids(kind, touched))]
        if not changed and not self._guessed:
            return False
        # What refers to an unreadable row is left out, so a fault that comes or goes concerns every table.
        concerned = list(self._known) if faults or self.has_faults or self._guessed else changed
        self._guessed = False
        fields, single = self._vocabulary.fields, self._vocabulary.single
        parts: dict[str, Any] = {fields[kind]: self._sound(kind) for kind in concerned if kind in fields}
        for kind, name in single.items():
            parts[name] = next(iter(self._known[kind].by_key.values()), kind())
        parts["revision"] = self.state.revision + 1  # type: ignore[attr-defined]
        self.state = replace(self.state, **parts)  # type: ignore[type-var]
        return True

    def row_of(self, kind: Kind, key: Any) -> UUID:
        """The row that holds a value, or is to hold it."""
        return self._known[kind].rows.get(key) or row_uuid(kind, key)

    def absent(self, kind: Kind) -> Collection[str]:
        """The columns of ours that the server lacks, as its schema is older."""
        return self._absent.get(kind, {}).keys()

    def remember(self, kind: Kind, uuid: UUID, unwritten: Columns) -> None:
        """Show these columns of a row as they were written, though the server lacks them.

        Else whoever compares what is with what should be would write them again and again.
        """
        self._known[kind].unwritten[uuid] = unwritten
        self.absorb(Touched(reloaded=False, rows={self._vocabulary.shapes[kind].table: frozenset({uuid})}))

    @property
    def has_faults(self) -> bool:
        """True while any row cannot be read."""
        return any(known.unreadable for known in self._known.values())

    def fault(self, kind: Kind, uuid: UUID) -> str | None:
        """Why a row that exists cannot be read; None when it can."""
        return self._known[kind].unreadable.get(uuid)

    def _meet_schema(self) -> None:
        """What was not written is written by whoever misses it, as soon as the server has the columns."""
        self._absent = absent(self._vocabulary, self._database.has_column)
        for kind, known in self._known.items():
            if kind not in self._absent:
                known.unwritten.clear()

    def _uuids(self, kind: Kind, touched: Touched) -> Iterable[UUID]:
        table = self._vocabulary.shapes[kind].table
        if touched.reloaded:
            return {row.uuid for row in self._database.rows(table)} | self._known[kind].by_row.keys()
        return touched.rows.get(table, frozenset())

    def _read(self, kind: Kind, uuids: Iterable[UUID]) -> bool:
        """Read rows of one table; True if that changed a value."""
        known = self._known[kind]
        pairs = [(uuid, known.by_row.get(uuid), self._decode(kind, uuid)) for uuid in uuids]
        pairs = [(uuid, old, new) for uuid, old, new in pairs if old != new]
        if not pairs:
            return False
        by_key = copy_of(known.by_key)
        for uuid, old, _ in pairs:
            if old is not None:
                del known.by_row[uuid]
                by_key.pop(key_of(old), None)
                known.rows.pop(key_of(old), None)
        for uuid, _, new in pairs:
            if new is not None:
                known.by_row[uuid] = by_key[key_of(new)] = new
                known.rows[key_of(new)] = uuid
        known.by_key = MappingProxyType(by_key)
        return True

    def _decode(self, kind: Kind, uuid: UUID) -> Any:
        """The value of a row; None when it is gone or unreadable."""
        shape, faults = self._vocabulary.shapes[kind], self._known[kind].unreadable
        row = self._database.row(shape.table, uuid)
        if row is None:
            faults.pop(uuid, None)
            self._known[kind].unwritten.pop(uuid, None)
            return None
        try:
            value = shape.decode(self._filled(kind, uuid, row))
        except UNREADABLE as error:
            if faults.get(uuid) != str(error):
                log.warning("row left out: it cannot be read", table=shape.table, row=str(uuid), reason=str(error))
            faults[uuid] = str(error)
            return None
        if faults.pop(uuid, None):
            log.info("row can be read again", table=shape.table, row=str(uuid))
        return value

    def _filled(self, kind: Kind, uuid: UUID, row: Any) -> Any:
        if kind not in self._absent:
            return row
        return Filled(row, {**self._absent[kind], **self._known[kind].unwritten.get(uuid, {})})

    def _sound(self, kind: Kind) -> Mapping[Any, Any]:
        """The values of a kind without those that refer to a row that cannot be read."""
        values = self._known[kind].by_key
        parents = self._vocabulary.parents.get(kind, ())
        if not self.has_faults or not parents:
            return values
        return MappingProxyType(
            {
                key: it
                for key, it in values.items()
                if all(parent.key(it) in self._known[parent.kind].by_key for parent in parents)
            }
        )
