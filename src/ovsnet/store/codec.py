"""Values ↔ rows of the OVSNet database (ovsnet.ovsschema). Pure.

A row is read by attributes, as `ovs.db.idl.Row` has them, and written as a mapping of columns. What may be
absent is a set of at most one. Times are text, because the server prints real numbers with 15 digits and so
would change them; labels are JSON in ASCII, because they may be any text in any order.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from ipaddress import (
    IPv4Address,
    IPv4Interface,
    IPv4Network,
    IPv6Address,
    IPv6Interface,
    IPv6Network,
    ip_address,
    ip_network,
)
from types import MappingProxyType
from typing import Any, TypeVar
from uuid import UUID, uuid5

from ovsnet.model.addressing import Allocation, AllocationKind, Pool
from ovsnet.model.endpoint import Endpoint
from ovsnet.model.errors import BadRequest
from ovsnet.model.ids import EndpointId, NetworkId, PoolId, Vlan, Vni, parse_mac
from ovsnet.model.network import Egress, Mode, Network, NetworkOptions, PortKind
from ovsnet.model.state import Counters
from ovsnet.store.changes import Kind

NAMESPACE = UUID("8a3a6f0e-5c0b-4c59-9d3c-2a6f8f1f7c11")
"""Ours, chosen once: a request made twice gives the same row UUID, and so cannot become two rows."""

UNREADABLE = (ValueError, TypeError, AttributeError, BadRequest)
"""What reading a row raises that somebody edited by hand."""

T = TypeVar("T")
Columns = Mapping[str, object]
RowOf = Callable[[Kind, Any], UUID]
"""The row that holds a value, for references."""


@dataclass(frozen=True, slots=True)
class Shape:
    """How one kind of value is kept: in which table, and both directions."""

    table: str
    encode: Callable[[Any, RowOf], Columns]
    decode: Callable[[Any], Any]
    """One of UNREADABLE for a row that makes no sense."""


def row_uuid(kind: Kind, key: Any) -> UUID:
    """The UUID of the row for a value that is new."""
    parts = [str(it) for it in key] if isinstance(key, tuple) else [str(key)]
    return uuid5(NAMESPACE, "\n".join([kind.__name__, *parts]))


# ---------------------------------------------------------------- networks


def _encode_network(it: Network, _row: RowOf) -> Columns:
    return {
        "net_id": it.id,
        "vni": int(it.vni),
        "name": it.name,
        "labels": json.dumps(it.labels) if it.labels else "",
        "internal": it.internal,
        "ipv4": _maybe(it.ipv4),
        "ipv6": _maybe(it.ipv6),
        "gateway4": _maybe(it.gateway4),
        "gateway6": _maybe(it.gateway6),
        "mode": str(it.options.mode),
        "vlan": int(it.options.vlan),
        "mtu": it.options.mtu,
        "port": str(it.options.port),
        "icc": it.options.icc,
        "egress": str(it.options.egress),
        "created_at": repr(float(it.created_at)),
    }


def _decode_network(row: Any) -> Network:
    options = NetworkOptions(
        mode=Mode(row.mode),
        vlan=Vlan(row.vlan),
        mtu=row.mtu,
        port=PortKind(row.port),
        icc=row.icc,
        egress=Egress(row.egress),
    )
    return Network(
        id=NetworkId(row.net_id),
        vni=Vni(row.vni),
        options=options,
        internal=row.internal,
        ipv4=_only(row.ipv4, IPv4Network),
        ipv6=_only(row.ipv6, IPv6Network),
        gateway4=_only(row.gateway4, IPv4Address),
        gateway6=_only(row.gateway6, IPv6Address),
        name=row.name,
        labels=_labels(row.labels),
        created_at=float(row.created_at),
    )


def _labels(text: str) -> tuple[tuple[str, str], ...]:
    return tuple((str(key), str(value)) for key, value in json.loads(text)) if text else ()


# ---------------------------------------------------------------- endpoints


def _encode_endpoint(it: Endpoint, row: RowOf) -> Columns:
    return {
        "endpoint_id": it.id,
        "network": row(Network, it.network_id),
        "mac": it.mac,
        "ipv4": _maybe(it.ipv4),
        "ipv6": _maybe(it.ipv6),
        "vlan": [] if it.vlan is None else [int(it.vlan)],
        "plugged": it.plugged,
        "sandbox": it.sandbox,
        "ifname": it.ifname,
        "container_id": it.container_id,
        "container_name": it.container_name,
        "compose_service": it.compose_service,
        "created_at": repr(float(it.created_at)),
    }


def _decode_endpoint(row: Any) -> Endpoint:
    return Endpoint(
        id=EndpointId(row.endpoint_id),
        network_id=NetworkId(row.network.net_id),
        mac=parse_mac(row.mac),
        ipv4=_only(row.ipv4, IPv4Interface),
        ipv6=_only(row.ipv6, IPv6Interface),
        vlan=_only(row.vlan, Vlan),
        plugged=row.plugged,
        sandbox=row.sandbox,
        ifname=row.ifname,
        container_id=row.container_id,
        container_name=row.container_name,
        compose_service=row.compose_service,
        created_at=float(row.created_at),
    )


# ---------------------------------------------------------------- addresses


def _encode_pool(it: Pool, _row: RowOf) -> Columns:
    return {
        "pool_id": it.id,
        "space": it.space,
        "subnet": str(it.subnet),
        "sub_range": _maybe(it.sub_range),
        "cursor": _maybe(it.cursor),
        "created_at": repr(float(it.created_at)),
    }


def _decode_pool(row: Any) -> Pool:
    return Pool(
        id=PoolId(row.pool_id),
        space=row.space,
        subnet=ip_network(row.subnet),
        sub_range=_only(row.sub_range, ip_network),
        cursor=_only(row.cursor, ip_address),
        created_at=float(row.created_at),
    )


def _encode_allocation(it: Allocation, row: RowOf) -> Columns:
    return {
        "pool": row(Pool, it.pool_id),
        "address": str(it.address),
        "kind": str(it.kind),
        "holder": it.holder,
        "released_at": [] if it.released_at is None else [repr(float(it.released_at))],
        "created_at": repr(float(it.created_at)),
    }


def _decode_allocation(row: Any) -> Allocation:
    return Allocation(
        pool_id=PoolId(row.pool.pool_id),
        address=ip_address(row.address),
        kind=AllocationKind(row.kind),
        holder=row.holder,
        released_at=_only(row.released_at, float),
        created_at=float(row.created_at),
    )


# ---------------------------------------------------------------- counters


def _encode_counters(it: Counters, _row: RowOf) -> Columns:
    return {"mac_prefix": it.mac_prefix, "mac_next": it.mac_next, "ula_prefix": it.ula_prefix}


def _decode_counters(row: Any) -> Counters:
    return Counters(mac_prefix=row.mac_prefix, mac_next=row.mac_next, ula_prefix=row.ula_prefix)


SHAPES: Mapping[Kind, Shape] = MappingProxyType(
    {
        Network: Shape("Network", _encode_network, _decode_network),
        Pool: Shape("Pool", _encode_pool, _decode_pool),
        Endpoint: Shape("Endpoint", _encode_endpoint, _decode_endpoint),
        Allocation: Shape("Allocation", _encode_allocation, _decode_allocation),
        Counters: Shape("Global", _encode_counters, _decode_counters),
    }
)


def _maybe(value: object) -> list[str]:
    return [] if value is None else [str(value)]


def _only(values: list[Any], read: Callable[[Any], T]) -> T | None:
    return read(values[0]) if values else None
