"""Which addresses of a network of the cluster a host claims, and how many it holds ahead. Pure.

Every host begins at a place of its own, made from its name, so that two that claim at the same moment rarely want the
same addresses; the index of the database decides where they do.
"""

from collections.abc import Container, Iterator
from hashlib import blake2s

from ovsnet.ipam.span import Span, address_at, dynamic_span
from ovsnet.model.cluster import SharedNetwork
from ovsnet.model.ids import HostName, IpAddress, IpNetwork, SharedId

Family = tuple[SharedId, int]
"""A network of the cluster and an IP version."""
SPREAD = 1 << 16
"""Addresses the beginnings of the hosts are spread over: more would only make IPv6 addresses longer to write."""
SHARE = 8
"""At most one of so many addresses that nobody uses may lie in the reserves of all hosts."""


def subnet_of(network: SharedNetwork, version: int) -> IpNetwork | None:
    """The subnet of one family, None where the network has none."""
    return network.ipv4 if version == 4 else network.ipv6


def range_of(network: SharedNetwork, version: int) -> IpNetwork | None:
    """The `--ip-range` of one family."""
    return network.range4 if version == 4 else network.range6


def span_of(network: SharedNetwork, version: int) -> Span:
    """Where addresses of one family are chosen; empty where the network has none."""
    subnet = subnet_of(network, version)
    return dynamic_span(subnet, range_of(network, version)) if subnet else Span(0, -1, range(0))


def kept(network: SharedNetwork) -> frozenset[IpAddress]:
    """What no container may have: gateways and `--aux-address`es."""
    gateways = (it for it in (network.gateway4, network.gateway6) if it is not None)
    return frozenset([*gateways, *network.reserved])


def size_of(network: SharedNetwork, version: int) -> int:
    """How many addresses of one family can be chosen for containers."""
    span = span_of(network, version)
    return span.size - sum(it.version == version and int(it) in span for it in kept(network))


def first_place(network: SharedNetwork, version: int, host: HostName) -> int:
    """The number at which a host begins to look."""
    span = span_of(network, version)
    digest = blake2s(f"{network.id}\n{host}".encode(), digest_size=8).digest()
    return span.first + int.from_bytes(digest) % max(1, min(SPREAD, span.last + 1 - span.first))


def unleased(network: SharedNetwork, version: int, leased: Container[IpAddress], start: int) -> Iterator[IpAddress]:
    """Every address that may be claimed for a container nobody asked an address for, beginning at `start`."""
    subnet, never = subnet_of(network, version), kept(network)
    if subnet is None:
        return
    for number in span_of(network, version).walk(start):
        address = address_at(subnet, number)
        if address not in never and address not in leased:
            yield address


def ahead(wanted: int, *, size: int, in_use: int, hosts: int) -> int:
    """How many addresses a host may hold ahead: `wanted`, or its fair share of what nobody uses.

    `in_use` is what its containers and all other hosts have. It shrinks while the pool fills, so that the last
    addresses lie in no reserve.
    """
    return max(0, min(wanted, (size - in_use) // (SHARE * max(1, hosts))))


def to_claim(left: int, ahead: int) -> int:
    """How many addresses are missing. `left` are those to hand out, less those already waited for.

    The reserve is filled when half of it is gone: a container that restarts costs no commit.
    """
    return ahead - left if left < (ahead + 1) // 2 else 0
