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
"""

from collections.abc import Iterator

from ovsnet.pipeline.cookies import Feature
from ovsnet.pipeline.dns import SERVICE_MAC
from ovsnet.pipeline.flow import Flow
from ovsnet.pipeline.gateway import GATEWAY_MAC
from ovsnet.pipeline.packets import ARP_REQUEST, BROADCAST, NEIGHBOUR_ADVERTISEMENT, NEIGHBOUR_SOLICITATION
from ovsnet.pipeline.plug import Gateway, Plug
from ovsnet.pipeline.registers import OUTPUT_PORT
from ovsnet.pipeline.remote import Way
from ovsnet.pipeline.tables import DROP, Priority, Table, flow, goto

TAG_TYPE = "0x8100"
"""IEEE 802.1Q."""
_PRESENT = 0x1000
"""The bit of `vlan_vid` that says there is a tag (OFPVID_PRESENT)."""


def tagged(way: Way) -> tuple[str, ...]:
    """The actions that give a packet the tag of the way's VLAN; none where a tunnel carries it."""
    if not way.on_trunk:
        return ()
    return (f"push_vlan:{TAG_TYPE}", f"set_field:{_PRESENT | way.segment.vlan}->vlan_vid")


def way_flows(way: Way) -> Iterator[Flow]:
    """What lets packets of the VLAN in, and out what is not known here."""
    match = way.segment.match
    popped = f"pop_vlan,{way.segment.labels},{goto(Table.TUNNEL)}"
    yield _flow(way, Table.ORIGIN, Priority.NORMAL, f"in_port={way.ofport},dl_vlan={way.segment.vlan}", popped)
    # One by one: what endpoints cannot send, a second tag or the bridges' own protocols, they do not get.
    yield _flow(way, Table.TUNNEL, Priority.NORMAL, f"arp,{match}", goto(Table.FORWARD))
    yield _flow(way, Table.TUNNEL, Priority.NORMAL, f"ip,{match}", goto(Table.FORWARD))
    yield _flow(way, Table.TUNNEL, Priority.EXCEPTION, f"ip,{match},dl_dst={BROADCAST}", goto(Table.DHCP))
    yield _flow(way, Table.TUNNEL, Priority.NORMAL, f"ipv6,{match}", goto(Table.IPV6))
    for kind in (NEIGHBOUR_SOLICITATION, NEIGHBOUR_ADVERTISEMENT):
        yield _flow(way, Table.ND_GUARD, Priority.NORMAL, f"{_nd(way, kind)},icmp_code=0", goto(Table.FORWARD))
    yield from _way_out(way)


def _way_out(way: Way) -> Iterator[Flow]:
    match = way.segment.match
    out = ",".join((*tagged(way), OUTPUT_PORT.set_to(way.ofport), goto(Table.OUTPUT)))
    yield _flow(way, Table.FORWARD, Priority.FALLBACK, match, out)
    yield _flow(way, Table.NEIGHBOUR, Priority.FALLBACK, f"arp,{match},arp_op={ARP_REQUEST}", out)
    question = f"icmp6,{match},icmp_type={NEIGHBOUR_SOLICITATION},icmp_code=0"
    yield _flow(way, Table.NEIGHBOUR, Priority.FALLBACK, question, out)


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
