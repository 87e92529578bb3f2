"""Table names: packets to the address of the name service, and its answers. Pure.

    endpoint ─► guard ─► neighbour: who has the address? the service's MAC
                └─► gateway: to that MAC ─► names ─► port of the service
    port of the service ─► names: to an endpoint's address ─► port of the endpoint

The service has a MAC of its own so that only its own packets come to the table. What comes here has passed the guard:
the service can tell who asks by the address. It is reached by address and answers by address, whatever the segment.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Final

from ovsnet.model.ids import Mac, Ofport
from ovsnet.pipeline import answer
from ovsnet.pipeline.flow import Flow
from ovsnet.pipeline.gateway import GATEWAY_MAC
from ovsnet.pipeline.packets import ARP_REQUEST
from ovsnet.pipeline.plug import Plug
from ovsnet.pipeline.registers import OUTPUT_PORT
from ovsnet.pipeline.tables import Priority, Table, flow, goto

SERVICE_MAC: Final = Mac("02:4f:56:53:44:4e")
"""The name service's on every network of every host, for the same reason as the gateway's."""


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
    """The answers to this endpoint."""
    if plug.ipv4 is not None:
        match = f"ip,in_port={door.ofport},nw_src={door.address},nw_dst={plug.ipv4}"
        to = f"set_field:{plug.mac}->eth_dst,{OUTPUT_PORT.set_to(plug.ofport)},{goto(Table.OUTPUT)}"
        yield _flow(Table.NAMES, match, to, about=plug.segment.vni)


def _flow(table: Table, match: str, actions: str, *, about: int = 0) -> Flow:
    return flow(table, Priority.NORMAL, match, actions, about=about)
