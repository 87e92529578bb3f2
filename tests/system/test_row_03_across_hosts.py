"""Row 3: networks are isolated from each other across hosts, too, also from one who cheats.

        h1                    h2               h3
web     c1 (the cheat)        c2               c3
db      d1 (the friend)       d2 (the victim)
"""

from collections.abc import Iterator, Mapping

import pytest
from tests.functional.pipeline_frames import IPV4, ethernet, ipv4, tagged, udp
from tests.rig.cluster import Cluster
from tests.rig.rig import Rig
from tests.rig.traffic import Flood
from tests.system.parties import Party, frames_as, heard, on_two_networks
from tests.system.underlay import Underlay

PLACES = {"c1": ("web", 0), "c2": ("web", 1), "c3": ("web", 2), "d1": ("db", 0), "d2": ("db", 1)}

Parties = Mapping[str, Party]


@pytest.fixture(scope="module")
def parties(session_cluster: Cluster) -> Iterator[Parties]:
    yield on_two_networks(session_cluster, PLACES)
    session_cluster.tidy_up()


@pytest.mark.row(3)
def test_inside_a_network_nothing_is_lost_and_across_networks_nothing_arrives_or_leaves_the_host(
    parties: Parties, rig: Rig
) -> None:
    c1, c2, stranger = parties["c1"], parties["c2"], parties["d2"]
    with (
        Underlay(rig) as underlay,
        Flood(c1.container, c2.container, c2.ipv4, rate=200) as v4,
        Flood(c1.container, c2.container, c2.ipv6, rate=200) as v6,
    ):
        assert not c1.container.pings(stranger.ipv4, count=3)
        assert not c1.container.pings(stranger.ipv6, count=3)

    assert (v4.result.lost, v6.result.lost) == (0, 0)
    mac = bytes.fromhex(c1.mac.replace(":", ""))
    assert len({it.vni for it in underlay.tunnelled() if it.frame[6:12] == mac}) == 1


@pytest.mark.row(3)
def test_an_address_of_the_other_network_added_by_hand_reaches_nobody_on_another_host(parties: Parties) -> None:
    cheat, victim = parties["c1"].container, parties["d2"]
    cheat.inside("ip", "addr", "add", "10.30.0.99/24", "dev", "eth0")
    cheat.inside("ip", "-6", "addr", "add", "fd00:30::99/64", "dev", "eth0", "nodad")
    cheat.inside("ip", "neigh", "replace", victim.ipv4, "lladdr", victim.mac, "dev", "eth0")
    cheat.inside("ip", "neigh", "replace", victim.ipv6, "lladdr", victim.mac, "dev", "eth0")

    assert not cheat.pings(victim.ipv4, count=3)
    assert not cheat.pings(victim.ipv6, count=3)

    cheat.inside("ip", "addr", "del", "10.30.0.99/24", "dev", "eth0")
    cheat.inside("ip", "-6", "addr", "del", "fd00:30::99/64", "dev", "eth0")
    assert cheat.pings(parties["c2"].ipv4)


@pytest.mark.row(3)
def test_raw_frames_do_not_cross_to_the_other_network_on_another_host(parties: Parties) -> None:
    cheat, victim, friend = parties["c1"], parties["d2"], parties["d1"]
    honest = ethernet(victim.mac, friend.mac, IPV4, ipv4(friend.ipv4, victim.ipv4, udp(b"")))
    tags = {f"{kind:x}-{vlan}": tagged(honest, vlan, kind) for kind in (0x8100, 0x88A8) for vlan in (0, 1, 20)}
    own = {f"own-{name}": it for name, it in frames_as(cheat.mac, cheat.ipv4, cheat.ipv6, victim).items()}
    forged = {f"forged-{name}": it for name, it in frames_as(friend.mac, friend.ipv4, friend.ipv6, victim).items()}

    assert heard(cheat, victim, friend, own | forged | tags) == set()


@pytest.mark.row(3)
def test_inside_a_network_nobody_speaks_for_another_on_another_host(parties: Parties) -> None:
    """c1 pretends to be c3 and c2 itself, and one of the other network that lives next door."""
    cheat, victim = parties["c1"], parties["c2"]
    frames = {
        f"{it.container.name}-{name}": frame
        for it in (parties["c3"], victim, parties["d1"])
        for name, frame in frames_as(it.mac, it.ipv4, it.ipv6, victim).items()
    }

    assert heard(cheat, victim, cheat, frames) == set()


@pytest.mark.row(3)
def test_the_same_frames_cross_where_they_are_the_truth(parties: Parties) -> None:
    """What makes silence above a proof."""
    honest, peer = parties["d1"], parties["d2"]
    frames = frames_as(honest.mac, honest.ipv4, honest.ipv6, peer)

    arrived = heard(honest, peer, honest, frames)

    assert arrived == {f"forged-{name}" for name in frames} - {"forged-other-protocol"}
