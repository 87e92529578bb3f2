"""Table output: out by the port that was chosen. Copies, meters and tunnels will go here. Pure."""

from collections.abc import Iterator

from ovsnet.pipeline.flow import Flow
from ovsnet.pipeline.registers import OUTPUT_PORT
from ovsnet.pipeline.tables import Priority, Table, flow


def base_flows() -> Iterator[Flow]:
    """OVS drops the packet when the chosen port is the one it came in by."""
    yield flow(Table.OUTPUT, Priority.NORMAL, "", f"output:{OUTPUT_PORT.whole}")
