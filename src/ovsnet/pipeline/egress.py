"""The way to a network's gateway that is on this host, and back: it is behind a port of its own. Pure.

    endpoint ─► guard ─► gateway: to the gateway's MAC ─► port of the gateway
                           └─► echo: its pings, where the host is not exposed to containers
    addresses of imported services are the gateway's as well: the host leads what is sent there to where they are
    port of the gateway ─► guard ─┬─► neighbour (its ARP and neighbour solicitations: answered here)
                                  └─► gateway ─► forward ─► port of the endpoint

Questions for the gateway are answered by the switch as ever (neighbour), so the MAC that containers remember is the
same on every host. What comes from the port is routed by the host and has any sender but an endpoint's: those are on
the network itself, so whoever says so lies. To many at once the gateway sends nothing.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Network

from ovsnet.model.ids import IpAddress, Ofport
from ovsnet.pipeline import answer
from ovsnet.pipeline.flow import Flow
from ovsnet.pipeline.gateway import GATEWAY_MAC
from ovsnet.pipeline.packets import (
    ARP_REQUEST,
    ECHO_REQUEST_V4,
    ECHO_REQUEST_V6,
    GROUP_BIT,
    ND_TARGET_LINK_ADDRESS,
    NEIGHBOUR_SOLICITATION,
    NO_MAC,
)
from ovsnet.pipeline.plug import Gateway, Plug, Segment
from ovsnet.pipeline.registers import ND_OPTION, OUTPUT_PORT
from ovsnet.pipeline.tables import DROP, Priority, Table, flow, goto

_SOLICITATION = f"icmp_type={NEIGHBOUR_SOLICITATION},icmp_code=0"


@dataclass(frozen=True, slots=True)
class Passage:
    """A gateway behind the port `ofport`. `exposed`: containers and the host itself reach each other. `imported` are
    the addresses of the network at which services of elsewhere are.
    """

    segment: Segment
    ofport: Ofport
    gateway: Gateway
    ipv4: IPv4Network | None
    ipv6: IPv6Network | None
    exposed: bool
    imported: frozenset[IpAddress] = frozenset()


def passage_flows(it: Passage) -> Iterator[Flow]:
    """What is the same for all endpoints."""
    port = f"in_port={it.ofport}"
    yield _flow(it, Table.ORIGIN, Priority.NORMAL, port, f"{it.segment.labels},{goto(Table.GUARD)}")
    yield from _sender_flows(it, f"{port},dl_src={GATEWAY_MAC}")
    yield from _solicitation_flows(it, f"icmp6,{port},{_SOLICITATION}")
    for address in sorted(it.imported, key=str):
        yield from _service_flows(it, address)
    yield _flow(it, Table.GATEWAY, Priority.EXCEPTION, f"{port},dl_dst={GROUP_BIT}/{GROUP_BIT}", DROP)
    to_gateway = f"{it.segment.match},dl_dst={GATEWAY_MAC}"
    out = f"{OUTPUT_PORT.set_to(it.ofport)},{goto(Table.OUTPUT)}"
    yield _flow(it, Table.GATEWAY, Priority.EXCEPTION, to_gateway, out)
    if it.exposed:
        return
    if it.gateway.ipv4 is not None:
        own = f"icmp,{to_gateway},nw_dst={it.gateway.ipv4},icmp_type={ECHO_REQUEST_V4}"
        yield _flow(it, Table.GATEWAY, Priority.FIRST, own, goto(Table.ECHO))
    if it.gateway.ipv6 is not None:
        own = f"icmp6,{to_gateway},ipv6_dst={it.gateway.ipv6},icmp_type={ECHO_REQUEST_V6}"
        yield _flow(it, Table.GATEWAY, Priority.FIRST, own, goto(Table.ECHO))


def plug_flows(plug: Plug, it: Passage) -> Iterator[Flow]:
    """The way from the gateway to an endpoint that its peers do not reach (`icc=false`)."""
    if plug.icc:
        return
    port = f"in_port={it.ofport}"
    if plug.ipv4 is not None:
        asked = f"arp,{port},arp_tpa={plug.ipv4},arp_op={ARP_REQUEST}"
        yield _flow(it, Table.NEIGHBOUR, Priority.EXCEPTION, asked, answer.arp(plug.mac, plug.ipv4))
    for address in plug.ipv6:
        asked = f"icmp6,{port},{_SOLICITATION},nd_target={address}"
        said = answer.solicitation(plug.mac, address, router=False)
        yield _flow(it, Table.NEIGHBOUR, Priority.EXCEPTION, asked, said)
    out = f"{OUTPUT_PORT.set_to(plug.ofport)},{goto(Table.OUTPUT)}"
    yield _flow(it, Table.GATEWAY, Priority.EXCEPTION, f"{port},dl_dst={plug.mac}", out)


def _sender_flows(it: Passage, sender: str) -> Iterator[Flow]:
    if it.ipv4 is not None and it.gateway.ipv4 is not None:
        own = it.gateway.ipv4
        # Whatever address it asks from: the answer comes from the switch, and nobody else hears of the question.
        yield _flow(it, Table.GUARD, Priority.NORMAL, f"arp,{sender},arp_op={ARP_REQUEST}", goto(Table.NEIGHBOUR))
        yield _flow(it, Table.GUARD, Priority.EXCEPTION, f"ip,{sender},nw_src={own}", goto(Table.GATEWAY))
        yield _flow(it, Table.GUARD, Priority.NORMAL, f"ip,{sender},nw_src={it.ipv4}", DROP)
        yield _flow(it, Table.GUARD, Priority.FALLBACK, f"ip,{sender}", goto(Table.GATEWAY))
    if it.ipv6 is not None and it.gateway.ipv6 is not None:
        own6 = it.gateway.ipv6
        yield _flow(it, Table.GUARD, Priority.EXCEPTION, f"ipv6,{sender},ipv6_src={own6}", goto(Table.IPV6))
        yield _flow(it, Table.GUARD, Priority.NORMAL, f"ipv6,{sender},ipv6_src={it.ipv6}", DROP)
        yield _flow(it, Table.GUARD, Priority.FALLBACK, f"ipv6,{sender}", goto(Table.IPV6))


def _service_flows(it: Passage, address: IpAddress) -> Iterator[Flow]:
    """Endpoints ask who has it and hear of the gateway; what the service answers comes from there with its address."""
    sender = f"in_port={it.ofport},dl_src={GATEWAY_MAC}"
    if isinstance(address, IPv4Address):
        asked = f"arp,{it.segment.match},arp_tpa={address},arp_op={ARP_REQUEST}"
        yield _flow(it, Table.NEIGHBOUR, Priority.NORMAL, asked, answer.arp(GATEWAY_MAC, address))
        yield _flow(it, Table.GUARD, Priority.EXCEPTION, f"ip,{sender},nw_src={address}", goto(Table.GATEWAY))
        return
    asked = f"icmp6,{it.segment.match},{_SOLICITATION},nd_target={address}"
    said = answer.solicitation(GATEWAY_MAC, address, router=False)
    yield _flow(it, Table.NEIGHBOUR, Priority.NORMAL, asked, said)
    yield _flow(it, Table.GUARD, Priority.EXCEPTION, f"ipv6,{sender},ipv6_src={address}", goto(Table.IPV6))


def _solicitation_flows(it: Passage, question: str) -> Iterator[Flow]:
    if it.gateway.ipv6 is None:
        return
    room = ND_OPTION.set_to(ND_TARGET_LINK_ADDRESS)
    yield _flow(
        it, Table.ND_GUARD, Priority.NORMAL, f"{question},nd_sll={GATEWAY_MAC}", f"{room},{goto(Table.NEIGHBOUR)}"
    )
    yield _flow(it, Table.ND_GUARD, Priority.NORMAL, f"{question},nd_sll={NO_MAC}", goto(Table.NEIGHBOUR))


def _flow(it: Passage, table: Table, priority: Priority, match: str, actions: str) -> Flow:
    return flow(table, priority, match, actions, about=it.segment.vni)
