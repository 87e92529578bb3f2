"""Which addresses of a subnet an interface may have. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

from ovsnet.model.ids import IpAddress, IpNetwork

ANYCAST_IDS = 128
"""RFC 2526: the highest 128 interface identifiers of an IPv6 subnet are reserved for anycast services."""
EUI64_ANYCAST = 0xFDFF_FFFF_FFFF_FF80
"""RFC 2526 2, RFC 5453: in a /64 they start here, because of the universal/local bit."""


@dataclass(frozen=True, slots=True)
class Span:
    """The numbers of the addresses that may be handed out: first to last, without the hole."""

    first: int
    last: int
    hole: range

    def __contains__(self, number: int) -> bool:
        return self.first <= number <= self.last and number not in self.hole

    def walk(self, start: int) -> Iterator[int]:
        """Every number once, beginning at `start`, round the end."""
        start = start if self.first <= start <= self.last else self.first
        everything = chain(range(start, self.last + 1), range(self.first, start))
        return (it for it in everything if it not in self.hole)

    @property
    def size(self) -> int:
        """How many numbers it has."""
        inside = range(max(self.first, self.hole.start), min(self.last + 1, self.hole.stop))
        return max(0, self.last + 1 - self.first) - len(inside)


def ends(subnet: IpNetwork) -> tuple[int, int]:
    """First and last number an interface may have.

    Point-to-point subnets have neither network nor broadcast address (RFC 3021 for /31, RFC 6164 for /127).
    IPv6 has no broadcast, but its first address is the subnet-router anycast (RFC 4291 2.6.1).
    """
    first, last = int(subnet.network_address), int(subnet.broadcast_address)
    if subnet.prefixlen >= subnet.max_prefixlen - 1:
        return first, last
    return first + 1, last - 1 if subnet.version == 4 else last


def usable_span(subnet: IpNetwork) -> Span:
    """What an interface may have."""
    first, last = ends(subnet)
    return Span(first, last, _anycast(subnet))


def dynamic_span(subnet: IpNetwork, sub_range: IpNetwork | None) -> Span:
    """What is chosen from where nobody asks for an address: the range, where there is one."""
    whole = usable_span(subnet)
    if sub_range is None:
        return whole
    first, last = int(sub_range.network_address), int(sub_range.broadcast_address)
    return Span(max(first, whole.first), min(last, whole.last), whole.hole)


def address_at(subnet: IpNetwork, number: int) -> IpAddress:
    """The address of the subnet with this number."""
    # By way of the subnet: a bare number below 2**32 would be read as IPv4.
    return subnet.network_address + (number - int(subnet.network_address))


def _anycast(subnet: IpNetwork) -> range:
    """The numbers RFC 2526 keeps for anycast; in less than 256 addresses its scheme finds no room."""
    if subnet.version == 4 or subnet.prefixlen > 120:
        return range(0)
    base = int(subnet.network_address)
    if subnet.prefixlen == 64:
        return range(base + EUI64_ANYCAST, base + EUI64_ANYCAST + ANYCAST_IDS)
    end = int(subnet.broadcast_address) + 1
    return range(end - ANYCAST_IDS, end)
