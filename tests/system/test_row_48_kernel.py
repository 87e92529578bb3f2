"""Rows 47 and 48 on the kernel datapath: a NIC moves into a bridge and back, and a container is on its LAN."""

import pytest
from tests.rig.kernel_host import KernelHost
from tests.rig.process import wait_until
from tests.rig.rig import Rig
from tests.rows import Figures
from tests.system import networks
from tests.system.test_row_48_uplink import GATEWAY, AnyLan, uplinks
from tests.system.traces import clean

SLOW = 120.0
"""Seconds for what takes one or two: see test_kernel_datapath.py."""
STATIC = ("--gateway", GATEWAY, "--ip-range", "172.31.0.192/26", "-o", "mode=uplink", "-o", "uplink=eth0")


@pytest.mark.kernel
@pytest.mark.long
@pytest.mark.row(47, 48)
def test_a_nic_moves_and_a_container_is_on_its_lan(kernel_host: KernelHost, rig: Rig, figures: Figures) -> None:
    host, lan = kernel_host, AnyLan(kernel_host, f"{rig.name}-net")
    before = lan.shown()
    with lan.pinged(0.02) as there:
        host.ovsnet("uplink", "add", "eth0", timeout=SLOW)
    wait_until(lan.reached, SLOW, "the host is reached")
    assert host.ovs_vsctl("get", "bridge", "br-eth0", "datapath_type").stdout.strip() == "system"
    assert "inet " not in host.run("ip", "addr", "show", "dev", "eth0").stdout
    networks.create(host, "lan", "172.31.0.0/24", *STATIC)
    c1 = host.start_container("c1", network="lan")
    own = c1.address("lan")
    assert c1.pings(GATEWAY, wait=10)
    assert c1.pings(lan.address(), wait=10), "the host"
    assert host.run("ping", "-n", "-q", "-c", "1", "-W", "10", own, check=False).ok
    with lan.pinged(0.02, own) as killed:
        host.agent.kill()
        host.agent.wait_ready()
    host.vswitchd_restart()
    wait_until(lambda: lan.reached() and c1.pings(GATEWAY, wait=5), SLOW, "both are reached again")
    clean(host)
    c1.remove()
    host.docker("network", "rm", "lan")
    with lan.pinged(0.02) as back:
        host.ovsnet("uplink", "rm", "eth0", timeout=SLOW)
    wait_until(lan.reached, SLOW, "the host is reached")
    assert lan.shown() == before
    assert uplinks(host) == []
    figures["kernel datapath: pings of 50 a second lost by uplink add, rm"] = f"{there['lost']}, {back['lost']}"
    assert killed["lost"] == 0, killed
