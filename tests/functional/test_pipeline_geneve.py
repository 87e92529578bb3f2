"""Real packets between three switches over Geneve, and an ear on the wire. The flows are those of VXLAN."""

from collections.abc import Iterator

import pytest
from tests.functional.overlay_hosts import Fabric, Tunnelled, fabric
from tests.functional.pipeline_frames import BROADCAST, IPV4, ethernet, ipv4, udp
from tests.unit.pipeline.scenarios import SHARED_WEB, A, B, C, vtep

from ovsnet.model.cluster import Encapsulation
from ovsnet.model.overlay import TunnelKind

pytestmark = [pytest.mark.functional, pytest.mark.row(68)]


@pytest.fixture(scope="module", params=[4, 6], ids=lambda it: f"IPv{it}")
def hosts(request: pytest.FixtureRequest) -> Iterator[Fabric]:
    """WEB with endpoint 1 on host a, 2 on b, 3 on c."""
    with fabric((A, B, C), TunnelKind.OVS, request.param) as it:
        it.encapsulation = Encapsulation.GENEVE
        it.carry({A: (1,), B: (2,), C: (3,)})
        it.meet()
        yield it


def test_endpoints_on_different_hosts_reach_each_other_also_with_packets_larger_than_the_mtu(hosts: Fabric) -> None:
    for one, other in ((1, 2), (2, 3), (3, 1)):
        assert hosts[one].pings(hosts[other].ipv4, "-s", "4000")
        assert hosts[one].pings(hosts[other].ipv6, "-s", "4000")


def test_tcp_carries_data_both_ways(hosts: Fabric) -> None:
    for address in (hosts[2].ipv4, hosts[2].ipv6):
        assert hosts.hosts[A].echoes(hosts[1], hosts[2], address) == 300_000


def test_a_frame_crosses_once_in_geneve_without_options_and_with_the_vni_of_its_network(hosts: Fabric) -> None:
    frame = ethernet(hosts[2].mac, hosts[1].mac, IPV4, ipv4(hosts[1].ipv4, hosts[2].ipv4, udp(b"hello")))
    assert hosts.copies(hosts[1], frame) == {2: 1}
    crossed = [it for it in hosts.wire.crossed() if it.frame == frame]
    ends = str(vtep(A, hosts.family)), str(vtep(B, hosts.family))
    assert crossed == [Tunnelled(*ends, SHARED_WEB.vni, frame, Encapsulation.GENEVE)]


def test_a_broadcast_arrives_once_everywhere_and_nothing_on_the_wire_is_vxlan(hosts: Fabric) -> None:
    frame = ethernet(BROADCAST, hosts[1].mac, IPV4, ipv4(hosts[1].ipv4, "255.255.255.255", udp(b"to all")))
    assert hosts.copies(hosts[1], frame) == {2: 1, 3: 1}
    crossed = hosts.wire.crossed()
    assert sorted(it.target for it in crossed if it.frame == frame) == [str(vtep(it, hosts.family)) for it in (B, C)]
    assert {it.encapsulation for it in crossed} == {Encapsulation.GENEVE}
