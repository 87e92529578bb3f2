"""Rows 50, 54, 61 and 62: tunnels over the address, the family, the MTU and the UDP port that were chosen.

wide   two hosts, reached by IPv4 on the management segment, tunnels from the interface eth1 (MTU 9000), UDP port 4790
six    two hosts, reached by IPv6 alone, tunnels from there (MTU 1500), UDP port 4789
"""

from collections.abc import Iterator

import pytest
from tests.rig.cluster import Cluster, Wiring
from tests.rig.container import Container
from tests.rig.rig import Rig, Shape
from tests.rows import Figures
from tests.system import networks
from tests.system.parties import copies, party, to_all
from tests.system.reach import answers
from tests.system.transfer import exchange, refuses_more_than
from tests.system.underlay import Underlay

WIDE = Wiring(address="172.31.0.", vtep="eth1", udp_port=4790)
SIX = Wiring(address="fd99::")
BOTH = ("--ipv6", "--subnet", "fd00:20::/64")


@pytest.fixture(scope="module")
def wide(rig: Rig) -> Iterator[Cluster]:
    cluster = Cluster.of(rig, 2, shape=Shape(mtu=9000), wiring=WIDE)
    cluster.network("web", "10.20.0.0/24", *BOTH, "-o", "vni=7000000")
    yield cluster
    cluster.down()


@pytest.fixture(scope="module")
def six(rig: Rig) -> Iterator[Cluster]:
    cluster = Cluster.of(rig, 2, wiring=SIX)
    cluster.network("web", "10.20.0.0/24", *BOTH)
    yield cluster
    cluster.down()


def pair(cluster: Cluster) -> tuple[Container, Container]:
    """A container on each host; those of the test before are gone."""
    for host in cluster.hosts:
        host.remove_containers()
    one, other = (host.start_container(f"c-{host.name}", network="web") for host in cluster.hosts)
    return one, other


@pytest.mark.row(54, 62, 50)
def test_only_the_chosen_interface_and_port_carry_the_tunnels(wide: Cluster, rig: Rig) -> None:
    c1, c2 = pair(wide)
    with Underlay(rig) as underlay:
        answers(c1, c2.address("web"), c2.address6("web"))
        answers(c2, c1.address("web"), c1.address6("web"))

    crossed = underlay.tunnelled(WIDE.udp_port)
    vteps = {f"10.99.0.{it.name.removeprefix('h')}" for it in wide.hosts}
    assert {it.packet.segment for it in crossed} == {"tunnels"}
    assert {it.source for it in crossed} == {it.target for it in crossed} == vteps
    assert {it.vni for it in crossed} == {7000000}
    assert {it.source for it in underlay.tunnelled(4789)} & vteps == set()
    # The cluster's own talk is where it was advertised, and nowhere else.
    assert {it["address"] for it in wide.ask(wide.hosts[0], "cluster/members")} == set(map(wide.address, wide.hosts))


@pytest.mark.row(54)
def test_a_cluster_over_ipv6_carries_what_one_over_ipv4_does(six: Cluster, rig: Rig, figures: Figures) -> None:
    c1, c2 = pair(six)
    with Underlay(rig) as underlay:
        answers(c1, c2.address("web"), c2.address6("web"))
        answers(c2, c1.address("web"), c1.address6("web"))
        went = exchange(c1, c2, c2.address("web"), 2)

    crossed = underlay.tunnelled()
    assert {it.source for it in crossed} == {it.target for it in crossed} == set(map(six.address, six.hosts))
    assert [it for it in crossed if not it.checksum_is_right] == []
    assert went.checksum_errors == 0
    figures["TCP over IPv6 between hosts, Mbit/s"] = round(exchange(c1, c2, c2.address6("web"), 50).megabits)
    one, other = party(c1, "web"), party(c2, "web")
    assert copies(one, [other], to_all(one)) == {other.container.name: dict.fromkeys(to_all(one), 1)}


@pytest.mark.row(61)
@pytest.mark.parametrize(("which", "mtu"), [("wide", 8950), ("six", 1430)])
def test_the_mtu_is_what_fits_and_not_a_byte_less(
    request: pytest.FixtureRequest, which: str, mtu: int, figures: Figures
) -> None:
    cluster: Cluster = request.getfixturevalue(which)
    c1, c2 = pair(cluster)

    refuses_more_than(mtu, c1, c2.address("web"), c2.address6("web"))
    refused = networks.create(cluster.hosts[0], "big", "10.99.77.0/24", "-o", f"mtu={mtu + 1}", check=False)
    assert f"use at most {mtu}, or leave mtu out" in refused.stderr
    figures[f"MTU of containers over {which}"] = mtu


@pytest.mark.row(62)
def test_two_clusters_on_the_same_wires_do_not_hear_each_other(
    wide: Cluster, six: Cluster, cluster: Cluster, rig: Rig
) -> None:
    """The same subnet and the same number: what tells them apart is the UDP port, or who is in the cluster."""
    cluster.network("web", "10.20.0.0/24", *BOTH, "-o", "vni=7000000")
    ours = [party(it.start_container(f"o-{it.name}", network="web"), "web") for it in cluster.hosts]
    theirs = [party(it, "web") for it in pair(wide)]

    with Underlay(rig) as underlay:
        answers(ours[0].container, *(it.ipv4 for it in ours[1:]))
        answers(theirs[0].container, theirs[1].ipv4)

    for port, them in ((4789, cluster), (WIDE.udp_port, wide)):
        vteps = {f"10.99.0.{it.name.removeprefix('h')}" for it in them.hosts}
        crossed = underlay.tunnelled(port)
        assert {it.source for it in crossed} | {it.target for it in crossed} == vteps
