"""Table flood and the groups: one copy to every port of the segment but the one it came in by. Pure.

And one to every host that has endpoints of the segment: by the tunnel port, so that what came from there stays here.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from ovsnet.model.ids import MAX_VNI, UNTAGGED, IpAddress, Ofport
from ovsnet.model.overlay import TunnelKind
from ovsnet.pipeline.cookies import GROUP_FIRST, GROUP_LAST
from ovsnet.pipeline.flow import Flow, Group
from ovsnet.pipeline.plug import Segment
from ovsnet.pipeline.remote import Way
from ovsnet.pipeline.tables import Priority, Table, flow
from ovsnet.pipeline.tunnel import aim, label

MAX_BUCKETS = 1000
MAX_TUNNEL_BUCKETS = 200
"""A group travels in one OpenFlow message of at most 64 KiB: 16 bytes a bucket and 16 each output; for other hosts 32 a
bucket and 32 each host, 40 with IPv6 between the hosts.
"""
_TAGGED_COUNT = MAX_VNI + 1
_TAGGED_FIRST = GROUP_LAST + 1 - _TAGGED_COUNT


def segment_flows(segment: Segment, group_id: int) -> Iterator[Flow]:
    """The flow that hands the segment's broadcasts to its group."""
    yield flow(Table.FLOOD, Priority.NORMAL, segment.match, f"group:{group_id}", about=segment.vni)


def group(group_id: int, ports: Iterable[Ofport], way: Way | None = None, vteps: Iterable[IpAddress] = ()) -> Group:
    """A copy to every port, and by `way`, where there is one, to every host of `vteps`.

    OVS itself leaves out the port a packet came in by (ovs-actions(7), "output").
    """
    by_tunnel = _tunnel_buckets(way, vteps) if way is not None and way.kind is TunnelKind.OVS else ()
    # A device of the kernel makes the copies by itself; without receivers it makes none.
    devices = (way.ofport,) if way is not None and way.kind is TunnelKind.KERNEL else ()
    outputs = [f"output:{port}" for port in sorted((*ports, *devices))]
    return Group(group_id, (*_slices(outputs, MAX_BUCKETS), *by_tunnel))


def _tunnel_buckets(way: Way, vteps: Iterable[IpAddress]) -> Iterator[str]:
    copies = [f"{aim(vtep)},output:{way.ofport}" for vtep in sorted(set(vteps), key=int)]
    return (f"{label(way.vni)},{it}" for it in _slices(copies, MAX_TUNNEL_BUCKETS))


def _slices(copies: Sequence[str], buckets: int) -> Iterator[str]:
    """These action lists in at most so many buckets."""
    size = max(1, -(-len(copies) // buckets))
    return (",".join(copies[start : start + size]) for start in range(0, len(copies), size))


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
