"""Networks without a tunnel: their packets on the trunk, and what may come in from there. Pure.

    in:   origin: port of the trunk, VLAN of the network? pop the tag
             └─► tunnel: is it none of ours? ─┬─► forward (IPv4, ARP)
                                              ├─► dhcp (IPv4 to all)
                                              └─► ipv6
    out:  forward, flood, neighbour: push the tag ─► port of the trunk

The VLAN is open: other machines may be on it. What a container sends to a MAC that is not known here goes out, and so
do questions for addresses that are not known; a known MAC or address is answered and forwarded as on any network. What
comes in is what endpoints may send: nobody out there is taken for an endpoint or the gateway of this host, advertises
itself as a router, or gives addresses. Frames of other VLANs end in table origin. What came from the trunk never goes
back: Open vSwitch sends no packet out by the port it came in (ovs-actions(7), "output").

A LAN (mode=uplink) is such a VLAN, or has no tag. Its router is not ours, and it may give containers their addresses:
then its DHCP servers and routers are heard, and containers can be neither.
"""

from collections.abc import Iterator

from ovsnet.model.ids import UNTAGGED
from ovsnet.pipeline.cookies import Feature
from ovsnet.pipeline.dns import SERVICE_MAC
from ovsnet.pipeline.flow import Flow
from ovsnet.pipeline.gateway import GATEWAY_MAC
from ovsnet.pipeline.packets import (
    ARP_REQUEST,
    BROADCAST,
    DHCP_SERVER,
    DHCPV6_SERVERS,
    NEIGHBOUR_ADVERTISEMENT,
    NEIGHBOUR_SOLICITATION,
    ROUTER_ADVERTISEMENT,
    ROUTER_SOLICITATION,
)
from ovsnet.pipeline.plug import Gateway, Plug
from ovsnet.pipeline.registers import OUTPUT_PORT
from ovsnet.pipeline.remote import Way
from ovsnet.pipeline.tables import DROP, Priority, Table, flow, goto

TAG_TYPE = "0x8100"
"""IEEE 802.1Q."""
_PRESENT = 0x1000
"""The bit of `vlan_vid` that says there is a tag (OFPVID_PRESENT)."""
NO_TAG = "vlan_tci=0x0000/0x1fff"
_SOLICITATION = f"icmp_type={NEIGHBOUR_SOLICITATION}"


def tagged(way: Way) -> tuple[str, ...]:
    """The actions that give a packet the tag of the way's VLAN; none where a tunnel carries it, or it has no tag."""
    if not way.on_trunk or way.segment.vlan == UNTAGGED:
        return ()
    return (f"push_vlan:{TAG_TYPE}", f"set_field:{_PRESENT | way.segment.vlan}->vlan_vid")


def way_flows(way: Way) -> Iterator[Flow]:
    """What lets packets of the VLAN in, and out what is not known here."""
    match, vlan = way.segment.match, way.segment.vlan
    tag, pop = (NO_TAG, "") if vlan == UNTAGGED else (f"dl_vlan={vlan}", "pop_vlan,")
    popped = f"{pop}{way.segment.labels},{goto(Table.TUNNEL)}"
    yield _flow(way, Table.ORIGIN, Priority.NORMAL, f"in_port={way.ofport},{tag}", popped)
    # One by one: what endpoints cannot send, a second tag or the bridges' own protocols, they do not get.
    yield _flow(way, Table.TUNNEL, Priority.NORMAL, f"arp,{match}", goto(Table.FORWARD))
    yield _flow(way, Table.TUNNEL, Priority.NORMAL, f"ip,{match}", goto(Table.FORWARD))
    yield _flow(way, Table.TUNNEL, Priority.EXCEPTION, f"ip,{match},dl_dst={BROADCAST}", goto(Table.DHCP))
    yield _flow(way, Table.TUNNEL, Priority.NORMAL, f"ipv6,{match}", goto(Table.IPV6))
    for kind in (NEIGHBOUR_SOLICITATION, NEIGHBOUR_ADVERTISEMENT):
        yield _flow(way, Table.ND_GUARD, Priority.NORMAL, f"{_nd(way, kind)},icmp_code=0", goto(Table.FORWARD))
    yield from _way_out(way)
    if way.gives:
        yield from _given_flows(way)


def _way_out(way: Way) -> Iterator[Flow]:
    match, out = way.segment.match, _out(way)
    yield _flow(way, Table.FORWARD, Priority.FALLBACK, match, out)
    # On a LAN somebody here may have an address that nobody has told us of.
    asked = goto(Table.FORWARD) if way.lan else out
    yield _flow(way, Table.NEIGHBOUR, Priority.FALLBACK, f"arp,{match},arp_op={ARP_REQUEST}", asked)
    yield _flow(way, Table.NEIGHBOUR, Priority.FALLBACK, f"icmp6,{match},{_SOLICITATION},icmp_code=0", asked)


def _out(way: Way) -> str:
    return ",".join((*tagged(way), OUTPUT_PORT.set_to(way.ofport), goto(Table.OUTPUT)))


def _given_flows(way: Way) -> Iterator[Flow]:
    """Servers and routers of the LAN are asked and heard: of their kind nothing goes to or comes from containers."""
    match, out = way.segment.match, _out(way)
    yield _flow(way, Table.ND_GUARD, Priority.NORMAL, f"icmp6,{match},icmp_type={ROUTER_SOLICITATION}", out)
    heard = f"{_nd(way, ROUTER_ADVERTISEMENT)},icmp_code=0"
    yield _flow(way, Table.ND_GUARD, Priority.NORMAL, heard, goto(Table.FORWARD))
    answer = f"udp,{match},in_port={way.ofport},tp_src={DHCP_SERVER}"
    yield _flow(way, Table.DHCP, Priority.FIRST, answer, goto(Table.FORWARD))
    yield _flow(way, Table.DHCP, Priority.EXCEPTION, f"udp,{match},tp_dst={DHCP_SERVER}", out)
    yield _flow(way, Table.GATEWAY, Priority.EXCEPTION, f"{match},dl_dst={DHCPV6_SERVERS}", out)


def segment_flows(way: Way, gateway: Gateway) -> Iterator[Flow]:
    """The gateway and the name service are of this host alone, on every host."""
    for mac in (GATEWAY_MAC, SERVICE_MAC):
        yield _kept(way, f"{way.segment.match},dl_src={mac}")
        yield _kept(way, f"{way.segment.match},dl_dst={mac}")
    if gateway.ipv4 is not None:
        yield _kept(way, f"arp,{way.segment.match},arp_spa={gateway.ipv4}")
    if gateway.ipv6 is not None:
        yield _claimed(way, str(gateway.ipv6))


def plug_flows(way: Way, plug: Plug) -> Iterator[Flow]:
    """An endpoint of this host is on this host: also what comes back by a loop of cables ends here."""
    match = way.segment.match
    yield _kept(way, f"{match},dl_src={plug.mac}")
    if plug.ipv4 is not None:
        yield _kept(way, f"arp,{match},arp_spa={plug.ipv4}")
        yield _kept(way, f"ip,{match},nw_src={plug.ipv4}")
    for address in plug.ipv6:
        yield _kept(way, f"ipv6,{match},ipv6_src={address}")
        yield _claimed(way, str(address))


def _claimed(way: Way, address: str) -> Flow:
    claim = f"{_nd(way, NEIGHBOUR_ADVERTISEMENT)},icmp_code=0,nd_target={address}"
    return _flow(way, Table.ND_GUARD, Priority.EXCEPTION, claim, DROP)


def _kept(way: Way, match: str) -> Flow:
    return _flow(way, Table.TUNNEL, Priority.FIRST, match, DROP, feature=Feature.GUARD)


def _nd(way: Way, kind: int) -> str:
    return f"icmp6,{way.segment.match},in_port={way.ofport},icmp_type={kind}"


def _flow(way: Way, table: Table, priority: Priority, match: str, actions: str, feature: Feature | None = None) -> Flow:
    return flow(table, priority, match, actions, about=way.vni, feature=feature)
