"""What kernels say of multicast groups, read from frames as they send them; and what they are asked."""

from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ovsnet.pipeline.frames import checksum
from ovsnet.pipeline.membership import Said, igmp_query, mld_query, said
from tests.unit.pipeline.kernel_reports import Kernel, records

pytestmark = pytest.mark.row(67)
V4, V6 = ip_address("239.1.2.3"), ip_address("ff05::123")
igmp, mld = Kernel().igmp, Kernel().mld


def test_the_older_versions_name_one_group() -> None:
    for kind, listens in ((0x12, True), (0x16, True), (0x17, False)):
        assert said(igmp(kind, V4.packed)) == Said(groups=((V4, listens),))
    for kind, listens in ((131, True), (132, False)):
        assert said(mld(kind, bytes(4) + V6.packed)) == Said(groups=((V6, listens),))


RECORDS = [
    (1, 0, False),  # is to include nobody
    (1, 2, True),
    (2, 0, True),  # is to exclude nobody
    (2, 2, True),
    (3, 0, False),  # changes to include nobody: leaves
    (3, 1, True),
    (4, 0, True),  # changes to exclude nobody: joins
    (5, 1, True),  # allows a source more
    (5, 0, None),
    (6, 1, None),  # blocks a source: others may be left
    (9, 1, None),  # is unknown
]


@pytest.mark.parametrize(("kind", "sources", "listens"), RECORDS)
def test_a_record_says_whether_a_group_is_listened_to(kind: int, sources: int, listens: bool | None) -> None:
    found = () if listens is None else (listens,)
    assert said(igmp(0x22, records((kind, V4, sources)))) == Said(groups=tuple((V4, it) for it in found))
    assert said(mld(143, records((kind, V6, sources)))) == Said(groups=tuple((V6, it) for it in found))


def test_a_report_may_have_several_records() -> None:
    other = ip_address("239.9.9.9")
    report = igmp(0x22, records((4, V4, 0), (3, other, 0), (5, other, 3)))
    assert said(report) == Said(groups=((V4, True), (other, False), (other, True)))


def test_queries_are_recognised_ours_too() -> None:
    assert said(igmp(0x11, bytes(4))) == said(mld(130, bytes(20))) == Said(asks=True)
    assert said(igmp_query(1.0)) == said(mld_query(10.0)) == Said(asks=True)


def test_our_queries_are_as_the_protocols_want_them() -> None:
    v4, v6 = igmp_query(1.0), mld_query(1.0)
    assert (v4[:6].hex(), v4[22], v4[23]) == ("01005e000001", 1, 2)  # to all systems, TTL 1
    assert v4[26:34] == bytes(4) + IPv4Address("224.0.0.1").packed
    assert checksum(v4[14:38]) == checksum(v4[38:50]) == 0
    assert v4[39] == 10  # tenths of a second
    assert (v6[:6].hex(), v6[21]) == ("333300000001", 1)
    assert IPv6Address(v6[22:38]).is_link_local
    assert int.from_bytes(v6[66:68]) == 1000  # milliseconds


@given(st.sampled_from([igmp(0x22, records((4, V4, 1))), mld(143, records((4, V6, 1)))]), st.data())
def test_what_is_damaged_or_cut_off_says_nothing(frame: bytes, data: st.DataObject) -> None:
    whole = said(frame)
    at = data.draw(st.integers(0, len(frame) - 1))
    assert said(frame[:at]) in (None, whole)  # padding may be cut off
    bit = data.draw(st.integers(0, 7))
    broken = bytearray(frame)
    broken[at] ^= 1 << bit
    assert said(bytes(broken)) in (None, whole)


@given(st.binary(max_size=120), st.sampled_from([b"\x08\x00", b"\x86\xdd", b"\x08\x06"]))
def test_any_octets_are_read_without_an_error(packet: bytes, kind: bytes) -> None:
    said(bytes(12) + kind + packet)


@given(st.binary(max_size=80), st.sampled_from([0x11, 0x12, 0x16, 0x17, 0x22, 0x99]), st.sampled_from([130, 131, 143]))
def test_any_message_with_a_right_checksum_is_read_without_an_error(rest: bytes, v4: int, v6: int) -> None:
    for found in (said(igmp(v4, rest)), said(mld(v6, rest))):
        assert found is None or found.asks or all(len(it) == 2 for it in found.groups)


def test_a_fragment_says_nothing() -> None:
    frame = bytearray(igmp(0x16, V4.packed))
    frame[20] |= 0x20
    assert said(bytes(frame)) is None
