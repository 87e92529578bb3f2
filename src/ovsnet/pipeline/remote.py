"""Endpoints on other hosts and the way to them, as the features see them. Pure.

Only hosts that live count: what a dead one published is as good as withdrawn.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from operator import attrgetter

from ovsnet.model.cluster import RemoteEndpoint
from ovsnet.model.ids import HostName, IpAddress, Mac, Ofport, Vni
from ovsnet.model.network import Mode, Network
from ovsnet.model.overlay import Overlay, TunnelKind
from ovsnet.pipeline.plug import Segment

Reached = tuple[RemoteEndpoint, IpAddress]
"""An endpoint on another host, and the VTEP it is behind."""


@dataclass(frozen=True, slots=True)
class Way:
    """How packets of one segment get to other hosts and from them: through the OpenFlow port `ofport`.

    Kind None: the trunk, without a tunnel, as frames with the segment's VLAN. `lan`: that is a LAN with machines and a
    router of its own, and `gives` says that endpoints have their addresses from there.

    Kind `ovs`: one port for all segments, which is told VTEP and VNI with each packet. Kind `kernel`: a port of this
    segment alone, which knows the VTEP of each MAC and copies broadcasts by itself.
    """

    segment: Segment
    kind: TunnelKind | None
    ofport: Ofport
    lan: bool = False
    gives: bool = False

    @property
    def vni(self) -> Vni:
        """The number of the network, in a tunnel as here."""
        return self.segment.vni

    @property
    def on_trunk(self) -> bool:
        """True when no tunnel carries the segment."""
        return self.kind is None


@dataclass(frozen=True, slots=True)
class Remote:
    """One endpoint on another host. `ipv6` as of a plug: what IPAM gave and the link-local one, or none."""

    way: Way
    vtep: IpAddress
    mac: Mac
    ipv4: IPv4Address | None
    ipv6: tuple[IPv6Address, ...]


def reaches_others(network: Network) -> bool:
    """True for a network whose endpoints here may reach endpoints on other hosts."""
    return bool(network.shared) and network.options.icc


def is_on_trunk(network: Network) -> bool:
    """True for such a network that needs the trunk, and no tunnel."""
    return reaches_others(network) and network.options.mode is Mode.UNDERLAY


def living_vteps(overlay: Overlay) -> Mapping[HostName, IpAddress]:
    """The tunnel ends of other hosts that ours can reach: of our address family, and not our own."""
    here = overlay.local
    return {host: it for host, it in overlay.peers.items() if it.version == here.version and it != here}


def reached(remotes: Iterable[RemoteEndpoint], vteps: Mapping[HostName, IpAddress]) -> tuple[Reached, ...]:
    """What a network has on living hosts, the oldest first: where two claim the same, the last one has it."""
    there = [it for it in remotes if it.host in vteps]
    there.sort(key=attrgetter("created_at", "id"))
    return tuple((it, vteps[it.host]) for it in there)
