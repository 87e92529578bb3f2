"""Table gateway: packets to the network's gateway. It answers pings; it routes nothing. Pure.

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
from ovsnet.pipeline.tables import DROP, Priority, Table, flow

GATEWAY_MAC: Final = Mac("02:4f:56:53:47:57")
"""The gateway of every network on every host: what containers remember of it survives restarts and moves."""


def base_flows() -> Iterator[Flow]:
    """Whatever else is sent to the gateway ends here."""
    yield flow(Table.GATEWAY, Priority.FALLBACK, f"dl_dst={GATEWAY_MAC}", DROP)


def segment_flows(segment: Segment, gateway: Gateway) -> Iterator[Flow]:
    """Answers to pings of the gateway's addresses."""
    if gateway.ipv4 is not None:
        match = (
            f"icmp,{segment.match},dl_dst={GATEWAY_MAC},nw_dst={gateway.ipv4},"
            f"icmp_type={ECHO_REQUEST_V4},icmp_code=0"
        )
        yield _answered(segment, match, answer.echo_v4(GATEWAY_MAC, gateway.ipv4))
    if gateway.ipv6 is not None:
        match = (
            f"icmp6,{segment.match},dl_dst={GATEWAY_MAC},ipv6_dst={gateway.ipv6},"
            f"icmp_type={ECHO_REQUEST_V6},icmp_code=0"
        )
        yield _answered(segment, match, answer.echo_v6(GATEWAY_MAC, gateway.ipv6))


def _answered(segment: Segment, match: str, actions: str) -> Flow:
    return flow(Table.GATEWAY, Priority.NORMAL, match, actions, about=segment.vni)
