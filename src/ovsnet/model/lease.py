"""What a DHCP server gave an interface, and for whom it is asked. Pure.

A lease of each family comes and goes for itself; `together` is what the interface has in the end.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, IPv6Network

from ovsnet.model.errors import BadRequest
from ovsnet.model.host import Route
from ovsnet.model.ids import EndpointId, IpAddress, IpInterface
from ovsnet.model.network import FAMILIES

LONGEST_HOSTNAME = 63
"""One label of a name (RFC 1035 2.3.4)."""


@dataclass(frozen=True, slots=True)
class Lessee:
    """An interface that has its addresses from DHCP: called `ifname` in the network namespace at the path `sandbox`.

    `families` are IP versions. `hostname` is told to the server; another one is no reason to ask anew.
    """

    id: EndpointId
    sandbox: str
    ifname: str
    families: tuple[int, ...] = (4,)
    hostname: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Lease:
    """Addresses and routes for some time: until `expires_at`, in seconds since the epoch; None while there is none.

    `routes` are in the order in which they can be made. `server` is the address of who gave it, "" where not told.
    """

    addresses: tuple[IpInterface, ...] = ()
    routes: tuple[Route, ...] = ()
    server: str = ""
    expires_at: float | None = None


NOTHING = Lease()


@dataclass(frozen=True, slots=True)
class Given:
    """What an interface has of a lease: the one of that index inside, 0 for none."""

    index: int = 0
    lease: Lease = NOTHING


def families_of(word: str) -> tuple[int, ...]:
    """The IP versions that an order asks for; BadRequest for another word."""
    if word not in FAMILIES:
        known = ", ".join(it for it in FAMILIES if it)
        raise BadRequest(f"--dhcp {word!r} is not known; use one of: {known}")
    return FAMILIES[word]


def hostname_of(name: str) -> str:
    """The name as a server may put it into DNS (RFC 1123 2.1): what is not a letter, digit or hyphen becomes one."""
    return re.sub(r"[^a-zA-Z0-9-]+", "-", name)[:LONGEST_HOSTNAME].strip("-")


def together(leases: Iterable[Lease]) -> Lease:
    """The leases of several families as one, good until the first of them ends."""
    some = tuple(leases)
    ends = [it.expires_at for it in some if it.expires_at is not None]
    return Lease(
        tuple(address for it in some for address in it.addresses),
        tuple(route for it in some for route in it.routes),
        next((it.server for it in some if it.server), ""),
        min(ends, default=None),
    )


def reachable(routes: Iterable[Route], addresses: Iterable[IpInterface]) -> tuple[Route, ...]:
    """The routes, preceded by one to each gateway that is in no subnet of the interface: /32 or /128."""
    given, subnets = tuple(routes), [it.network for it in addresses]
    hops = dict.fromkeys(it.gateway for it in given if it.gateway is not None)
    far = [hop for hop in hops if not hop.is_link_local and not any(hop in it for it in subnets)]
    return (*(Route(_alone(it)) for it in far), *given)


def _alone(address: IpAddress) -> IPv4Network | IPv6Network:
    return IPv4Network(address) if isinstance(address, IPv4Address) else IPv6Network(address)
