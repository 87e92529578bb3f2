"""Row 84: nobody on a network speaks for anybody but itself.

web:  liar ──► victim ◄── friend
"""

from collections.abc import Iterator, Mapping

import pytest
from tests.functional.pipeline_frames import (
    ALL_NODES,
    ARP,
    BROADCAST,
    IPV4,
    IPV6,
    advertisement,
    arp,
    ethernet,
    icmpv6,
    ipv4,
    ipv6,
    solicitation,
    udp,
)
from tests.rig.namespace_host import NamespaceHost
from tests.system import networks
from tests.system.parties import ARP_REPLY, Party, heard, party
from tests.system.traces import clean

ARP_REQUEST = 1
ROUTER_ADVERTISEMENT, REDIRECT = 134, 137
DHCPV6_AGENTS = "33:33:00:01:00:02"
GATEWAY4, GATEWAY6 = "10.84.0.1", "fd00:84::1"


@pytest.fixture(scope="module")
def parties(module_host: NamespaceHost) -> Iterator[Mapping[str, Party]]:
    networks.create(module_host, "web", "10.84.0.0/24", "--ipv6", "--subnet", "fd00:84::/64")
    started = networks.start(module_host, "liar", "victim", "friend", network="web")
    yield {it.name: party(it, "web") for it in started}
    clean(module_host)


def stolen_addresses(liar: Party, victim: Party, other: Party) -> dict[str, bytes]:
    """Packets in which one thing is somebody else's: the MAC, or the address."""
    return {
        "mac-v4": ethernet(victim.mac, other.mac, IPV4, ipv4(liar.ipv4, victim.ipv4, udp(b""))),
        "mac-v6": ethernet(victim.mac, other.mac, IPV6, ipv6(liar.ipv6, victim.ipv6, udp(b""))),
        "mac-of-nobody": ethernet(victim.mac, "0a:de:ad:be:ef:01", IPV4, ipv4(liar.ipv4, victim.ipv4, udp(b""))),
        "v4": ethernet(victim.mac, liar.mac, IPV4, ipv4(other.ipv4, victim.ipv4, udp(b""))),
        "v4-own": ethernet(victim.mac, liar.mac, IPV4, ipv4(victim.ipv4, victim.ipv4, udp(b""))),
        "v4-gateway": ethernet(victim.mac, liar.mac, IPV4, ipv4(GATEWAY4, victim.ipv4, udp(b""))),
        "v4-of-nobody": ethernet(victim.mac, liar.mac, IPV4, ipv4("10.84.0.200", victim.ipv4, udp(b""))),
        "v4-outside": ethernet(victim.mac, liar.mac, IPV4, ipv4("192.0.2.9", victim.ipv4, udp(b""))),
        "v4-to-all": ethernet(BROADCAST, liar.mac, IPV4, ipv4(other.ipv4, "255.255.255.255", udp(b""))),
        "v6": ethernet(victim.mac, liar.mac, IPV6, ipv6(other.ipv6, victim.ipv6, udp(b""))),
        "v6-gateway": ethernet(victim.mac, liar.mac, IPV6, ipv6(GATEWAY6, victim.ipv6, udp(b""))),
        "v6-link-local": ethernet(victim.mac, liar.mac, IPV6, ipv6("fe80::dead", victim.ipv6, udp(b""))),
        "v6-to-all": ethernet(ALL_NODES, liar.mac, IPV6, ipv6(other.ipv6, "ff02::1", udp(b""))),
    }


def lies_about_neighbours(liar: Party, victim: Party, other: Party) -> dict[str, bytes]:
    """ARP and neighbour discovery that would draw somebody's packets to the liar, or away from him."""
    to = (victim.mac, victim.ipv4)
    nobody = ("00:00:00:00:00:00", other.ipv4)
    return {
        "arp-address": ethernet(victim.mac, liar.mac, ARP, arp(ARP_REPLY, (liar.mac, other.ipv4), to)),
        "arp-gateway": ethernet(victim.mac, liar.mac, ARP, arp(ARP_REPLY, (liar.mac, GATEWAY4), to)),
        "arp-gratuitous": ethernet(BROADCAST, liar.mac, ARP, arp(ARP_REQUEST, (liar.mac, other.ipv4), nobody)),
        "arp-mac-inside": ethernet(victim.mac, liar.mac, ARP, arp(ARP_REPLY, (other.mac, liar.ipv4), to)),
        "arp-mac-outside": ethernet(victim.mac, other.mac, ARP, arp(ARP_REPLY, (liar.mac, liar.ipv4), to)),
        "na-target": ethernet(ALL_NODES, liar.mac, IPV6, advertisement(liar.ipv6, other.ipv6, liar.mac)),
        "na-gateway": ethernet(victim.mac, liar.mac, IPV6, advertisement(liar.ipv6, GATEWAY6, liar.mac, victim.ipv6)),
        "na-source": ethernet(ALL_NODES, liar.mac, IPV6, advertisement(other.ipv6, other.ipv6, liar.mac)),
        "na-mac-inside": ethernet(ALL_NODES, liar.mac, IPV6, advertisement(liar.ipv6, liar.ipv6, other.mac)),
        "ns-mac-inside": ethernet(victim.mac, liar.mac, IPV6, solicitation(liar.ipv6, victim.ipv6, other.mac)),
        "redirect": ethernet(victim.mac, liar.mac, IPV6, icmpv6(GATEWAY6, victim.ipv6, REDIRECT, bytes(36))),
    }


def uninvited_services(liar: Party, victim: Party) -> dict[str, bytes]:
    """What only the network itself may say, and the questions that would invite it."""
    router = icmpv6(liar.ipv6, "ff02::1", ROUTER_ADVERTISEMENT, bytes.fromhex("40005a0000000000") + bytes(8))
    offer = ipv4(liar.ipv4, "255.255.255.255", ports(67, 68))
    return {
        "router": ethernet(ALL_NODES, liar.mac, IPV6, router),
        "router-to-one": ethernet(victim.mac, liar.mac, IPV6, router),
        "dhcp-offer": ethernet(BROADCAST, liar.mac, IPV4, offer),
        "dhcp-offer-as-gateway": ethernet(BROADCAST, liar.mac, IPV4, ipv4(GATEWAY4, "255.255.255.255", ports(67, 68))),
        "dhcp-question": ethernet(BROADCAST, liar.mac, IPV4, ipv4("0.0.0.0", "255.255.255.255", ports(68, 67))),
        "dhcp-question-by-name": ethernet(BROADCAST, liar.mac, IPV4, ipv4(liar.ipv4, "255.255.255.255", ports(68, 67))),
        "dhcpv6-question": ethernet(DHCPV6_AGENTS, liar.mac, IPV6, ipv6(liar.ipv6, "ff02::1:2", ports(546, 547))),
    }


def ports(source: int, target: int) -> bytes:
    return source.to_bytes(2) + target.to_bytes(2) + udp(b"")[4:]


@pytest.mark.row(84)
def test_raw_packets_with_anothers_mac_or_address_reach_nobody(parties: Mapping[str, Party]) -> None:
    liar, victim, friend = parties["liar"], parties["victim"], parties["friend"]

    assert heard(liar, victim, friend, stolen_addresses(liar, victim, friend)) == set()


@pytest.mark.row(84)
def test_lies_about_neighbours_reach_nobody_and_nobody_believes_them(parties: Mapping[str, Party]) -> None:
    liar, victim, friend = parties["liar"], parties["victim"], parties["friend"]
    others = (friend.ipv4, friend.ipv6, GATEWAY4, GATEWAY6)
    for address in others:
        assert victim.container.pings(address)
    before = [mac_of(victim, it) for it in others]

    assert heard(liar, victim, friend, lies_about_neighbours(liar, victim, friend)) == set()

    assert [mac_of(victim, it) for it in others] == before
    assert before[:2] == [friend.mac, friend.mac]
    assert before[2] == before[3] != liar.mac


def mac_of(asker: Party, address: str) -> str:
    """What the kernel of a container remembers of a neighbour."""
    known = asker.container.inside("ip", "-j", "neigh", "show", address).json()
    return str(known[0].get("lladdr", ""))


@pytest.mark.row(84)
def test_nobody_plays_the_networks_router_or_dhcp_server(parties: Mapping[str, Party]) -> None:
    liar, victim, friend = parties["liar"], parties["victim"], parties["friend"]

    assert heard(liar, victim, friend, uninvited_services(liar, victim)) == set()


@pytest.mark.row(84)
def test_the_same_packets_arrive_from_whom_they_are_true(parties: Mapping[str, Party]) -> None:
    """The proof that the listener would have heard: whatever the friend lends, it may send itself."""
    victim, friend = parties["victim"], parties["friend"]
    to = (victim.mac, victim.ipv4)
    true = {
        "v4": ethernet(victim.mac, friend.mac, IPV4, ipv4(friend.ipv4, victim.ipv4, udp(b""))),
        "v4-to-all": ethernet(BROADCAST, friend.mac, IPV4, ipv4(friend.ipv4, "255.255.255.255", udp(b""))),
        "v6": ethernet(victim.mac, friend.mac, IPV6, ipv6(friend.ipv6, victim.ipv6, udp(b""))),
        "v6-to-all": ethernet(ALL_NODES, friend.mac, IPV6, ipv6(friend.ipv6, "ff02::1", udp(b""))),
        "arp": ethernet(victim.mac, friend.mac, ARP, arp(ARP_REPLY, (friend.mac, friend.ipv4), to)),
        "na": ethernet(ALL_NODES, friend.mac, IPV6, advertisement(friend.ipv6, friend.ipv6, friend.mac)),
    }

    assert heard(friend, victim, friend, true) == {f"forged-{name}" for name in true}


@pytest.mark.row(84)
def test_a_kernel_that_is_given_anothers_address_does_not_get_it_out(parties: Mapping[str, Party]) -> None:
    """Without raw sockets: the address by hand, the MAC by hand, as root inside the container can."""
    liar, victim, friend = parties["liar"], parties["victim"], parties["friend"]
    inside = liar.container.inside
    inside("ip", "addr", "add", f"{friend.ipv4}/24", "dev", "eth0")
    assert not inside("ping", "-c", "1", "-W", "1", "-I", friend.ipv4, victim.ipv4, check=False).ok
    inside("ip", "addr", "del", f"{friend.ipv4}/24", "dev", "eth0")
    assert liar.container.pings(victim.ipv4)

    inside("ip", "link", "set", "eth0", "address", "0a:de:ad:be:ef:02")
    assert not liar.container.pings(victim.ipv4)
    inside("ip", "link", "set", "eth0", "address", liar.mac)
    assert liar.container.pings(victim.ipv4)
    assert friend.container.pings(victim.ipv4)
