"""Table forward: a known MAC of the sender's segment to its port. What is not known goes nowhere. Pure."""

from collections.abc import Iterator

from ovsnet.pipeline.cookies import Feature
from ovsnet.pipeline.flow import Flow
from ovsnet.pipeline.packets import GROUP_BIT
from ovsnet.pipeline.plug import Plug, Segment
from ovsnet.pipeline.registers import OUTPUT_PORT
from ovsnet.pipeline.tables import DROP, Priority, Table, flow, goto


def base_flows() -> Iterator[Flow]:
    """Broadcast and multicast go on to `flood`."""
    yield flow(Table.FORWARD, Priority.NORMAL, f"dl_dst={GROUP_BIT}/{GROUP_BIT}", goto(Table.FLOOD))


def plug_flows(plug: Plug) -> Iterator[Flow]:
    """The way to this endpoint, for its peers."""
    if plug.icc:
        match = f"{plug.segment.match},dl_dst={plug.mac}"
        actions = f"{OUTPUT_PORT.set_to(plug.ofport)},{goto(Table.OUTPUT)}"
        yield flow(Table.FORWARD, Priority.NORMAL, match, actions, about=plug.segment.vni)


def segment_flows(segment: Segment, *, icc: bool) -> Iterator[Flow]:
    """`icc=false`: the peers of a segment do not reach each other, by any destination."""
    if not icc:
        yield flow(Table.FORWARD, Priority.FIRST, segment.match, DROP, about=segment.vni, feature=Feature.ISOLATE)
