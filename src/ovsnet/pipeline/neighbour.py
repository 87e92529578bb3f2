"""Tables neighbour and nd_reply: who has this address? Answered here, no other port hears of it. Pure.

Only ARP and neighbour solicitations come here, so what is matched here costs other packets no mask.
"""

from collections.abc import Iterator

from ovsnet.pipeline import answer
from ovsnet.pipeline.cookies import Feature
from ovsnet.pipeline.flow import Flow
from ovsnet.pipeline.gateway import GATEWAY_MAC
from ovsnet.pipeline.packets import (
    ARP_REPLY,
    ARP_REQUEST,
    ND_TARGET_LINK_ADDRESS,
    NEIGHBOUR_ADVERTISEMENT,
    NEIGHBOUR_SOLICITATION,
)
from ovsnet.pipeline.plug import Gateway, Plug, Segment
from ovsnet.pipeline.registers import ND_OPTION
from ovsnet.pipeline.remote import Remote
from ovsnet.pipeline.tables import DROP, Priority, Table, flow, goto

_SOLICITATION = f"icmp_type={NEIGHBOUR_SOLICITATION},icmp_code=0"
_ADVERTISEMENT = f"icmp_type={NEIGHBOUR_ADVERTISEMENT},icmp_code=0"


def base_flows() -> Iterator[Flow]:
    """Replies go on to whom they are for; advertisements get their last touch."""
    yield flow(Table.NEIGHBOUR, Priority.NORMAL, f"arp,arp_op={ARP_REPLY}", goto(Table.FORWARD))
    with_option = f"icmp6,{ND_OPTION.equals(ND_TARGET_LINK_ADDRESS)},{_ADVERTISEMENT}"
    yield flow(Table.ND_REPLY, Priority.NORMAL, with_option, answer.advertisement(with_option=True))
    without = f"icmp6,{ND_OPTION.equals(0)},{_ADVERTISEMENT}"
    yield flow(Table.ND_REPLY, Priority.NORMAL, without, answer.advertisement(with_option=False))


def plug_flows(plug: Plug) -> Iterator[Flow]:
    """Answers about this endpoint to its peers, and its own announcements to them."""
    if plug.ipv4 is not None:
        # A gratuitous request asks for the sender's own address: peers refresh by it; an answer would alarm.
        own = f"arp,in_port={plug.ofport},arp_tpa={plug.ipv4},arp_op={ARP_REQUEST}"
        yield flow(Table.NEIGHBOUR, Priority.EXCEPTION, own, goto(Table.FORWARD), about=plug.segment.vni)
    if plug.icc:
        yield from _answers(plug.segment, plug)


def remote_flows(remote: Remote) -> Iterator[Flow]:
    """Answers about this endpoint on another host to its peers here: no question crosses a tunnel."""
    yield from _answers(remote.way.segment, remote)


def _answers(segment: Segment, about: Plug | Remote) -> Iterator[Flow]:
    if about.ipv4 is not None:
        match = f"arp,{segment.match},arp_tpa={about.ipv4},arp_op={ARP_REQUEST}"
        yield _answered(segment, match, answer.arp(about.mac, about.ipv4))
    for address in about.ipv6:
        match = f"icmp6,{segment.match},{_SOLICITATION},nd_target={address}"
        yield _answered(segment, match, answer.solicitation(about.mac, address, router=False))


def segment_flows(segment: Segment, gateway: Gateway, *, icc: bool) -> Iterator[Flow]:
    """Answers about the network's gateway; the explicit silence about peers that may not be reached."""
    if gateway.ipv4 is not None:
        match = f"arp,{segment.match},arp_tpa={gateway.ipv4},arp_op={ARP_REQUEST}"
        yield _answered(segment, match, answer.arp(GATEWAY_MAC, gateway.ipv4))
    if gateway.ipv6 is not None:
        match = f"icmp6,{segment.match},{_SOLICITATION},nd_target={gateway.ipv6}"
        yield _answered(segment, match, answer.solicitation(GATEWAY_MAC, gateway.ipv6, router=True))
    if not icc:
        yield flow(
            Table.NEIGHBOUR,
            Priority.FALLBACK,
            segment.match,
            DROP,
            about=segment.vni,
            feature=Feature.ISOLATE,
        )


def _answered(segment: Segment, match: str, actions: str) -> Flow:
    return flow(Table.NEIGHBOUR, Priority.NORMAL, match, actions, about=segment.vni)
