"""Hosts that are not there: the rows their agents would have written into the cluster's database. Pure.

Host 0 holds the database, host 1 is the one that is measured, the others have the endpoints, evenly, like the networks.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from ipaddress import IPv4Address, IPv4Interface, IPv4Network

from ovsnet.bench.rows import Operation, that
from ovsnet.model.cluster import Beat, ClusterInfo, Lease, Member, RemoteEndpoint, Role, SharedNetwork
from ovsnet.model.endpoint import Endpoint
from ovsnet.model.ids import EndpointId, HostName, Mac, NetworkId, SharedId, Vni
from ovsnet.model.network import Mode, Network, NetworkOptions
from ovsnet.store.codec import row_uuid
from ovsnet.store.interface import Value

NETWORKS = 10
FIRST_VTEP = IPv4Address("10.99.0.1")
PREFIX = 16
"""Of the hosts' network."""
MTU = 1500
SUBNETS = IPv4Network("10.128.0.0/9")
SUBNET_PREFIX = 15
FIRST_CONTAINER = 100
"""Of each subnet; those before are for the containers of the measured host."""
WATCHED_FROM = 120_000
"""Their addresses, counted from the first container's."""
WATCHED = "0a:ee:00:00:00:00/ff:ff:00:00:00:00"
"""The MACs of the endpoints that come and go while it is measured, as Open vSwitch's programs write a match."""
SERVER, MEASURED = 0, 1


@dataclass(frozen=True, slots=True)
class Size:
    """How large a cluster is."""

    hosts: int
    endpoints: int


def host(number: int) -> HostName:
    """The name of a host."""
    return HostName(f"bench{number:04}")


def vtep(number: int) -> IPv4Address:
    """Its address, for everything."""
    return FIRST_VTEP + number


def network(number: int) -> SharedNetwork:
    """One of the networks."""
    first = int(SUBNETS.network_address) + (number << 32 - SUBNET_PREFIX)
    return SharedNetwork(
        id=SharedId(_hex(f"network {number}")),
        vni=Vni(1000 + number),
        origin=host(SERVER),
        options=NetworkOptions(mode=Mode.OVERLAY, mtu=MTU - 50),
        ipv4=IPv4Network((first, SUBNET_PREFIX)),
        name=f"bench{number}",
        created_at=1.0,
    )


def endpoint(number: int, hosts: int) -> RemoteEndpoint:
    """What another host has."""
    return _endpoint(network(number % NETWORKS), number // NETWORKS, _owner(number, hosts), f"0a:00:{_tail(number)}")


def watched(number: int, hosts: int) -> RemoteEndpoint:
    """One that comes and goes, always on a network that the measured host has."""
    return _endpoint(network(0), WATCHED_FROM + number, _owner(number, hosts), f"0a:ee:{_tail(number)}")


def lease(of: RemoteEndpoint) -> Lease:
    """That of its address."""
    return Lease(of.network, of.ipv4 or SUBNETS.network_address, of.host)


def growth(before: Size, after: Size) -> Iterator[Value]:
    """The rows that make the larger cluster of the smaller one; from nothing also what there is once."""
    if not before.hosts:
        yield ClusterInfo("bench", created_at=1.0)
        yield from map(network, range(NETWORKS))
    for number in range(before.hosts, after.hosts):
        yield _member(number)
        yield Beat(host(number))
    for number in range(before.endpoints, after.endpoints):
        there = endpoint(number, after.hosts)
        yield there
        yield lease(there)


def here(networks: int) -> Sequence[Network | Endpoint]:
    """What the measured host has of its own: a container on each of so many networks."""
    parts = [_part(network(number)) for number in range(networks)]
    return [*parts, *(_container(number, part) for number, part in enumerate(parts))]


def known(size: Size, networks: int) -> int:
    """How many endpoints elsewhere are on so many networks."""
    return sum(1 for number in range(size.endpoints) if number % NETWORKS < networks)


def deleted(value: RemoteEndpoint) -> Operation:
    """The operation that takes it away."""
    return {"op": "delete", "table": "Endpoint", "where": that(row_uuid(RemoteEndpoint, value.key))}


def forgotten(number: int) -> Sequence[Operation]:
    """The operations that take away what a host has, but for its membership."""
    where = [["host", "==", host(number)]]
    return [{"op": "delete", "table": table, "where": where} for table in ("Endpoint", "Lease")]


def beaten(number: int) -> Operation:
    """A sign of life."""
    where = that(row_uuid(Beat, host(number)))
    return {"op": "mutate", "table": "Beat", "where": where, "mutations": [["count", "+=", 1]]}


def _member(number: int) -> Member:
    role = Role.VOTER if number == SERVER else Role.CLIENT
    return Member(host(number), vtep(number), vtep(number), mtu=MTU, role=role, joined_at=float(number))


def _owner(number: int, hosts: int) -> HostName:
    return host(2 + number % (hosts - 2))


def _endpoint(there: SharedNetwork, index: int, owner: HostName, mac: str) -> RemoteEndpoint:
    return RemoteEndpoint(
        id=EndpointId(_hex(f"endpoint {mac}")),
        network=there.id,
        host=owner,
        mac=Mac(mac),
        ipv4=_address(there.ipv4, FIRST_CONTAINER + index),
        names=(f"c{mac.replace(':', '')}",),
        created_at=float(index),
    )


def _address(subnet: IPv4Network | None, index: int) -> IPv4Address:
    return IPv4Address(int((subnet or SUBNETS).network_address) + index)


def _part(of: SharedNetwork) -> Network:
    return Network(
        id=NetworkId(_hex(f"part of {of.id}")),
        vni=of.vni,
        options=of.options,
        ipv4=of.ipv4,
        shared=of.id,
        name=of.name,
    )


def _container(number: int, part: Network) -> Endpoint:
    return Endpoint(
        id=EndpointId(_hex(f"container {number}")),
        network_id=part.id,
        mac=Mac(f"0a:01:{_tail(number)}"),
        ipv4=IPv4Interface((_address(part.ipv4, 2), SUBNET_PREFIX)),
        plugged=True,
        container_name=f"here{number}",
    )


def _tail(number: int) -> str:
    return number.to_bytes(4).hex(":")


def _hex(text: str) -> str:
    return sha256(text.encode()).hexdigest()
