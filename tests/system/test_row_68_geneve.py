"""Row 68: a cluster whose tunnels are Geneve. On this datapath the tunnel end is on a bridge that holds the NIC."""

from collections.abc import Iterator

import pytest
from tests.rig.cluster import Cluster, Wiring
from tests.rig.rig import Rig
from tests.rows import Figures
from tests.system.networks import ask
from tests.system.parties import Party, copies, to_all
from tests.system.reach import answered_again
from tests.system.transfer import exchange, refuses_more_than
from tests.system.two_hosts import pair_of, two_hosts
from tests.system.underlay import VXLAN, Underlay
from tests.system.ways import told_of_a_cut

VNI, PORT = 6000000, 6081
ETHERNET = b"\0\0\x65\x58"
"""Version 0, no options, an Ethernet frame (RFC 8926 3.4)."""


@pytest.fixture(scope="module")
def geneve(rig: Rig) -> Iterator[Cluster]:
    with two_hosts(rig, VNI, wiring=Wiring(encapsulation="geneve", udp_port=0)) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def pair(geneve: Cluster) -> tuple[Party, Party]:
    return pair_of(geneve)


@pytest.mark.row(68)
def test_what_crosses_is_geneve_with_the_networks_number_and_nothing_is_vxlan(
    pair: tuple[Party, Party], geneve: Cluster, rig: Rig, figures: Figures
) -> None:
    c1, c2 = pair
    with Underlay(rig) as underlay:
        answered_again(c1.container, (c2.ipv4, c2.ipv6), "its start", 10)
        answered_again(c2.container, (c1.ipv4, c1.ipv6), "its start", 10)
        small = exchange(c1.container, c2.container, c2.ipv4, 1)
    large = exchange(c1.container, c2.container, c2.ipv6, 20)

    crossed, vteps = underlay.tunnelled(PORT), set(map(geneve.address, geneve.hosts))
    figures["TCP through Geneve on the userspace datapath, both ways together, Mbit/s"] = round(large.megabits)
    assert {(it.vni, it.header[:4]) for it in crossed} == {(VNI, ETHERNET)}
    assert {it.source for it in crossed} == {it.target for it in crossed} == vteps
    assert [it for it in crossed if not it.checksum_is_right] == []
    assert small.checksum_errors == large.checksum_errors == 0
    assert [it for it in underlay.tunnelled(VXLAN) if {it.source, it.target} & vteps] == []


@pytest.mark.row(68)
def test_a_broadcast_arrives_once_and_the_mtu_is_what_fits(pair: tuple[Party, Party]) -> None:
    c1, c2 = pair
    assert copies(c1, [c2], to_all(c1)) == {c2.container.name: dict.fromkeys(to_all(c1), 1)}
    refuses_more_than(1450, c1.container, c2.ipv4, c2.ipv6)


@pytest.mark.row(68)
def test_hosts_say_what_their_tunnels_are_and_keep_their_ends_from_containers(geneve: Cluster) -> None:
    for host in geneve.hosts:
        status = ask(host, "status")
        assert (status["cluster"]["encapsulation"], status["cluster"]["udp_port"]) == ("geneve", PORT)
        assert (status["problems"], status["warnings"]) == ([], [])
        assert f"tunnels   Geneve, UDP port {PORT}" in host.ovsnet("cluster", "status").stdout
        assert f"udp dport {PORT} ip daddr @ends4" in host.run("nft", "list", "table", "inet", "ovsnet-tunnels").stdout


@pytest.mark.long
@pytest.mark.row(68)
def test_a_tunnel_that_is_cut_is_told(pair: tuple[Party, Party], geneve: Cluster, rig: Rig, figures: Figures) -> None:
    c1, c2 = pair
    down, up = told_of_a_cut(rig, *geneve.hosts, port=PORT)
    figures["seconds until a cut path is shown, and one that is back"] = [down, up]
    answered_again(c1.container, (c2.ipv4, c2.ipv6), "the cut", 10)
