"""What was last seen of a state that others keep: a file, so that a restart while they are away forgets nothing.

The cluster's database may be out of reach when an agent starts, and a host's packets must go on as they did. Kept are
the columns of the rows, by kind, as the database would have them; references are kept as the key they lead to.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Generic, TypeVar

import msgspec
import structlog

from ovsnet.ovsdb.serverfile import numbers
from ovsnet.store import schema
from ovsnet.store.changes import assembled
from ovsnet.store.codec import UNREADABLE
from ovsnet.store.older import Filled, default
from ovsnet.store.vocabulary import Kind, Shape, Vocabulary

S = TypeVar("S")
log = structlog.get_logger("store")


class Seen(msgspec.Struct, frozen=True):
    """The file. `schema` is the version its columns are of: a newer one than ours is not read."""

    schema: str
    rows: dict[str, list[dict[str, Any]]]


class LastSeen(Generic[S]):
    """One state in one file."""

    def __init__(self, vocabulary: Vocabulary[S], path: Path) -> None:
        self._vocabulary = vocabulary
        self._path = path
        self._columns = schema.columns(vocabulary)

    def load(self) -> S | None:
        """The state as it was saved; None when there is none, or none that this version can read."""
        try:
            seen = msgspec.json.decode(self._path.read_bytes(), type=Seen)
        except FileNotFoundError:
            return None
        except (OSError, msgspec.MsgspecError) as error:
            log.warning("what was last seen cannot be read", file=str(self._path), reason=str(error))
            return None
        if numbers(seen.schema) > numbers(schema.version(self._vocabulary)):
            return None
        return assembled(self._vocabulary, self._values(seen.rows))

    def encode(self, values: Iterable[Any]) -> bytes:
        """The file's content for these values."""
        rows: dict[str, list[dict[str, Any]]] = {}
        for value in values:
            shape = self._vocabulary.shapes[type(value)]
            rows.setdefault(shape.table, []).append(dict(shape.encode(value, _reference)))
        return msgspec.json.encode(Seen(schema.version(self._vocabulary), rows))

    def _values(self, rows: Mapping[str, list[dict[str, Any]]]) -> Iterable[Any]:
        for kind, shape in self._vocabulary.shapes.items():
            for row in rows.get(shape.table, ()):
                try:
                    yield shape.decode(self._complete(shape, row))
                except UNREADABLE as error:
                    log.warning("something last seen cannot be read", kind=kind.__name__, reason=str(error))

    def _complete(self, shape: Shape, row: Mapping[str, Any]) -> Any:
        """With the columns that the version which wrote it did not know."""
        missing = set(self._columns[shape.table]) - row.keys()
        return Filled(_row(row), {it: default(self._vocabulary, shape.table, it) for it in missing})


def _reference(_kind: Kind, key: Any) -> Any:
    """In place of a row's UUID: what it is unique by."""
    return {"key": key}


def _row(columns: Mapping[str, Any]) -> SimpleNamespace:
    """As the database's client shows a row: columns are attributes, references lead to rows with the key in them."""
    return SimpleNamespace(
        **{
            name: SimpleNamespace(net_id=it["key"], pool_id=it["key"], name=it["key"]) if isinstance(it, dict) else it
            for name, it in columns.items()
        }
    )
