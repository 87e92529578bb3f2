"""Broadcasts: who gets a copy, which group makes it."""

import itertools
import re
from collections.abc import Sequence

import pytest

from ovsnet.model.ids import MAX_VNI, UNTAGGED, HostName, IpAddress, Ofport, Vlan, Vni
from ovsnet.model.overlay import TunnelKind
from ovsnet.pipeline.cookies import GROUP_FIRST, GROUP_LAST
from ovsnet.pipeline.flood import MAX_BUCKETS, broadcast, group_ids
from ovsnet.pipeline.flow import Flow, Group
from ovsnet.pipeline.plug import Segment
from ovsnet.pipeline.remote import Way
from tests.unit.pipeline.scenarios import vtep

OPENFLOW_MESSAGE = 0xFFFF
"""Octets in the longest one. Head, bucket, output and group action take 16 each (OpenFlow 1.4 7.2.4 and 7.3.4.3)."""
SEGMENT = Segment(Vni(10), UNTAGGED)


def to(ports: int, vteps: Sequence[IpAddress] = (), kind: TunnelKind = TunnelKind.OVS) -> tuple[Flow, Group]:
    way = Way(SEGMENT, kind, Ofport(9000))
    return broadcast(SEGMENT, 7, [Ofport(it) for it in range(ports, 0, -1)], way, vteps)


def vteps(count: int, family: int = 4) -> list[IpAddress]:
    first = vtep(HostName("a"), family)
    return [first + it for it in range(count)]


def test_every_port_is_in_once_and_in_order() -> None:
    flow, group = broadcast(SEGMENT, 7, [Ofport(3), Ofport(1), Ofport(20)])
    assert flow.text.endswith(",table=50,priority=200,reg5=0,reg6=0xa,actions=group:7")
    assert group.text == (
        "group_id=7,type=all,bucket=actions=output:1,bucket=actions=output:3,bucket=actions=output:20"
    )


@pytest.mark.parametrize("ports", [1, MAX_BUCKETS, MAX_BUCKETS + 1, 5000])
def test_thousands_of_ports_fit_into_messages_and_no_bucket_has_two(ports: int) -> None:
    flow, group = to(ports)
    assert all(re.fullmatch(r"output:\d+", it) for it in group.buckets)
    outputs = [*group.buckets, *flow.actions.split(",")[1:]]
    assert outputs == [f"output:{it}" for it in range(1, ports + 1)]
    assert 16 + 32 * len(group.buckets) <= OPENFLOW_MESSAGE
    assert 200 + 16 * (ports - len(group.buckets)) <= OPENFLOW_MESSAGE


@pytest.mark.parametrize("family", [4, 6])
def test_every_host_gets_one_copy(family: int) -> None:
    there = vteps(1000, family)
    flow, group = to(3, there[::-1])
    assert len(group.buckets) == 3
    field = "tun_dst" if family == 4 else "tun_ipv6_dst"
    wanted = ["group:7", "set_field:0xa->tun_id"]
    for it in there:
        wanted += [f"set_field:{it}->{field}", "output:9000"]
    assert flow.actions == ",".join(wanted)
    assert 200 + (32 if family == 4 else 40) * len(there) <= OPENFLOW_MESSAGE


def test_a_device_of_the_kernel_gets_one_copy_whoever_is_there() -> None:
    for there in ([], vteps(1), vteps(1000)):
        flow, group = to(2, there, TunnelKind.KERNEL)
        assert flow.actions == "group:7"
        assert group.buckets == ("output:1", "output:2", "output:9000")


def test_an_untagged_segment_is_numbered_by_its_vni() -> None:
    lowest, highest = Segment(Vni(1), UNTAGGED), Segment(Vni(MAX_VNI), UNTAGGED)
    assert group_ids([lowest, highest]) == {lowest: GROUP_FIRST | 1, highest: GROUP_FIRST | MAX_VNI}


def test_tagged_segments_have_ids_of_their_own_in_our_range() -> None:
    vnis, vlans = (1, 2, 4097, 8193, MAX_VNI), (0, 1, 5, 4094)
    segments = [Segment(Vni(vni), Vlan(vlan)) for vni in vnis for vlan in vlans]
    ids = group_ids(segments)
    assert len(set(ids.values())) == len(segments)
    assert all(GROUP_FIRST <= it <= GROUP_LAST for it in ids.values())


def test_colliding_segments_get_the_same_ids_in_any_order() -> None:
    colliding = [Segment(Vni(vni), Vlan(5)) for vni in (1, 4097, 8193)]
    wanted = group_ids(colliding)
    assert len(set(wanted.values())) == 3
    for order in itertools.permutations(colliding):
        assert group_ids(order) == wanted


def test_the_search_for_a_free_id_starts_over_at_the_end() -> None:
    last = [Segment(Vni(vni), Vlan(4095)) for vni in (4095, 8191)]
    assert group_ids(last) == {last[0]: GROUP_LAST, last[1]: GROUP_LAST + 1 - 2**24}
