"""Table tunnel: the segment of a packet from another host; and what sends a packet to one. Pure.

    kind ovs:     origin: which VTEP has sent it? ─► tunnel: which VNI has it? ─► forward
    kind kernel:  origin: by which network's device did it come? ───────────────► forward

Such a packet passes no guard: the host it comes from has guarded it. It reaches ports of this host only: the one way
from its segment to other hosts is the port it came in by, and Open vSwitch sends no packet back by that
(ovs-actions(7), "output"). Hence a full mesh of tunnels has no loop.
"""

from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address

from ovsnet.model.ids import IpAddress, Ofport, Vni
from ovsnet.model.overlay import TunnelKind
from ovsnet.pipeline.flow import Flow
from ovsnet.pipeline.remote import Way
from ovsnet.pipeline.tables import Priority, Table, flow, goto


def peer_flows(ofport: Ofport, vteps: Iterable[IpAddress]) -> Iterator[Flow]:
    """Kind ovs: packets from these hosts come in by the one tunnel port, and from no others."""
    for vtep in vteps:
        match = f"{_field('src', vtep)}={vtep},in_port={ofport}"
        yield flow(Table.ORIGIN, Priority.NORMAL, match, goto(Table.TUNNEL))


def way_flows(way: Way) -> Iterator[Flow]:
    """The one flow that lets packets of this segment in from other hosts."""
    onwards = f"{way.segment.labels},{goto(Table.FORWARD)}"
    if way.kind is TunnelKind.OVS:
        yield flow(Table.TUNNEL, Priority.NORMAL, f"tun_id={way.vni:#x}", onwards, about=way.vni)
    else:
        yield flow(Table.ORIGIN, Priority.NORMAL, f"in_port={way.ofport}", onwards, about=way.vni)


def label(vni: Vni) -> str:
    """The action that says of which network a packet is, for kind ovs."""
    return f"set_field:{vni:#x}->tun_id"


def aim(vtep: IpAddress) -> str:
    """The action that says to which host it goes, for kind ovs."""
    return f"set_field:{vtep}->{_field('dst', vtep)}"


def _field(end: str, vtep: IpAddress) -> str:
    return f"tun_{end}" if isinstance(vtep, IPv4Address) else f"tun_ipv6_{end}"
