"""What the hosts of a cluster share, as one immutable value with a revision. Pure.

    ClusterInfo     the cluster itself: its id, what its tunnels are, their UDP port
    Member          a host: where it is reached, what it is, what it has
    SharedNetwork   a network every member has; each engine knows it by an id of its own
    Lease           an address of a shared network that one host may hand out
    RemoteEndpoint  an endpoint as its host published it: what others need to reach and to name it
    Beat            a sign of life
    Token           an invitation, by its digest
    Record          a name somebody added by hand

A host writes only rows that carry its name; `SharedNetwork` belongs to all.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from types import MappingProxyType
from typing import Any

from ovsnet.model.ids import NOT_SHARED, EndpointId, HostName, IpAddress, IpNetwork, Mac, SharedId, Vni
from ovsnet.model.listening import EVERYTHING, Listening
from ovsnet.model.network import NetworkOptions

VXLAN_PORT = 4789
"""RFC 7348 5."""
GENEVE_PORT = 6081
"""RFC 8926 3.3."""
OVERHEAD = {4: 50, 6: 70}
"""Bytes a tunnel needs of each packet of the hosts' network, by the IP version of its ends: an Ethernet header of 14,
VXLAN's 8 (RFC 7348) or Geneve's 8 (RFC 8926; we send no options), UDP's 8, and the IP header of 20 or 40."""


class Encapsulation(StrEnum):
    """What tunnels wrap packets of containers in. Chosen when a cluster begins, for as long as there is one."""

    VXLAN = "vxlan"
    GENEVE = "geneve"

    @property
    def called(self) -> str:
        """As people write it."""
        return {Encapsulation.VXLAN: "VXLAN", Encapsulation.GENEVE: "Geneve"}[self]

    @property
    def usual_port(self) -> int:
        """The UDP port that IANA gave it."""
        return {Encapsulation.VXLAN: VXLAN_PORT, Encapsulation.GENEVE: GENEVE_PORT}[self]


class Role(StrEnum):
    """What a member does for the cluster's database."""

    VOTER = "voter"
    """Holds a copy and votes (RAFT)."""
    CLIENT = "client"
    """Follows the voters through a relay of its own."""


@dataclass(frozen=True, slots=True)
class ClusterInfo:
    """The cluster itself. `id` is "" before there is one; `encapsulation` and `udp_port` are those of the tunnels.

    `generation` grows with every network that is made or removed: who compared subnets on an older one compares again.
    """

    id: str = ""
    udp_port: int = VXLAN_PORT
    generation: int = 0
    created_at: float = 0.0
    encapsulation: Encapsulation = Encapsulation.VXLAN


@dataclass(frozen=True, slots=True)
class Member:
    """A host of the cluster.

    `address` is where its database and its agent listen for other members, `vtep` where its tunnels end (usually the
    same). `mtu` is that of the interface the VTEP is on, in bytes, `trunk_mtu` that of its trunk, 0 without one.
    `subnets` is what the host already reaches, so that automatic subnets avoid it. `role` is what it shall be;
    only voters change it.
    """

    name: HostName
    address: IpAddress
    vtep: IpAddress
    mtu: int = 1500
    trunk_mtu: int = 0
    role: Role = Role.CLIENT
    version: str = ""
    subnets: tuple[IpNetwork, ...] = ()
    joined_at: float = 0.0

    @property
    def key(self) -> HostName:
        """What it is unique by."""
        return self.name


@dataclass(frozen=True, slots=True)
class SharedNetwork:
    """One network of the cluster. `id` is Docker's id of it on `origin`, the host it was made on.

    `reserved` are the `--aux-address`es; gateways are kept out of use by themselves. `space` is the name of the address
    space its subnets are unique in, "" for the common one. `name` and `labels` come from the origin's engine a moment
    later ("" until then). `asked` are the options as somebody gave them, sorted: every engine is told the same.
    """

    id: SharedId
    vni: Vni
    origin: HostName
    options: NetworkOptions = field(default_factory=NetworkOptions)
    internal: bool = False
    ipv4: IPv4Network | None = None
    ipv6: IPv6Network | None = None
    range4: IPv4Network | None = None
    range6: IPv6Network | None = None
    gateway4: IPv4Address | None = None
    gateway6: IPv6Address | None = None
    reserved: tuple[IpAddress, ...] = ()
    space: str = ""
    name: str = ""
    labels: tuple[tuple[str, str], ...] = ()
    asked: tuple[tuple[str, str], ...] = ()
    created_at: float = 0.0

    @property
    def key(self) -> SharedId:
        """What it is unique by."""
        return self.id

    @property
    def title(self) -> str:
        """The name people know it by, or the short id while the name is not known."""
        return self.name or self.id[:12]


@dataclass(frozen=True, slots=True)
class Lease:
    """An address of a shared network, for one host to hand out to one of its containers, now or later."""

    network: SharedId
    address: IpAddress
    host: HostName

    @property
    def key(self) -> tuple[SharedId, IpAddress]:
        """What makes it unique: no address is leased to two hosts."""
        return (self.network, self.address)


@dataclass(frozen=True, slots=True)
class RemoteEndpoint:
    """An endpoint as its host published it.

    `names` are all names it answers to on its network, the container's first. `listens` is as its host saw it.
    """

    id: EndpointId
    network: SharedId
    host: HostName
    mac: Mac
    ipv4: IPv4Address | None = None
    ipv6: IPv6Address | None = None
    names: tuple[str, ...] = ()
    listens: Listening = EVERYTHING
    created_at: float = 0.0

    @property
    def key(self) -> EndpointId:
        """What it is unique by."""
        return self.id


@dataclass(frozen=True, slots=True)
class Beat:
    """A counter its host raises while it lives. Compared with one's own clock; never a time."""

    host: HostName
    count: int = 0

    @property
    def key(self) -> HostName:
        """What it is unique by."""
        return self.host


@dataclass(frozen=True, slots=True)
class Token:
    """An invitation for who knows the secret with this SHA-256 (hex). `expires_at`: seconds since the epoch."""

    digest: str
    host: HostName
    expires_at: float

    @property
    def key(self) -> str:
        """What it is unique by."""
        return self.digest


@dataclass(frozen=True, slots=True)
class Record:
    """A name added by hand: `name` stands for `address`, on one network, or on all where `network` is ""."""

    name: str
    address: IpAddress
    host: HostName
    network: SharedId = NOT_SHARED

    @property
    def key(self) -> tuple[SharedId, str, IpAddress]:
        """What makes it unique."""
        return (self.network, self.name, self.address)


def _empty() -> Any:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Cluster:
    """Everything the hosts share. `revision` grows with every change and means something only within one process."""

    revision: int = 0
    info: ClusterInfo = field(default_factory=ClusterInfo)
    members: Mapping[HostName, Member] = field(default_factory=_empty)
    networks: Mapping[SharedId, SharedNetwork] = field(default_factory=_empty)
    leases: Mapping[tuple[SharedId, IpAddress], Lease] = field(default_factory=_empty)
    endpoints: Mapping[EndpointId, RemoteEndpoint] = field(default_factory=_empty)
    beats: Mapping[HostName, Beat] = field(default_factory=_empty)
    tokens: Mapping[str, Token] = field(default_factory=_empty)
    records: Mapping[tuple[SharedId, str, IpAddress], Record] = field(default_factory=_empty)

    def endpoints_of(self, network: SharedId) -> tuple[RemoteEndpoint, ...]:
        """The published endpoints of one network, in no particular order."""
        return tuple(it for it in self.endpoints.values() if it.network == network)
