"""A plugged endpoint and its segment, as the features see them. Pure."""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

from ovsnet.model.ids import Mac, Ofport, Vlan, Vni
from ovsnet.model.listening import EVERYTHING, Listening
from ovsnet.pipeline.registers import SEGMENT_VLAN, SEGMENT_VNI


@dataclass(frozen=True, slots=True, order=True)
class Segment:
    """A broadcast domain: the endpoints of one network that share a VLAN."""

    vni: Vni
    vlan: Vlan

    @property
    def match(self) -> str:
        """What tells a packet of this segment, after the origin table."""
        return f"{SEGMENT_VLAN.equals(self.vlan)},{SEGMENT_VNI.equals(self.vni)}"

    @property
    def labels(self) -> str:
        """What the origin table does so that `match` holds."""
        return f"{SEGMENT_VLAN.set_to(self.vlan)},{SEGMENT_VNI.set_to(self.vni)}"


@dataclass(frozen=True, slots=True)
class Gateway:
    """The gateway of a network: its addresses, None where the network has none of that family."""

    ipv4: IPv4Address | None
    ipv6: IPv6Address | None


@dataclass(frozen=True, slots=True)
class Plug:
    """One endpoint that is plugged into the switch.

    `ipv6` holds all its IPv6 addresses: the one IPAM gave and the link-local one; none where IPAM gave none.
    `addressed` is False on a network without IPAM: no address is known and any may be used.
    `icc` is False where the endpoints of the network may not reach each other. `gateway` is that of the network.
    `listens` are its multicast groups; `snooped` is False where the network sends every group to all.
    `disguised` is True where its address may be another endpoint's, in a network of another address space.

    On a LAN (`lan`): `open4` and `open6` are True where no address of that family is known and any may be used, `asks`
    where a DHCP server gives it its IPv4 address, `derives` where it makes IPv6 addresses of its MAC. `leased` is True
    where its IPv4 address is not of IPAM: an endpoint of another network may have the same one.
    """

    segment: Segment
    ofport: Ofport
    mac: Mac
    ipv4: IPv4Address | None
    ipv6: tuple[IPv6Address, ...]
    addressed: bool
    icc: bool
    gateway: Gateway
    listens: Listening = EVERYTHING
    snooped: bool = False
    disguised: bool = False
    open4: bool = False
    open6: bool = False
    asks: bool = False
    leased: bool = False
    derives: bool = False
    lan: bool = False
