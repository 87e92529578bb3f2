"""How values become columns and back, whatever the table. Pure.

A row is read by attributes, as `ovs.db.idl.Row` has them, and written as a mapping of columns. What may be
absent is a set of at most one. Times are text, because the server prints real numbers with 15 digits and so
would change them; labels are JSON in ASCII, because they may be any text in any order.
"""

import json
from collections.abc import Callable
from typing import Any, TypeVar
from uuid import UUID, uuid5

from ovsnet.model.errors import BadRequest
from ovsnet.model.ids import Vlan
from ovsnet.model.network import Egress, Mode, NetworkOptions, PortKind
from ovsnet.store.vocabulary import Columns, Kind

NAMESPACE = UUID("8a3a6f0e-5c0b-4c59-9d3c-2a6f8f1f7c11")
"""Ours, chosen once: a request made twice gives the same row UUID, and so cannot become two rows."""

UNREADABLE = (ValueError, TypeError, AttributeError, BadRequest)
"""What reading a row raises that somebody edited by hand."""

T = TypeVar("T")


def row_uuid(kind: Kind, key: Any) -> UUID:
    """The UUID of the row for a value that is new."""
    parts = [str(it) for it in key] if isinstance(key, tuple) else [str(key)]
    return uuid5(NAMESPACE, "\n".join([kind.__name__, *parts]))


def encode_options(options: NetworkOptions) -> Columns:
    """A network's options, a column each."""
    return {
        "mode": str(options.mode),
        "vlan": int(options.vlan),
        "mtu": options.mtu,
        "port": str(options.port),
        "icc": options.icc,
        "egress": str(options.egress),
    }


def decode_options(row: Any) -> NetworkOptions:
    """The options in a network's row."""
    return NetworkOptions(
        mode=Mode(row.mode),
        vlan=Vlan(row.vlan),
        mtu=row.mtu,
        port=PortKind(row.port),
        icc=row.icc,
        egress=Egress(row.egress),
    )


def encode_labels(labels: tuple[tuple[str, str], ...]) -> str:
    """Labels as JSON; "" for none."""
    return json.dumps(labels) if labels else ""


def decode_labels(text: str) -> tuple[tuple[str, str], ...]:
    """Labels from JSON."""
    return tuple((str(key), str(value)) for key, value in json.loads(text)) if text else ()


def encode_names(names: tuple[str, ...]) -> str:
    """Names as JSON, in their order; "" for none."""
    return json.dumps(names) if names else ""


def decode_names(text: str) -> tuple[str, ...]:
    """Names from JSON."""
    return tuple(str(it) for it in json.loads(text)) if text else ()


def maybe(value: object) -> list[str]:
    """A set of at most one."""
    return [] if value is None else [str(value)]


def only(values: list[Any], read: Callable[[Any], T]) -> T | None:
    """What a set of at most one holds."""
    return read(values[0]) if values else None
