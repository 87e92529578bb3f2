"""Values as the operations that write them into a database, as the agents would (RFC 7047). Pure."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from ovsnet.store.changes import key_of
from ovsnet.store.codec import row_uuid
from ovsnet.store.interface import Value
from ovsnet.store.local import LOCAL
from ovsnet.store.shared import SHARED
from ovsnet.store.vocabulary import Vocabulary

Operation = Mapping[str, object]


def inserted(value: Value) -> Operation:
    """The operation that writes it into the cluster's database."""
    return _inserted(SHARED, value)


def inserted_here(value: Value) -> Operation:
    """The operation that writes it into a host's own store."""
    return _inserted(LOCAL, value)


def _inserted(vocabulary: Vocabulary[Any], value: Value) -> Operation:
    kind, shape = type(value), vocabulary.shapes[type(value)]
    row = {name: _as_json(it) for name, it in shape.encode(value, row_uuid).items()}
    return {"op": "insert", "table": shape.table, "uuid": str(row_uuid(kind, key_of(value))), "row": row}


def that(row: UUID) -> Sequence[object]:
    """The condition that a row is this one."""
    return [["_uuid", "==", ["uuid", str(row)]]]


def _as_json(value: object) -> object:
    """RFC 7047 5.1."""
    if isinstance(value, UUID):
        return ["uuid", str(value)]
    return ["set", [_as_json(it) for it in value]] if isinstance(value, list | tuple) else value
