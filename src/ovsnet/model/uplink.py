"""A NIC of the host that is a port of a bridge, and what moves with it: values only. Pure.

Addresses and routes are kept as the kernel tells them, so that they can be put back as they were. What is not
understood of a route is not kept: then the NIC is not moved (`linux/hostroutes.py`).
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from ovsnet.model.datapath import Datapath
from ovsnet.model.ids import IpAddress, IpInterface, IpNetwork, Mac

FOREVER: Final = 0xFFFFFFFF
"""INFINITY_LIFE_TIME, in seconds."""
LONGEST_NAME: Final = 15
"""IFNAMSIZ - 1."""
BRIDGE_PREFIX: Final = "br-"


@dataclass(frozen=True, slots=True)
class HostAddress:
    """An address of an interface (rtnetlink(7), struct ifaddrmsg). Two are equal when they are the same address.

    `label` is "" where it is the interface's name. `metric` is that of the connected route, 0 for the default.
    """

    address: IpInterface
    peer: IpAddress | None = field(default=None, compare=False)
    broadcast: IpAddress | None = field(default=None, compare=False)
    label: str = field(default="", compare=False)
    scope: int = field(default=0, compare=False)
    flags: int = field(default=0, compare=False)
    metric: int = field(default=0, compare=False)
    valid: int = field(default=FOREVER, compare=False)
    preferred: int = field(default=FOREVER, compare=False)
    """Seconds."""


@dataclass(frozen=True, slots=True)
class HostRoute:
    """A unicast route through one interface (rtnetlink(7), struct rtmsg), in whichever table it is.

    `metrics` are the kernel's (RTAX_…), by their numbers; `flags` are those a person can set. `preference` is
    that of an IPv6 router (RFC 4191). `expires`: seconds until a route of a router advertisement ends, 0 for one that
    stays.
    """

    destination: IpNetwork
    table: int
    protocol: int
    scope: int
    gateway: IpAddress | None = None
    metric: int = 0
    source: IpAddress | None = None
    tos: int = 0
    flags: int = 0
    preference: int = 0
    metrics: tuple[tuple[int, int], ...] = ()
    expires: int = field(default=0, compare=False)


class Hold(StrEnum):
    """What of an uplink is ours, and so may be taken away."""

    OWN = "own"
    """The bridge and the port: we made both."""
    PLUGGED = "plugged"
    """The port. The bridge is its owner's."""
    NOTED = "noted"
    """Nothing: the NIC was in that bridge already."""


class Phase(StrEnum):
    """How far an uplink is."""

    TRYING = "trying"
    """The neighbours did not answer yet: it is put back unless the process that tries it lives and they do."""
    IN_FORCE = "in force"
    LEAVING = "leaving"
    """It is being put back."""


@dataclass(frozen=True, slots=True)
class NicSettings:
    """What is changed of a NIC while it is an uplink, as it was before: `joins` is GRO."""

    mac: Mac
    mtu: int
    ipv6: bool = True
    joins: bool = False


@dataclass(frozen=True, slots=True)
class Uplink:
    """The NIC is a port of the bridge, whose own port has the addresses and routes that the NIC had.

    `boot` is the boot (/proc/sys/kernel/random/boot_id) in which the addresses were last seen to be these: after
    another one, what the host's own configuration gave the NIC counts.
    """

    nic: str
    bridge: str
    hold: Hold
    phase: Phase
    datapath: Datapath
    settings: NicSettings
    addresses: tuple[HostAddress, ...] = ()
    routes: tuple[HostRoute, ...] = ()
    probes: tuple[IpAddress, ...] = ()
    boot: str = ""
    created_at: float = 0.0

    @property
    def key(self) -> str:
        """What it is unique by."""
        return self.nic

    @property
    def gateways(self) -> tuple[IpAddress, ...]:
        """The default gateways through the NIC, of all tables and both families."""
        found = [it.gateway for it in self.routes if it.gateway is not None and it.destination.prefixlen == 0]
        return tuple(dict.fromkeys(found))


@dataclass(frozen=True, slots=True)
class UplinkPlan:
    """Where addresses and routes of a NIC must be: on the bridge's own port, or on the NIC itself. Key: the NIC.

    The record is compared no more once it is so: what happens to the addresses of the bridge's port from then on is
    the business of the host's owner.
    """

    nic: str
    bridge: str
    moved: bool
    hold: Hold
    datapath: Datapath
    settings: NicSettings = field(compare=False)
    addresses: tuple[HostAddress, ...] = field(default=(), compare=False)
    routes: tuple[HostRoute, ...] = field(default=(), compare=False)
    boot: str = field(default="", compare=False)


def device_mark(boot: str, index: int) -> str:
    """What tells a device from another one of its name, as ovs-vswitchd makes at its start: that has nothing yet."""
    return f"{boot}/{index}"


def bridge_for(nic: str) -> str:
    """The name of the bridge that is made for a NIC; "" when it would be too long."""
    name = f"{BRIDGE_PREFIX}{nic}"
    return name if len(name) <= LONGEST_NAME else ""


@dataclass(frozen=True, slots=True)
class NicFacts:
    """A NIC as it is. `obstacle`: why it cannot be an uplink, in words, whatever it is to be for; "" when it can.
    `caretaker`: the program that gives it its addresses, "" for none.
    """

    name: str
    obstacle: str = ""
    caretaker: str = ""
    settings: NicSettings = field(default_factory=lambda: NicSettings(Mac(""), 0))
    addresses: tuple[HostAddress, ...] = ()
    routes: tuple[HostRoute, ...] = ()


@dataclass(frozen=True, slots=True)
class Carrier:
    """An OVS bridge. `ours`: made for an uplink. `ports`: names of all its ports but its own."""

    name: str
    ours: bool
    datapath: Datapath
    ports: frozenset[str] = frozenset()
