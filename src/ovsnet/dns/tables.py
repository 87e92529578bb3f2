"""The names of each network: those of this host's containers, and what the cluster adds. Pure.

Tables are made when they are first asked for, and the two parts are apart: here something changes whenever a container
comes or goes, and has to be known at once; elsewhere there may be a hundred thousand endpoints.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NewType, TypeVar

from ovsnet.model.cluster import Cluster, Record, RemoteEndpoint, SharedNetwork
from ovsnet.model.endpoint import Endpoint
from ovsnet.model.ids import EndpointId, HostName, IpAddress, IpNetwork
from ovsnet.model.network import Network
from ovsnet.model.state import State

K = TypeVar("K")
V = TypeVar("V")
Scope = NewType("Scope", str)
"""A network as names see it: the cluster's id of it, or Docker's for one that is on this host only."""
EVERYWHERE = Scope("")
"""Of a record that holds on all networks."""
Disguised = Callable[[IpAddress], EndpointId | None]
"""The endpoint of a named address space that asks from this address, which is not its own; None for its own."""


@dataclass(frozen=True, slots=True)
class Here:
    """This host: its name among the members, what it is asked for, and who asks for names under an alias."""

    name: HostName
    state: Callable[[], State]
    disguised: Disguised = lambda _: None


@dataclass(slots=True)
class NameTable:
    """The names of one network, and back."""

    forward: dict[str, dict[IpAddress, None]] = field(default_factory=lambda: defaultdict(dict))
    reverse: dict[IpAddress, str] = field(default_factory=dict)
    above: set[str] = field(default_factory=set)
    """What longer names end with: these exist, though they may stand for nothing (RFC 8020)."""

    def add(self, names: Iterable[str], addresses: Sequence[IpAddress]) -> None:
        """One endpoint or record. The first name is the one a reverse lookup gives; one without a name has none."""
        known = tuple(dict.fromkeys(filter(None, map(plain, names))))
        if not known:
            return
        for name in known:
            self.forward[name].update(dict.fromkeys(addresses))
            self.above.update(endings(name))
        for address in addresses:
            self.reverse.setdefault(address, known[0])


class LocalNames:
    """What this host knows by itself, of its own containers."""

    def __init__(self, state: State, disguised: Disguised = lambda _: None) -> None:
        self._state = state
        self._disguised = disguised
        self._tables: dict[Scope, NameTable] = {}

    def table(self, scope: Scope) -> NameTable:
        """The names on this network."""
        return _remembered(self._tables, scope, lambda: self._made(scope))

    def sharing(self, source: IpAddress) -> Sequence[Network]:
        """The networks of the container that has this address; none when nobody has it, or two networks use it."""
        known = self._state.endpoints.get(self._disguised(source) or EndpointId(""))
        endpoints = self._senders.get(source, ()) if known is None else (known,)
        if len(endpoints) != 1 or endpoints[0].network_id not in self._state.networks:
            return ()
        return [self._state.networks[it.network_id] for it in self._of_container(endpoints[0])]

    @cached_property
    def titles(self) -> Mapping[Scope, Sequence[str]]:
        """The names of each network."""
        return _titles((scope_of(it), it.name) for it in self._state.networks.values())

    @cached_property
    def subnets(self) -> Mapping[Scope, Sequence[IpNetwork]]:
        """The subnets of each network."""
        return _subnets((scope_of(it), it) for it in self._state.networks.values())

    def _made(self, scope: Scope) -> NameTable:
        table = NameTable()
        for it in self._endpoints.get(scope, ()):
            table.add((it.container_name, it.compose_service, *it.aliases), addresses_of(it))
        return table

    def _of_container(self, one: Endpoint) -> Sequence[Endpoint]:
        """All endpoints of its container. The namespace is known from Join on, the container's id a moment later."""
        together = (self._containers.get(it, ()) for it in _containers_of(one))
        return next(filter(None, together), (one,))

    @cached_property
    def _plugged(self) -> Sequence[Endpoint]:
        return [it for it in self._state.endpoints.values() if it.plugged and it.network_id in self._state.networks]

    @cached_property
    def _endpoints(self) -> Mapping[Scope, Sequence[Endpoint]]:
        return _grouped((scope_of(self._state.networks[it.network_id]), it) for it in self._plugged)

    @cached_property
    def _senders(self) -> Mapping[IpAddress, Sequence[Endpoint]]:
        """Those who ask from addresses of their own: they are in the common address space."""
        networks = self._state.networks
        plain_ones = (it for it in self._plugged if not networks[it.network_id].space)
        return _grouped((address, it) for it in plain_ones for address in addresses_of(it))

    @cached_property
    def _containers(self) -> Mapping[str, Sequence[Endpoint]]:
        return _grouped((key, it) for it in self._plugged for key in _containers_of(it))


class ClusterNames:
    """What other hosts published, and what was added by hand."""

    def __init__(self, cluster: Cluster, *, here: HostName, dead: frozenset[HostName], domain: str) -> None:
        """`here` is this host, of which the local state knows more and sooner; `dead` hosts' endpoints are left out."""
        self._cluster = cluster
        self._silent = dead | {here}
        self._domain = plain(domain)
        self._tables: dict[Scope, NameTable] = {}

    def table(self, scope: Scope) -> NameTable:
        """The names on this network; for EVERYWHERE the records that hold on all."""
        return _remembered(self._tables, scope, lambda: self._made(scope))

    @cached_property
    def titles(self) -> Mapping[Scope, Sequence[str]]:
        """The names of each network."""
        return _titles((Scope(it.id), it.name) for it in self._cluster.networks.values())

    @cached_property
    def subnets(self) -> Mapping[Scope, Sequence[IpNetwork]]:
        """The subnets of each network."""
        return _subnets((Scope(it.id), it) for it in self._cluster.networks.values())

    def _made(self, scope: Scope) -> NameTable:
        table = NameTable()
        for remote in self._endpoints.get(scope, ()):
            table.add(remote.names, [it for it in (remote.ipv4, remote.ipv6) if it is not None])
        for record in self._records.get(scope, ()):
            table.add((plain(record.name).removesuffix(f".{self._domain}"),), (record.address,))
        return table

    @cached_property
    def _endpoints(self) -> Mapping[Scope, Sequence[RemoteEndpoint]]:
        speaking = (it for it in self._cluster.endpoints.values() if it.host not in self._silent)
        return _grouped((Scope(it.network), it) for it in speaking)

    @cached_property
    def _records(self) -> Mapping[Scope, Sequence[Record]]:
        return _grouped((Scope(it.network), it) for it in self._cluster.records.values())


def plain(name: str) -> str:
    """As names are compared: lower case, no dot at the end (RFC 4343)."""
    return name.strip().strip(".").lower()


def scope_of(network: Network) -> Scope:
    """The network as names see it."""
    return Scope(network.shared or network.id)


def endings(name: str) -> Iterator[str]:
    """`b.c` and `c` of `a.b.c`."""
    while "." in name:
        name = name.partition(".")[2]
        yield name


def addresses_of(endpoint: Endpoint) -> Sequence[IpAddress]:
    """Without prefix lengths."""
    return [it.ip for it in (endpoint.ipv4, endpoint.ipv6) if it is not None]


def _containers_of(endpoint: Endpoint) -> tuple[str, ...]:
    """By what its container can be recognised; two of ours in one namespace are in one container."""
    return tuple(filter(None, (endpoint.sandbox, endpoint.container_id)))


def _titles(named: Iterable[tuple[Scope, str]]) -> Mapping[Scope, Sequence[str]]:
    return _grouped((scope, plain(name)) for scope, name in named if name)


def _subnets(networks: Iterable[tuple[Scope, Network | SharedNetwork]]) -> Mapping[Scope, Sequence[IpNetwork]]:
    pairs = ((scope, subnet) for scope, it in networks for subnet in (it.ipv4, it.ipv6))
    return _grouped((scope, subnet) for scope, subnet in pairs if subnet is not None)


def _grouped(pairs: Iterable[tuple[K, V]]) -> Mapping[K, Sequence[V]]:
    groups: dict[K, list[V]] = defaultdict(list)
    for key, value in pairs:
        groups[key].append(value)
    return groups


def _remembered(tables: dict[Scope, NameTable], scope: Scope, make: Callable[[], NameTable]) -> NameTable:
    if scope not in tables:
        tables[scope] = make()
    return tables[scope]
