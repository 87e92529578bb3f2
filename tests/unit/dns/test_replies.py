"""Messages made of what the zone says."""

from collections.abc import Callable
from ipaddress import IPv4Address, ip_address
from random import Random

import dns.flags
import dns.message
import dns.opcode
import dns.rcode
import pytest
from dns.message import Message
from dns.rcode import Rcode
from hypothesis import given
from hypothesis import strategies as st

from ovsnet.dns import replies
from ovsnet.dns.replies import Responder
from ovsnet.dns.tables import ClusterNames, LocalNames
from ovsnet.dns.zone import Asker, Zone
from ovsnet.model.cluster import Record
from tests.unit.dns.worlds import LOCAL, WEB_SHARED, A, B, cluster, remote

SOURCE = ip_address("10.20.0.2")
REPLICAS = [remote(50 + it, "api") for it in range(8)]


def responder(*records: Record, chance: Random | None = None) -> Responder:
    shared = cluster(*REPLICAS, remote(99, "x" * 80), *records)
    names = ClusterNames(shared, here=A, dead=frozenset(), domain="ovsnet.internal")
    there = Zone(LocalNames(LOCAL), names, domain="ovsnet.internal")
    return Responder(lambda: there, domain="ovsnet.internal", chance=chance or Random(1))


def reply(name: str, kind: str = "A", change: Callable[[Message], object] = lambda _: None) -> Message | None:
    query = dns.message.make_query(name, kind)
    change(query)
    who = responder()
    made = who.reply(query, who.asker(SOURCE))
    return None if made is None else dns.message.from_wire(replies.packed(made, replies.STREAM_SIZE))


def texts(message: Message | None) -> list[str]:
    assert message is not None
    return [str(it) for rrset in message.answer for it in rrset]


def test_a_reply_answers_its_question() -> None:
    query = dns.message.make_query("api", "A")
    who = responder()
    made = who.reply(query, who.asker(SOURCE))
    assert made is not None
    assert query.is_response(dns.message.from_wire(replies.packed(made, 512)))


@pytest.mark.row(80)
def test_all_addresses_come_in_another_order_each_time() -> None:
    who, query = responder(), dns.message.make_query("api", "A")
    asker = who.asker(SOURCE)
    orders = {tuple(texts(who.reply(query, asker))) for _ in range(20)}
    assert {frozenset(it) for it in orders} == {frozenset(str(it.ipv4) for it in REPLICAS)}
    assert len(orders) > 10


@pytest.mark.row(80)
def test_nobody_remembers_an_address_for_longer_than_five_seconds() -> None:
    found = reply("api")
    assert found is not None
    assert 1 <= found.answer[0].ttl <= 5


@pytest.mark.row(81)
def test_an_address_is_answered_with_a_name() -> None:
    assert texts(reply("50.0.20.10.in-addr.arpa", "PTR")) == ["api.web.ovsnet.internal."]


def test_a_name_that_dns_cannot_carry_is_left_out() -> None:
    assert texts(reply("99.0.20.10.in-addr.arpa", "PTR")) == []


def test_nothing_under_our_domain_says_so_and_for_how_long() -> None:
    nothing, no_address = reply("nobody.ovsnet.internal"), reply("web.ovsnet.internal")
    assert nothing is not None
    assert no_address is not None
    assert (nothing.rcode(), no_address.rcode()) == (Rcode.NXDOMAIN, Rcode.NOERROR)
    for it in (nothing, no_address):
        assert it.authority[0].ttl <= 5
        assert it.flags & dns.flags.AA


def test_a_short_name_is_not_said_with_authority() -> None:
    found = reply("api")
    assert found is not None
    assert not found.flags & dns.flags.AA
    assert found.flags & dns.flags.RA


def test_what_is_not_ours_is_left_to_others() -> None:
    assert reply("example.com") is None


@pytest.mark.parametrize(
    ("kind", "change", "rcode"),
    [
        ("A", lambda it: it.set_opcode(dns.opcode.STATUS), Rcode.NOTIMP),
        ("A", lambda it: it.question.clear(), Rcode.FORMERR),
        ("A", lambda it: it.use_edns(1), Rcode.BADVERS),
        ("AXFR", lambda _: None, Rcode.REFUSED),
    ],
)
def test_what_is_no_plain_question_is_refused(kind: str, change: Callable[[Message], object], rcode: Rcode) -> None:
    made = reply("api", kind, change)
    assert made is not None
    assert made.rcode() == rcode


def test_what_does_not_fit_is_left_out_and_said_to_be() -> None:
    many = [Record("many", IPv4Address(f"192.0.2.{it}"), B, network=WEB_SHARED) for it in range(200)]
    who, query = responder(*many), dns.message.make_query("many", "A")
    made = who.reply(query, who.asker(SOURCE))
    assert made is not None
    octets = replies.packed(made, replies.datagram_size(query, who.asker(SOURCE)))
    assert len(octets) <= 512
    assert dns.message.from_wire(octets).flags & dns.flags.TC


@pytest.mark.parametrize(
    ("payload", "mtu", "size"),
    [(None, 1500, 512), (4096, 1500, 1232), (800, 1500, 800), (4096, 1000, 972), (100, 68, 512)],
)
def test_a_datagram_is_as_long_as_arrives_in_one_piece(payload: int | None, mtu: int, size: int) -> None:
    query = dns.message.make_query("api", "A", use_edns=0 if payload else -1, payload=payload or 0)
    assert replies.datagram_size(query, Asker(frozenset(), mtu)) == size


def test_what_is_no_message_is_answered_only_where_somebody_may_wait_for_it() -> None:
    asked, said = b"\x12\x34\x01\x00" + bytes(7), b"\x12\x34\x81\x00" + bytes(20)
    assert replies.format_error(asked) is None
    assert replies.format_error(said) is None
    told = replies.format_error(b"\x12\x34\x01\x00\x00\x05" + bytes(6))
    assert told is not None
    message = dns.message.from_wire(told)
    assert (message.id, message.rcode()) == (0x1234, Rcode.FORMERR)


@given(st.binary(max_size=80))
def test_no_packet_does_harm(packet: bytes) -> None:
    query = replies.read(packet)
    if query is None:
        replies.format_error(packet)
        return
    who = responder()
    made = who.reply(query, who.asker(SOURCE)) if replies.is_question(query) else None
    if made is not None:
        dns.message.from_wire(replies.packed(made, 512))


@given(st.data())
def test_no_damaged_question_does_harm(data: st.DataObject) -> None:
    octets = bytearray(dns.message.make_query("c1.web.ovsnet.internal", "A", use_edns=0).to_wire())
    for at in data.draw(st.lists(st.integers(0, len(octets) - 1), max_size=4)):
        octets[at] = data.draw(st.integers(0, 255))
    test_no_packet_does_harm.hypothesis.inner_test(bytes(octets))  # type: ignore[attr-defined]
