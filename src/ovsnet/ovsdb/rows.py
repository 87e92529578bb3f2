"""Writing rows inside a transaction. `ovs` ignores a value that does not fit; here that is an error."""

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
    """A new row; with `uuid` it gets that very UUID, so that a second insert of it is refused (Stale).

    What is returned can be referred to inside the transaction only; afterwards the row is in the replica.
    """
    row = transaction.insert(transaction.idl.tables[table], uuid, uuid is not None)
    assign(row, values)
    return row


def assign(row: Row, values: Mapping[str, object]) -> None:
    """Set columns; ValueError for a value that does not fit its column."""
    for column, value in values.items():
        _check(row, column, value)
        setattr(row, column, value)


def verify(row: Row) -> None:
    """Let the transaction fail (Stale) unless every column of `row` is still what the replica holds.

    Call it before writing to the row.
    """
    for column in row._table.columns:  # noqa: SLF001
        row.verify(column)
    # The IDL sends the checks of rows it lists as touched, and `verify` alone does not list them (ovs 4.0).
    row._idl.txn._txn_rows[row.uuid] = row  # noqa: SLF001


def references(row: Row, column: str) -> frozenset[UUID]:
    """The rows that a set column refers to, by UUID; as attributes a thousand rows take milliseconds, being sorted."""
    return frozenset(atom.value for atom in row._data[column].values)  # noqa: SLF001


def _check(row: Row, column: str, value: object) -> None:
    kind = row._table.columns[column].type  # noqa: SLF001
    try:
        ovs.db.data.Datum.from_python(kind, value, lambda it: getattr(it, "uuid", it))
    except ovs.db.error.Error as error:
        raise ValueError(f"column {column} cannot hold {value!r}: {error}") from error
    if isinstance(value, str) and "\0" in value:
        # The server would close the connection, with everything else that is under way (RFC 7047 3.1).
        raise ValueError(f"column {column} cannot hold {value!r}: it has a NUL character")
