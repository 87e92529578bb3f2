"""Table forward: a known MAC of the segment to its port, or to its host. What is not known goes nowhere. Pure.

But on a network without a tunnel, where there are other machines: see module trunk.
"""

from collections.abc import Iterator

from ovsnet.model.ids import Mac, Ofport
from ovsnet.model.overlay import TunnelKind
from ovsnet.pipeline.cookies import Feature
from ovsnet.pipeline.flow import Flow
from ovsnet.pipeline.packets import GROUP_BIT, IGMP
from ovsnet.pipeline.plug import Plug, Segment
from ovsnet.pipeline.registers import OUTPUT_PORT
from ovsnet.pipeline.remote import Remote
from ovsnet.pipeline.tables import DROP, Priority, Table, flow, goto
from ovsnet.pipeline.trunk import tagged
from ovsnet.pipeline.tunnel import aim, label


def base_flows() -> Iterator[Flow]:
    """Broadcast and multicast go on to `groups`, what may be about multicast by way of `reports`."""
    to_many = f"dl_dst={GROUP_BIT}/{GROUP_BIT}"
    yield flow(Table.FORWARD, Priority.EXCEPTION, f"ip,{to_many},nw_proto={IGMP}", goto(Table.REPORTS))
    yield flow(Table.FORWARD, Priority.EXCEPTION, f"icmp6,{to_many}", goto(Table.REPORTS))
    yield flow(Table.FORWARD, Priority.NORMAL, to_many, goto(Table.GROUPS))


def plug_flows(plug: Plug) -> Iterator[Flow]:
    """The way to this endpoint, for its peers."""
    if plug.icc:
        yield _way_to(plug.segment, plug.mac, plug.ofport)


def remote_flows(remote: Remote) -> Iterator[Flow]:
    """The way to this endpoint on another host, for its peers here."""
    way = remote.way
    aimed = (aim(remote.vtep), label(way.vni)) if way.kind is TunnelKind.OVS else tagged(way)
    yield _way_to(way.segment, remote.mac, way.ofport, *aimed)


def segment_flows(segment: Segment, *, icc: bool) -> Iterator[Flow]:
    """`icc=false`: the peers of a segment do not reach each other, by any destination."""
    if not icc:
        yield flow(Table.FORWARD, Priority.FIRST, segment.match, DROP, about=segment.vni, feature=Feature.ISOLATE)


def _way_to(segment: Segment, mac: Mac, ofport: Ofport, *before: str) -> Flow:
    """One and the same place for an endpoint here and for one elsewhere: there is one of them."""
    actions = ",".join((*before, OUTPUT_PORT.set_to(ofport), goto(Table.OUTPUT)))
    return flow(Table.FORWARD, Priority.NORMAL, f"{segment.match},dl_dst={mac}", actions, about=segment.vni)
