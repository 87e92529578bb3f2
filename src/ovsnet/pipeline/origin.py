"""Table origin: the port a packet came in by decides its segment, nothing in the packet does. Pure.

What comes from other hosts has flows here too: see module tunnel.
"""

from collections.abc import Iterator

from ovsnet.pipeline.flow import Flow
from ovsnet.pipeline.plug import Plug
from ovsnet.pipeline.tables import Priority, Table, flow, goto


def plug_flows(plug: Plug) -> Iterator[Flow]:
    """The one flow that lets packets of this port in."""
    segment = plug.segment
    yield flow(
        Table.ORIGIN,
        Priority.NORMAL,
        f"in_port={plug.ofport}",
        f"{segment.labels},{goto(Table.GUARD)}",
        about=segment.vni,
    )
