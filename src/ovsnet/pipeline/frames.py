"""Frames as bytes: the parts that every frame of ours is made of. Pure."""

import struct
from ipaddress import IPv6Address
from typing import Final

from ovsnet.model.ids import Mac

ETH_IPV4: Final = 0x0800
ETH_IPV6: Final = 0x86DD
ICMPV6: Final = 58
_SHORTEST: Final = 60
"""Octets of the shortest frame Ethernet allows, without its checksum (IEEE 802.3)."""


def ethernet(to: bytes, sender: bytes, kind: int, payload: bytes) -> bytes:
    """A frame without its checksum, padded to the shortest that is allowed."""
    return (to + sender + struct.pack("!H", kind) + payload).ljust(_SHORTEST, b"\0")


def octets_of(mac: Mac) -> bytes:
    """A MAC as it is on the wire."""
    return bytes.fromhex(mac.replace(":", ""))


def checksum(octets: bytes) -> int:
    """The Internet checksum (RFC 1071); 0 over octets that hold their own right one."""
    even = octets + bytes(len(octets) % 2)
    total: int = sum(struct.unpack(f"!{len(even) // 2}H", even))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def icmpv6_checksum(source: IPv6Address, target: IPv6Address, message: bytes) -> int:
    """That of a message in which its own field is zero, or 0 for one that has it (RFC 4443 2.3)."""
    return checksum(source.packed + target.packed + struct.pack("!II", len(message), ICMPV6) + message)
