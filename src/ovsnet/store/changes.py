"""What a list of changes means, for every store alike: what may not move, what must hold after. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, replace
from types import MappingProxyType
from typing import Any, TypeVar

from ovsnet.model.addressing import Allocation, Pool
from ovsnet.model.endpoint import Endpoint
from ovsnet.model.errors import BadRequest, Conflict, Stale
from ovsnet.model.ids import short
from ovsnet.model.network import Network
from ovsnet.model.state import Counters, State
from ovsnet.store.interface import Change, Put, Value

K = TypeVar("K")
V = TypeVar("V")
Kind = type[Network] | type[Endpoint] | type[Pool] | type[Allocation] | type[Counters]
Edits = Mapping[Kind, Mapping[Any, Value | None]]
"""What shall be there by kind and key; None: nothing."""

FIELDS: Mapping[Kind, str] = MappingProxyType(
    {Network: "networks", Pool: "pools", Endpoint: "endpoints", Allocation: "allocations"}
)
"""Where `State` keeps each kind that has keys. Counters are one value, under the key ""."""


def key_of(value: Value) -> Any:
    """What a value is unique by among its kind."""
    match value:
        case Counters():
            return ""
        case Allocation():
            return value.key
        case _:
            return value.id


def part(state: State, kind: Kind) -> Mapping[Any, Value]:
    """The values of one kind, by key."""
    if kind is Counters:
        return {"": state.counters}
    values: Mapping[Any, Value] = getattr(state, FIELDS[kind])
    return values


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


def edited(state: State, edits: Edits) -> State:
    """The state after the edits, one revision later."""
    parts: dict[str, Any] = {"revision": state.revision + 1}
    for kind, wanted in edits.items():
        if kind is Counters:
            parts["counters"] = wanted[""]
            continue
        values = copy_of(part(state, kind))
        for key, value in wanted.items():
            if value is None:
                values.pop(key, None)
            else:
                values[key] = value
        parts[FIELDS[kind]] = MappingProxyType(values)
    return replace(state, **parts)


def check(base: State, now: State, edits: Edits) -> None:
    """Conflict when the edits make no sense on `base`; Stale when they did there and do not on `now`."""
    broken = broken_rule(edited(base, edits), edits)
    if broken:
        raise Conflict(broken)
    for kind, wanted in edits.items():
        then, today = part(base, kind), part(now, kind)
        for key in wanted:
            if then.get(key) != today.get(key):
                what = f"{kind.__name__.lower()} {_shown(key)}".rstrip()
                raise Stale(f"{what} was changed by somebody else meanwhile; try again")
    overtaken = broken_rule(edited(now, edits), edits) if now is not base else ""
    if overtaken:
        raise Stale(f"{overtaken}; somebody else was faster: try again")


def broken_rule(after: State, edits: Edits) -> str:
    """The first rule between values that `after` breaks because of the edits, in words; "" when all hold."""
    return next(iter(_broken(after, edits)), "")


def _broken(after: State, edits: Edits) -> Iterable[str]:
    yield from _shared_vnis(after, edits.get(Network, {}))
    yield from _widows(after, edits.get(Network, {}))
    yield from _strays(after, edits.get(Pool, {}))
    for endpoint in edits.get(Endpoint, {}).values():
        if isinstance(endpoint, Endpoint) and endpoint.network_id not in after.networks:
            yield f"endpoint {_shown(endpoint.id)} names network {_shown(endpoint.network_id)}: it is missing"
    for allocation in edits.get(Allocation, {}).values():
        if isinstance(allocation, Allocation) and allocation.pool_id not in after.pools:
            yield f"address {allocation.address} is in pool {allocation.pool_id}, which is not there"


def _shared_vnis(after: State, networks: Mapping[Any, Value | None]) -> Iterable[str]:
    made = [it for it in networks.values() if isinstance(it, Network)]
    for network in made:
        for other in after.networks.values():
            if other.vni == network.vni and other.id != network.id:
                yield f"network {network.title} cannot have VNI {network.vni}: network {other.title} has it"


def _widows(after: State, networks: Mapping[Any, Value | None]) -> Iterable[str]:
    gone = {key for key, value in networks.items() if value is None}
    for endpoint in after.endpoints.values() if gone else ():
        if endpoint.network_id in gone:
            yield f"network {_shown(endpoint.network_id)} cannot go: endpoint {endpoint.title} is on it"


def _strays(after: State, pools: Mapping[Any, Value | None]) -> Iterable[str]:
    gone = {key for key, value in pools.items() if value is None}
    for allocation in after.allocations.values() if gone else ():
        if allocation.pool_id in gone:
            yield f"pool {allocation.pool_id} cannot go: address {allocation.address} is still known in it"


def _shown(key: Any) -> str:
    """A key for people: ids short, pools whole, an allocation by its address."""
    if isinstance(key, tuple):
        return str(key[1])
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
