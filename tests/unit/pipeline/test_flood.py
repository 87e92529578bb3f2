"""Groups: who is in, which id."""

import itertools

from ovsnet.model.ids import MAX_VNI, UNTAGGED, Ofport, Vlan, Vni
from ovsnet.pipeline.cookies import GROUP_FIRST, GROUP_LAST
from ovsnet.pipeline.flood import group, group_ids
from ovsnet.pipeline.plug import Segment

OPENFLOW_MESSAGE = 0xFFFF
"""Octets in the longest one. Head, bucket and output action take 16 each (OpenFlow 1.4 7.2.4 and 7.3.4.3)."""


def octets(ports: int) -> int:
    buckets = group(1, [Ofport(it) for it in range(1, ports + 1)]).buckets
    return 16 + sum(16 + 16 * it.count("output") for it in buckets)


def test_every_port_is_in_once_and_in_order() -> None:
    assert group(7, [Ofport(3), Ofport(1), Ofport(20)]).text == (
        "group_id=7,type=all,bucket=actions=output:1,bucket=actions=output:3,bucket=actions=output:20"
    )


def test_thousands_of_ports_fit_into_one_message() -> None:
    for ports in (1, 999, 1000, 1001, 2000, 2500, 3000):
        outputs = ",".join(group(1, [Ofport(it) for it in range(1, ports + 1)]).buckets).split(",")
        assert outputs == [f"output:{it}" for it in range(1, ports + 1)]
        assert octets(ports) <= OPENFLOW_MESSAGE


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
