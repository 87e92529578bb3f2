"""Frames as bytes: what a container with a raw socket can put on its wire. Pure."""

from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

ARP, IPV4, IPV6 = 0x0806, 0x0800, 0x86DD
BROADCAST: Final = "ff:ff:ff:ff:ff:ff"
ALL_NODES: Final = "33:33:00:00:00:01"
UDP, ICMPV6 = 17, 58
NO_ADDRESS: Final = "0.0.0.0"


def ethernet(destination: str, source: str, kind: int, payload: bytes) -> bytes:
    """A frame, padded to the shortest that Ethernet allows."""
    return (_mac(destination) + _mac(source) + kind.to_bytes(2) + payload).ljust(60, b"\0")


def tagged(frame: bytes, vlan: int, kind: int = 0x8100) -> bytes:
    """The same frame with an 802.1Q tag."""
    return frame[:12] + kind.to_bytes(2) + vlan.to_bytes(2) + frame[12:]


def arp(operation: int, sender: tuple[str, str], target: tuple[str, str]) -> bytes:
    """An ARP message; sender and target are MAC and IPv4 address."""
    head = (1).to_bytes(2) + IPV4.to_bytes(2) + bytes((6, 4)) + operation.to_bytes(2)
    return head + b"".join(_mac(mac) + IPv4Address(address).packed for mac, address in (sender, target))


def ipv4(source: str, destination: str, payload: bytes, *, protocol: int = UDP, fragment: int = 0) -> bytes:
    """An IPv4 packet; `fragment` are the flags and offset."""
    length = (20 + len(payload)).to_bytes(2)
    head = bytes((0x45, 0)) + length + bytes(2) + fragment.to_bytes(2) + bytes((64, protocol))
    addresses = IPv4Address(source).packed + IPv4Address(destination).packed
    return head + _sum(head + addresses) + addresses + payload


def ipv6(source: str, destination: str, payload: bytes, *, header: int = UDP, hop_limit: int = 64) -> bytes:
    """An IPv6 packet; `header` is the number of the next header."""
    head = bytes((0x60, 0, 0, 0)) + len(payload).to_bytes(2) + bytes((header, hop_limit))
    return head + IPv6Address(source).packed + IPv6Address(destination).packed + payload


def udp(payload: bytes) -> bytes:
    """A datagram that arrives and that no kernel answers: its checksum is wrong."""
    return (9).to_bytes(2) * 2 + (8 + len(payload)).to_bytes(2) + b"\xde\xad" + payload


def vxlan(source: str, destination: str, vni: int, frame: bytes, *, port: int = 4789) -> bytes:
    """The IP packet that carries a frame between hosts (RFC 7348), of either family, its checksums right."""
    inner = b"\x08" + bytes(3) + vni.to_bytes(3) + b"\0" + frame
    length = (8 + len(inner)).to_bytes(2)
    ends = (ip_address(source), ip_address(destination))
    head = (50000).to_bytes(2) + port.to_bytes(2) + length
    pseudo = b"".join(it.packed for it in ends) + length + UDP.to_bytes(2)
    packet = head + _sum(pseudo + head + bytes(2) + inner) + inner
    return ipv4(source, destination, packet) if ends[0].version == 4 else ipv6(source, destination, packet)


def icmpv6(source: str, destination: str, kind: int, body: bytes, *, hop_limit: int = 255) -> bytes:
    """An ICMPv6 packet, checksum included; `body` is what follows the checksum."""
    pseudo = IPv6Address(source).packed + IPv6Address(destination).packed
    pseudo += (len(body) + 4).to_bytes(4) + ICMPV6.to_bytes(4)
    message = bytes((kind, 0)) + _sum(pseudo + bytes((kind, 0, 0, 0)) + body) + body
    return ipv6(source, destination, message, header=ICMPV6, hop_limit=hop_limit)


def solicitation(source: str, target: str, option_mac: str | None, destination: str | None = None) -> bytes:
    """A neighbour solicitation, with its source's link-layer address or without."""
    group = IPv6Address(IPv6Address("ff02::1:ff00:0").packed[:13] + IPv6Address(target).packed[13:])
    body = bytes(4) + IPv6Address(target).packed + _option(1, option_mac)
    return icmpv6(source, destination or str(group), 135, body)


def advertisement(
    source: str, target: str, option_mac: str | None, destination: str = "ff02::1", *, flags: int = 0x20
) -> bytes:
    """A neighbour advertisement, unsolicited and overriding by default; with the target's MAC or without."""
    body = bytes((flags, 0, 0, 0)) + IPv6Address(target).packed + _option(2, option_mac)
    return icmpv6(source, destination, 136, body)


def fragments(packet: bytes, first: int = 8) -> tuple[bytes, bytes]:
    """An IPv6 packet without extension headers, cut after `first` bytes of its payload."""
    source, destination = str(IPv6Address(packet[8:24])), str(IPv6Address(packet[24:40]))
    header, hop_limit, payload = packet[6], packet[7], packet[40:]

    def piece(offset: int, more: int, part: bytes) -> bytes:
        head = bytes((header, 0)) + (offset | more).to_bytes(2) + b"\0\0\0\7"
        return ipv6(source, destination, head + part, header=44, hop_limit=hop_limit)

    return piece(0, 1, payload[:first]), piece(first, 0, payload[first:])


def _option(kind: int, mac: str | None) -> bytes:
    return b"" if mac is None else bytes((kind, 1)) + _mac(mac)


def _mac(text: str) -> bytes:
    return bytes.fromhex(text.replace(":", ""))


def _sum(octets: bytes) -> bytes:
    """The Internet checksum (RFC 1071)."""
    total = sum(int.from_bytes(octets[at : at + 2].ljust(2, b"\0")) for at in range(0, len(octets), 2))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return (total ^ 0xFFFF).to_bytes(2)
