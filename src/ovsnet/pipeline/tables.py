"""The tables in packet order: what each is for, what it does with the unknown, where one may go next. Pure.

    origin ─► tunnel ─┬─────────────────────────────────────────────► forward
                      └─► ipv6, dhcp (from a trunk)    nd_guard, neighbour, gateway, dhcp ─► output (to a trunk)
    origin ─► names ◄──────────────────────── gateway    names ─► output
    origin ─► guard ─┬─────────────────────────► neighbour ─┬─► nd_reply ─► back to the sender
                     │                           ▲    │     └─► back to the sender (ARP)
                     ├─► ipv6 ─┬─► nd_guard ─────┘    └─────────┐
                     │         ├─► fragment ──┐                 ▼
                     ├─────────┴──────────────┴─► gateway ─► forward ─┬─► output
                     │                   echo ◄─┘ └─► dhcp ─►  ▲      ├─► reports ─┐
                     └─► tentative ────────────────────────────┘      └────────────┴─► groups ─► flood

Only ICMPv6, pings of the gateway and broadcasts pass tables that match an ICMP type or a port: from 4.0 on Open vSwitch
caches part of the ports of every packet that such a table sees (the ICMP type is kept where TCP has its port).

Numbers leave room: a later table (policy, load balancing) goes between two and renumbers nothing.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from types import MappingProxyType
from typing import Final

from ovsnet.pipeline.cookies import Feature, cookie
from ovsnet.pipeline.flow import Flow

DROP: Final = "drop"
TO_SENDER: Final = "IN_PORT"
_GOTO: Final = re.compile(r"goto_table:(\d+)")


class Table(IntEnum):
    """A table's number; a packet only ever goes to a higher one."""

    ORIGIN = 0
    TUNNEL = 5
    GUARD = 10
    TENTATIVE = 11
    IPV6 = 12
    ND_GUARD = 13
    FRAGMENT = 14
    NEIGHBOUR = 20
    ND_REPLY = 21
    GATEWAY = 30
    ECHO = 31
    DHCP = 32
    NAMES = 33
    FORWARD = 40
    REPORTS = 45
    GROUPS = 46
    FLOOD = 50
    OUTPUT = 60


class Priority(IntEnum):
    """The bands of priorities, the same in every table."""

    MISS = 0
    """Nothing else matched."""
    FALLBACK = 100
    """What a table says of a whole kind of packet when nothing below knows better."""
    NORMAL = 200
    """One flow per known thing."""
    EXCEPTION = 300
    """Comes before the known things."""
    FIRST = 400
    """Comes before everything."""


@dataclass(frozen=True, slots=True)
class TableRule:
    """What a table is for; `miss` is its next table for what it does not know, None for a drop."""

    feature: Feature
    purpose: str
    miss: Table | None
    next: frozenset[Table]


TABLES: Final[Mapping[Table, TableRule]] = MappingProxyType(
    {
        Table.ORIGIN: TableRule(
            Feature.ORIGIN,
            "which segment the packet belongs to, by the port it came in",
            None,
            frozenset({Table.TUNNEL, Table.GUARD, Table.NAMES, Table.FORWARD}),
        ),
        Table.TUNNEL: TableRule(
            Feature.TUNNEL,
            "which segment a packet from another host belongs to, by its VNI; what may come from a trunk",
            None,
            frozenset({Table.IPV6, Table.DHCP, Table.FORWARD}),
        ),
        Table.GUARD: TableRule(
            Feature.GUARD,
            "only the MAC and the addresses that the endpoint was given",
            None,
            frozenset({Table.TENTATIVE, Table.IPV6, Table.NEIGHBOUR, Table.GATEWAY, Table.FORWARD}),
        ),
        Table.TENTATIVE: TableRule(
            Feature.GUARD,
            "what may be sent from :: before an IPv6 address is assured",
            None,
            frozenset({Table.FORWARD}),
        ),
        Table.IPV6: TableRule(
            Feature.GUARD,
            "which IPv6 packets could be neighbour discovery",
            Table.GATEWAY,
            frozenset({Table.ND_GUARD, Table.FRAGMENT, Table.GATEWAY}),
        ),
        Table.ND_GUARD: TableRule(
            Feature.GUARD,
            "what an endpoint may say about neighbours: the truth about itself",
            Table.GATEWAY,
            frozenset({Table.NEIGHBOUR, Table.GATEWAY, Table.FORWARD, Table.OUTPUT}),
        ),
        Table.FRAGMENT: TableRule(
            Feature.GUARD,
            "no neighbour discovery hidden in IPv6 fragments",
            Table.GATEWAY,
            frozenset({Table.GATEWAY}),
        ),
        Table.NEIGHBOUR: TableRule(
            Feature.NEIGHBOUR,
            "ARP and neighbour solicitations answered from what is known",
            None,
            frozenset({Table.ND_REPLY, Table.FORWARD, Table.OUTPUT}),
        ),
        Table.ND_REPLY: TableRule(
            Feature.NEIGHBOUR,
            "the advertisement completed and sent back",
            None,
            frozenset(),
        ),
        Table.GATEWAY: TableRule(
            Feature.GATEWAY,
            "what is sent to the network's gateway, and what is not",
            Table.FORWARD,
            frozenset({Table.ECHO, Table.DHCP, Table.NAMES, Table.FORWARD, Table.OUTPUT}),
        ),
        Table.ECHO: TableRule(
            Feature.GATEWAY,
            "pings of the gateway answered; it routes nothing",
            None,
            frozenset(),
        ),
        Table.DHCP: TableRule(
            Feature.GUARD,
            "no DHCP to all where IPAM gives the addresses",
            Table.FORWARD,
            frozenset({Table.FORWARD, Table.OUTPUT}),
        ),
        Table.NAMES: TableRule(
            Feature.NAMES,
            "questions to the name service, and its answers",
            None,
            frozenset({Table.OUTPUT}),
        ),
        Table.FORWARD: TableRule(
            Feature.FORWARD,
            "known MAC of the segment to its port, or to its host",
            None,
            frozenset({Table.REPORTS, Table.GROUPS, Table.OUTPUT}),
        ),
        Table.REPORTS: TableRule(
            Feature.MULTICAST,
            "who listens to which multicast group: told to the agent, and to no other listener",
            Table.GROUPS,
            frozenset({Table.GROUPS}),
        ),
        Table.GROUPS: TableRule(
            Feature.MULTICAST,
            "multicast of a group that somebody listens to, to those who do",
            Table.FLOOD,
            frozenset({Table.FLOOD}),
        ),
        Table.FLOOD: TableRule(
            Feature.FLOOD,
            "broadcast and multicast to the segment's other ports and hosts",
            None,
            frozenset(),
        ),
        Table.OUTPUT: TableRule(Feature.OUTPUT, "out by the chosen port", None, frozenset()),
    }
)


def goto(table: Table) -> str:
    """The action that goes on there."""
    return f"goto_table:{table.value}"


def flow(
    table: Table,
    priority: Priority,
    match: str,
    actions: str,
    *,
    about: int = 0,
    feature: Feature | None = None,
) -> Flow:
    """A flow of the table's feature, or of the one that puts it there; `about` is the VNI it belongs to."""
    owner = TABLES[table].feature if feature is None else feature
    return Flow(table.value, priority.value, match, actions, cookie(owner, about))


def miss_flows() -> tuple[Flow, ...]:
    """One flow per table for what it does not know: so that every drop is counted and can be named."""
    return tuple(
        flow(table, Priority.MISS, "", DROP if rule.miss is None else goto(rule.miss)) for table, rule in TABLES.items()
    )


def check(flows: Iterable[Flow]) -> None:
    """ValueError for a flow that goes where its table may not go: a mistake in a feature."""
    for it in flows:
        allowed = TABLES[Table(it.table)].next
        for number in _GOTO.findall(it.actions):
            if int(number) not in allowed:
                raise ValueError(f"{it.text}: table {it.table} may not go to {number} (pipeline/tables.py)")


def keyed(*flows: Flow) -> Mapping[str, Flow]:
    """Flows of one value by their key, checked."""
    check(flows)
    return {it.key: it for it in flows}
