"""Tables reports and groups: multicast goes to those who listen, and who that is the agent is told. Pure.

    forward ─┬─ IGMP, ICMPv6 ─► reports ─┬─ a report ─► the agent, and who gets everything
             │                           └─ the rest ─┐   (a query: the agent, too)
             └─ other multicast ──────────────────────┴─► groups ─┬─ a group somebody listens to ─► its listeners
                                                                  └─ any other ─► flood
Reports are not handed to other listeners: with IGMP 1 and 2 and MLD 1 who hears that somebody has reported a group
keeps silent, and would be taken for gone (RFC 4541 2.1.1 (1)).

A group to which nobody is known to listen goes to all: what the agent does not know costs traffic and no packet.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from ovsnet.model.ids import IpAddress, Ofport
from ovsnet.model.listening import Listening, is_confined
from ovsnet.pipeline.cookies import OWNER
from ovsnet.pipeline.flood import copies
from ovsnet.pipeline.flow import Flow
from ovsnet.pipeline.packets import ALL_SYSTEMS, IGMP, MLD_QUERY, MLD_REPORTS
from ovsnet.pipeline.plug import Plug, Segment
from ovsnet.pipeline.remote import Way
from ovsnet.pipeline.tables import DROP, Priority, Table, flow, goto

P = TypeVar("P")
"""A place: a port here, or the tunnel end of a host."""
LISTENER_ID: Final = OWNER >> 48
"""By this number the agent's connection gets what is meant for it, and nobody else's does (ovs-actions(7))."""
TO_AGENT: Final = f"controller(id={LISTENER_ID})"


@dataclass(frozen=True, slots=True)
class Listeners(Generic[P]):
    """The places that get everything, and those of each group."""

    everything: frozenset[P]
    of: Mapping[IpAddress, frozenset[P]]


def listeners(said: Iterable[tuple[P, Listening]]) -> Listeners[P]:
    """Who listens to what, of these places."""
    everything: set[P] = set()
    of: dict[IpAddress, set[P]] = defaultdict(set)
    for place, listens in said:
        if listens.everything:
            everything.add(place)
        for group in listens.groups:
            of[group].add(place)
    return Listeners(frozenset(everything), {group: frozenset(places) for group, places in of.items()})


_NOWHERE: Final[Listeners[IpAddress]] = Listeners(frozenset(), {})


def base_flows() -> Iterator[Flow]:
    """Who asks routes multicast: the agent is told, and those who are asked hear it."""
    for match in (f"ip,nw_dst={ALL_SYSTEMS},nw_proto={IGMP}", f"icmp6,icmp_type={MLD_QUERY}"):
        yield flow(Table.REPORTS, Priority.EXCEPTION, match, f"{TO_AGENT},{goto(Table.GROUPS)}")


def segment_flows(plugs: Sequence[Plug], way: Way | None, elsewhere: Listeners[IpAddress] | None) -> Iterator[Flow]:
    """Of the plugs of one segment and its way to other hosts; nothing on a network that sends every group to all."""
    segment = plugs[0].segment
    if not plugs[0].snooped:
        return
    here = listeners((plug.ofport, plug.listens) for plug in plugs)
    there = elsewhere or _NOWHERE
    yield from _report_flows(plugs, copies(here.everything, way, there.everything))
    for plug in plugs:
        if plug.listens.muted:
            yield from _mute(plug)
    for group in sorted({*here.of, *there.of}, key=lambda it: (it.version, int(it))):
        if is_confined(group):
            nobody: frozenset[Ofport] = frozenset()
            ports = here.everything | here.of.get(group, nobody)
            vteps = there.everything | there.of.get(group, frozenset())
            yield _confined(segment, group, copies(ports, way, vteps))


def _report_flows(plugs: Sequence[Plug], to_routers: Sequence[str]) -> Iterator[Flow]:
    segment, actions = plugs[0].segment, ",".join((TO_AGENT, *to_routers))
    matches = [f"ip,{segment.match},nw_proto={IGMP}"]
    if any(plug.ipv6 or plug.open6 or plug.derives or not plug.addressed for plug in plugs):
        matches += [f"icmp6,{segment.match},icmp_type={kind}" for kind in MLD_REPORTS]
    for match in matches:
        yield flow(Table.REPORTS, Priority.NORMAL, match, actions, about=segment.vni)


def _mute(plug: Plug) -> Iterator[Flow]:
    """Before the agent: a hundred messages wait for it, and one that sends thousands would push out all others'."""
    messages = [f"ip,in_port={plug.ofport},nw_proto={IGMP}"]
    messages += [f"icmp6,in_port={plug.ofport},icmp_type={kind}" for kind in (MLD_QUERY, *MLD_REPORTS)]
    for match in messages:
        yield flow(Table.REPORTS, Priority.FIRST, match, DROP, about=plug.segment.vni)


def _confined(segment: Segment, group: IpAddress, actions: Sequence[str]) -> Flow:
    match = f"ip,{segment.match},nw_dst={group}" if group.version == 4 else f"ipv6,{segment.match},ipv6_dst={group}"
    return flow(Table.GROUPS, Priority.NORMAL, match, ",".join(actions) or DROP, about=segment.vni)
