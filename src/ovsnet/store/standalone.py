"""A database of ours in a file of its own, as `ovsdb-client backup` makes it, read without a server."""

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar
from uuid import UUID

import msgspec
import ovs.db.data
import ovs.db.error
import structlog

from ovsnet.model.errors import ApplyError, BadRequest, Conflict
from ovsnet.ovsdb.serverfile import numbers, run_tool
from ovsnet.store import schema
from ovsnet.store.changes import assembled
from ovsnet.store.codec import UNREADABLE
from ovsnet.store.older import Filled, default, described
from ovsnet.store.vocabulary import Kind, Vocabulary

S = TypeVar("S")
log = structlog.get_logger("store")


def read_standalone(vocabulary: Vocabulary[S], file: Path) -> S:
    """The state in the file; what an older version did not know is left open. Blocks.

    BadRequest when the file is no such database, Conflict when a newer version wrote it. Rows that make no sense are
    left out, as from a server.
    """
    _check(vocabulary, file)
    there = _tables(file)
    asked = [it.table for it in vocabulary.shapes.values() if it.table in there]
    selects = [{"op": "select", "table": it, "where": []} for it in asked]
    question = msgspec.json.encode([vocabulary.database, *selects]).decode()
    results = msgspec.json.decode(run_tool("query", str(file), question))
    rows = {table: {_uuid(it): it for it in result["rows"]} for table, result in zip(asked, results, strict=True)}
    return assembled(vocabulary, _values(vocabulary, rows))


def _check(vocabulary: Vocabulary[Any], file: Path) -> None:
    try:
        name, found = run_tool("db-name", str(file)), run_tool("db-version", str(file))
        run_tool("db-is-standalone", str(file))
    except ApplyError as error:
        raise BadRequest(
            f"this is no backup of the cluster's database ({error.reason}); 'ovsnet cluster backup' makes one"
        ) from error
    if name != vocabulary.database:
        raise BadRequest(f"this is a database {name}, not {vocabulary.database}")
    if numbers(found) > numbers(schema.version(vocabulary)):
        raise Conflict(
            f"the backup was made by a newer version of ovsnet (schema {found}; this one has "
            f"{schema.version(vocabulary)}): upgrade ovsnet on this host first"
        )


def _tables(file: Path) -> Collection[str]:
    """By its first record: a line `OVSDB JSON <bytes> <sha1>`, then the schema (ovsdb(5))."""
    with file.open("rb") as log:
        length = int(log.readline().split()[2])
        names: Collection[str] = msgspec.json.decode(log.read(length))["tables"].keys()
        return names


def _uuid(row: Mapping[str, Any]) -> UUID:
    return UUID(row["_uuid"][1])


def _values(vocabulary: Vocabulary[Any], rows: Mapping[str, Mapping[UUID, Any]]) -> Iterator[Any]:
    """References lead to the rows they name, as the client of a running server has them."""
    known = {uuid: SimpleNamespace() for them in rows.values() for uuid in them}
    for table, them in rows.items():
        for uuid, row in them.items():
            vars(known[uuid]).update(_columns(vocabulary, table, row, known))
    columns = schema.columns(vocabulary)
    for kind, shape in vocabulary.shapes.items():
        for uuid in rows.get(shape.table, {}):
            yield from _decoded(vocabulary, kind, known[uuid], columns[shape.table])


def _columns(
    vocabulary: Vocabulary[Any], table: str, row: Mapping[str, Any], known: Mapping[UUID, Any]
) -> Iterator[tuple[str, Any]]:
    for name, column in described(vocabulary).tables[table].columns.items():
        if name not in row:
            continue
        try:
            value = ovs.db.data.Datum.from_json(column.type, row[name])
        except ovs.db.error.Error as error:
            log.warning("column left out: it cannot be read", table=table, column=name, reason=str(error))
            continue
        yield name, value.to_python(lambda it, kind: known.get(it) if kind.ref_table_name else it)


def _decoded(vocabulary: Vocabulary[Any], kind: Kind, row: SimpleNamespace, columns: Collection[str]) -> Iterator[Any]:
    shape = vocabulary.shapes[kind]
    missing = [it for it in columns if not hasattr(row, it)]
    try:
        yield shape.decode(Filled(row, {it: default(vocabulary, shape.table, it) for it in missing}))
    except UNREADABLE as error:
        log.warning("row left out: it cannot be read", table=shape.table, reason=str(error))
