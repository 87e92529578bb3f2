"""What kernels send about multicast groups, as bytes, from any sender. Pure."""

import struct
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

from ovsnet.model.endpoint import Endpoint
from ovsnet.model.ids import IpAddress
from ovsnet.pipeline.frames import checksum, ethernet, icmpv6_checksum, octets_of

_ROUTERS4, _ROUTERS6 = IPv4Address("224.0.0.22"), IPv6Address("ff02::16")
_SOMEBODY4, _SOMEBODY6 = IPv4Address("10.0.0.1"), IPv6Address("fe80::1")


@dataclass(frozen=True, slots=True)
class Kernel:
    """Who sends: its MAC and its addresses."""

    mac: bytes = b"\x0a\0\0\0\0\x01"
    ipv4: IPv4Address = _SOMEBODY4
    ipv6: IPv6Address = _SOMEBODY6

    @classmethod
    def of(cls, endpoint: Endpoint) -> "Kernel":
        """That of an endpoint with both families."""
        assert endpoint.ipv4 is not None
        return cls(octets_of(endpoint.mac), endpoint.ipv4.ip, endpoint.link_local)

    def igmp(self, kind: int, rest: bytes, target: IPv4Address = _ROUTERS4) -> bytes:
        """With the router alert, so that the header has 24 octets."""
        message = _summed(bytes((kind, 0, 0, 0)) + rest)
        head = struct.pack("!BBHHHBBH", 0x46, 0xC0, 24 + len(message), 0, 0x4000, 1, 2, 0)
        packet = head + self.ipv4.packed + target.packed + bytes((0x94, 4, 0, 0))
        packet = packet[:10] + struct.pack("!H", checksum(packet)) + packet[12:] + message
        return ethernet(b"\x01\x00\x5e" + target.packed[1:], self.mac, 0x0800, packet)

    def mld(self, kind: int, rest: bytes, target: IPv6Address = _ROUTERS6) -> bytes:
        """Behind a hop-by-hop header with the router alert."""
        message = bytes((kind, 0, 0, 0)) + rest
        total = icmpv6_checksum(self.ipv6, target, message)
        behind = bytes((58, 0, 5, 2, 0, 0, 1, 0)) + message[:2] + struct.pack("!H", total) + message[4:]
        head = struct.pack("!IHBB", 6 << 28, len(behind), 0, 1) + self.ipv6.packed + target.packed
        return ethernet(b"\x33\x33" + target.packed[-4:], self.mac, 0x86DD, head + behind)


def records(*them: tuple[int, IpAddress, int]) -> bytes:
    """The number of group records, and they: kind, group, how many sources."""
    found = [struct.pack("!BBH", kind, 0, n) + group.packed + group.packed * n for kind, group, n in them]
    return struct.pack("!HH", 0, len(found)) + b"".join(found)


def _summed(message: bytes) -> bytes:
    return message[:2] + struct.pack("!H", checksum(message)) + message[4:]
