"""What endpoints say of the multicast groups they listen to, as bytes: IGMP 1 to 3 and MLD 1 and 2. Pure.

Sources are not told apart: who listens to a group from some sources gets it from all, and its kernel sorts them out.

    IGMP 1  RFC 1112 appendix I     IGMP 2  RFC 2236     IGMP 3  RFC 3376
    MLD 1   RFC 2710                MLD 2   RFC 3810
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import Final

from ovsnet.model.endpoint import link_local
from ovsnet.model.ids import IpAddress
from ovsnet.pipeline.frames import ETH_IPV4, ETH_IPV6, ICMPV6, checksum, ethernet, icmpv6_checksum, octets_of
from ovsnet.pipeline.gateway import GATEWAY_MAC
from ovsnet.pipeline.packets import IGMP, MLD_QUERY, MLD_REPORTS

_QUERY, _REPORT_V1, _REPORT_V2, _LEAVE, _REPORT_V3 = 0x11, 0x12, 0x16, 0x17, 0x22
"""RFC 3376 4, and for version 2 RFC 2236 2.1."""
_MLD_REPORT, _MLD_DONE, _MLD_REPORT_V2 = MLD_REPORTS
_IS_INCLUDE, _IS_EXCLUDE, _TO_INCLUDE, _TO_EXCLUDE, _ALLOW, _BLOCK = range(1, 7)
"""Record types (RFC 3376 4.2.12, RFC 3810 5.2.12)."""
_SKIPPED = (0, 43, 60)
"""IPv6 headers before the message: hop-by-hop options (with the router alert), routing, destination options."""
_ROUTER_ALERT: Final = bytes((0x94, 4, 0, 0))
"""RFC 2113 2.1; and below as an option of IPv6, with padding (RFC 2711 2.1)."""
_ROUTER_ALERT6: Final = bytes((ICMPV6, 0, 5, 2, 0, 0, 1, 0))
_ALL_SYSTEMS, _ALL_NODES = IPv4Address("224.0.0.1"), IPv6Address("ff02::1")
_ALL_SYSTEMS_MAC, _ALL_NODES_MAC = b"\x01\x00\x5e\x00\x00\x01", b"\x33\x33\x00\x00\x00\x01"
ROBUSTNESS: Final = 2
"""How many messages in a row may be lost less one (RFC 3376 8.1, RFC 3810 9.1)."""
LONGEST_RESPONSE: Final = 12.0
"""Seconds an answer may take: what the fields of both protocols hold without an exponent is a little more."""


@dataclass(frozen=True, slots=True)
class Said:
    """What one message says. `groups` in the order of the message: True for one that is listened to, False for one
    that is not any more. `asks`: it is a query, so its sender routes multicast.
    """

    groups: tuple[tuple[IpAddress, bool], ...] = ()
    asks: bool = False


def said(frame: bytes) -> Said | None:
    """What an untagged frame says; None for one that is no such message, or is damaged, or cut off."""
    try:
        kind = int.from_bytes(frame[12:14])
        if kind == ETH_IPV4:
            return _igmp(_ipv4_payload(frame[14:]))
        return _mld(*_ipv6_payload(frame[14:])) if kind == ETH_IPV6 else None
    except (ValueError, IndexError, struct.error):
        return None


# ---------------------------------------------------------------- IPv4


def _ipv4_payload(packet: bytes) -> bytes:
    """Of a whole packet of IGMP; ValueError for any other."""
    head, length = (packet[0] & 0xF) * 4, int.from_bytes(packet[2:4])
    fragment = int.from_bytes(packet[6:8]) & 0x3FFF
    if packet[0] >> 4 != 4 or head < 20 or fragment or packet[9] != IGMP or not head <= length <= len(packet):
        raise ValueError("no whole packet of IGMP")
    return packet[head:length]


def _igmp(message: bytes) -> Said | None:
    if len(message) < 8 or checksum(message):
        return None
    kind = message[0]
    if kind == _QUERY:
        return Said(asks=True)
    if kind in (_REPORT_V1, _REPORT_V2, _LEAVE):
        return Said(groups=((IPv4Address(message[4:8]), kind != _LEAVE),))
    return Said(groups=tuple(_records(message, 4))) if kind == _REPORT_V3 else None


# ---------------------------------------------------------------- IPv6


def _ipv6_payload(packet: bytes) -> tuple[IPv6Address, IPv6Address, bytes]:
    """Source, destination and message of a whole packet of ICMPv6; ValueError for any other."""
    length, header = int.from_bytes(packet[4:6]), packet[6]
    if packet[0] >> 4 != 6 or len(packet) < 40 + length:
        raise ValueError("no whole packet of IPv6")
    rest = packet[40 : 40 + length]
    while header in _SKIPPED:
        header, rest = rest[0], rest[(rest[1] + 1) * 8 :]
    if header != ICMPV6:
        raise ValueError("no ICMPv6")
    return IPv6Address(packet[8:24]), IPv6Address(packet[24:40]), rest


def _mld(source: IPv6Address, target: IPv6Address, message: bytes) -> Said | None:
    if len(message) < 8 or icmpv6_checksum(source, target, message):
        return None
    kind = message[0]
    if kind == MLD_QUERY:
        return Said(asks=True)
    if kind in (_MLD_REPORT, _MLD_DONE):
        return Said(groups=((IPv6Address(message[8:24]), kind == _MLD_REPORT),))
    return Said(groups=tuple(_records(message, 16))) if kind == _MLD_REPORT_V2 else None


# ---------------------------------------------------------------- both


def _records(message: bytes, width: int) -> Iterator[tuple[IpAddress, bool]]:
    """The group records of a report, which are alike but for the `width` of an address in octets."""
    at = 8
    for _ in range(int.from_bytes(message[6:8])):
        kind, words, sources = struct.unpack_from("!BBH", message, at)
        group, end = message[at + 4 : at + 4 + width], at + 4 + width * (1 + sources) + 4 * words
        if end > len(message):
            raise ValueError("a record is cut off")
        listens = _listens(kind, sources)
        if listens is not None:
            yield (IPv4Address(group) if width == 4 else IPv6Address(group)), listens
        at = end


def _listens(kind: int, sources: int) -> bool | None:
    """To exclude some sources is to listen, to include none is not to. None where the record does not tell.

    Sources that are blocked leave others, or none, which the next answer to a query shows (RFC 3376 4.2.12).
    """
    if kind in (_IS_EXCLUDE, _TO_EXCLUDE):
        return True
    if kind in (_IS_INCLUDE, _TO_INCLUDE):
        return sources > 0
    return True if kind == _ALLOW and sources else None


# ---------------------------------------------------------------- asking


def igmp_query(response: float) -> bytes:
    """A general query of version 3, to be answered within `response` seconds.

    From 0.0.0.0: who is no router must not become the querier (RFC 4541 2.1.1 (1.b)).
    """
    message = struct.pack("!BBHIBBH", _QUERY, _tenths(response), 0, 0, ROBUSTNESS, 0, 0)
    message = message[:2] + struct.pack("!H", checksum(message)) + message[4:]
    head = struct.pack("!BBHHHBBH", 0x46, 0xC0, 24 + len(message), 0, 0, 1, IGMP, 0)
    packet = head + bytes(4) + _ALL_SYSTEMS.packed + _ROUTER_ALERT
    packet = packet[:10] + struct.pack("!H", checksum(packet)) + packet[12:]
    return ethernet(_ALL_SYSTEMS_MAC, octets_of(GATEWAY_MAC), ETH_IPV4, packet + message)


def mld_query(response: float) -> bytes:
    """A general query of version 2, to be answered within `response` seconds.

    From the gateway's link-local address: a query from any other is not answered (RFC 3810 5.1.14).
    """
    source = link_local(GATEWAY_MAC)
    milliseconds = round(min(response, LONGEST_RESPONSE) * 1000)
    message = struct.pack("!BBHHH16sBBH", MLD_QUERY, 0, 0, milliseconds, 0, bytes(16), ROBUSTNESS, 0, 0)
    message = message[:2] + struct.pack("!H", icmpv6_checksum(source, _ALL_NODES, message)) + message[4:]
    head = struct.pack("!IHBB", 6 << 28, len(_ROUTER_ALERT6) + len(message), 0, 1)
    packet = head + source.packed + _ALL_NODES.packed + _ROUTER_ALERT6 + message
    return ethernet(_ALL_NODES_MAC, octets_of(GATEWAY_MAC), ETH_IPV6, packet)


def _tenths(response: float) -> int:
    return round(min(response, LONGEST_RESPONSE) * 10)
