"""Table flood and the groups: one copy to every port of the segment but the one it came in by. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from ovsnet.model.ids import MAX_VNI, UNTAGGED, Ofport
from ovsnet.pipeline.cookies import GROUP_FIRST, GROUP_LAST
from ovsnet.pipeline.flow import Flow, Group
from ovsnet.pipeline.plug import Segment
from ovsnet.pipeline.tables import Priority, Table, flow

MAX_BUCKETS = 1000
"""A group travels in one OpenFlow message of at most 64 KiB: 32 bytes a bucket, 16 each further output."""
_TAGGED_COUNT = MAX_VNI + 1
_TAGGED_FIRST = GROUP_LAST + 1 - _TAGGED_COUNT


def segment_flows(segment: Segment, group_id: int) -> Iterator[Flow]:
    """The flow that hands the segment's broadcasts to its group."""
    yield flow(Table.FLOOD, Priority.NORMAL, segment.match, f"group:{group_id}", about=segment.vni)


def group(group_id: int, ports: Iterable[Ofport]) -> Group:
    """A copy to every port; OVS itself leaves out the port a packet came in by (ovs-actions(7), "output")."""
    outputs = [f"output:{port}" for port in sorted(ports)]
    size = 1 + (len(outputs) - 1) // MAX_BUCKETS
    return Group(group_id, tuple(",".join(it) for it in _slices(outputs, size)))


def _slices(outputs: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    return (outputs[start : start + size] for start in range(0, len(outputs), size))


def group_ids(segments: Iterable[Segment]) -> Mapping[Segment, int]:
    """An id for each segment: the VNI for untagged ones; for tagged ones VLAN and the VNI's low bits.

    Two tagged segments meet only when their VLANs are equal and their VNIs share the low 12 bits; the later
    in order then takes the next free id. The same segments always get the same ids.
    """
    ids: dict[Segment, int] = {}
    taken: set[int] = set()
    for segment in sorted(set(segments)):
        if segment.vlan == UNTAGGED:
            ids[segment] = GROUP_FIRST | segment.vni
            continue
        number = (segment.vni << 12 | segment.vlan) % _TAGGED_COUNT
        while number in taken:
            number = (number + 1) % _TAGGED_COUNT
        taken.add(number)
        ids[segment] = _TAGGED_FIRST | number
    return ids
