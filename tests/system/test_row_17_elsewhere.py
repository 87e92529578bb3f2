"""Rows 17 and 103: interfaces attached on a network of a cluster, and on the kernel datapath, of both kinds."""

import pytest
from tests.rig.cluster import Cluster
from tests.rig.kernel_host import KernelHost
from tests.rig.process import wait_until
from tests.system import networks
from tests.system.attached import addresses, detach_all, in_force
from tests.system.traces import clean

NAMES = "169.254.83.83"
"""Where containers of a cluster ask for names."""


@pytest.mark.row(17, 49, 79)
def test_on_a_network_of_the_cluster_it_is_reached_from_other_hosts(cluster: Cluster) -> None:
    first, second, _ = cluster.hosts
    cluster.network("web", "10.20.0.0/16")
    there = second.start_container("there", network="web")
    here = first.start_container("here", "--dns", NAMES, network="none")

    first.ovsnet("attach", "here", "--network", "web", "--ifname", "web0")

    (address,) = addresses(here, "web0")
    wait_until(lambda: there.pings(address.partition("/")[0]), 5, "the other host's container to reach it")
    assert here.pings(there.address("web"))
    assert there.address("web") in here.exec("nslookup", "there", NAMES).stdout
    in_force(first)
    said = second.ovsnet("attach", "there", "--network", "web", "--ip", address.partition("/")[0], check=False)
    assert "held" in said.stderr, said.stderr
    first.ovsnet("detach", "here")
    wait_until(lambda: not there.pings(address.partition("/")[0]), 5, "it to be gone")
    detach_all(first, "here")


@pytest.mark.kernel
@pytest.mark.row(17, 28, 103)
def test_both_kinds_of_port_on_the_kernel_datapath(kernel_host: KernelHost) -> None:
    host = kernel_host
    c1, _ = networks.start(host, "c1", "c2", network="none")
    host.ovsnet("attach", "c1", "--bridge", "lan", "--ip", "192.168.1.1/24", "--port", "internal", "--ifname", "lan1")
    host.ovsnet("attach", "c2", "--bridge", "lan", "--ip", "192.168.1.2/24")
    assert c1.pings("192.168.1.2", wait=10)
    assert host.ovs_vsctl("get", "interface", "lan1", "type").stdout.strip() == "internal"
    c1.restart()
    wait_until(lambda: addresses(c1, "lan1") == {"192.168.1.1/24"}, 30, "the internal port to be back")
    assert c1.pings("192.168.1.2", wait=10)
    clean(host)
    detach_all(host, "c1", "c2")
    assert "lan1" not in host.ovs_vsctl("list-ports", "lan").stdout.split()
    host.ovs_vsctl("del-br", "lan")
