"""Lists of what the host has, of all its interfaces: addresses, routes. Blocks; for a thread where they may be long.

A host with a thousand containers on Docker's bridge has seven thousand routes: each veth has an address of its own. So
the little that is asked of them is read here, at ten microseconds each; the netlink library takes fifty times as long
and leaves fifty megabytes in cycles (decision 76).
"""

import os
import socket
from collections.abc import Collection, Iterator
from ipaddress import ip_network
from typing import Final

from ovsnet.linux.hostmessage import (
    NEWADDR,
    NEWROUTE,
    Held,
    Way,
    addresses_request,
    read_held,
    read_way,
    routes_request,
)
from ovsnet.linux.wire import DONE, ERROR, Frame, frames
from ovsnet.model.ids import IpNetwork

DEADLINE: Final = 3.0
DATAGRAM: Final = 1 << 16
TRIES: Final = 5
"""Listings that were disturbed by changes are made again so often."""


def held() -> list[Held]:
    """All addresses, of each interface in the kernel's order: primary ones first. OSError when the kernel refuses."""
    return [read_held(it) for it in listed(NEWADDR, addresses_request(1))]


def ways() -> Iterator[Way]:
    """Where the routes of all tables lead. OSError when the kernel refuses."""
    for version in (4, 6):
        for message in listed(NEWROUTE, routes_request(1, version)):
            way = read_way(message)
            if way is not None:
                yield way


def has_default_route(index: int) -> bool:
    """Whether a default route, of any table and family, leads through the interface of that index."""
    return any(it.index == index and it.subnet[1] == 0 for it in ways())


def networks(besides: Collection[int] = ()) -> frozenset[IpNetwork]:
    """Where the routes of all tables lead, defaults left out, and the subnets of all addresses; not those of the
    interfaces with these indexes.
    """
    led = {it.subnet for it in ways() if it.subnet[1] and it.index not in besides}
    on = {it.subnet for it in held() if it.index not in besides}
    return frozenset(ip_network(it, strict=False) for it in led | on)


def listed(kind: int, request: bytes) -> list[Frame]:
    """All of that kind; listed anew while it changes under our eyes. OSError when the kernel refuses."""
    for _ in range(TRIES):
        found = _exchange(request)
        if not any(it.interrupted for it in found):
            break
    return [it for it in found if it.type == kind]


def _exchange(request: bytes) -> list[Frame]:
    found: list[Frame] = []
    with asked() as kernel:
        kernel.send(request)
        while True:
            for it in frames(kernel.recv(DATAGRAM)):
                if it.error:
                    raise OSError(it.error, os.strerror(it.error))
                if it.type in (DONE, ERROR):
                    return [*found, it]
                found.append(it)


def asked() -> socket.socket:
    """A conversation with the kernel, which answers within the deadline or not at all."""
    kernel = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE)
    kernel.settimeout(DEADLINE)
    return kernel
