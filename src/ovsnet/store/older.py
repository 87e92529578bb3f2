"""Rows of a server whose schema is older than ours, as during an upgrade host by host. Pure.

A column the server does not have yet reads as what the database fills it with when its schema is brought up.
"""

import json
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Final

import ovs.db.schema

from ovsnet.store import schema
from ovsnet.store.vocabulary import Kind, Vocabulary

Absent = Mapping[Kind, Mapping[str, object]]
"""By kind, the columns that are missing, with what they read as."""
_SCALARS: Final[Mapping[str, object]] = {"string": "", "integer": 0, "real": 0.0, "boolean": False, "uuid": None}


class Filled:
    """A row with what it lacks filled in."""

    __slots__ = ("_filling", "_row")

    def __init__(self, row: Any, filling: Mapping[str, object]) -> None:
        self._row = row
        self._filling = filling

    def __getattr__(self, column: str) -> Any:
        return self._filling[column] if column in self._filling else getattr(self._row, column)


def absent(vocabulary: Vocabulary[Any], has_column: Callable[[str, str], bool]) -> Absent:
    """What a server lacks that has the columns `has_column(table, column)` says; no kind that is complete."""
    missing: dict[Kind, Mapping[str, object]] = {}
    for kind, shape in vocabulary.shapes.items():
        columns = schema.columns(vocabulary)[shape.table]
        lacking = {it: default(vocabulary, shape.table, it) for it in columns if not has_column(shape.table, it)}
        if lacking:
            missing[kind] = lacking
    return missing


def default(vocabulary: Vocabulary[Any], table: str, column: str) -> object:
    """What a column reads as before anything was written to it (RFC 7047 5.2.1)."""
    kind = described(vocabulary).tables[table].columns[column].type
    if kind.is_map():
        return {}
    return _SCALARS[kind.key.type.name] if kind.is_scalar() else []


def described(vocabulary: Vocabulary[Any]) -> Any:
    """Our schema as the `ovs` package has it: `.tables[…].columns[…].type`."""
    return _described(schema.text(vocabulary))


@cache
def _described(text: str) -> Any:
    return ovs.db.schema.DbSchema.from_json(json.loads(text))
