"""Row 3: networks are isolated from each other, also from one who cheats.

web:  c1 (the cheat), c2          db:  d1 (the victim), d2
"""

from collections.abc import Iterator, Mapping

import pytest
from tests.functional.pipeline_frames import (
    IPV4,
    ethernet,
    ipv4,
    tagged,
    udp,
)
from tests.rig.namespace_host import NamespaceHost
from tests.rig.traffic import Flood
from tests.rows import Figures
from tests.system import networks
from tests.system.parties import Party, frames_as, heard, party
from tests.system.traces import clean


@pytest.fixture(scope="module")
def parties(module_host: NamespaceHost) -> Iterator[Mapping[str, Party]]:
    """Containers c1 and c2 on web, d1 and d2 on db, both networks with IPv4 and IPv6."""
    for name, v4, v6 in (("web", "10.20.0.0/24", "fd00:20::/64"), ("db", "10.30.0.0/24", "fd00:30::/64")):
        networks.create(module_host, name, v4, "--ipv6", "--subnet", v6)
    members = {"web": ("c1", "c2"), "db": ("d1", "d2")}
    yield {
        it.name: party(it, network)
        for network, names in members.items()
        for it in networks.start(module_host, *names, network=network)
    }
    clean(module_host)


@pytest.mark.row(3)
def test_inside_a_network_nothing_is_lost_and_across_networks_nothing_arrives(
    parties: Mapping[str, Party], figures: Figures
) -> None:
    c1, c2, stranger = parties["c1"], parties["c2"], parties["d1"]
    with Flood(c1.container, c2.container, c2.ipv4) as v4, Flood(c1.container, c2.container, c2.ipv6) as v6:
        assert not c1.container.pings(stranger.ipv4, count=5)
        assert not c1.container.pings(stranger.ipv6, count=5)

    figures["packets lost inside a network"] = f"{v4.result.lost + v6.result.lost} of {v4.result.sent + v6.result.sent}"
    assert (v4.result.lost, v6.result.lost) == (0, 0)


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
    tags = {f"{kind:x}-{vlan}": tagged(honest, vlan, kind) for kind in (0x8100, 0x88A8) for vlan in (0, 1, 20)}

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
