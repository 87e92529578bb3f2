"""Rows 49 and 58 with Open vSwitch's own tunnels, which on this datapath leave by a bridge that holds the NIC.

ovs-vswitchd forgets its copy of the routes at each change of the host's and reads them again, and a packet it has to
look up meanwhile goes nowhere (decision 28). A container that starts changes some: a ping may be lost and is repeated.
"""

from collections.abc import Iterator

import pytest
from tests.rig.cluster import Cluster
from tests.rig.rig import Rig
from tests.rig.traffic import Flood
from tests.rows import Figures
from tests.system.parties import Party, copies, to_all
from tests.system.reach import answered_again
from tests.system.transfer import exchange
from tests.system.two_hosts import pair_of, two_hosts
from tests.system.underlay import Underlay
from tests.system.ways import told_of_a_cut

VNI = 5000000


@pytest.fixture(scope="module")
def native(rig: Rig) -> Iterator[Cluster]:
    with two_hosts(rig, VNI, "--set", "tunnel=ovs") as cluster:
        yield cluster


@pytest.fixture(scope="module")
def pair(native: Cluster) -> tuple[Party, Party]:
    return pair_of(native)


@pytest.mark.row(49)
def test_open_vswitchs_own_tunnel_carries_pings_and_tcp(
    pair: tuple[Party, Party], native: Cluster, rig: Rig, figures: Figures
) -> None:
    c1, c2 = pair
    with Underlay(rig) as underlay:
        answered_again(c1.container, (c2.ipv4, c2.ipv6), "its start", 10)
        answered_again(c2.container, (c1.ipv4, c1.ipv6), "its start", 10)
        small = exchange(c1.container, c2.container, c2.ipv4, 1)
    with Flood(c1.container, c2.container, c2.ipv4) as flood:
        large = exchange(c1.container, c2.container, c2.ipv6, 50)

    crossed = underlay.tunnelled()
    figures["TCP through Open vSwitch's own tunnels, both ways together, Mbit/s"] = round(large.megabits)
    figures["packets lost meanwhile"] = f"{flood.result.lost} of {flood.result.sent}"
    assert {it.vni for it in crossed} == {VNI}
    assert {it.source for it in crossed} == {it.target for it in crossed} == set(map(native.address, native.hosts))
    assert [it for it in crossed if not it.checksum_is_right] == []
    assert small.checksum_errors == large.checksum_errors == 0
    assert "type: vxlan" in native.hosts[0].ovs_vsctl("show").stdout


@pytest.mark.row(58)
def test_a_broadcast_arrives_once_through_open_vswitchs_own_tunnel(pair: tuple[Party, Party]) -> None:
    c1, c2 = pair
    assert copies(c1, [c2], to_all(c1)) == {c2.container.name: dict.fromkeys(to_all(c1), 1)}


@pytest.mark.row(60)
def test_a_tunnel_that_is_cut_is_told(pair: tuple[Party, Party], native: Cluster, rig: Rig, figures: Figures) -> None:
    c1, c2 = pair
    down, up = told_of_a_cut(rig, *native.hosts)
    figures["seconds until a cut path is shown, and one that is back"] = [down, up]
    answered_again(c1.container, (c2.ipv4, c2.ipv6), "the cut", 10)
