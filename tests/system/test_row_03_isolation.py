"""Row 3: networks are isolated from each other, also from one who cheats.

    web:  c1 (the cheat), c2          db:  d1 (the victim), d2
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

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
    ipv4,
    ipv6,
    tagged,
    udp,
)
from tests.rig.container import Container
from tests.rig.namespace_host import NamespaceHost
from tests.system import networks
from tests.system.traces import clean

RAW_SOCKET = ("python3", str(Path(__file__).with_name("rawsocket.py")))
ARP_REPLY = 2


@dataclass(frozen=True, slots=True)
class Party:
    """A container with what it says of itself on its network."""

    container: Container
    mac: str
    ipv4: str
    ipv6: str

    def sends(self, frames: Mapping[str, bytes]) -> None:
        """Frames as they are, each with its name behind what it carries."""
        words = [frame + f" forged-{name} ".encode() for name, frame in frames.items()]
        self.container.inside(*RAW_SOCKET, "send", "eth0", *(it.hex() for it in words))

    def tells(self, peer: "Party", word: str) -> None:
        """An honest datagram."""
        payload = udp(f" forged-{word} ".encode())
        frame = ethernet(peer.mac, self.mac, IPV4, ipv4(self.ipv4, peer.ipv4, payload))
        self.container.inside(*RAW_SOCKET, "send", "eth0", frame.hex())


@pytest.fixture(scope="module")
def parties(module_host: NamespaceHost) -> Iterator[Mapping[str, Party]]:
    """Containers c1 and c2 on web, d1 and d2 on db, both networks with IPv4 and IPv6."""
    for name, v4, v6 in (("web", "10.20.0.0/24", "fd00:20::/64"), ("db", "10.30.0.0/24", "fd00:30::/64")):
        networks.create(module_host, name, v4, "--ipv6", "--subnet", v6)
    pairs = (("c1", "web"), ("c2", "web"), ("d1", "db"), ("d2", "db"))
    started = [(module_host.start_container(name, network=network), network) for name, network in pairs]
    yield {
        it.name: Party(it, it.mac(network), it.address(network), it.address6(network))
        for it, network in started
    }
    clean(module_host)


def heard(sender: Party, victim: Party, friend: Party, frames: Mapping[str, bytes]) -> set[str]:
    """Which of these frames of the sender arrive at the victim; a friend's word at the end says that it listens."""
    listen = (*RAW_SOCKET, "hear", "eth0", "forged-")
    with victim.container.spawn_inside(*listen, label="hear") as ear:
        ear.wait_for_output("listening")
        # Twice: the first packet of a kind takes another way through a switch than the next one.
        sender.sends(frames)
        sender.sends(frames)
        friend.tells(victim, "end")
        ear.wait_for_output("forged-end")
        return set(ear.stdout.split()) - {"listening", "forged-end"}


@pytest.mark.row(3)
def test_inside_a_network_nothing_is_lost(parties: Mapping[str, Party]) -> None:
    for address in (parties["c2"].ipv4, parties["c2"].ipv6):
        said = parties["c1"].container.inside("ping", "-n", "-i", "0.02", "-c", "20", "-W", "1", address)

        assert "20 received, 0% packet loss" in said.stdout


@pytest.mark.row(3)
def test_across_networks_nothing_arrives(parties: Mapping[str, Party]) -> None:
    for address in (parties["d1"].ipv4, parties["d1"].ipv6):
        assert not parties["c1"].container.pings(address, count=3)


@pytest.mark.row(3)
def test_an_address_of_the_other_subnet_added_by_hand_reaches_nobody(parties: Mapping[str, Party]) -> None:
    cheat, victim = parties["c1"].container, parties["d1"]
    # Within db the same address would work: it is on the right subnet and nobody has it.
    cheat.inside("ip", "addr", "add", "10.30.0.99/24", "dev", "eth0")
    cheat.inside("ip", "-6", "addr", "add", "fd00:30::99/64", "dev", "eth0", "nodad")
    assert not cheat.pings(victim.ipv4, count=3)
    assert not cheat.pings(victim.ipv6, count=3)

    # Not even when it knows the MAC, which neighbour discovery did not tell it.
    cheat.inside("ip", "neigh", "replace", victim.ipv4, "lladdr", victim.mac, "dev", "eth0")
    cheat.inside("ip", "neigh", "replace", victim.ipv6, "lladdr", victim.mac, "dev", "eth0")
    assert not cheat.pings(victim.ipv4, count=3)
    assert not cheat.pings(victim.ipv6, count=3)

    cheat.inside("ip", "addr", "del", "10.30.0.99/24", "dev", "eth0")
    cheat.inside("ip", "-6", "addr", "del", "fd00:30::99/64", "dev", "eth0")
    assert cheat.pings(parties["c2"].ipv4)


def frames_as(mac: str, v4: str, v6: str, victim: Party) -> dict[str, bytes]:
    """One of each kind from this sender to the victim, and to all."""
    return {
        "v4": ethernet(victim.mac, mac, IPV4, ipv4(v4, victim.ipv4, udp(b""))),
        "v6": ethernet(victim.mac, mac, IPV6, ipv6(v6, victim.ipv6, udp(b""))),
        "v4-to-all": ethernet(BROADCAST, mac, IPV4, ipv4(v4, "255.255.255.255", udp(b""))),
        "v6-to-all": ethernet(ALL_NODES, mac, IPV6, ipv6(v6, "ff02::1", udp(b""))),
        "arp": ethernet(BROADCAST, mac, ARP, arp(ARP_REPLY, (mac, v4), (victim.mac, victim.ipv4))),
        "arp-to-it": ethernet(victim.mac, mac, ARP, arp(ARP_REPLY, (mac, v4), (victim.mac, victim.ipv4))),
        "nd": ethernet(victim.mac, mac, IPV6, advertisement(v6, v6, mac, victim.ipv6)),
        "other-protocol": ethernet(victim.mac, mac, 0x88B5, b"local experiment"),
    }


@pytest.mark.row(3)
def test_raw_frames_with_the_cheats_own_addresses_do_not_cross(parties: Mapping[str, Party]) -> None:
    cheat, victim, friend = parties["c1"], parties["d1"], parties["d2"]

    assert heard(cheat, victim, friend, frames_as(cheat.mac, cheat.ipv4, cheat.ipv6, victim)) == set()


@pytest.mark.row(3)
def test_raw_frames_forged_with_the_other_networks_mac_and_address_do_not_cross(
    parties: Mapping[str, Party],
) -> None:
    cheat, victim, friend = parties["c1"], parties["d1"], parties["d2"]

    assert heard(cheat, victim, friend, frames_as(friend.mac, friend.ipv4, friend.ipv6, victim)) == set()


@pytest.mark.row(3)
def test_raw_frames_with_a_vlan_tag_do_not_cross(parties: Mapping[str, Party]) -> None:
    cheat, victim, friend = parties["c1"], parties["d1"], parties["d2"]
    honest = ethernet(victim.mac, friend.mac, IPV4, ipv4(friend.ipv4, victim.ipv4, udp(b"")))
    tags = {
        f"{kind:x}-{vlan}": tagged(honest, vlan, kind) for kind in (0x8100, 0x88A8) for vlan in (0, 1, 20)
    }

    assert heard(cheat, victim, friend, tags) == set()


@pytest.mark.row(3)
def test_inside_a_network_nobody_speaks_for_another(parties: Mapping[str, Party]) -> None:
    """The same forgeries from within: c1 pretends to be c2's other neighbours, among them c2 itself."""
    cheat, victim, outsider = parties["c1"], parties["c2"], parties["d1"]
    for pretended in (victim, outsider):
        frames = frames_as(pretended.mac, pretended.ipv4, pretended.ipv6, victim)
        assert heard(cheat, victim, cheat, frames) == set()


@pytest.mark.row(3)
def test_the_same_frames_arrive_where_they_are_the_truth(parties: Mapping[str, Party]) -> None:
    """What makes silence above a proof: the listener hears these very frames from an honest sender."""
    honest, peer = parties["d2"], parties["d1"]
    frames = frames_as(honest.mac, honest.ipv4, honest.ipv6, peer)

    arrived = heard(honest, peer, honest, frames)

    assert arrived == {f"forged-{name}" for name in frames} - {"forged-other-protocol"}
