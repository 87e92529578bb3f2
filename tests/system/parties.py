"""Containers that put raw frames on their wire, and what others hear of it.

heard(sender, victim, friend, frames)    which of the sender's frames arrive at the victim
copies(sender, listeners, frames)        how often which of them arrives at whom
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

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
    udp,
)
from tests.rig.cluster import Cluster
from tests.rig.container import Container

GROUP, GROUP6 = "239.77.77.77", "ff05::4d:4d4d"
"""Multicast groups nobody uses, and the MACs that go with them (RFC 1112 6.4, RFC 2464 7)."""
_GROUP_MAC, _GROUP6_MAC = "01:00:5e:4d:4d:4d", "33:33:00:4d:4d:4d"
RAW_SOCKET = ("python3", str(Path(__file__).with_name("rawsocket.py")))
ARP_REPLY = 2


@dataclass(frozen=True, slots=True)
class Party:
    """A container with what it says of itself on its network."""

    container: Container
    mac: str
    ipv4: str
    ipv6: str
    interface: str = "eth0"

    def sends(self, frames: Mapping[str, bytes]) -> None:
        """Frames as they are, each with its name behind what it carries."""
        words = [frame + f" forged-{name} ".encode() for name, frame in frames.items()]
        self.container.inside(*RAW_SOCKET, "send", self.interface, *(it.hex() for it in words))

    def tells(self, peer: "Party", word: str) -> None:
        """An honest datagram."""
        payload = udp(f" forged-{word} ".encode())
        frame = ethernet(peer.mac, self.mac, IPV4, ipv4(self.ipv4, peer.ipv4, payload))
        self.container.inside(*RAW_SOCKET, "send", self.interface, frame.hex())


def party(container: Container, network: str) -> Party:
    """A container that runs, on a network with both families."""
    return Party(container, container.mac(network), container.address(network), container.address6(network))


def on_two_networks(cluster: Cluster, places: Mapping[str, tuple[str, int]]) -> Mapping[str, Party]:
    """Containers by name, on `web` or `db` and on the host of that number; the networks are made on all hosts."""
    cluster.settle()
    for name, v4, v6 in (("web", "10.20.0.0/24", "fd00:20::/64"), ("db", "10.30.0.0/24", "fd00:30::/64")):
        cluster.network(name, v4, "--ipv6", "--subnet", v6)
    return {
        name: party(cluster.hosts[host].start_container(name, network=network), network)
        for name, (network, host) in places.items()
    }


def heard(sender: Party, victim: Party, friend: Party, frames: Mapping[str, bytes]) -> set[str]:
    """Which of these frames of the sender arrive at the victim; a friend's word at the end says that it listens."""
    return heard_until(lambda: friend.tells(victim, "end"), sender, victim, frames)


def heard_until(last_word: Callable[[], object], sender: Party, victim: Party, frames: Mapping[str, bytes]) -> set[str]:
    """As `heard`; `last_word` makes "forged-end" arrive at the victim."""
    with victim.container.spawn_inside(*_listen(victim), label="hear") as ear:
        ear.wait_for_output("listening")
        # Twice: the first packet of a kind takes another way through a switch than the next one.
        sender.sends(frames)
        sender.sends(frames)
        last_word()
        ear.wait_for_output("forged-end")
        return set(ear.stdout.split()) - {"listening", "forged-end"}


def copies(sender: Party, listeners: Sequence[Party], frames: Mapping[str, bytes]) -> Mapping[str, Counter[str]]:
    """How often each of these frames, sent once, arrives at which listener, by its container's name.

    At the end everybody tells everybody an honest word: what still goes round comes before that.
    """
    with ExitStack() as stack:
        ears = {it: stack.enter_context(it.container.spawn_inside(*_listen(it), label="hear")) for it in listeners}
        for ear in ears.values():
            ear.wait_for_output("listening")
        sender.sends(frames)
        speakers = (sender, *listeners)
        for number, speaker in enumerate(speakers):
            for listener in listeners:
                if listener is not speaker:
                    speaker.tells(listener, f"end-{number}")
        for listener, ear in ears.items():
            for number, speaker in enumerate(speakers):
                if listener is not speaker:
                    ear.wait_for_output(f"forged-end-{number}")
        return {it.container.name: Counter(_words(ear.stdout)) for it, ear in ears.items()}


def _listen(party: Party) -> Sequence[str]:
    return (*RAW_SOCKET, "hear", party.interface, "forged-")


def _words(said: str) -> Sequence[str]:
    names = (it.removeprefix("forged-") for it in said.split() if it != "listening")
    return [it for it in names if not it.startswith("end-")]


def to_all(one: Party) -> Mapping[str, bytes]:
    """A broadcast and multicasts of both families, as an honest sender makes them."""
    return {
        "broadcast": ethernet(BROADCAST, one.mac, IPV4, ipv4(one.ipv4, "255.255.255.255", udp(b""))),
        "multicast": ethernet(_GROUP_MAC, one.mac, IPV4, ipv4(one.ipv4, GROUP, udp(b""))),
        "nodes-six": ethernet(ALL_NODES, one.mac, IPV6, ipv6(one.ipv6, "ff02::1", udp(b""))),
        "multicast-six": ethernet(_GROUP6_MAC, one.mac, IPV6, ipv6(one.ipv6, GROUP6, udp(b""))),
    }


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
