"""Real packets through the real switch: who reaches whom, and how often."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from tests.functional.pipeline_frames import ARP, BROADCAST, IPV4, IPV6, arp, ethernet, ipv4, ipv6, udp
from tests.functional.pipeline_switch import Container, PipelineSwitch, pipeline_switch
from tests.states import DB, TWO_NETWORKS, WEB, endpoint, state
from tests.unit.pipeline.scenarios import BARE, LONELY, bare

from ovsnet.model.ids import NetworkId, Vlan, Vni
from ovsnet.model.network import NetworkOptions
from ovsnet.pipeline.cookies import Feature, feature_of

pytestmark = pytest.mark.functional

TWIN = replace(WEB, id=NetworkId("d4" * 32), vni=Vni(77))
"""Another network with the addresses of WEB."""
TAGGED = replace(DB, options=NetworkOptions(vlan=Vlan(30)))
MULTICAST_V4, MULTICAST_V6 = "01:00:5e:00:00:fb", "33:33:00:00:00:fb"


@pytest.fixture(scope="module")
def switch() -> Iterator[PipelineSwitch]:
    """WEB with endpoints 1, 2, 5 and DB with 3, 4."""
    with pipeline_switch(state(WEB, DB, *TWO_NETWORKS.endpoints.values(), endpoint(5))) as it:
        yield it


def datagram(sender: Container, receiver: Container) -> bytes:
    return ethernet(receiver.mac, sender.mac, IPV4, ipv4(sender.ipv4, receiver.ipv4, udp(b"hello")))


def test_endpoints_of_a_network_reach_each_other(switch: PipelineSwitch) -> None:
    assert switch[1].pings(switch[2].ipv4)
    assert switch[1].pings(switch[2].ipv6)
    assert switch[1].pings(f"{switch[2].link_local}%eth0")
    assert switch[4].pings(switch[3].ipv4)


def test_packets_larger_than_the_mtu_arrive(switch: PipelineSwitch) -> None:
    assert switch[1].pings(switch[2].ipv4, "-s", "4000")
    assert switch[1].pings(switch[2].ipv6, "-s", "4000")


def test_tcp_carries_data_both_ways(switch: PipelineSwitch) -> None:
    for address in (switch[2].ipv4, switch[2].ipv6):
        assert switch.echoes(switch[1], switch[2], address) == 300_000


def test_endpoints_of_different_networks_do_not_reach_each_other(switch: PipelineSwitch) -> None:
    assert switch[1].never_pings(switch[3].ipv4)


def test_a_frame_for_a_mac_of_another_network_is_dropped(switch: PipelineSwitch) -> None:
    assert switch.copies(switch[1], datagram(switch[1], switch[3])) == {}


def test_a_frame_with_everything_forged_from_another_network_is_dropped(switch: PipelineSwitch) -> None:
    assert switch.copies(switch[1], datagram(switch[4], switch[3])) == {}


def test_a_broadcast_arrives_exactly_once_at_every_peer_and_not_at_its_sender(switch: PipelineSwitch) -> None:
    sender = switch[1]
    for mac, kind, packet in (
        (BROADCAST, IPV4, ipv4(sender.ipv4, "255.255.255.255", udp(b"to all"))),
        (MULTICAST_V4, IPV4, ipv4(sender.ipv4, "224.0.0.251", udp(b"to some"))),
        (MULTICAST_V6, IPV6, ipv6(sender.ipv6, "ff02::fb", udp(b"to some"))),
    ):
        assert switch.copies(sender, ethernet(mac, sender.mac, kind, packet)) == {2: 1, 5: 1}


def test_unknown_unicast_is_not_flooded(switch: PipelineSwitch) -> None:
    packet = ipv4(switch[1].ipv4, "10.20.0.99", udp(b"who"))
    assert switch.copies(switch[1], ethernet("0a:00:00:00:00:63", switch[1].mac, IPV4, packet)) == {}


def test_a_frame_to_the_senders_own_mac_does_not_come_back(switch: PipelineSwitch) -> None:
    assert switch.copies(switch[1], datagram(switch[1], switch[1])) == {}


def test_a_frame_for_one_arrives_once_and_nowhere_else(switch: PipelineSwitch) -> None:
    assert switch.copies(switch[1], datagram(switch[1], switch[5])) == {5: 1}


def test_an_endpoint_that_left_is_not_reached_and_one_that_came_is() -> None:
    with pipeline_switch(state(WEB, endpoint(1), endpoint(2))) as switch:
        assert switch[1].pings(switch[2].ipv4)
        switch.carry(state(WEB, endpoint(1), replace(endpoint(2), plugged=False), endpoint(3)))
        assert switch[1].never_pings(switch[2].ipv4)
        assert switch[1].never_pings(switch[2].ipv6)
        assert switch[1].pings(switch[3].ipv6)


def test_networks_with_the_same_addresses_do_not_meet() -> None:
    twins = endpoint(3, TWIN), endpoint(4, TWIN)
    with pipeline_switch(state(WEB, TWIN, endpoint(1), endpoint(2), *twins)) as switch:
        assert switch[1].pings(switch[2].ipv4)
        assert switch[3].pings(switch[4].ipv6)
        assert switch[1].never_pings(switch[3].ipv4)
        assert switch[3].never_pings(switch[2].ipv6)


@pytest.mark.row(46)
def test_without_icc_the_gateway_is_reached_and_peers_are_not() -> None:
    with pipeline_switch(state(LONELY, endpoint(1, LONELY), endpoint(2, LONELY))) as switch:
        assert switch[1].pings("10.20.0.1")
        assert switch[1].pings("fd00:20::1")
        assert switch[1].never_pings(switch[2].ipv4)
        assert switch[1].never_pings(switch[2].ipv6)
        assert switch[1].never_pings(f"{switch[2].link_local}%eth0")
        broadcast = ethernet(BROADCAST, switch[1].mac, IPV4, ipv4(switch[1].ipv4, "10.20.0.255", udp(b"all")))
        request = arp(1, (switch[1].mac, switch[1].ipv4), ("00:00:00:00:00:00", switch[2].ipv4))
        question = ethernet(BROADCAST, switch[1].mac, ARP, request)
        for frame in (datagram(switch[1], switch[2]), broadcast, question):
            trace = switch.trace(1, frame)
            assert trace.actions == "drop"
            assert feature_of(trace.cookies[-1]) is Feature.ISOLATE


def test_vlans_of_one_network_are_separate_and_each_has_the_gateway() -> None:
    first, second = (endpoint(it, TAGGED) for it in (1, 2))
    third, fourth = (endpoint(it, TAGGED, Vlan(31)) for it in (3, 4))
    with pipeline_switch(state(TAGGED, first, second, third, fourth)) as switch:
        assert switch[1].pings(switch[2].ipv4)
        assert switch[3].pings(switch[4].ipv4)
        assert switch[1].never_pings(switch[3].ipv4)
        assert switch[1].pings("10.30.0.1")
        assert switch[3].pings("10.30.0.1")
        assert switch.trace(1, datagram(switch[1], switch[4])).actions == "drop"


def test_without_addresses_any_address_works_from_the_own_mac() -> None:
    with pipeline_switch(state(BARE, bare(1), bare(2), bare(3))) as switch:
        for number in (1, 2, 3):
            switch[number].run("ip", "addr", "add", f"192.168.9.{number}/24", "dev", "eth0")
            switch[number].run("ip", "addr", "add", f"fd09::{number}/64", "dev", "eth0", "nodad")
        assert switch[1].pings("192.168.9.2")
        assert switch[1].pings("fd09::3")
        packet = ipv4("192.168.9.3", "192.168.9.2", udp(b"forged"))
        forged = ethernet(switch[2].mac, switch[3].mac, IPV4, packet)
        assert switch.trace(1, forged).actions == "drop"
        assert switch.trace(3, forged).actions != "drop"
