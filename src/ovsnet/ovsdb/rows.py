"""Writing rows inside a transaction. `ovs` drops a value it cannot convert and goes on; here that is an error."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import ovs.db.data
import ovs.db.error
import ovs.db.idl

Row = Any
"""An `ovs.db.idl.Row`: columns are attributes, `uuid` is its identity."""
Transaction = Any
"""An `ovs.db.idl.Transaction`."""


def insert(transaction: Transaction, table: str, values: Mapping[str, object], uuid: UUID | None = None) -> Row:
    """A new row; with `uuid` under that very name, so that a second insert of it is refused by the server (Stale)."""
    row = transaction.insert(transaction.idl.tables[table], uuid, uuid is not None)
    assign(row, values)
    return row


def assign(row: Row, values: Mapping[str, object]) -> None:
    """Set columns; ValueError for a value that does not fit its column."""
    for column, value in values.items():
        _check(row, column, value)
        setattr(row, column, value)


def verify(row: Row) -> None:
    """Let the transaction fail (Stale) unless every replicated column of `row` is still what the replica holds."""
    for column in row._table.columns:  # noqa: SLF001
        row.verify(column)


def _check(row: Row, column: str, value: object) -> None:
    kind = row._table.columns[column].type  # noqa: SLF001
    try:
        ovs.db.data.Datum.from_python(kind, value, lambda it: getattr(it, "uuid", it))
    except ovs.db.error.Error as error:
        raise ValueError(f"column {column} of table {row._table.name} cannot hold {value!r}: {error}") from error  # noqa: SLF001
