"""Table origin: the port a packet came in by decides its segment, nothing in the packet does. Pure."""

from collections.abc import Iterator

from ovsnet.pipeline.flow import Flow
from ovsnet.pipeline.plug import Plug
from ovsnet.pipeline.registers import SEGMENT_VLAN, SEGMENT_VNI
from ovsnet.pipeline.tables import Priority, Table, flow, goto


def plug_flows(plug: Plug) -> Iterator[Flow]:
    """The one flow that lets packets of this port in."""
    segment = plug.segment
    labels = f"{SEGMENT_VLAN.set_to(segment.vlan)},{SEGMENT_VNI.set_to(segment.vni)}"
    yield flow(
        Table.ORIGIN,
        Priority.NORMAL,
        f"in_port={plug.ofport}",
        f"{labels},{goto(Table.GUARD)}",
        about=segment.vni,
    )
