"""What one host needs to know of the others to forward packets, as one value. Pure.

Made of the cluster's state and of who lives (`ovsnet.control.sharing.overlay`); planning and the pipeline read it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from ovsnet.model.cluster import VXLAN_PORT, Encapsulation, RemoteEndpoint
from ovsnet.model.ids import HostName, IpAddress, SharedId


class TunnelKind(StrEnum):
    """What carries packets to other hosts."""

    OVS = "ovs"
    """One flow-based port of Open vSwitch: kernel datapath, or native tunnelling of the userspace one."""
    KERNEL = "kernel"
    """One vxlan device of the kernel per network, as an ordinary port: with TSO seven times faster than native tunnels
    of the userspace datapath, without it as fast; the VTEP's interface stays as it is. There is none for Geneve: the
    kernel's geneve device has one far end or the flows of somebody else, and no forwarding table."""


def _empty() -> Any:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True)
class TrunkPort:
    """The port that carries networks without a tunnel; its name is "" on a host that has none.

    `bridge` is somebody else's OVS bridge that it leads to, "" where it is a NIC.
    """

    name: str = ""
    bridge: str = ""


NO_TRUNK = TrunkPort()


@dataclass(frozen=True, slots=True, eq=False)
class Overlay:
    """The tunnels of this host. Compared by identity: a new one is made only when something in it changed.

    `local` is this host's VTEP, `device` the interface that has it ("" while it is not found). `peers` are the VTEPs of
    other members that live, `remotes` their endpoints by network, only of networks this host has. `current` is False
    while the cluster's database is away: what they listen to may have changed since.
    """

    local: IpAddress
    device: str = ""
    kind: TunnelKind = TunnelKind.OVS
    udp_port: int = VXLAN_PORT
    peers: Mapping[HostName, IpAddress] = field(default_factory=_empty)
    remotes: Mapping[SharedId, tuple[RemoteEndpoint, ...]] = field(default_factory=_empty)
    trunk: TrunkPort = NO_TRUNK
    current: bool = True
    encapsulation: Encapsulation = Encapsulation.VXLAN
