"""What is true on this host (facts) and what must be true on it (plan), as values. Pure.

A plan is a set of named resources of several kinds. `compare=False` marks fields that only matter when the resource is
made: they cannot be read back from the host and so must not count as drift.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import IPv4Address
from types import MappingProxyType

from ovsnet.model.datapath import Datapath
from ovsnet.model.egress import FirewallPlan
from ovsnet.model.ids import UNTAGGED, EndpointId, IpAddress, IpInterface, IpNetwork, Mac, Ofport, Vlan, Vni
from ovsnet.model.network import PortKind
from ovsnet.model.overlay import Overlay
from ovsnet.model.shaping import UNSHAPED, Shape
from ovsnet.model.uplink import UplinkPlan

__all__ = [
    "OWN_NAMESPACE",
    "BridgePlan",
    "Datapath",
    "DevicePlan",
    "HostFacts",
    "HostPlan",
    "InsidePlan",
    "LinkPlan",
    "Medium",
    "NameService",
    "OtherBridge",
    "Placement",
    "PortPlan",
    "Route",
    "Routers",
    "Rule",
    "SwitchFacts",
    "TunnelPlan",
]

OWN_NAMESPACE = "/proc/self/ns/net"
"""The path of the host's own network namespace."""
EVERY_BIT = (1 << 32) - 1
LAST_PRIORITY = 32765
"""Of a rule, the one before that for the table `main`: what the kernel gives a rule that says none."""


@dataclass(frozen=True, slots=True)
class OtherBridge:
    """A bridge beside our own: `ours` where it carries our mark, as one that was made for an attachment."""

    datapath: Datapath
    ours: bool = False


@dataclass(frozen=True, slots=True)
class SwitchFacts:
    """What Open vSwitch is and has, read from its database.

    `available` is False while ovsdb-server does not answer; everything else is then the last that was known.
    """

    available: bool = False
    version: str = ""
    datapath: Datapath = Datapath.USERSPACE
    tso: bool = False
    """`other_config:userspace-tso-enable`: packets without checksums may cross the userspace datapath."""
    ofports: Mapping[str, Ofport] = field(default_factory=lambda: MappingProxyType({}))
    """Our ports that ovs-vswitchd has taken up, by name."""
    reason: str = ""
    """Why it is not available, for people."""
    bridges: Mapping[str, OtherBridge] = field(default_factory=lambda: MappingProxyType({}))
    """Every bridge but our own one, by name."""


@dataclass(frozen=True, slots=True)
class NameService:
    """Where containers ask for names: at `address`, which is in the network namespace at the path `sandbox`."""

    address: IPv4Address
    sandbox: str


@dataclass(frozen=True, slots=True)
class HostFacts:
    """All facts planning may depend on."""

    switch: SwitchFacts = field(default_factory=SwitchFacts)
    overlay: Overlay | None = None
    """The way to other hosts; None on a host that is in no cluster."""
    names: NameService | None = None
    """None where no names are served."""
    trials: frozenset[str] = frozenset()
    """NICs whose move to a bridge is being tried, while somebody would put them back."""
    leased: Mapping[EndpointId, tuple[IpInterface, ...]] = field(default_factory=lambda: MappingProxyType({}))
    """What interfaces have from DHCP servers."""


@dataclass(frozen=True, slots=True)
class BridgePlan:
    """A bridge of ours. Resource key: its name.

    The one of our networks forwards by our flows alone; `learning` ones are ordinary switches for attachments.
    """

    name: str
    datapath: Datapath
    external_ids: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    learning: bool = False
    up: bool = False
    """Whether the host's interface of its name is up, so that whoever gives it an address reaches what is attached."""


@dataclass(frozen=True, slots=True)
class PortPlan:
    """One OVS port, on our bridge unless it says otherwise. Resource key: its name, also the interface's."""

    name: str
    kind: PortKind
    vlan: Vlan = UNTAGGED
    mtu: int = field(default=1500, compare=False)
    """`mtu_request`, set on creation for internal ports only."""
    external_ids: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    options: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """`Interface.options`, all of them; of tunnels and of kind `patch` only, of others they are nobody's concern."""
    bfd: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """`Interface.bfd`, all of it; of tunnels only."""
    bridge: str = ""
    """Another bridge that it is on, somebody's or one for attachments; "" for that of our networks."""
    tagging: str = ""
    """`Port.vlan_mode`; "" leaves it to Open vSwitch: `vlan` is the VLAN of its untagged frames."""
    trunks: tuple[Vlan, ...] = ()
    """`Port.trunks`: the VLANs it carries tagged; () for all, where it carries any."""
    rate: int = 0
    """The most it sends towards its container, in bits a second; 0 for no bound."""
    marks: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}), compare=False)
    """External ids of the interface by which other tools know it; set on creation."""


@dataclass(frozen=True, slots=True)
class Route:
    """A route through one interface. `gateway` is None for what is on the link itself, `table` 0 for the usual one."""

    destination: IpNetwork
    gateway: IpAddress | None = None
    table: int = 0


@dataclass(frozen=True, slots=True)
class Rule:
    """Packets of this IP version that match are routed by `table`. None, "" and 0 match all.

    Of two rules the one with the lower `priority` is asked first.
    """

    version: int
    table: int
    source: IpNetwork | None = None
    destination: IpNetwork | None = None
    iif: str = ""
    mark: int = 0
    mask: int = EVERY_BIT
    priority: int = LAST_PRIORITY


class Routers(StrEnum):
    """What an interface takes of the announcements of IPv6 routers on its link."""

    IGNORED = ""
    HEEDED = "heeded"
    """The ways out and what is on the link."""
    AUTOCONF = "autoconf"
    """That, and addresses of its own in the announced prefixes (SLAAC)."""


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a lost container interface must be put back: namespace path, name, and what it has inside.

    `table`: the routing table by which the subnets of its addresses are reached, 0 for the usual one.
    """

    sandbox: str
    ifname: str
    addresses: tuple[IpInterface, ...]
    routes: tuple[Route, ...] = ()
    routers: Routers = Routers.IGNORED
    shape: Shape = UNSHAPED
    table: int = 0


@dataclass(frozen=True, slots=True)
class LinkPlan:
    """The container's interface as a kernel link. Resource key: `name`.

    `veth`: a pair; `name` is the host end and `peer` the container end until the engine renames it.
    `internal`: the port's own device; made by ovs-vswitchd, we only bring it up, name its alias, and place it.
    `alias` (IFLA_IFALIAS) is the owner mark: "ovsnet:<endpoint id>".
    """

    name: str
    kind: PortKind
    alias: str
    mtu: int
    peer: str = field(default="", compare=False)
    mac: Mac | None = field(default=None, compare=False)
    checksum_offload: bool = field(default=True, compare=False)
    """False: switch transmit checksum offload off on both ends (userspace datapath without TSO)."""
    placement: Placement | None = field(default=None, compare=False)
    """None until the interface was seen inside: until then the engine moves it."""


@dataclass(frozen=True, slots=True)
class InsidePlan:
    """What an interface has inside beside what an engine gave it, which may change while it runs. Resource key: `name`.

    `name` is made of its link's; `sandbox` and `ifname` say where it is.
    """

    name: str
    sandbox: str
    ifname: str
    mtu: int
    addresses: tuple[IpInterface, ...] = ()
    routes: tuple[Route, ...] = ()
    shape: Shape = UNSHAPED
    rules: tuple[Rule, ...] = ()
    routers: Routers = Routers.IGNORED


class Medium(StrEnum):
    """What an attached interface is."""

    PORT = ""
    """A port of a switch."""
    DUMMY = "dummy"
    """One that leads nowhere."""
    MACVLAN = "macvlan"
    IPVLAN = "ipvlan"
    """On a NIC of the host, with a MAC of its own or with the NIC's."""
    NIC = "nic"
    """A NIC of the host itself."""


@dataclass(frozen=True, slots=True)
class DevicePlan:
    """An attached interface that is no port of a switch. Resource key: `name`.

    `nic` is the host's NIC that it is or is on. Where its namespace is "", it is a NIC that has come back.
    """

    name: str
    medium: Medium
    nic: str = ""
    sandbox: str = ""
    alias: str = field(default="", compare=False)
    mtu: int = field(default=0, compare=False)
    mac: Mac = field(default=Mac(""), compare=False)
    place: Placement = field(default=Placement("", "", ()), compare=False)

    @property
    def ifname(self) -> str:
        """Its name inside."""
        return self.place.ifname


@dataclass(frozen=True, slots=True)
class TunnelPlan:
    """A vxlan device of the kernel that carries one network to other hosts. Resource key: `name`.

    It learns nothing: `forwards` says which VTEP has which MAC, and for broadcasts, with the MAC "", every VTEP that
    gets a copy. `local` is our VTEP, `device` the interface it is on. `alias` is the owner mark.
    """

    name: str
    vni: Vni
    local: IpAddress
    device: str
    udp_port: int
    mtu: int
    alias: str
    forwards: frozenset[tuple[str, IpAddress]] = frozenset()


@dataclass(frozen=True, slots=True)
class HostPlan:
    """What must be on this host, apart from flows, by resource key."""

    bridges: Mapping[str, BridgePlan]
    links: Mapping[str, LinkPlan]
    ports: Mapping[str, PortPlan]
    tunnels: Mapping[str, TunnelPlan] = field(default_factory=lambda: MappingProxyType({}))
    uplinks: Mapping[str, UplinkPlan] = field(default_factory=lambda: MappingProxyType({}))
    insides: Mapping[str, InsidePlan] = field(default_factory=lambda: MappingProxyType({}))
    devices: Mapping[str, DevicePlan] = field(default_factory=lambda: MappingProxyType({}))
    firewall: Mapping[str, FirewallPlan] = field(default_factory=lambda: MappingProxyType({}))
