"""Tables gateway, echo: packets to the network's gateway. It answers pings; it routes nothing. Pure.

With `egress=docker` a container leaves by Docker's own bridge, with `egress=none` not at all: no packet for
elsewhere is meant to come here.
"""

from collections.abc import Iterator
from typing import Final

from ovsnet.model.ids import Mac
from ovsnet.pipeline import answer
from ovsnet.pipeline.flow import Flow
from ovsnet.pipeline.packets import ECHO_REQUEST_V4, ECHO_REQUEST_V6
from ovsnet.pipeline.plug import Gateway, Segment
from ovsnet.pipeline.tables import Priority, Table, flow, goto

GATEWAY_MAC: Final = Mac("02:4f:56:53:47:57")
"""The gateway of every network on every host: what containers remember of it survives restarts and moves."""


def base_flows() -> Iterator[Flow]:
    """What is for the gateway leaves the way to other endpoints here."""
    yield flow(Table.GATEWAY, Priority.NORMAL, f"dl_dst={GATEWAY_MAC}", goto(Table.ECHO))


def segment_flows(segment: Segment, gateway: Gateway) -> Iterator[Flow]:
    """Answers to pings of the gateway's addresses."""
    if gateway.ipv4 is not None:
        match = f"icmp,{segment.match},nw_dst={gateway.ipv4},icmp_type={ECHO_REQUEST_V4},icmp_code=0"
        yield _answered(segment, match, answer.echo_v4(GATEWAY_MAC, gateway.ipv4))
    if gateway.ipv6 is not None:
        match = f"icmp6,{segment.match},ipv6_dst={gateway.ipv6},icmp_type={ECHO_REQUEST_V6},icmp_code=0"
        yield _answered(segment, match, answer.echo_v6(GATEWAY_MAC, gateway.ipv6))


def _answered(segment: Segment, match: str, actions: str) -> Flow:
    return flow(Table.ECHO, Priority.NORMAL, match, actions, about=segment.vni)
