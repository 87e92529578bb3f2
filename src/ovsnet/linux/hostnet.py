"""Reads and writes what an interface of the host has: addresses and routes of all tables. Blocks for less than a
millisecond, or two with a thousand routes.

What comes and goes by itself with an interface is left out: link-local addresses and their routes, routes of the
table `local`, multicast.
"""

import errno
import os
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from ipaddress import IPv6Address
from typing import Final, TypeVar

from ovsnet.linux.hostlists import DATAGRAM, asked, listed
from ovsnet.linux.hostmessage import (
    NEWADDR,
    NEWROUTE,
    NEWRULE,
    Placed,
    addresses_request,
    drop_address,
    drop_route,
    put_address,
    put_route,
    read_address,
    read_routes,
    routes_request,
    rule_names,
    rules_request,
)
from ovsnet.linux.linkmessage import Link
from ovsnet.linux.namespace import list_links
from ovsnet.linux.wire import frames
from ovsnet.model.endpoint import link_local
from ovsnet.model.ids import Mac
from ovsnet.model.uplink import HostAddress, HostRoute

LOCAL_TABLE: Final = 255
NO_MAC: Final = "00:00:00:00:00:00"
KERNEL: Final = 2
"""RTPROT_KERNEL."""
THERE_ALREADY: Final = frozenset({errno.EEXIST})
GONE_ALREADY: Final = frozenset({errno.ESRCH, errno.EADDRNOTAVAIL, errno.ENODEV, errno.ENOENT})

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Has:
    """What one interface has, in the order in which it must be given back to it. `strange` are routes of which not
    everything is understood; `tentative`: some address may not be used yet, automatic ones included.
    """

    link: Link
    addresses: tuple[HostAddress, ...] = ()
    routes: tuple[HostRoute, ...] = ()
    strange: tuple[HostRoute, ...] = ()
    tentative: bool = False


def look_up(name: str) -> Link | None:
    """The link of that name."""
    return next((it for it in list_links() if it.name == name), None)


def read(link: Link) -> Has:
    """What the interface has now."""
    everything = [it for it in _addresses(link) if it.index == link.index]
    addresses = [it for it in everything if it.address and not _automatic(it, link)]
    routes = [it for it in _routes() if it.index == link.index and it.route and _counts(it.route)]
    return Has(
        link,
        addresses=_in_order([it.address for it in addresses if it.address]),
        routes=tuple(sorted((it.route for it in routes if it.route and not it.strange), key=_rank)),
        strange=tuple(it.route for it in routes if it.route and it.strange),
        tentative=any(it.tentative for it in everything),
    )


def ruled(name: str) -> bool:
    """Whether a routing rule names the interface."""
    return any(name in rule_names(it) for version in (4, 6) for it in listed(NEWRULE, rules_request(1, version)))


def give(link: Link, addresses: Collection[HostAddress]) -> None:
    """Have these addresses on the interface; OSError when one is refused."""
    _write([put_address(number, link.index, it) for number, it in enumerate(addresses, 1)], THERE_ALREADY)


def lead(link: Link, routes: Collection[HostRoute]) -> None:
    """Have these routes lead through the interface, in place of what leads elsewhere; OSError when one is refused."""
    _write([put_route(number, link.index, it) for number, it in enumerate(routes, 1)], THERE_ALREADY)


def take(link: Link, addresses: Collection[HostAddress], routes: Collection[HostRoute]) -> None:
    """Have none of these on the interface."""
    requests = [drop_route(number, link.index, it) for number, it in enumerate(routes, 1)]
    requests += [drop_address(number, link.index, it) for number, it in enumerate(addresses, len(requests) + 1)]
    _write(requests, GONE_ALREADY)


# ---------------------------------------------------------------- what counts


def _automatic(placed: Placed, link: Link) -> bool:
    own = placed.address.address.ip if placed.address else None
    return (
        isinstance(own, IPv6Address)
        and own.is_link_local
        and (placed.automatic or own == link_local(Mac(link.mac or NO_MAC)))
    )


def _counts(route: HostRoute) -> bool:
    there = route.destination
    by_itself = there.version == 6 and there.is_link_local and route.protocol == KERNEL
    return route.table != LOCAL_TABLE and not (there.is_multicast and route.protocol == KERNEL) and not by_itself


def _in_order(addresses: Sequence[HostAddress]) -> tuple[HostAddress, ...]:
    """The kernel puts a new IPv4 address last and a new IPv6 address of the same scope first."""
    four = [it for it in addresses if it.address.version == 4]
    six = [it for it in addresses if it.address.version == 6]
    return (*four, *reversed(six))


def _rank(route: HostRoute) -> tuple[bool, int, int]:
    """What is on the link comes first: the gateways of the others are reached by it."""
    return route.gateway is not None, -route.destination.prefixlen, route.metric


# ---------------------------------------------------------------- talking


def _addresses(link: Link) -> list[Placed]:
    return [read_address(it, link.name) for it in listed(NEWADDR, addresses_request(1))]


def _routes() -> Iterator[Placed]:
    for version in (4, 6):
        for message in listed(NEWROUTE, routes_request(1, version)):
            yield from read_routes(message)


def _write(requests: Sequence[bytes], fine: frozenset[int]) -> None:
    """One after the other, each whether or not those before were refused; the first refusal is raised."""
    refused: list[int] = []
    with asked() as kernel:
        for request in requests:
            kernel.send(request)
            refused += [it.error for it in frames(kernel.recv(DATAGRAM)) if it.error and it.error not in fine]
    for code in refused:
        raise OSError(code, os.strerror(code))
