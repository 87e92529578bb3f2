"""ARP, neighbour discovery and pings of the gateway: answered by the switch, with real kernels asking."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from tests.functional.pipeline_frames import (
    ALL_NODES,
    ARP,
    BROADCAST,
    ICMPV6,
    IPV6,
    advertisement,
    arp,
    ethernet,
    solicitation,
)
from tests.functional.pipeline_switch import Container, PipelineSwitch, pipeline_switch
from tests.states import WEB, endpoint, state

from ovsnet.pipeline.gateway import GATEWAY_MAC

pytestmark = pytest.mark.functional

GATEWAY4, GATEWAY6 = "10.20.0.1", "fd00:20::1"
OUTDATED = "0a:00:00:00:00:aa"
SOLICITATION = 135
SOLICITED_OVERRIDE, ROUTER_SOLICITED_OVERRIDE = 0x60, 0xE0
NOBODY = "00:00:00:00:00:00"
THREE = state(WEB, endpoint(1), endpoint(2), endpoint(3))


@pytest.fixture(scope="module")
def switch() -> Iterator[PipelineSwitch]:
    """WEB with three endpoints."""
    with pipeline_switch(THREE) as it:
        yield it


def is_question_of(sender: Container, frame: bytes) -> bool:
    """True for its ARP requests and neighbour solicitations."""
    if frame[6:12] != bytes.fromhex(sender.mac.replace(":", "")):
        return False
    is_arp = frame[12:14] == ARP.to_bytes(2)
    return is_arp or (frame[12:14] == IPV6.to_bytes(2) and frame[20] == ICMPV6 and frame[54] == SOLICITATION)


def test_arp_is_answered_without_asking_anybody(switch: PipelineSwitch) -> None:
    asker, peer = switch[1], switch[2]
    for destination in (BROADCAST, peer.mac):
        request = arp(1, (asker.mac, asker.ipv4), (NOBODY, peer.ipv4))
        reply = arp(2, (peer.mac, peer.ipv4), (asker.mac, asker.ipv4))
        arrivals = switch.arrivals(asker, ethernet(destination, asker.mac, ARP, request))
        assert arrivals[1].count(ethernet(asker.mac, peer.mac, ARP, reply)) == 1
        assert not [it for it in arrivals[2] + arrivals[3] if is_question_of(asker, it)]


def test_arp_for_the_gateway_is_answered_with_its_fixed_mac(switch: PipelineSwitch) -> None:
    asker = switch[1]
    request = ethernet(BROADCAST, asker.mac, ARP, arp(1, (asker.mac, asker.ipv4), (NOBODY, GATEWAY4)))
    reply = arp(2, (GATEWAY_MAC, GATEWAY4), (asker.mac, asker.ipv4))
    assert switch.arrivals(asker, request)[1].count(ethernet(asker.mac, GATEWAY_MAC, ARP, reply)) == 1


def answer(target: str, mac: str, asker: Container, flags: int) -> bytes:
    """The advertisement that RFC 4861 7.2.4 asks for, with the target's MAC."""
    packet = advertisement(target, target, mac, asker.ipv6, flags=flags)
    return ethernet(asker.mac, mac, IPV6, packet)


@pytest.mark.parametrize("destination", ["ff02::1:ff00:3", "fd00:20::3"], ids=["to the group", "to the peer"])
def test_a_solicitation_is_answered_without_asking_anybody(switch: PipelineSwitch, destination: str) -> None:
    asker, peer = switch[1], switch[2]
    for target in (peer.ipv6, peer.link_local):
        question = solicitation(asker.ipv6, target, asker.mac, destination)
        arrivals = switch.arrivals(asker, ethernet(peer.mac, asker.mac, IPV6, question))
        assert arrivals[1].count(answer(target, peer.mac, asker, SOLICITED_OVERRIDE)) == 1
        assert not [it for it in arrivals[2] + arrivals[3] if is_question_of(asker, it)]


def test_the_gateway_advertises_itself_as_a_router(switch: PipelineSwitch) -> None:
    asker = switch[1]
    question = ethernet("33:33:ff:00:00:01", asker.mac, IPV6, solicitation(asker.ipv6, GATEWAY6, asker.mac))
    wanted = answer(GATEWAY6, GATEWAY_MAC, asker, ROUTER_SOLICITED_OVERRIDE)
    assert switch.arrivals(asker, question)[1].count(wanted) == 1


def test_a_solicitation_without_options_gets_an_answer_without_options(switch: PipelineSwitch) -> None:
    asker, peer = switch[1], switch[2]
    question = ethernet(peer.mac, asker.mac, IPV6, solicitation(asker.ipv6, peer.ipv6, None, peer.ipv6))
    packet = advertisement(peer.ipv6, peer.ipv6, None, asker.ipv6, flags=SOLICITED_OVERRIDE)
    assert switch.arrivals(asker, question)[1].count(ethernet(asker.mac, peer.mac, IPV6, packet)) == 1


def test_nobody_is_told_that_its_own_address_is_taken(switch: PipelineSwitch) -> None:
    asker = switch[1]
    own = ethernet(BROADCAST, asker.mac, ARP, arp(1, (asker.mac, asker.ipv4), (NOBODY, asker.ipv4)))
    detection = ethernet("33:33:ff:00:00:02", asker.mac, IPV6, solicitation("::", asker.ipv6, None))
    arrivals = switch.arrivals(asker, own, detection)
    reply = arp(2, (asker.mac, asker.ipv4), (asker.mac, asker.ipv4))
    assert ethernet(asker.mac, asker.mac, ARP, reply) not in arrivals[1]
    assert detection not in arrivals[2] + arrivals[3]
    assert not [it for it in arrivals[1] if it[20] == ICMPV6 and it[38:54] == bytes(16)]


@pytest.mark.row(31)
def test_gratuitous_arp_reaches_every_peer_once_and_refreshes_it(switch: PipelineSwitch) -> None:
    owner, peer = switch[1], switch[2]
    for operation in (1, 2):
        peer.believes(owner.ipv4, OUTDATED)
        assert peer.neighbour(owner.ipv4) == OUTDATED
        # Linux takes a reply for gratuitous only when its target is its sender (net/ipv4/arp.c).
        news = arp(operation, (owner.mac, owner.ipv4), (owner.mac, owner.ipv4))
        assert switch.copies(owner, ethernet(BROADCAST, owner.mac, ARP, news)) == {2: 1, 3: 1}
        assert peer.neighbour(owner.ipv4) == owner.mac


@pytest.mark.row(31)
def test_an_unsolicited_advertisement_refreshes_every_peer(switch: PipelineSwitch) -> None:
    owner, peer = switch[1], switch[2]
    for address in (owner.ipv6, owner.link_local):
        peer.believes(address, OUTDATED)
        assert peer.neighbour(address) == OUTDATED
        news = advertisement(address, address, owner.mac)
        assert switch.copies(owner, ethernet(ALL_NODES, owner.mac, IPV6, news)) == {2: 1, 3: 1}
        assert peer.neighbour(address) == owner.mac


def test_kernels_resolve_peers_and_gateway(switch: PipelineSwitch) -> None:
    asker, peer = switch[1], switch[2]
    known = {peer.ipv4: peer.mac, peer.ipv6: peer.mac, GATEWAY4: GATEWAY_MAC, GATEWAY6: GATEWAY_MAC}
    for address, mac in known.items():
        assert asker.pings(address)
        assert asker.neighbour(address) == mac


def test_the_gateway_answers_pings_of_any_content_with_a_fresh_ttl(switch: PipelineSwitch) -> None:
    for address in (GATEWAY4, GATEWAY6):
        said = switch[1].run("ping", "-n", "-c", "1", "-w", "5", "-s", "1400", "-p", "a5", "-t", "3", address)
        assert "ttl=64" in said.stdout
        assert "wrong data byte" not in said.stdout


def test_an_endpoint_that_left_is_not_answered_for() -> None:
    with pipeline_switch(THREE) as switch:
        asker, gone = switch[1], switch[2]
        request = ethernet(BROADCAST, asker.mac, ARP, arp(1, (asker.mac, asker.ipv4), (NOBODY, gone.ipv4)))
        reply = ethernet(asker.mac, gone.mac, ARP, arp(2, (gone.mac, gone.ipv4), (asker.mac, asker.ipv4)))
        assert reply in switch.arrivals(asker, request)[1]
        switch.carry(state(WEB, endpoint(1), replace(endpoint(2), plugged=False), endpoint(3)))
        assert reply not in switch.arrivals(asker, request)[1]
