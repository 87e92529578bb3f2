"""What a container may not send: each forged frame is sent, and the switch asked which table stops it."""

from collections.abc import Iterator
from typing import Final

import pytest
from tests.functional.pipeline_frames import (
    ALL_NODES,
    ARP,
    BROADCAST,
    IPV4,
    IPV6,
    NO_ADDRESS,
    advertisement,
    arp,
    ethernet,
    fragments,
    icmpv6,
    ipv4,
    ipv6,
    solicitation,
    tagged,
    udp,
)
from tests.functional.pipeline_switch import PipelineSwitch, pipeline_switch
from tests.states import TWO_NETWORKS

from ovsnet.pipeline.cookies import Feature, feature_of
from ovsnet.pipeline.gateway import GATEWAY_MAC
from ovsnet.pipeline.packets import DHCPV6_SERVERS
from ovsnet.pipeline.tables import Table

pytestmark = [pytest.mark.functional, pytest.mark.row(84)]

A, B, C = "0a:00:00:00:00:01", "0a:00:00:00:00:02", "0a:00:00:00:00:03"
"""Endpoints 1 and 2 of network WEB, 3 of DB; 1 is the liar, 2 the victim."""
A4, B4, C4, GATEWAY4 = "10.20.0.2", "10.20.0.3", "10.30.0.4", "10.20.0.1"
A6, B6, GATEWAY6 = "fd00:20::2", "fd00:20::3", "fd00:20::1"
ALINK, BLINK = "fe80::800:ff:fe00:1", "fe80::800:ff:fe00:2"
NOBODY = "00:00:00:00:00:00"
PREFIX: Final = bytes.fromhex("40005a0000000000") + bytes(8)
"""The rest of a router advertisement: hop limit 64, 23040 s, no options."""
REDIRECTION: Final = bytes(4) + bytes.fromhex("fd002000000000000000000000000003") * 2


def to_b(kind: int, packet: bytes, source: str = A) -> bytes:
    return ethernet(B, source, kind, packet)


def to_all(packet: bytes, source: str = A) -> bytes:
    return ethernet(ALL_NODES, source, IPV6, packet)


def dhcp(source: int, target: int) -> bytes:
    return source.to_bytes(2) + target.to_bytes(2) + udp(b"x")[4:]


HIDDEN = fragments(icmpv6(ALINK, "ff02::1", 134, PREFIX))
FORGED: Final = {
    "another's MAC": (Table.GUARD, to_b(IPV4, ipv4(A4, B4, udp(b"x")), source=C)),
    "a MAC of nobody": (Table.GUARD, to_b(IPV4, ipv4(A4, B4, udp(b"x")), source="0a:00:00:00:00:77")),
    "the gateway's MAC": (Table.GUARD, to_b(IPV4, ipv4(A4, B4, udp(b"x")), source=GATEWAY_MAC)),
    "a group MAC as source": (Table.GUARD, to_b(IPV4, ipv4(A4, B4, udp(b"x")), source="0b:00:00:00:00:01")),
    "a peer's IPv4": (Table.GUARD, to_b(IPV4, ipv4(B4, B4, udp(b"x")))),
    "the gateway's IPv4": (Table.GUARD, to_b(IPV4, ipv4(GATEWAY4, B4, udp(b"x")))),
    "an IPv4 of another network": (Table.GUARD, to_b(IPV4, ipv4(C4, B4, udp(b"x")))),
    "no IPv4": (Table.GUARD, to_b(IPV4, ipv4(NO_ADDRESS, B4, udp(b"x")))),
    "a later fragment with a peer's IPv4": (Table.GUARD, to_b(IPV4, ipv4(C4, B4, b"12345678", fragment=2))),
    "a peer's IPv6": (Table.GUARD, to_b(IPV6, ipv6(B6, B6, udp(b"x")))),
    "a peer's link-local": (Table.GUARD, to_b(IPV6, ipv6(BLINK, B6, udp(b"x")))),
    "an IPv6 of nobody": (Table.GUARD, to_b(IPV6, ipv6("fd00:20::99", B6, udp(b"x")))),
    "no IPv6": (Table.TENTATIVE, to_b(IPV6, ipv6("::", B6, udp(b"x")))),
    "an 802.1Q tag": (Table.GUARD, tagged(to_b(IPV4, ipv4(A4, B4, udp(b"x"))), 30)),
    "a priority tag": (Table.GUARD, tagged(to_b(IPV4, ipv4(A4, B4, udp(b"x"))), 0)),
    "an 802.1ad tag": (Table.GUARD, tagged(to_b(IPV4, ipv4(A4, B4, udp(b"x"))), 30, 0x88A8)),
    "two tags": (Table.GUARD, tagged(tagged(to_b(IPV4, ipv4(A4, B4, udp(b"x"))), 30), 40)),
    "LLDP": (Table.GUARD, ethernet("01:80:c2:00:00:0e", A, 0x88CC, bytes(46))),
    "a spanning tree message": (
        Table.GUARD,
        ethernet("01:80:c2:00:00:00", A, 38, bytes.fromhex("424203") + bytes(43)),
    ),
    "MPLS": (Table.GUARD, to_b(0x8847, bytes(46))),
    "ARP for a peer's address": (Table.GUARD, to_b(ARP, arp(2, (A, B4), (B, B4)))),
    "ARP for the gateway": (Table.GUARD, to_b(ARP, arp(2, (A, GATEWAY4), (B, B4)))),
    "ARP with another MAC inside": (Table.GUARD, to_b(ARP, arp(2, (C, A4), (B, B4)))),
    "gratuitous ARP for the gateway": (
        Table.GUARD,
        ethernet(BROADCAST, A, ARP, arp(1, (A, GATEWAY4), (NOBODY, GATEWAY4))),
    ),
    "an ARP probe": (Table.GUARD, ethernet(BROADCAST, A, ARP, arp(1, (A, NO_ADDRESS), (NOBODY, B4)))),
    "reverse ARP": (Table.GUARD, ethernet(BROADCAST, A, 0x8035, arp(3, (A, A4), (A, A4)))),
    "ARP for an unknown address": (
        Table.NEIGHBOUR,
        ethernet(BROADCAST, A, ARP, arp(1, (A, A4), (NOBODY, "10.20.0.99"))),
    ),
    "a solicitation with a peer's source": (Table.GUARD, to_all(solicitation(B6, B6, A))),
    "a solicitation with another MAC inside": (Table.ND_GUARD, to_all(solicitation(A6, B6, C))),
    "a solicitation for an unknown address": (Table.NEIGHBOUR, to_all(solicitation(A6, "fd00:20::99", A))),
    "address detection for a peer's address": (Table.TENTATIVE, to_all(solicitation("::", B6, None))),
    "an advertisement of a peer": (Table.ND_GUARD, to_all(advertisement(A6, B6, A))),
    "an advertisement of the gateway": (Table.ND_GUARD, to_all(advertisement(ALINK, GATEWAY6, A))),
    "an advertisement with another MAC": (Table.ND_GUARD, to_all(advertisement(A6, A6, C))),
    "an advertisement without a MAC": (Table.ND_GUARD, to_all(advertisement(A6, A6, None))),
    "an advertisement with a peer's source": (Table.GUARD, to_all(advertisement(B6, A6, A))),
    "an advertisement from nowhere": (Table.TENTATIVE, to_all(advertisement("::", A6, A))),
    "a router advertisement": (Table.ND_GUARD, to_all(icmpv6(ALINK, "ff02::1", 134, PREFIX))),
    "a router advertisement to one": (Table.ND_GUARD, to_b(IPV6, icmpv6(ALINK, B6, 134, PREFIX))),
    "a router solicitation": (Table.ND_GUARD, to_all(icmpv6(ALINK, "ff02::2", 133, bytes(4)))),
    "a redirect": (Table.ND_GUARD, to_b(IPV6, icmpv6(ALINK, B6, 137, REDIRECTION))),
    "the first fragment of a router advertisement": (Table.FRAGMENT, to_all(HIDDEN[0])),
    "its second fragment": (Table.FRAGMENT, to_all(HIDDEN[1])),
    "a DHCP offer to all": (
        Table.DHCP,
        ethernet(BROADCAST, A, IPV4, ipv4(A4, "255.255.255.255", dhcp(67, 68))),
    ),
    "a DHCP question from nowhere": (
        Table.GUARD,
        ethernet(BROADCAST, A, IPV4, ipv4(NO_ADDRESS, "255.255.255.255", dhcp(68, 67))),
    ),
    "a DHCP question from its address": (
        Table.DHCP,
        ethernet(BROADCAST, A, IPV4, ipv4(A4, "255.255.255.255", dhcp(68, 67))),
    ),
    "a DHCPv6 question": (
        Table.GATEWAY,
        ethernet(DHCPV6_SERVERS, A, IPV6, ipv6(ALINK, "ff02::1:2", dhcp(546, 547))),
    ),
    "routing through the gateway": (
        Table.ECHO,
        ethernet(GATEWAY_MAC, A, IPV4, ipv4(A4, C4, udp(b"route me"))),
    ),
}
ALLOWED: Final = {
    "IPv4": to_b(IPV4, ipv4(A4, B4, udp(b"fine"))),
    "a later IPv4 fragment": to_b(IPV4, ipv4(A4, B4, b"12345678", fragment=2)),
    "IPv6": to_b(IPV6, ipv6(A6, B6, udp(b"fine"))),
    "IPv6 from the link-local address": to_b(IPV6, ipv6(ALINK, BLINK, udp(b"fine"))),
    "a fragmented ping": to_b(IPV6, fragments(icmpv6(A6, B6, 128, bytes(36), hop_limit=64))[0]),
    "an IGMP report": ethernet("01:00:5e:00:00:16", A, IPV4, ipv4(A4, "224.0.0.22", b"\x22" + bytes(15), protocol=2)),
    "an MLD report": to_all(icmpv6(ALINK, "ff02::16", 143, bytes(4), hop_limit=1)),
    "an MLD report before there is an address": to_all(icmpv6("::", "ff02::16", 143, bytes(4), hop_limit=1)),
    "another broadcast": ethernet(BROADCAST, A, IPV4, ipv4(A4, "255.255.255.255", dhcp(68, 69))),
    "another multicast": ethernet("33:33:00:01:00:03", A, IPV6, ipv6(A6, "ff02::1:3", dhcp(5355, 5355))),
    "an ARP reply": to_b(ARP, arp(2, (A, A4), (B, B4))),
    "an own advertisement": to_all(advertisement(A6, A6, A)),
    "an own link-local advertisement": to_all(advertisement(ALINK, ALINK, A)),
    "a protocol that is neither TCP nor UDP": to_b(IPV4, ipv4(A4, B4, bytes(20), protocol=132)),
}


@pytest.fixture(scope="module")
def switch() -> Iterator[PipelineSwitch]:
    """Two networks of two endpoints each; nobody's kernel speaks IPv6 on its own."""
    with pipeline_switch(TWO_NETWORKS) as it:
        yield it


@pytest.mark.parametrize("name", FORGED)
def test_a_forged_frame_reaches_nobody(switch: PipelineSwitch, name: str) -> None:
    _, frame = FORGED[name]
    assert switch.copies(switch[1], frame) == {}


@pytest.mark.parametrize("name", FORGED)
def test_a_forged_frame_is_stopped_by_the_table_that_knows(switch: PipelineSwitch, name: str) -> None:
    table, frame = FORGED[name]
    trace = switch.trace(1, frame)
    assert (trace.tables[-1], trace.actions) == (table, "drop")


@pytest.mark.parametrize("name", ALLOWED)
def test_an_honest_frame_arrives_as_it_was_sent(switch: PipelineSwitch, name: str) -> None:
    assert switch.copies(switch[1], ALLOWED[name]) == {2: 1}


def test_a_port_of_nobody_is_stopped_at_the_door(switch: PipelineSwitch) -> None:
    trace = switch.trace(99, ALLOWED["IPv4"])
    assert (trace.tables, trace.actions) == ((Table.ORIGIN,), "drop")


def test_the_cookies_on_the_way_name_features_and_network(switch: PipelineSwitch) -> None:
    cookies = switch.trace(1, FORGED["a peer's IPv4"][1]).cookies
    assert [(feature_of(it), it & 0xFFFFFF) for it in cookies] == [(Feature.ORIGIN, 10), (Feature.GUARD, 0)]


def test_a_victims_neighbour_entry_survives_every_lie(switch: PipelineSwitch) -> None:
    victim = switch[2]
    assert victim.pings(GATEWAY4)
    assert victim.pings(GATEWAY6)
    switch.arrivals(switch[1], *(frame for _, frame in FORGED.values()))
    assert victim.neighbour(GATEWAY4) == victim.neighbour(GATEWAY6) == GATEWAY_MAC
