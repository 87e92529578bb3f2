"""An interface that somebody attached to a container or a namespace by hand or by a label. Pure.

It is on a network of ours, where an Endpoint of the same id goes with it, or on a bridge. It is remembered: whenever
its target runs, it is there.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network, IPv6Network

from ovsnet.model.host import Medium, Route, Routers, Rule
from ovsnet.model.ids import UNTAGGED, EndpointId, IpAddress, IpInterface, IpNetwork, Mac, NetworkId, Vlan
from ovsnet.model.network import DEFAULT_MTU, PortKind
from ovsnet.model.shaping import UNSHAPED, Shape

NO_NETWORK = NetworkId("")
DEFAULT_ROUTES: Mapping[int, IpNetwork] = {4: IPv4Network("0.0.0.0/0"), 6: IPv6Network("::/0")}


class TargetKind(StrEnum):
    """What has network namespaces."""

    CONTAINER = "container"
    PID = "pid"
    NETNS = "netns"


@dataclass(frozen=True, slots=True)
class Target:
    """Who has the interface.

    `id` is a container's full id, a process's number, or the path of a namespace; `name` is what people call it.
    `birth` tells a process from a later one with its number, "" for the others. `service` is a container's in its
    Compose file, "" for most.
    """

    kind: TargetKind
    id: str
    name: str = ""
    birth: str = ""
    service: str = ""

    @property
    def title(self) -> str:
        """The target as a person would name it on the command line."""
        if self.kind is TargetKind.CONTAINER:
            return self.name or self.id[:12]
        return f"{self.kind}:{self.name or self.id}"

    @property
    def label(self) -> str:
        """One word for what is known by names, as containers are."""
        return f"pid-{self.id}" if self.kind is TargetKind.PID else self.name

    def is_same(self, other: "Target") -> bool:
        """Whether both are one thing, whatever it is called now."""
        return (self.kind, self.id, self.birth) == (other.kind, other.id, other.birth)


class Tagging(StrEnum):
    """How the port of an interface on a bridge treats VLANs: Open vSwitch's `vlan_mode`."""

    ACCESS = "access"
    """In one VLAN, or in none; the interface knows nothing of it."""
    TRUNK = "trunk"
    """Only tagged frames of its VLANs."""
    NATIVE = "native-untagged"
    """As trunk, and what has no tag is in one more VLAN."""
    QINQ = "dot1q-tunnel"
    """All its frames, tagged or not, get one more tag (IEEE 802.1ad)."""


@dataclass(frozen=True, slots=True)
class Attachment:
    """One interface of one target.

    `id` is made like an engine's endpoint id. `ifname` is its name inside, `host_ifname` that of its port ("" for one
    made of the id). `bridge` is "" for one on a network, and for one that is no port (`medium`); `nic` is the NIC of
    the host that such a one is or is on. `makes_bridge`: there was no such bridge, and one of ours
    takes its place. `addresses`, `gateways` (one a family), `routes` and `rules` are what it has inside, beside what it
    gets by DHCP (`dhcp`: for these IP versions) and from routers (`slaac`). `shape` slows it down. `sandbox` is the
    path of the target's network namespace, "" while it does not run. `label` is the label of its container that asked
    for it, "" for an order. `detached`: somebody took it away, and its label counts again when its container starts.
    """

    id: EndpointId
    target: Target
    ifname: str
    mac: Mac
    network_id: NetworkId = NO_NETWORK
    medium: Medium = Medium.PORT
    nic: str = ""
    bridge: str = ""
    makes_bridge: bool = False
    addresses: tuple[IpInterface, ...] = ()
    gateways: tuple[IpAddress, ...] = ()
    routes: tuple[Route, ...] = ()
    rules: tuple[Rule, ...] = ()
    dhcp: tuple[int, ...] = ()
    slaac: bool = False
    shape: Shape = UNSHAPED
    vlan: Vlan = UNTAGGED
    tagging: Tagging = Tagging.ACCESS
    trunks: tuple[Vlan, ...] = ()
    mtu: int = DEFAULT_MTU
    port: PortKind = PortKind.VETH
    host_ifname: str = ""
    sandbox: str = ""
    label: str = ""
    detached: bool = False
    created_at: float = 0.0

    @property
    def title(self) -> str:
        """The interface as people know it."""
        return f"{self.ifname} of {self.target.title}"

    @property
    def plugged(self) -> bool:
        """Whether it must be there now."""
        return bool(self.sandbox) and not self.detached

    @property
    def routers(self) -> Routers:
        """What it takes of routers' announcements: they tell the ways also where a server gives the IPv6 addresses."""
        if self.slaac:
            return Routers.AUTOCONF
        return Routers.HEEDED if 6 in self.dhcp else Routers.IGNORED

    @property
    def all_routes(self) -> tuple[Route, ...]:
        """Every route it brings, in the order in which they can be made.

        A gateway outside the interface's subnets is reached by a host route of its family: /32 or /128.
        """
        subnets = [it.network for it in self.addresses]
        hops = [*self.gateways, *(it.gateway for it in self.routes if it.gateway is not None)]
        reached = [it for it in dict.fromkeys(hops) if not _within(it, subnets)]
        defaults = tuple(Route(DEFAULT_ROUTES[it.version], it) for it in self.gateways)
        return (*(Route(_alone(it)) for it in reached), *self.routes, *defaults)


def _within(address: IpAddress, subnets: Iterable[IPv4Network | IPv6Network]) -> bool:
    on_link = address.version == 6 and address.is_link_local
    return on_link or any(address in it for it in subnets if it.version == address.version)


def _alone(address: IpAddress) -> IPv4Network | IPv6Network:
    return IPv4Network(address) if isinstance(address, IPv4Address) else IPv6Network(address)
