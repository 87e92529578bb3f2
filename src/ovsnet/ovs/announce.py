"""Tells the neighbours of an endpoint where it is now, as if its container had said so.

The frames enter the pipeline at the endpoint's own port, so that they pass its guards and reach its network
only.
"""

import struct
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Final

from ovsnet.model.endpoint import Endpoint
from ovsnet.model.ids import Mac, Ofport
from ovsnet.ovs import programs
from ovsnet.pipeline.frames import ETH_IPV4, ETH_IPV6, ICMPV6, ethernet, icmpv6_checksum, octets_of

_BROADCAST: Final = b"\xff" * 6
_ALL_NODES: Final = IPv6Address("ff02::1")
_ALL_NODES_MAC: Final = b"\x33\x33\x00\x00\x00\x01"
_ARP, _NEIGHBOUR_ADVERTISEMENT = 0x0806, 136
_OVERRIDE: Final = 1 << 29
"""RFC 4861 4.4: the O flag."""
_TARGET_LINK_ADDRESS: Final = 2


async def announce(
    bridge: str,
    endpoints: Sequence[tuple[Ofport, Endpoint]],
    ovs_run_dir: str | Path,
    *,
    deadline: float = 5.0,
) -> None:
    """Send every endpoint's announcements in at its port, all with one program; Unavailable when that
    fails.
    """
    packets = [
        f"in_port={ofport},packet={frame.hex()},actions=table"
        for ofport, endpoint in endpoints
        for frame in announcements(endpoint)
    ]
    if packets:
        await programs.send_packets(bridge, packets, ovs_run_dir, deadline=deadline)


def announcements(endpoint: Endpoint) -> list[bytes]:
    """The frames that announce an endpoint's addresses: one for each, none for an endpoint without any."""
    frames = []
    if endpoint.ipv4 is not None:
        frames.append(gratuitous_arp(endpoint.mac, endpoint.ipv4.ip))
    if endpoint.ipv6 is not None:
        frames.append(unsolicited_advertisement(endpoint.mac, endpoint.ipv6.ip))
    return frames


def gratuitous_arp(mac: Mac, address: IPv4Address) -> bytes:
    """An ARP announcement: a request whose sender and target address are the same (RFC 5227 3)."""
    octets = octets_of(mac)
    arp = struct.pack("!HHBBH", 1, ETH_IPV4, 6, 4, 1) + octets + address.packed + bytes(6) + address.packed
    return ethernet(_BROADCAST, octets, _ARP, arp)


def unsolicited_advertisement(mac: Mac, address: IPv6Address) -> bytes:
    """A neighbour advertisement that nobody asked for, to all nodes (RFC 4861 7.2.6)."""
    octets = octets_of(mac)
    option = struct.pack("!BB", _TARGET_LINK_ADDRESS, 1) + octets
    message = struct.pack("!BBHI", _NEIGHBOUR_ADVERTISEMENT, 0, 0, _OVERRIDE) + address.packed + option
    checked = message[:2] + struct.pack("!H", icmpv6_checksum(address, _ALL_NODES, message)) + message[4:]
    # Hop limit 255 proves that no router was in between (RFC 4861 7.1.2).
    header = struct.pack("!IHBB", 6 << 28, len(checked), ICMPV6, 255) + address.packed + _ALL_NODES.packed
    return ethernet(_ALL_NODES_MAC, octets, ETH_IPV6, header + checked)
