"""What containers send to multicast groups."""

from tests.functional.pipeline_frames import IPV4, IPV6, ethernet, ipv4, ipv6, udp
from tests.functional.pipeline_switch import Container

from ovsnet.model.ids import IpAddress


def to_group(sender: Container, group: IpAddress) -> bytes:
    """A datagram to a group, with the MAC that goes with it (RFC 1112 6.4, RFC 2464 7)."""
    octets = group.packed
    if group.version == 4:
        mac = bytes((1, 0, 0x5E, octets[1] & 0x7F, *octets[2:])).hex(":")
        return ethernet(mac, sender.mac, IPV4, ipv4(sender.ipv4, str(group), udp(b"to some")))
    mac = (b"\x33\x33" + octets[-4:]).hex(":")
    return ethernet(mac, sender.mac, IPV6, ipv6(sender.ipv6, str(group), udp(b"to some")))
