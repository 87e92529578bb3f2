"""Who may ask for which name, and what it stands for. Pure.

    address of the sender ─► its endpoint ─► its container ─► all its networks ─► the names on them

On a network an endpoint answers to its container's name, its aliases and its Compose service: on their own, with the
network's name behind them (`db.web`), and with our domain behind either (`db.web.ovsnet.internal`). What no network of
the asker has is not ours: somebody else is asked. Under our domain nobody else could know.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from functools import cached_property
from ipaddress import ip_address
from typing import NewType, TypeVar

import dns.exception
import dns.name
import dns.reversename
from dns.rdatatype import RdataType

from ovsnet.model.cluster import Cluster, Record, RemoteEndpoint
from ovsnet.model.endpoint import Endpoint
from ovsnet.model.ids import HostName, IpAddress, IpNetwork
from ovsnet.model.network import Network
from ovsnet.model.state import State

K = TypeVar("K")
V = TypeVar("V")
Scope = NewType("Scope", str)
"""A network as names see it: the cluster's id of it, or Docker's for one that is on this host only."""
EVERYWHERE = Scope("")
"""Of a record that holds on all networks."""
VERSIONS: Mapping[RdataType, tuple[int, ...]] = {RdataType.A: (4,), RdataType.AAAA: (6,), RdataType.ANY: (4, 6)}
"""The IP versions of the addresses that are asked for."""


class Verdict(Enum):
    """What is known of a question."""

    FOUND = auto()
    NO_DATA = auto()
    """The name is there, nothing of that type is."""
    NO_NAME = auto()
    """Nobody has this name: NXDOMAIN."""
    NOT_OURS = auto()
    """Ask the servers that were asked before we came."""


@dataclass(frozen=True, slots=True)
class Answer:
    """`addresses` for A and AAAA in no meaningful order, `names` for PTR. `ours`: under our domain."""

    verdict: Verdict
    addresses: tuple[IpAddress, ...] = ()
    names: tuple[str, ...] = ()
    ours: bool = False


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks: what it is on, and the smallest MTU there, in bytes."""

    scopes: frozenset[Scope]
    mtu: int = 1500


@dataclass(frozen=True, slots=True)
class _Member:
    """What has names on a network. The first name is the one a reverse lookup gives."""

    names: tuple[str, ...]
    addresses: tuple[IpAddress, ...]


@dataclass(slots=True)
class _Table:
    """The names of one network, and back. `titles` are the names of the network itself."""

    titles: Sequence[str]
    subnets: tuple[IpNetwork, ...]
    forward: dict[str, dict[IpAddress, None]] = field(default_factory=lambda: defaultdict(dict))
    reverse: dict[IpAddress, str] = field(default_factory=dict)
    above: set[str] = field(default_factory=set)
    """What longer names end with: these exist, though they may stand for nothing (RFC 8020)."""

    def add(self, member: _Member) -> None:
        for name in member.names:
            self.forward[name].update(dict.fromkeys(member.addresses))
            self.above.update(_endings(name))
        for address in member.addresses:
            self.reverse.setdefault(address, member.names[0])

    def find(self, name: str) -> Iterable[IpAddress]:
        yield from self.forward.get(name, ())
        for title in self.titles:
            if name.endswith(f".{title}"):
                yield from self.forward.get(name.removesuffix(f".{title}"), ())


class Zone:
    """The names of one moment. Tables are made when they are first asked for."""

    def __init__(
        self,
        state: State,
        cluster: Cluster,
        *,
        here: HostName,
        dead: frozenset[HostName] = frozenset(),
        domain: str = "ovsnet.internal",
    ) -> None:
        """`here` is this host as a member, `dead` the members whose endpoints are left out."""
        self._state = state
        self._cluster = cluster
        self._here = here
        self._dead = dead
        self._domain = plain(domain)
        self._tables: dict[Scope, _Table] = {}

    # ------------------------------------------------------------ who asks

    def asker(self, source: IpAddress) -> Asker | None:
        """The container that has this address here; None when none has, or two networks use it for different ones."""
        endpoints = self._senders.get(source, ())
        if len(endpoints) != 1:
            return None
        networks = [self._state.networks[it.network_id] for it in self._of_container(endpoints[0])]
        mtu = min(it.options.mtu for it in networks)
        return Asker(frozenset(scope_of(it) for it in networks), mtu)

    def _of_container(self, one: Endpoint) -> Sequence[Endpoint]:
        """All endpoints of its container. The namespace is known from Join on, the container's id a moment later."""
        together = (self._containers.get(it, ()) for it in _containers_of(one))
        return next(filter(None, together), (one,))

    @cached_property
    def _senders(self) -> Mapping[IpAddress, Sequence[Endpoint]]:
        return _grouped((address, it) for it in _plugged(self._state) for address in _addresses_of(it))

    @cached_property
    def _containers(self) -> Mapping[str, Sequence[Endpoint]]:
        return _grouped((key, it) for it in _plugged(self._state) for key in _containers_of(it))

    def anybody(self, network: str = "") -> Asker:
        """One who is on every network, or on those of this name: for a person at the host."""
        wanted = plain(network)
        scopes = {scope for scope, titles in self._titles.items() if not wanted or wanted in titles}
        return Asker(frozenset(scopes | {EVERYWHERE}))

    # ------------------------------------------------------------ what is asked

    def lookup(self, name: str, kind: RdataType, asker: Asker | None) -> Answer:
        """What the asker may know; one who is none of ours only that nothing is known under our domain."""
        asked = plain(name)
        scopes = frozenset[Scope]() if asker is None else asker.scopes
        if asked == self._domain or asked.endswith(f".{self._domain}"):
            return self._under_domain(asked.removesuffix(self._domain).rstrip("."), kind, scopes)
        if asker is None:
            return Answer(Verdict.NOT_OURS)
        address = _reversed(asked)
        if address is not None:
            return self._reverse(address, kind, scopes)
        found = self._find(asked, scopes)
        return _of_kind(found, kind, ours=False) if found else Answer(Verdict.NOT_OURS)

    def _under_domain(self, name: str, kind: RdataType, scopes: frozenset[Scope]) -> Answer:
        found = self._find(name, scopes)
        if found:
            return _of_kind(found, kind, ours=True)
        exists = not name or any(name in it.above for it in self._tables_of(scopes))
        return Answer(Verdict.NO_DATA if exists else Verdict.NO_NAME, ours=True)

    def _find(self, name: str, scopes: frozenset[Scope]) -> tuple[IpAddress, ...]:
        found = (address for table in self._tables_of(scopes) for address in table.find(name))
        return tuple(dict.fromkeys(found)) if name else ()

    def _reverse(self, address: IpAddress, kind: RdataType, scopes: frozenset[Scope]) -> Answer:
        tables = self._tables_of(scopes)
        names = tuple(self._full(table, address) for table in tables if address in table.reverse)
        if names:
            wanted = kind in (RdataType.PTR, RdataType.ANY)
            return Answer(Verdict.FOUND, names=names) if wanted else Answer(Verdict.NO_DATA)
        known = any(it.version == address.version and address in it for table in tables for it in table.subnets)
        return Answer(Verdict.NO_NAME if known else Verdict.NOT_OURS)

    def _full(self, table: _Table, address: IpAddress) -> str:
        return ".".join((table.reverse[address], *table.titles[:1], self._domain))

    # ------------------------------------------------------------ tables

    def _tables_of(self, scopes: frozenset[Scope]) -> list[_Table]:
        """Of these networks and, for who is on any, the one of records that hold everywhere."""
        return [self._table(it) for it in sorted(scopes | {EVERYWHERE})] if scopes else []

    def _table(self, scope: Scope) -> _Table:
        if scope not in self._tables:
            table = _Table(self._titles.get(scope, ()), tuple(self._subnets.get(scope, ())))
            for title in table.titles:
                table.above.update((title, *_endings(title)))
            for member in self._members(scope):
                table.add(member)
            self._tables[scope] = table
        return self._tables[scope]

    def _members(self, scope: Scope) -> Iterator[_Member]:
        for it in self._local.get(scope, ()):
            yield from _member((it.container_name, it.compose_service, *it.aliases), _addresses_of(it))
        for remote in self._remote.get(scope, ()):
            yield from _member(remote.names, filter(None, (remote.ipv4, remote.ipv6)))
        for record in self._records.get(scope, ()):
            yield from _member((plain(record.name).removesuffix(f".{self._domain}"),), (record.address,))

    @cached_property
    def _local(self) -> Mapping[Scope, Sequence[Endpoint]]:
        return _grouped((scope_of(self._state.networks[it.network_id]), it) for it in _plugged(self._state))

    @cached_property
    def _remote(self) -> Mapping[Scope, Sequence[RemoteEndpoint]]:
        """Our own are left out as well: of those the local state knows more, and sooner."""
        silent = self._dead | {self._here}
        return _grouped((Scope(it.network), it) for it in self._cluster.endpoints.values() if it.host not in silent)

    @cached_property
    def _records(self) -> Mapping[Scope, Sequence[Record]]:
        return _grouped((Scope(it.network), it) for it in self._cluster.records.values())

    @cached_property
    def _titles(self) -> Mapping[Scope, Sequence[str]]:
        """The names of each network: here and in the cluster it is usually the same one."""
        local = ((scope_of(it), plain(it.name)) for it in self._state.networks.values())
        shared = ((Scope(it.id), plain(it.name)) for it in self._cluster.networks.values())
        named = _grouped((*local, *shared))
        return {scope: tuple(filter(None, dict.fromkeys(titles))) for scope, titles in named.items()}

    @cached_property
    def _subnets(self) -> Mapping[Scope, Sequence[IpNetwork]]:
        local = ((scope_of(it), subnet) for it in self._state.networks.values() for subnet in (it.ipv4, it.ipv6))
        shared = ((Scope(it.id), subnet) for it in self._cluster.networks.values() for subnet in (it.ipv4, it.ipv6))
        return _grouped((scope, subnet) for scope, subnet in (*local, *shared) if subnet is not None)


def plain(name: str) -> str:
    """As names are compared: lower case, no dot at the end (RFC 4343)."""
    return name.strip().strip(".").lower()


def scope_of(network: Network) -> Scope:
    """The network as names see it."""
    return Scope(network.shared or network.id)


def _member(names: Iterable[str], addresses: Iterable[IpAddress]) -> Iterator[_Member]:
    """Nothing for what has no name or no address yet."""
    known = tuple(dict.fromkeys(filter(None, map(plain, names))))
    there = tuple(addresses)
    if known and there:
        yield _Member(known, there)


def _plugged(state: State) -> Iterator[Endpoint]:
    return (it for it in state.endpoints.values() if it.plugged and it.network_id in state.networks)


def _grouped(pairs: Iterable[tuple[K, V]]) -> Mapping[K, Sequence[V]]:
    groups: dict[K, list[V]] = defaultdict(list)
    for key, value in pairs:
        groups[key].append(value)
    return groups


def _endings(name: str) -> Iterator[str]:
    """`b.c` and `c` of `a.b.c`."""
    while "." in name:
        name = name.partition(".")[2]
        yield name


def _addresses_of(endpoint: Endpoint) -> tuple[IpAddress, ...]:
    return tuple(it.ip for it in (endpoint.ipv4, endpoint.ipv6) if it is not None)


def _containers_of(endpoint: Endpoint) -> tuple[str, ...]:
    """By what its container can be recognised; two of ours in one namespace are in one container."""
    return tuple(filter(None, (endpoint.sandbox, endpoint.container_id)))


def _of_kind(found: tuple[IpAddress, ...], kind: RdataType, *, ours: bool) -> Answer:
    versions = VERSIONS.get(kind, ())
    addresses = tuple(it for it in found if it.version in versions)
    return Answer(Verdict.FOUND if addresses else Verdict.NO_DATA, addresses, ours=ours)


def _reversed(name: str) -> IpAddress | None:
    """The address that a name under in-addr.arpa or ip6.arpa stands for, None for all other names."""
    if not name.endswith((".in-addr.arpa", ".ip6.arpa")):
        return None
    try:
        return ip_address(dns.reversename.to_address(dns.name.from_text(name)))
    except (dns.exception.DNSException, ValueError):
        return None
