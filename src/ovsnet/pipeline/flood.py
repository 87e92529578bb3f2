"""Table flood and the groups: one copy to every port of the segment but the one it came in by. Pure.

And one to every host that has endpoints of the segment: by the tunnel port, so that what came from there stays here.
Without a tunnel one copy goes to the trunk, whoever is there: its tag comes last, no copy before it has one.

    flow of the segment ─► group: a bucket for each port
                       └─► each host: where to, out by the tunnel port
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from ovsnet.model.ids import UNTAGGED, IpAddress, Ofport
from ovsnet.model.overlay import TunnelKind
from ovsnet.pipeline.cookies import GROUP_FIRST, GROUP_LAST
from ovsnet.pipeline.flow import Flow, Group
from ovsnet.pipeline.plug import Segment
from ovsnet.pipeline.remote import Way
from ovsnet.pipeline.tables import Priority, Table, flow
from ovsnet.pipeline.trunk import tagged
from ovsnet.pipeline.tunnel import aim, label

MAX_BUCKETS = 2000
"""A group travels in one OpenFlow message of at most 64 KiB, and a bucket with one output has 32 bytes.

More outputs in a bucket would not help: it is an action set, in which the last one replaces the others (OpenFlow 1.4
5.10). So the flow itself has what does not fit: its actions are a list.
"""
_TAGGED_COUNT = 1 << 24
_TAGGED_FIRST = GROUP_LAST + 1 - _TAGGED_COUNT


def broadcast(
    segment: Segment, group_id: int, ports: Iterable[Ofport], way: Way | None = None, vteps: Collection[IpAddress] = ()
) -> tuple[Flow, Group]:
    """Hands the segment's broadcasts to its ports, and by `way`, where there is one, to every host of `vteps`.

    OVS itself leaves out the port a packet came in by (ovs-actions(7), "output").
    """
    outputs = [f"output:{port}" for port in sorted((*ports, *_copying_device(way)))]
    group = Group(group_id, tuple(outputs[:MAX_BUCKETS]))
    actions = ",".join((f"group:{group_id}", *outputs[MAX_BUCKETS:], *_copies(way, vteps)))
    return flow(Table.FLOOD, Priority.NORMAL, segment.match, actions, about=segment.vni), group


def copies(ports: Iterable[Ofport], way: Way | None, vteps: Collection[IpAddress]) -> tuple[str, ...]:
    """The actions that hand out one copy to each of these; a device of the kernel copies to all hosts or to none."""
    device = _copying_device(way) if vteps else ()
    return (*(f"output:{port}" for port in sorted((*ports, *device))), *_copies(way, vteps))


def _copying_device(way: Way | None) -> Sequence[Ofport]:
    """A device of the kernel makes the copies for other hosts by itself; without receivers it makes none."""
    return (way.ofport,) if way is not None and way.kind is TunnelKind.KERNEL else ()


def _copies(way: Way | None, vteps: Collection[IpAddress]) -> Iterator[str]:
    if way is not None and way.kind is TunnelKind.OVS and vteps:
        yield label(way.vni)
        yield from (f"{aim(vtep)},output:{way.ofport}" for vtep in sorted(vteps, key=int))
    if way is not None and way.on_trunk:
        yield from (*tagged(way), f"output:{way.ofport}")


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
