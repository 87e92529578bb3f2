"""Kernel messages about the host's own addresses and routes (rtnetlink(7)), read into values and back. Pure.

Both ways are here, as what was read must be written back the same, whoever's it is: the netlink library fills in
defaults of its own. A route with anything we do not know is told apart, so that nobody takes it for understood.
"""

import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address, ip_interface, ip_network
from typing import Final

from ovsnet.linux.wire import ACKNOWLEDGE, DUMP, NUMBER, Frame, attribute, attributes, frame, number, text
from ovsnet.model.ids import IpAddress
from ovsnet.model.uplink import FOREVER, HostAddress, HostRoute

NEWADDR, DELADDR, GETADDR = 20, 21, 22
NEWROUTE, DELROUTE, GETROUTE = 24, 25, 26
NEWRULE, GETRULE = 32, 34
REPLACE, CREATE, EXCLUSIVE = 0x100, 0x400, 0x200
FAMILIES: Final = {4: socket.AF_INET, 6: socket.AF_INET6}
_ADDRESS = struct.Struct("=BBBBI")  # family, prefix length, flags, scope, index: struct ifaddrmsg
_ROUTE = struct.Struct("=BBBBBBBBI")  # family, lengths, tos, table, protocol, scope, type, flags: struct rtmsg
_LIFETIMES = struct.Struct("=IIII")  # preferred, valid and two times of the past: struct ifa_cacheinfo
_HOP = struct.Struct("=HBBi")  # length, flags, weight, index: struct rtnexthop
_FAR, _LOCAL, _LABEL, _BROADCAST, _CACHE, _FLAGS, _ROUTE_METRIC, _ORIGIN = 1, 2, 3, 4, 6, 8, 9, 11
_OF_ADDRESS = frozenset({_FAR, _LOCAL, _LABEL, _BROADCAST, _CACHE, _FLAGS, _ROUTE_METRIC, _ORIGIN})
_OF_KERNEL = 3
"""IFAPROT_KERNEL_LL: the kernel made it of the MAC, or of a secret."""
_DST, _OIF, _GATEWAY, _PRIORITY, _SOURCE, _METRICS, _HOPS, _TIMES, _TABLE, _VIA, _PREFERENCE = (
    *(1, 4, 5, 6, 7),
    *(8, 9, 12, 15, 18, 20),
)
_EXPIRES, _PAD = 23, 24
_HELD, _LED = frozenset({_FAR, _LOCAL}), frozenset({_DST, _OIF, _TABLE})
_UNDERSTOOD = frozenset(
    {_DST, _OIF, _GATEWAY, _PRIORITY, _SOURCE, _METRICS, _TIMES, _TABLE, _VIA, _PREFERENCE, _EXPIRES, _PAD}
)
_EVERY = frozenset(range(1, 64))
_RULE_IIF, _RULE_OIF = 3, 17
_UNICAST = 1
_NOT_ANY_HOSTS = frozenset({3, 4, 5})
"""RTN_BROADCAST, RTN_ANYCAST, RTN_MULTICAST: routes that name no network of their own."""
_EVERYWHERE = 0
"""RT_SCOPE_UNIVERSE."""
_LARGE_TABLE = 252
"""RT_TABLE_COMPAT: its number is in the attribute."""
_ON_LINK = 4
"""RTNH_F_ONLINK, the one flag of a route that a person sets."""
TICKS: Final = 100
"""USER_HZ, in which the kernel tells when a route of a router advertisement ends."""
NODAD: Final = 0x02
TENTATIVE: Final = 0x40
KEPT_FLAGS: Final = 0x02 | 0x10 | 0x100 | 0x200 | 0x400
"""IFA_F_NODAD, HOMEADDRESS, MANAGETEMPADDR, NOPREFIXROUTE, MCAUTOJOIN: what one may ask for."""


@dataclass(frozen=True, slots=True)
class Placed:
    """An address or a route and the index of its interface. `strange`: it has something that is not understood."""

    index: int
    address: HostAddress | None = None
    route: HostRoute | None = None
    strange: bool = False
    tentative: bool = False
    """The kernel still asks whether somebody else has the address."""
    automatic: bool = False
    """A link-local address that every interface gives itself. Kernels before 5.18 do not tell."""


@dataclass(frozen=True, slots=True)
class Held:
    """An address of this host, and the index of the interface that has it. `everywhere`: it is of global scope.
    `subnet`: what is on the link, as its first or any other address in the machine's bytes, and the prefix length.
    """

    index: int
    packed: bytes
    everywhere: bool
    subnet: tuple[bytes, int]

    @property
    def address(self) -> IpAddress:
        return ip_address(self.packed)


@dataclass(frozen=True, slots=True)
class Way:
    """Where a route leads, as an address in the machine's bytes and a prefix length, of any table. `index` is that of
    its interface, 0 where it has none or several.
    """

    index: int
    table: int
    subnet: tuple[bytes, int]


def addresses_request(sequence: int) -> bytes:
    """For all addresses of the namespace."""
    return frame(GETADDR, DUMP, sequence, _ADDRESS.pack(0, 0, 0, 0, 0))


def routes_request(sequence: int, version: int) -> bytes:
    """For all routes of one family, of all tables."""
    return frame(GETROUTE, DUMP, sequence, _ROUTE.pack(FAMILIES[version], *(0,) * 8))


def rules_request(sequence: int, version: int) -> bytes:
    """For all routing rules of one family."""
    return frame(GETRULE, DUMP, sequence, _ROUTE.pack(FAMILIES[version], *(0,) * 8))


# ---------------------------------------------------------------- addresses


def read_address(message: Frame, link_name: str) -> Placed:
    """One address; `link_name` is that of its interface, which the kernel repeats as its label."""
    family, length, low_flags, scope, index = _ADDRESS.unpack_from(message.body)
    found = attributes(message.body, _ADDRESS.size, _OF_ADDRESS)
    far = found.get(_FAR)
    own = found.get(_LOCAL, far) or b""
    flags = number(found[_FLAGS]) if _FLAGS in found else low_flags
    preferred, valid = _LIFETIMES.unpack(found[_CACHE])[:2] if _CACHE in found else (FOREVER, FOREVER)
    label = text(found.get(_LABEL, b""))
    address = HostAddress(
        address=ip_interface((own, length)),
        peer=None if far is None or far == own else ip_address(far),
        broadcast=ip_address(found[_BROADCAST]) if family == socket.AF_INET and _BROADCAST in found else None,
        label="" if label == link_name else label,
        scope=scope,
        flags=flags & KEPT_FLAGS,
        metric=number(found.get(_ROUTE_METRIC, b"")),
        valid=valid,
        preferred=preferred,
    )
    automatic = found.get(_ORIGIN, b"")[:1] == bytes([_OF_KERNEL])
    return Placed(index, address=address, tentative=bool(flags & TENTATIVE), automatic=automatic)


def read_held(message: Frame) -> Held:
    """Who has one address: the little of it that a list of thousands is asked for."""
    _, length, _, scope, index = _ADDRESS.unpack_from(message.body)
    found = attributes(message.body, _ADDRESS.size, _HELD)
    far = found.get(_FAR, b"")  # on a line between two that of the other end
    return Held(index, found.get(_LOCAL, far), scope == _EVERYWHERE, (far, length))


def put_address(sequence: int, index: int, it: HostAddress) -> bytes:
    """The request to have the address; there is one of that address already: EEXIST."""
    return frame(NEWADDR, CREATE | EXCLUSIVE | ACKNOWLEDGE, sequence, _address_body(index, it, whole=True))


def drop_address(sequence: int, index: int, it: HostAddress) -> bytes:
    """The request not to have it; there is none: EADDRNOTAVAIL."""
    return frame(DELADDR, ACKNOWLEDGE, sequence, _address_body(index, it, whole=False))


def _address_body(index: int, it: HostAddress, *, whole: bool) -> bytes:
    own, length = it.address.ip, it.address.network.prefixlen
    body = _ADDRESS.pack(FAMILIES[own.version], length, it.flags & 0xFF if whole else 0, it.scope, index)
    body += attribute(_LOCAL, own.packed) + attribute(_FAR, (it.peer or own).packed)
    if not whole:
        return body
    body += attribute(_FLAGS, NUMBER.pack(it.flags))
    body += attribute(_CACHE, _LIFETIMES.pack(min(it.preferred, it.valid), it.valid, 0, 0))
    if it.broadcast is not None:
        body += attribute(_BROADCAST, it.broadcast.packed)
    if it.label:
        body += attribute(_LABEL, it.label.encode() + b"\0")
    if it.metric:
        body += attribute(_ROUTE_METRIC, NUMBER.pack(it.metric))
    return body


# ---------------------------------------------------------------- routes


def read_routes(message: Frame) -> Iterator[Placed]:
    """One unicast route, once for each interface it leads through; nothing for others."""
    family, length, source_length, tos, table, protocol, scope, kind, flags = _ROUTE.unpack_from(message.body)
    if kind != _UNICAST:
        return
    found = attributes(message.body, _ROUTE.size, _EVERY)
    version = 4 if family == socket.AF_INET else 6
    destination = ip_network((found.get(_DST, bytes(4 if version == 4 else 16)), length))
    route = HostRoute(
        destination=destination,
        table=number(found.get(_TABLE, b"")) or table,
        protocol=protocol,
        scope=scope,
        gateway=_gateway(found),
        metric=number(found.get(_PRIORITY, b"")),
        source=ip_address(found[_SOURCE]) if _SOURCE in found else None,
        tos=tos,
        flags=flags & _ON_LINK,
        preference=found[_PREFERENCE][0] if _PREFERENCE in found else 0,
        metrics=tuple(_metrics(found.get(_METRICS, b""))),
        expires=_expires(found.get(_TIMES, b"")) if version == 6 else 0,
    )
    strange = bool(source_length or found.keys() - _UNDERSTOOD or _has_words(found.get(_METRICS, b"")))
    for index in {number(found.get(_OIF, b"")), *_hops(found.get(_HOPS, b""))} - {0}:
        yield Placed(index, route=route, strange=strange)


def read_way(message: Frame) -> Way | None:
    """Where one route leads, likewise; None for what leads to no network."""
    family, length, _, _, table, _, _, kind, _ = _ROUTE.unpack_from(message.body)
    if kind in _NOT_ANY_HOSTS:
        return None
    found = attributes(message.body, _ROUTE.size, _LED)
    nowhere = bytes(4 if family == socket.AF_INET else 16)
    index = number(found.get(_OIF, b""))
    return Way(index, number(found.get(_TABLE, b"")) or table, (found.get(_DST, nowhere), length))


def put_route(sequence: int, index: int, it: HostRoute) -> bytes:
    """The request to have the route, in place of one of the same destination and metric."""
    return frame(NEWROUTE, CREATE | REPLACE | ACKNOWLEDGE, sequence, _route_body(index, it))


def drop_route(sequence: int, index: int, it: HostRoute) -> bytes:
    """The request not to have it through that interface; there is none: ESRCH."""
    return frame(DELROUTE, ACKNOWLEDGE, sequence, _route_body(index, it))


def _route_body(index: int, it: HostRoute) -> bytes:
    there = it.destination
    table = it.table if it.table < 256 else _LARGE_TABLE
    body = _ROUTE.pack(
        FAMILIES[there.version], there.prefixlen, 0, it.tos, table, it.protocol, it.scope, _UNICAST, it.flags
    )
    body += attribute(_TABLE, NUMBER.pack(it.table)) + attribute(_OIF, NUMBER.pack(index))
    if there.prefixlen:
        body += attribute(_DST, there.network_address.packed)
    if it.gateway is not None and it.gateway.version == there.version:
        body += attribute(_GATEWAY, it.gateway.packed)
    elif it.gateway is not None:
        body += attribute(_VIA, struct.pack("=H", FAMILIES[it.gateway.version]) + it.gateway.packed)
    if it.metric:
        body += attribute(_PRIORITY, NUMBER.pack(it.metric))
    if it.source is not None:
        body += attribute(_SOURCE, it.source.packed)
    if it.metrics:
        body += attribute(_METRICS, b"".join(attribute(kind, NUMBER.pack(value)) for kind, value in it.metrics))
    if it.preference:
        body += attribute(_PREFERENCE, bytes([it.preference]))
    if it.expires:
        body += attribute(_EXPIRES, NUMBER.pack(it.expires))
    return body


def _gateway(found: dict[int, bytes]) -> IpAddress | None:
    if _GATEWAY in found:
        return ip_address(found[_GATEWAY])
    return ip_address(found[_VIA][2:]) if _VIA in found else None


def _metrics(nested: bytes) -> Iterator[tuple[int, int]]:
    for kind, value in sorted(attributes(nested, 0, _EVERY).items()):
        if len(value) == NUMBER.size:
            yield kind, number(value)


def _has_words(nested: bytes) -> bool:
    """Such as the name of a congestion control."""
    return any(len(value) != NUMBER.size for value in attributes(nested, 0, _EVERY).values())


def _expires(times: bytes) -> int:
    """Seconds; 0 for a route that stays."""
    ticks = struct.unpack_from("=i", times, 8)[0] if len(times) >= 12 else 0
    return max(0, int(ticks)) // TICKS


def _hops(nested: bytes) -> Iterator[int]:
    start = 0
    while start + _HOP.size <= len(nested):
        length, _, _, index = _HOP.unpack_from(nested, start)
        if length < _HOP.size:
            return
        yield index
        start += (length + 3) & ~3


# ---------------------------------------------------------------- rules


def rule_names(message: Frame) -> set[str]:
    """The interfaces that a routing rule names."""
    found = attributes(message.body, _ROUTE.size, frozenset({_RULE_IIF, _RULE_OIF}))
    return {text(it) for it in found.values()}
