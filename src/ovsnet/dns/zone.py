"""Who may ask for which name, and what it stands for. Pure.

    address of the sender ─► its endpoint ─► its container ─► all its networks ─► the names on them

On a network an endpoint answers to its container's name, its aliases and its Compose service: on their own, with the
network's name behind them (`db.web`), and with our domain behind either (`db.web.ovsnet.internal`). What no network of
the asker has is not ours: somebody else is asked. Under our domain nobody else could know.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from functools import cached_property
from ipaddress import ip_address

import dns.exception
import dns.name
import dns.reversename
from dns.rdatatype import RdataType

from ovsnet.dns.tables import EVERYWHERE, ClusterNames, LocalNames, NameTable, Scope, endings, plain, scope_of
from ovsnet.model.ids import IpAddress

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


class Zone:
    """The names of one moment."""

    def __init__(self, local: LocalNames, shared: ClusterNames, *, domain: str) -> None:
        self._local = local
        self._shared = shared
        self._domain = plain(domain)

    def asker(self, source: IpAddress) -> Asker | None:
        """The container that has this address here; None when none has, or two networks use it for different ones."""
        networks = self._local.sharing(source)
        if not networks:
            return None
        return Asker(frozenset(scope_of(it) for it in networks), min(it.options.mtu for it in networks))

    def anybody(self, network: str = "") -> Asker:
        """One who is on every network, or on those of this name: for a person at the host."""
        wanted = plain(network)
        scopes = {scope for scope, titles in self._titles.items() if not wanted or wanted in titles}
        return Asker(frozenset(scopes | {EVERYWHERE}))

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

    # ------------------------------------------------------------ names

    def _under_domain(self, name: str, kind: RdataType, scopes: frozenset[Scope]) -> Answer:
        found = self._find(name, scopes)
        if found:
            return _of_kind(found, kind, ours=True)
        exists = not name or self._is_above(name, scopes)
        return Answer(Verdict.NO_DATA if exists else Verdict.NO_NAME, ours=True)

    def _find(self, name: str, scopes: frozenset[Scope]) -> tuple[IpAddress, ...]:
        found: dict[IpAddress, None] = {}
        for scope, table in self._tables(scopes):
            for short in (name, *self._without_title(name, scope)):
                found.update(table.forward.get(short, {}))
        return tuple(found)

    def _without_title(self, name: str, scope: Scope) -> Iterator[str]:
        titles = self._titles.get(scope, ())
        return (name.removesuffix(f".{title}") for title in titles if name.endswith(f".{title}"))

    def _is_above(self, name: str, scopes: frozenset[Scope]) -> bool:
        titles = (title for scope in scopes for title in self._titles.get(scope, ()))
        return any(name in (it, *endings(it)) for it in titles) or any(
            name in table.above for _, table in self._tables(scopes)
        )

    # ------------------------------------------------------------ addresses

    def _reverse(self, address: IpAddress, kind: RdataType, scopes: frozenset[Scope]) -> Answer:
        names = [self._full(scope, table.reverse[address]) for scope, table in self._holding(address, scopes)]
        if names:
            wanted = kind in (RdataType.PTR, RdataType.ANY)
            return Answer(Verdict.FOUND, names=tuple(names)) if wanted else Answer(Verdict.NO_DATA)
        return Answer(Verdict.NO_NAME if self._is_on(address, scopes) else Verdict.NOT_OURS)

    def _holding(self, address: IpAddress, scopes: frozenset[Scope]) -> Iterator[tuple[Scope, NameTable]]:
        return ((scope, table) for scope, table in self._tables(scopes) if address in table.reverse)

    def _is_on(self, address: IpAddress, scopes: frozenset[Scope]) -> bool:
        subnets = (it for part in (self._local, self._shared) for scope in scopes for it in part.subnets.get(scope, ()))
        return any(it.version == address.version and address in it for it in subnets)

    def _full(self, scope: Scope, name: str) -> str:
        return ".".join((name, *self._titles.get(scope, ())[:1], self._domain))

    # ------------------------------------------------------------ both parts together

    def _tables(self, scopes: frozenset[Scope]) -> Iterator[tuple[Scope, NameTable]]:
        """Of these networks and, for who is on any, the one of records that hold everywhere."""
        for scope in sorted(scopes | {EVERYWHERE}) if scopes else ():
            yield scope, self._local.table(scope)
            yield scope, self._shared.table(scope)

    @cached_property
    def _titles(self) -> Mapping[Scope, Sequence[str]]:
        """The names of each network: here and in the cluster it is usually the same one."""
        local, shared = self._local.titles, self._shared.titles
        return {it: tuple(dict.fromkeys((*local.get(it, ()), *shared.get(it, ())))) for it in {*local, *shared}}


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
