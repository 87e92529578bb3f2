"""Which address of a pool comes next. Pure.

Next-fit: the search starts after the address that was handed out last, so that an address comes back as late
as possible. An address that was released a moment ago rests first, because neighbours and clients still
remember who had it. Rest is a preference, not a promise: in a small pool a container that restarts would
otherwise find no address at all, so when nothing else is free the one that rested longest is handed out.
"""

from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain

from ovsnet.model.addressing import Allocation, Pool
from ovsnet.model.errors import BadRequest, Conflict
from ovsnet.model.ids import IpAddress, IpNetwork

ANYCAST_IDS = 128
"""RFC 2526: the highest 128 interface identifiers of an IPv6 subnet are reserved for anycast services."""
EUI64_ANYCAST = 0xFDFF_FFFF_FFFF_FF80
"""RFC 2526 2, RFC 5453: in a /64 they start here, because of the universal/local bit."""


@dataclass(frozen=True, slots=True)
class _Span:
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
        inside = range(max(self.first, self.hole.start), min(self.last + 1, self.hole.stop))
        return max(0, self.last + 1 - self.first) - len(inside)


def next_address(pool: Pool, taken: Container[IpAddress], resting: Mapping[IpAddress, float]) -> IpAddress:
    """The address to hand out next for an endpoint.

    What is in `taken` cannot be given; what is in `resting`, with the time of its release, only when nothing else
    is left. Conflict when every address is taken.
    """
    span = _dynamic(pool)
    start = span.first if pool.cursor is None else int(pool.cursor) + 1
    for number in span.walk(start):
        address = _address(pool, number)
        if address not in resting and address not in taken:
            return address
    rested = [it for it in resting if int(it) in span and it not in taken]
    if rested:
        return min(rested, key=lambda it: (resting[it], int(it)))
    raise _full(pool, span)


def gateway_address(pool: Pool, taken: Container[IpAddress]) -> IpAddress:
    """The lowest address of the subnet that is not taken: people expect `.1`, also with an `--ip-range`."""
    span = _usable(pool.subnet)
    for number in span.walk(span.first):
        address = _address(pool, number)
        if address not in taken:
            return address
    raise _full(pool, span)


def check_address(pool: Pool, address: IpAddress) -> None:
    """BadRequest when an address the user wants can never belong to an interface of this pool.

    It may lie outside the `--ip-range`: that only limits what is chosen automatically.
    """
    if address.version != pool.subnet.version or address not in pool.subnet:
        raise BadRequest(f"address {address} is not in subnet {pool.subnet}; choose one that is")
    first, last = _ends(pool.subnet)
    if not first <= int(address) <= last:
        what = "network" if int(address) < first else "broadcast"
        raise BadRequest(f"address {address} is the {what} address of subnet {pool.subnet}; choose another one")


def rests(allocation: Allocation, *, now: float, rest: float) -> bool:
    """True for `rest` seconds after the release. A release in the future (the clock was set back) is over."""
    return allocation.released_at is not None and 0 <= now - allocation.released_at < rest


def _ends(subnet: IpNetwork) -> tuple[int, int]:
    """First and last number an interface may have.

    Point-to-point subnets have neither network nor broadcast address (RFC 3021 for /31, RFC 6164 for /127).
    IPv6 has no broadcast, but its first address is the subnet-router anycast (RFC 4291 2.6.1).
    """
    first, last = int(subnet.network_address), int(subnet.broadcast_address)
    if subnet.prefixlen >= subnet.max_prefixlen - 1:
        return first, last
    return first + 1, last - 1 if subnet.version == 4 else last


def _usable(subnet: IpNetwork) -> _Span:
    first, last = _ends(subnet)
    return _Span(first, last, _anycast(subnet))


def _dynamic(pool: Pool) -> _Span:
    whole = _usable(pool.subnet)
    if pool.sub_range is None:
        return whole
    first, last = int(pool.sub_range.network_address), int(pool.sub_range.broadcast_address)
    return _Span(max(first, whole.first), min(last, whole.last), whole.hole)


def _anycast(subnet: IpNetwork) -> range:
    """The numbers RFC 2526 keeps for anycast; in less than 256 addresses its scheme finds no room."""
    if subnet.version == 4 or subnet.prefixlen > 120:
        return range(0)
    base = int(subnet.network_address)
    if subnet.prefixlen == 64:
        return range(base + EUI64_ANYCAST, base + EUI64_ANYCAST + ANYCAST_IDS)
    end = int(subnet.broadcast_address) + 1
    return range(end - ANYCAST_IDS, end)


def _address(pool: Pool, number: int) -> IpAddress:
    # By way of the subnet: a bare number below 2**32 would be read as IPv4.
    return pool.subnet.network_address + (number - int(pool.subnet.network_address))


def _full(pool: Pool, span: _Span) -> Conflict:
    where = f"range {pool.sub_range} of subnet {pool.subnet}" if pool.sub_range else f"subnet {pool.subnet}"
    return Conflict(
        f"{where} is full: all of its {span.size} addresses are in use; stop or disconnect a container of it, "
        "or make a network with a larger --subnet or --ip-range"
    )
