"""How values become columns and back, whatever the table. Pure.

A row is read by attributes, as `ovs.db.idl.Row` has them, and written as a mapping of columns. What may be
absent is a set of at most one. Times are text, because the server prints real numbers with 15 digits and so
would change them; labels are JSON in ASCII, because they may be any text in any order.
"""

import json
from collections.abc import Callable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Any, TypeVar
from uuid import UUID, uuid5

from ovsnet.model.cluster import SharedNetwork
from ovsnet.model.errors import BadRequest
from ovsnet.model.ids import Vlan, Vni
from ovsnet.model.listening import EVERYTHING, MUTED, Listening, to_groups
from ovsnet.model.network import Egress, Mode, Multicast, Network, NetworkOptions, PortKind
from ovsnet.model.publication import Publication, Transport
from ovsnet.store.vocabulary import Columns, Kind

NAMESPACE = UUID("8a3a6f0e-5c0b-4c59-9d3c-2a6f8f1f7c11")
"""Ours, chosen once: a request made twice gives the same row UUID, and so cannot become two rows."""

UNREADABLE = (ValueError, TypeError, AttributeError, BadRequest)
"""What reading a row raises that somebody edited by hand."""

_MUTED = "muted"
BEFORE_THERE_WAS_A_CHOICE = Multicast.SNOOP
"""What rows of older versions mean; such hosts send every group to all as long as they run."""

T = TypeVar("T")


def row_uuid(kind: Kind, key: Any) -> UUID:
    """The UUID of the row for a value that is new."""
    parts = [str(it) for it in key] if isinstance(key, tuple) else [str(key)]
    return uuid5(NAMESPACE, "\n".join([kind.__name__, *parts]))


def encode_network(network: Network | SharedNetwork) -> Columns:
    """What a network is, whether it is this host's or all hosts'."""
    return {
        "net_id": network.id,
        "vni": int(network.vni),
        "name": network.name,
        "labels": encode_labels(network.labels),
        "internal": network.internal,
        "ipv4": maybe(network.ipv4),
        "ipv6": maybe(network.ipv6),
        "gateway4": maybe(network.gateway4),
        "gateway6": maybe(network.gateway6),
        "space": network.space,
        **_encode_options(network.options),
        "created_at": repr(float(network.created_at)),
    }


def decode_network(row: Any) -> dict[str, Any]:
    """The fields `encode_network` wrote; but `id`, which is of another type in either."""
    return {
        "vni": Vni(row.vni),
        "name": row.name,
        "labels": decode_labels(row.labels),
        "internal": row.internal,
        "ipv4": only(row.ipv4, IPv4Network),
        "ipv6": only(row.ipv6, IPv6Network),
        "gateway4": only(row.gateway4, IPv4Address),
        "gateway6": only(row.gateway6, IPv6Address),
        "space": row.space,
        "options": _decode_options(row),
        "created_at": float(row.created_at),
    }


def _encode_options(options: NetworkOptions) -> Columns:
    return {
        "mode": str(options.mode),
        "vlan": int(options.vlan),
        "mtu": options.mtu,
        "port": str(options.port),
        "icc": options.icc,
        "egress": str(options.egress),
        "multicast": str(options.multicast),
        "rate": options.rate,
        "domain": options.domain,
    }


def _decode_options(row: Any) -> NetworkOptions:
    return NetworkOptions(
        mode=Mode(row.mode),
        vlan=Vlan(row.vlan),
        mtu=row.mtu,
        port=PortKind(row.port),
        icc=row.icc,
        egress=Egress(row.egress),
        multicast=Multicast(row.multicast or BEFORE_THERE_WAS_A_CHOICE),
        rate=row.rate,
        domain=row.domain,
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


def encode_listening(it: Listening) -> str:
    """Groups as JSON; "", which is also what rows of older versions have, for everything."""
    if it.muted:
        return _MUTED
    return "" if it.everything else json.dumps([str(group) for group in it.groups])


def decode_listening(text: str) -> Listening:
    """What `encode_listening` wrote."""
    if text == _MUTED:
        return MUTED
    return to_groups(ip_address(it) for it in json.loads(text)) if text else EVERYTHING


def encode_published(published: tuple[Publication, ...]) -> str:
    """Published ports as JSON; "" for none."""
    return json.dumps([[it.transport, str(it.host), it.host_port, it.port] for it in published]) if published else ""


def decode_published(text: str) -> tuple[Publication, ...]:
    """What `encode_published` wrote."""
    listed = json.loads(text) if text else ()
    return tuple(Publication(Transport(it), ip_address(host), int(at), int(to)) for it, host, at, to in listed)


def maybe(value: object) -> list[str]:
    """A set of at most one."""
    return [] if value is None else [str(value)]


def only(values: list[Any], read: Callable[[Any], T]) -> T | None:
    """What a set of at most one holds."""
    return read(values[0]) if values else None
