"""Table names: packets to the address of the name service, and its answers. Pure.

    endpoint ─► guard ─► neighbour: who has the address? the service's MAC
                └─► gateway: to that MAC ─► names ─► port of the service
    port of the service ─► names: to an endpoint's address ─► port of the endpoint

The service has a MAC of its own so that only its own packets come to the table. What comes here has passed the guard:
the service can tell who asks by the address. It is reached by address and answers by address, whatever the segment.

    10.20.0.2 of a named space ─► names: 240.79.0.7, as it is on port 7 ─► the service ─► names: to port 7, 10.20.0.2

An address that a LAN gave, or that is not known, says nothing either: who has it has no way here (guard.py) and back.

In a named address space the address alone says nothing: others may have it. There the service sees each endpoint under
an alias made from its port's number.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from typing import Final

from ovsnet.model.ids import IpAddress, Mac, Ofport
from ovsnet.pipeline import answer
from ovsnet.pipeline.flow import Flow
from ovsnet.pipeline.gateway import GATEWAY_MAC
from ovsnet.pipeline.packets import ARP_REQUEST
from ovsnet.pipeline.plug import Plug
from ovsnet.pipeline.registers import OUTPUT_PORT
from ovsnet.pipeline.tables import Priority, Table, flow, goto

SERVICE_MAC: Final = Mac("02:4f:56:53:44:4e")
"""The name service's on every network of every host, for the same reason as the gateway's."""

ALIASES: Final = IPv4Network("240.79.0.0/16")
"""One for each port number there can be. Of the block nobody may use (RFC 1112 4), so no endpoint has one of them."""


def alias_of(ofport: Ofport) -> IPv4Address:
    """The address under which the service sees the endpoint on this port."""
    return ALIASES[ofport]


def port_of(alias: IpAddress) -> Ofport | None:
    """The port an alias is made from; None for any other address."""
    return Ofport(int(alias) - int(ALIASES.network_address)) if alias in ALIASES else None


@dataclass(frozen=True, slots=True)
class Door:
    """The name service as the switch sees it: its address, and the port it is behind."""

    address: IPv4Address
    ofport: Ofport

    @property
    def way_back(self) -> IPv4Address:
        """The address by which it reaches all endpoints: the other one of its /31 (RFC 3021). Nobody has it."""
        return other_end(self.address)


def other_end(address: IPv4Address) -> IPv4Address:
    """The other address of the /31 this one is in."""
    return IPv4Address(int(address) ^ 1)


def door_flows(door: Door) -> Iterator[Flow]:
    """What is the same for all endpoints."""
    sender, asked = f"in_port={door.ofport}", f"arp_op={ARP_REQUEST}"
    yield _flow(Table.ORIGIN, sender, goto(Table.NAMES))
    yield _flow(Table.NEIGHBOUR, f"arp,arp_tpa={door.address},{asked}", answer.arp(SERVICE_MAC, door.address))
    yield _flow(Table.GATEWAY, f"dl_dst={SERVICE_MAC}", goto(Table.NAMES))
    yield _flow(Table.NAMES, f"ip,nw_dst={door.address}", f"{OUTPUT_PORT.set_to(door.ofport)},{goto(Table.OUTPUT)}")
    match = f"arp,{sender},arp_tpa={door.way_back},{asked}"
    yield _flow(Table.NAMES, match, answer.arp(GATEWAY_MAC, door.way_back))


def plug_flows(plug: Plug, door: Door) -> Iterator[Flow]:
    """The answers to this endpoint, and its questions where they carry an alias."""
    if plug.ipv4 is None or plug.leased:
        return
    answer_for, back = f"ip,in_port={door.ofport},nw_src={door.address}", ""
    to = f"set_field:{plug.mac}->eth_dst,{OUTPUT_PORT.set_to(plug.ofport)},{goto(Table.OUTPUT)}"
    seen_as = plug.ipv4
    if plug.disguised:
        seen_as, back = alias_of(plug.ofport), f"set_field:{plug.ipv4}->ip_dst,"
        disguise = f"set_field:{seen_as}->ip_src,{OUTPUT_PORT.set_to(door.ofport)},{goto(Table.OUTPUT)}"
        question = f"ip,in_port={plug.ofport},nw_dst={door.address}"
        yield _flow(Table.NAMES, question, disguise, about=plug.segment.vni, priority=Priority.EXCEPTION)
    yield _flow(Table.NAMES, f"{answer_for},nw_dst={seen_as}", f"{back}{to}", about=plug.segment.vni)


def _flow(table: Table, match: str, actions: str, *, about: int = 0, priority: Priority = Priority.NORMAL) -> Flow:
    return flow(table, priority, match, actions, about=about)
