"""Want against is, for people. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from enum import Enum, StrEnum
from typing import Any

import msgspec

from ovsnet.model.delta import diff

SHOWN = 10
"""So many members of a set are named; the others are counted."""


class DriftState(StrEnum):
    """In which way a resource is not as wanted."""

    MISSING = "missing"
    DIFFERENT = "different"
    UNEXPECTED = "unexpected"


class DriftItem(msgspec.Struct, frozen=True, kw_only=True):
    """One resource that is not as wanted. `want` and `have` name what differs; the side that has nothing is
    "".
    """

    kind: str
    key: str
    state: DriftState
    want: str = ""
    have: str = ""


def compare(kind: str, want: Mapping[str, Any], have: Mapping[str, Any]) -> tuple[DriftItem, ...]:
    """What differs between two sets of resources of one kind, by key; values are compared by `==`."""
    delta = diff(want, have)
    missing = (_item(kind, key, want=value) for key, value in delta.add.items())
    different = (_difference(kind, key, value, have[key]) for key, value in delta.change.items())
    unexpected = (_item(kind, key, have=value) for key, value in delta.remove.items())
    return tuple(sorted((*missing, *different, *unexpected), key=lambda it: (it.state, it.key)))


def counted(items: Iterable[DriftItem]) -> dict[str, int]:
    """How many resources of each kind are not as wanted."""
    counts: dict[str, int] = {}
    for it in items:
        counts[it.kind] = counts.get(it.kind, 0) + 1
    return counts


def _item(kind: str, key: str, *, want: Any = None, have: Any = None) -> DriftItem:
    if have is None:
        return DriftItem(kind=kind, key=key, state=DriftState.MISSING, want=_text(want))
    return DriftItem(kind=kind, key=key, state=DriftState.UNEXPECTED, have=_text(have))


def _difference(kind: str, key: str, want: Any, have: Any) -> DriftItem:
    """Only the fields that count and differ, so that one wrong VLAN is not buried in ten right fields."""
    names = [it for it in _counting_fields(want) if type(want) is type(have) and _differs(it, want, have)]
    return DriftItem(
        kind=kind,
        key=key,
        state=DriftState.DIFFERENT,
        want=_text(want, names, beside=have),
        have=_text(have, names, beside=want),
    )


def _differs(name: str, want: Any, have: Any) -> bool:
    return bool(getattr(want, name) != getattr(have, name))


def _counting_fields(value: Any) -> list[str]:
    return [it.name for it in fields(value) if it.compare] if is_dataclass(value) else []


def _text(value: Any, names: Sequence[str] = (), beside: Any = None) -> str:
    shown = names or _counting_fields(value)
    if not shown:
        return str(value)
    return ", ".join(f"{name}={_word(_own(getattr(value, name), getattr(beside, name, None)))}" for name in shown)


def _own(value: Any, other: Any) -> Any:
    """Of two sets only what the other one has not: a network may have thousands of endpoints, and one is missing."""
    return value - other if isinstance(value, frozenset) and isinstance(other, frozenset) else value


def _word(value: Any) -> str:
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}={_word(it)}" for key, it in sorted(value.items())) + "}"
    if isinstance(value, frozenset):
        words = sorted(_word(it) for it in value)
        more = [f"{len(words) - SHOWN} more"] if len(words) > SHOWN else []
        return "{" + ", ".join(words[:SHOWN] + more) + "}"
    if isinstance(value, tuple):
        return "[" + ", ".join(_word(it) for it in value) + "]"
    return str(value)
