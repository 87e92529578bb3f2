"""Row 49: one network on several hosts, over VXLAN with the network's own VNI."""

import pytest
from tests.rig.cluster import Cluster
from tests.system.reach import answers


@pytest.mark.row(49, 76)
def test_containers_of_three_hosts_reach_each_other_by_both_families(cluster: Cluster) -> None:
    cluster.network("web", "10.20.0.0/16", "--ipv6", "--subnet", "fd00:20::/64")
    containers = [host.start_container(f"c-{host.name}", network="web") for host in cluster.hosts]

    for one in containers:
        others = [it for it in containers if it is not one]
        answers(one, *(it.address("web") for it in others), *(it.address6("web") for it in others))
