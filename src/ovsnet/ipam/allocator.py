"""Which address of a pool comes next. Pure.

Next-fit: the search starts after the address that was handed out last, so that an address comes back as late
as possible. An address that was released a moment ago rests first, because neighbours and clients still
remember who had it. Rest is a preference, not a promise: in a small pool a container that restarts would
otherwise find no address at all, so when nothing else is free the one that rested longest is handed out.
"""

from collections.abc import Collection, Container, Mapping

from ovsnet.ipam.span import address_at, dynamic_span, ends, usable_span
from ovsnet.model.addressing import Allocation, Pool
from ovsnet.model.errors import BadRequest, Conflict
from ovsnet.model.ids import IpAddress, IpNetwork


def next_address(pool: Pool, taken: Container[IpAddress], resting: Mapping[IpAddress, float]) -> IpAddress:
    """The address to hand out next for an endpoint.

    What is in `taken` cannot be given; what is in `resting`, with the time of its release, only when nothing else
    is left. Conflict when every address is taken.
    """
    span = dynamic_span(pool.subnet, pool.sub_range)
    start = span.first if pool.cursor is None else int(pool.cursor) + 1
    for number in span.walk(start):
        address = address_at(pool.subnet, number)
        if address not in resting and address not in taken:
            return address
    rested = longest_rested([it for it in resting if int(it) in span], taken, resting)
    if rested is not None:
        return rested
    raise full(pool.subnet, pool.sub_range, span.size)


def next_of(
    ours: Collection[IpAddress], after: IpAddress | None, taken: Container[IpAddress], resting: Container[IpAddress]
) -> IpAddress | None:
    """The next of a few addresses, beginning after `after`; None when all of them are taken or rest."""
    start = -1 if after is None else int(after)
    in_order = sorted(ours, key=lambda it: (int(it) <= start, int(it)))
    return next((it for it in in_order if it not in resting and it not in taken), None)


def longest_rested(
    ours: Container[IpAddress], taken: Container[IpAddress], resting: Mapping[IpAddress, float]
) -> IpAddress | None:
    """The one of ours that was released first, by the time of its release; None when none of them rests."""
    rested = [it for it in resting if it in ours and it not in taken]
    return min(rested, key=lambda it: (resting[it], int(it)), default=None)


def gateway_address(pool: Pool, taken: Container[IpAddress]) -> IpAddress:
    """The lowest address of the subnet that is not taken: people expect `.1`, also with an `--ip-range`."""
    span = usable_span(pool.subnet)
    for number in span.walk(span.first):
        address = address_at(pool.subnet, number)
        if address not in taken:
            return address
    raise full(pool.subnet, pool.sub_range, span.size)


def check_address(pool: Pool, address: IpAddress) -> None:
    """BadRequest when an address the user wants can never belong to an interface of this pool.

    It may lie outside the `--ip-range`: that only limits what is chosen automatically.
    """
    if address.version != pool.subnet.version or address not in pool.subnet:
        raise BadRequest(f"address {address} is not in subnet {pool.subnet}; choose one that is")
    first, last = ends(pool.subnet)
    if not first <= int(address) <= last:
        what = "network" if int(address) < first else "broadcast"
        raise BadRequest(f"address {address} is the {what} address of subnet {pool.subnet}; choose another one")


def rests(allocation: Allocation, *, now: float, rest: float) -> bool:
    """True for `rest` seconds after the release. A release in the future (the clock was set back) is over."""
    return allocation.released_at is not None and 0 <= now - allocation.released_at < rest


def full(subnet: IpNetwork, sub_range: IpNetwork | None, size: int) -> Conflict:
    """What is said when every one of the `size` addresses is taken."""
    where = f"range {sub_range} of subnet {subnet}" if sub_range else f"subnet {subnet}"
    return Conflict(
        f"{where} is full: all of its {size} addresses are in use; stop or disconnect a container of it, "
        "or make a network with a larger --subnet or --ip-range"
    )
