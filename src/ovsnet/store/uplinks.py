"""An uplink as columns and as JSON, and back. Pure.

Addresses and routes are lists of objects in one text column each: nobody looks for a single one, and what a route may
have grows with the kernel.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from ipaddress import IPv4Address, ip_address, ip_interface, ip_network
from typing import Any, TypeVar

from ovsnet.model.datapath import Datapath
from ovsnet.model.ids import parse_mac
from ovsnet.model.uplink import Hold, HostAddress, HostRoute, NicSettings, Phase, Uplink
from ovsnet.store.vocabulary import Columns, RowOf

T = TypeVar("T")
_OBJECTS: Mapping[str, Callable[[Any], Any]] = {
    "address": ip_interface,
    "destination": ip_network,
    "peer": ip_address,
    "broadcast": IPv4Address,
    "gateway": ip_address,
    "source": ip_address,
}


def encode_uplink(it: Uplink, _row: RowOf | None = None) -> Columns:
    """The columns of the table Uplink."""
    return {
        "nic": it.nic,
        "bridge": it.bridge,
        "hold": str(it.hold),
        "phase": str(it.phase),
        "datapath": str(it.datapath),
        "mac": it.settings.mac,
        "mtu": it.settings.mtu,
        "ipv6": it.settings.ipv6,
        "joins": it.settings.joins,
        "addresses": _listed(it.addresses),
        "routes": _listed(it.routes),
        "probes": json.dumps([str(probe) for probe in it.probes]),
        "boot": it.boot,
        "created_at": repr(float(it.created_at)),
    }


def decode_uplink(row: Any) -> Uplink:
    """What `encode_uplink` wrote."""
    return Uplink(
        nic=row.nic,
        bridge=row.bridge,
        hold=Hold(row.hold),
        phase=Phase(row.phase),
        datapath=Datapath(row.datapath),
        settings=NicSettings(parse_mac(row.mac), row.mtu, row.ipv6, row.joins),
        addresses=_read(row.addresses, HostAddress),
        routes=_read(row.routes, HostRoute),
        probes=tuple(ip_address(it) for it in json.loads(row.probes)),
        boot=row.boot,
        created_at=float(row.created_at),
    )


def _listed(values: Iterable[HostAddress | HostRoute]) -> str:
    """Without what is as it is by default: that may be most of it."""
    return json.dumps([dict(_said(it)) for it in values])


def _said(value: HostAddress | HostRoute) -> Iterable[tuple[str, object]]:
    for it in fields(value):
        content = getattr(value, it.name)
        if content != it.default:
            yield it.name, str(content) if it.name in _OBJECTS else content


def _read(text: str, kind: type[T]) -> tuple[T, ...]:
    return tuple(kind(**{name: _content(name, it) for name, it in _object(one).items()}) for one in json.loads(text))


def _content(name: str, value: Any) -> Any:
    if name == "metrics":
        return tuple((int(kind), int(amount)) for kind, amount in value)
    return _OBJECTS[name](value) if name in _OBJECTS else int(value) if name != "label" else str(value)


def _object(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise TypeError(f"{value!r} is no object")
    return value
