"""What a list of changes means, for every store alike: what may not move, what must hold after. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, replace
from types import MappingProxyType
from typing import Any, TypeVar

from ovsnet.model.cluster import ClusterInfo
from ovsnet.model.errors import BadRequest, Conflict, Stale
from ovsnet.model.ids import short
from ovsnet.model.state import Counters
from ovsnet.store.interface import Change, Put, Value
from ovsnet.store.vocabulary import Edits, Kind, Vocabulary

K = TypeVar("K")
V = TypeVar("V")
S = TypeVar("S")


def key_of(value: Value) -> Any:
    """What a value is unique by among its kind."""
    if isinstance(value, Counters | ClusterInfo):
        return ""
    return getattr(value, "key", None) or value.id  # type: ignore[union-attr]


def part(vocabulary: Vocabulary[S], state: S, kind: Kind) -> Mapping[Any, Any]:
    """The values of one kind, by key."""
    if kind in vocabulary.single:
        return {"": getattr(state, vocabulary.single[kind])}
    values: Mapping[Any, Any] = getattr(state, vocabulary.fields[kind])
    return values


def assembled(vocabulary: Vocabulary[S], values: Iterable[Value]) -> S:
    """A state of these values and no others."""
    by_kind: dict[Kind, dict[Any, Value]] = {kind: {} for kind in vocabulary.shapes}
    for value in values:
        by_kind[type(value)][key_of(value)] = value
    parts: dict[str, Any] = {name: MappingProxyType(by_kind[kind]) for kind, name in vocabulary.fields.items()}
    parts |= {name: by_kind[kind].get("", kind()) for kind, name in vocabulary.single.items()}
    return replace(vocabulary.empty(), **parts)  # type: ignore[type-var]


def fold(changes: Sequence[Change]) -> Edits:
    """The changes by kind and key; the last of one key counts. BadRequest for text that cannot be stored."""
    edits: dict[Kind, dict[Any, Value | None]] = {}
    for change in changes:
        value = change.value
        if isinstance(change, Put):
            _check_text(value)
        edits.setdefault(type(value), {})[key_of(value)] = value if isinstance(change, Put) else None
    return edits


def copy_of(values: Mapping[K, V]) -> dict[K, V]:
    """A dict with the same items; `dict()` of a mapping proxy looks every key up and is 20 times slower."""
    return values.copy() if isinstance(values, MappingProxyType) else dict(values)


def edited(vocabulary: Vocabulary[S], state: S, edits: Edits) -> S:
    """The state after the edits, one revision later."""
    parts: dict[str, Any] = {"revision": state.revision + 1}  # type: ignore[attr-defined]
    for kind, wanted in edits.items():
        if kind in vocabulary.single:
            parts[vocabulary.single[kind]] = wanted[""]
            continue
        values = copy_of(part(vocabulary, state, kind))
        for key, value in wanted.items():
            if value is None:
                values.pop(key, None)
            else:
                values[key] = value
        parts[vocabulary.fields[kind]] = MappingProxyType(values)
    return replace(state, **parts)  # type: ignore[type-var]


def check(vocabulary: Vocabulary[S], base: S, now: S, edits: Edits) -> None:
    """Conflict when the edits make no sense on `base`; Stale when they did there and do not on `now`."""
    broken = broken_rule(vocabulary, edited(vocabulary, base, edits), edits)
    if broken:
        raise Conflict(broken)
    for kind, wanted in edits.items():
        then, today = part(vocabulary, base, kind), part(vocabulary, now, kind)
        for key in wanted:
            if then.get(key) != today.get(key):
                what = f"{kind.__name__.lower()} {shown(key)}".rstrip()
                raise Stale(f"{what} was changed by somebody else meanwhile; try again")
    overtaken = broken_rule(vocabulary, edited(vocabulary, now, edits), edits) if now is not base else ""
    if overtaken:
        raise Stale(f"{overtaken}; somebody else was faster: try again")


def broken_rule(vocabulary: Vocabulary[S], after: S, edits: Edits) -> str:
    """The first rule between values that `after` breaks because of the edits, in words; "" when all hold."""
    return next(iter(vocabulary.broken(after, edits)), "")


def vnis_used_twice(networks: Mapping[Any, Any], edits: Mapping[Any, Any]) -> Iterable[str]:
    """Of edited networks, those that shall have the VNI of another of the `networks`, in words."""
    for network in (it for it in edits.values() if it is not None):
        for other in networks.values():
            if other.vni == network.vni and other.id != network.id:
                yield f"network {network.title} cannot have VNI {network.vni}: network {other.title} has it"


def shown(key: Any) -> str:
    """A key for people: ids short, pools and names whole, an address in something by itself."""
    if isinstance(key, tuple):
        return str(key[-1])
    return key if "|" in key else short(key)


def _check_text(value: Value) -> None:
    """OVSDB holds valid UTF-8 without NUL, and closes the connection on anything else (RFC 7047 3.1)."""
    for field in fields(value):
        text = getattr(value, field.name)
        if isinstance(text, str) and ("\0" in text or not _encodable(text)):
            raise BadRequest(f"{field.name} {text!r} holds a character that cannot be stored; leave it out")


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
