"""Row 57: no host is the gateway of a network; the one that made it may go for good."""

import pytest
from tests.rig.cluster import Cluster
from tests.rig.container import Container
from tests.rig.process import wait_until
from tests.rig.traffic import Flood
from tests.rows import Figures
from tests.system.networks import default_routes

GATEWAY = "10.20.0.1"
GATEWAY_MAC = "02:4f:56:53:47:57"
OUTSIDE = "172.31.0.254"


def gateway_mac(container: Container) -> str:
    """Who the gateway is for this container, once it has answered a ping."""
    assert container.pings(GATEWAY, wait=2)
    (entry,) = container.inside("ip", "-j", "neigh", "show", GATEWAY).json()
    return str(entry["lladdr"])


@pytest.mark.row(57)
@pytest.mark.fault("one-gateway-host")
def test_the_host_that_made_a_network_goes_and_the_others_miss_nothing(own_cluster: Cluster, figures: Figures) -> None:
    *staying, maker = own_cluster.hosts
    own_cluster.network("web", "10.20.0.0/24", on=maker)
    c1, c2, c3 = (host.start_container(f"c-{host.name}", network="web") for host in own_cluster.hosts)
    for one in (c1, c2, c3):
        assert gateway_mac(one) == GATEWAY_MAC
        assert one.pings(OUTSIDE, wait=2)
    address = c3.address("web")

    with Flood(c1, c2, c2.address("web"), rate=200) as between:
        own_cluster.rig.discard(own_cluster.hosts.pop())
        wait_until(lambda: own_cluster.status(staying[0])["dead"] == [maker.name], 30, f"{maker.name} is known dead")

    figures["packets lost between the others while the host that made the network went"] = between.result.lost
    assert between.result.lost == 0
    assert not c1.pings(address)
    late = staying[1].start_container("late", network="web")
    for one in (c1, c2, late):
        assert gateway_mac(one) == GATEWAY_MAC
        assert one.pings(OUTSIDE, wait=2)
        assert default_routes(one)
    assert c1.pings(late.address("web"), count=5)
