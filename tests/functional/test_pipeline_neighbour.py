"""ARP, neighbour discovery and pings of the gateway: answered by the switch, with real kernels asking."""

from collections.abc import Iterator

import pytest
from tests.functional.pipeline_frames import (
    ALL_NODES,
    ARP,
    BROADCAST,
    IPV6,
    advertisement,
    arp,
    checksum_holds,
    ethernet,
    icmpv6,
    solicitation,
)
from tests.functional.pipeline_switch import Container, PipelineSwitch, pipeline_switch
from tests.states import WEB, endpoint, state

from ovsnet.pipeline.gateway import GATEWAY_MAC

pytestmark = pytest.mark.functional

GATEWAY4, GATEWAY6 = "10.20.0.1", "fd00:20::1"
OUTDATED = "0a:00:00:00:00:aa"
NOBODY = "00:00:00:00:00:00"
THREE = state(WEB, endpoint(1), endpoint(2), endpoint(3))


@pytest.fixture(scope="module")
def switch() -> Iterator[PipelineSwitch]:
    """WEB with three endpoints."""
    with pipeline_switch(THREE) as it:
        yield it


def is_arp(frame: bytes) -> bool:
    return frame[12:14] == ARP.to_bytes(2)


def is_nd(frame: bytes) -> bool:
    return frame[12:14] == IPV6.to_bytes(2) and frame[20] == 58 and frame[54] in {135, 136}


def answer_to(asker: Container, question: bytes) -> bytes:
    """The first ARP or ND frame that comes back."""
    asker.forget_arrivals()
    asker.send(question)
    return asker.received_until(lambda frame: is_arp(frame) or is_nd(frame))[-1]


def test_arp_is_answered_without_asking_anybody(switch: PipelineSwitch) -> None:
    asker, peer, third = switch[1], switch[2], switch[3]
    for destination in (BROADCAST, peer.mac):
        request = arp(1, (asker.mac, asker.ipv4), (NOBODY, peer.ipv4))
        reply = answer_to(asker, ethernet(destination, asker.mac, ARP, request))
        wanted = arp(2, (peer.mac, peer.ipv4), (asker.mac, asker.ipv4))
        assert reply == ethernet(asker.mac, peer.mac, ARP, wanted)
    assert not [it for it in peer.arrivals(asker) + third.arrivals(asker) if is_arp(it)]


def test_arp_for_the_gateway_is_answered_with_its_fixed_mac(switch: PipelineSwitch) -> None:
    asker = switch[1]
    request = arp(1, (asker.mac, asker.ipv4), (NOBODY, GATEWAY4))
    reply = answer_to(asker, ethernet(BROADCAST, asker.mac, ARP, request))
    wanted = arp(2, (GATEWAY_MAC, GATEWAY4), (asker.mac, asker.ipv4))
    assert reply == ethernet(asker.mac, GATEWAY_MAC, ARP, wanted)


@pytest.mark.parametrize("destination", ["ff02::1:ff00:3", "fd00:20::3"], ids=["to the group", "to the peer"])
def test_a_solicitation_is_answered_without_asking_anybody(switch: PipelineSwitch, destination: str) -> None:
    asker, peer, third = switch[1], switch[2], switch[3]
    for target in (peer.ipv6, peer.link_local):
        question = solicitation(asker.ipv6, target, asker.mac, destination)
        reply = answer_to(asker, ethernet(peer.mac, asker.mac, IPV6, question))
        assert reply == ethernet(asker.mac, peer.mac, IPV6, answered(target, asker, peer.mac))
        assert checksum_holds(reply[14:])
    assert not [it for it in peer.arrivals(asker) + third.arrivals(asker) if is_nd(it)]


def answered(target: str, asker: Container, mac: str, flags: int = 0x60) -> bytes:
    """The advertisement that RFC 4861 7.2.4 asks for: solicited, override, with the target's MAC."""
    plain = advertisement(target, target, mac, asker.ipv6)
    body = bytes((flags, 0, 0, 0)) + plain[48:]
    return icmpv6(target, asker.ipv6, 136, body)


def test_the_gateway_advertises_itself_as_a_router(switch: PipelineSwitch) -> None:
    asker = switch[1]
    question = solicitation(asker.ipv6, GATEWAY6, asker.mac)
    reply = answer_to(asker, ethernet("33:33:ff:00:00:01", asker.mac, IPV6, question))
    assert reply == ethernet(asker.mac, GATEWAY_MAC, IPV6, answered(GATEWAY6, asker, GATEWAY_MAC, flags=0xE0))


def test_a_solicitation_without_options_gets_a_valid_answer(switch: PipelineSwitch) -> None:
    asker, peer = switch[1], switch[2]
    question = ethernet(peer.mac, asker.mac, IPV6, solicitation(asker.ipv6, peer.ipv6, None, peer.ipv6))
    reply = answer_to(asker, question)
    bare = icmpv6(peer.ipv6, asker.ipv6, 136, bytes((0x60, 0, 0, 0)) + reply[62:78])
    assert reply == ethernet(asker.mac, peer.mac, IPV6, bare)
    assert checksum_holds(reply[14:])


def test_nobody_is_told_that_its_own_address_is_taken(switch: PipelineSwitch) -> None:
    asker = switch[1]
    own = ethernet(BROADCAST, asker.mac, ARP, arp(1, (asker.mac, asker.ipv4), (NOBODY, asker.ipv4)))
    detection = ethernet("33:33:ff:00:00:02", asker.mac, IPV6, solicitation("::", asker.ipv6, None))
    asker.forget_arrivals()
    asker.send(own)
    asker.send(detection)
    assert not [it for it in asker.arrivals(switch[2]) if is_arp(it) or is_nd(it)]


@pytest.mark.row(31)
def test_gratuitous_arp_reaches_every_peer_once_and_refreshes_it(switch: PipelineSwitch) -> None:
    owner, peer, third = switch[1], switch[2], switch[3]
    for operation in (1, 2):
        peer.believes(owner.ipv4, OUTDATED)
        assert peer.neighbour(owner.ipv4) == OUTDATED
        # Linux takes a reply for gratuitous only when its target is its sender (net/ipv4/arp.c).
        news = arp(operation, (owner.mac, owner.ipv4), (owner.mac, owner.ipv4))
        frame = ethernet(BROADCAST, owner.mac, ARP, news)
        owner.send(frame)
        assert peer.arrivals(owner).count(frame) == 1
        assert third.arrivals(owner).count(frame) == 1
        assert peer.neighbour(owner.ipv4) == owner.mac


@pytest.mark.row(31)
def test_an_unsolicited_advertisement_refreshes_every_peer(switch: PipelineSwitch) -> None:
    owner, peer, third = switch[1], switch[2], switch[3]
    for address in (owner.ipv6, owner.link_local):
        peer.believes(address, OUTDATED)
        frame = ethernet(ALL_NODES, owner.mac, IPV6, advertisement(address, address, owner.mac))
        owner.send(frame)
        assert peer.arrivals(owner).count(frame) == 1
        assert third.arrivals(owner).count(frame) == 1
        assert peer.neighbour(address) == owner.mac


def test_kernels_resolve_peers_and_gateway(switch: PipelineSwitch) -> None:
    asker, peer = switch[1], switch[2]
    known = {peer.ipv4: peer.mac, peer.ipv6: peer.mac, GATEWAY4: GATEWAY_MAC, GATEWAY6: GATEWAY_MAC}
    for address, mac in known.items():
        assert asker.pings(address)
        assert asker.neighbour(address) == mac


def test_the_gateway_answers_pings_of_any_content(switch: PipelineSwitch) -> None:
    for address in (GATEWAY4, GATEWAY6):
        assert switch[1].pings(address, "-s", "1400", "-p", "a5")
        assert switch[1].pings(address, "-t", "3")


def test_an_endpoint_that_left_is_not_answered_for(switch: PipelineSwitch) -> None:
    switch.carry(state(WEB, endpoint(1), endpoint(3)))
    request = arp(1, (switch[1].mac, switch[1].ipv4), (NOBODY, switch[2].ipv4))
    switch[1].forget_arrivals()
    switch[1].send(ethernet(BROADCAST, switch[1].mac, ARP, request))
    assert not [it for it in switch[1].arrivals(switch[3]) if is_arp(it)]
    switch.carry(THREE)
