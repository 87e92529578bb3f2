"""What one kind of store keeps: which values, in which tables, by which rules. Pure.

Two are written in it: what this host was asked for (`local.py`) and what the hosts of a cluster share (`shared.py`).
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Generic, TypeVar
from uuid import UUID

S = TypeVar("S")
"""The state: a frozen dataclass with a `revision` and a mapping for each kind of value."""
Kind = type[Any]
Edits = Mapping[Kind, Mapping[Any, Any]]
"""What shall be there by kind and key; None: nothing."""
Columns = Mapping[str, object]
RowOf = Callable[[Kind, Any], UUID]
"""The row that holds a value, for references."""


@dataclass(frozen=True, slots=True)
class Shape:
    """How one kind of value is kept: in which table, and both directions.

    `vital` columns change what the rest means: a value that says something in one is not written to a server that lacks
    it, as others would take it for another value.
    """

    table: str
    encode: Callable[[Any, RowOf], Columns]
    decode: Callable[[Any], Any]
    """One of `codec.UNREADABLE` for a row that makes no sense."""
    vital: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Parent:
    """What values of a kind refer to: the kind and how its key is found."""

    kind: Kind
    key: Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Vocabulary(Generic[S]):
    """One kind of store. `fields` says where the state keeps each kind that has keys, `single` the one that has none.

    `broken` yields, in words, the rules between values that a state breaks because of the edits; `upgraded` says when a
    server gets the newest schema.
    """

    database: str
    schema_file: str
    empty: Callable[[], S]
    shapes: Mapping[Kind, Shape]
    fields: Mapping[Kind, str]
    single: Mapping[Kind, str]
    broken: Callable[[S, Edits], Iterable[str]]
    upgraded: str = "when all hosts run this version of ovsnet"
    parents: Mapping[Kind, tuple[Parent, ...]] = field(default_factory=lambda: MappingProxyType({}))
