"""Row 68: a NIC that its owner has as a port of type afxdp on a bridge of the userspace datapath, as an uplink.

a namespace: far0, 192.0.2.1 ──── x0, type=afxdp-nonpmd ── br-x (the administrator's) ══ br-ovsnet ── container
"""

from collections.abc import Iterator

import pytest
from tests.rig.namespace_host import NamespaceHost
from tests.rig.process import wait_until
from tests.system import networks
from tests.system.traces import clean

FAR = "192.0.2.1"
SET_UP = f"""
set -e
ip netns add far
ip link add x0 type veth peer name far0 netns far
# A wire has whole packets on it, with their checksums.
ethtool -K x0 tx off >/dev/null
ip netns exec far ethtool -K far0 tx off gro off >/dev/null
ip -n far address add {FAR}/24 dev far0
ip -n far link set far0 up
ip link set x0 up
ovs-vsctl add-br br-x -- set bridge br-x datapath_type=netdev \
    -- add-port br-x x0 -- set interface x0 type=afxdp-nonpmd
"""
TAKEN_AWAY = "ovs-vsctl del-br br-x; ip netns del far"


@pytest.fixture
def host_with_afxdp(host: NamespaceHost) -> Iterator[NamespaceHost]:
    host.shell(SET_UP)
    yield host
    host.ovsnet("uplink", "rm", "x0")
    host.shell(TAKEN_AWAY)


@pytest.mark.row(68)
def test_containers_are_on_the_lan_behind_an_af_xdp_port_of_the_administrators_bridge(
    host_with_afxdp: NamespaceHost,
) -> None:
    host = host_with_afxdp
    wait_until(lambda: _column(host, "ofport").isdecimal(), 10, "Open vSwitch has taken up the port")
    assert "nothing was changed" in host.ovsnet("uplink", "add", "x0").stdout
    own = ("--gateway", FAR, "--ip-range", "192.0.2.128/26", "-o", "mode=uplink", "-o", "uplink=x0")
    networks.create(host, "lan", "192.0.2.0/24", *own)
    with host.container("c1", network="lan") as c1:
        assert c1.pings(FAR)
        host.run("ip", "netns", "exec", "far", "ping", "-n", "-c", "1", "-W", "2", c1.address("lan"))
        assert _column(host, "type") == "afxdp-nonpmd"
        clean(host)
    host.docker("network", "rm", "lan")


def _column(host: NamespaceHost, name: str) -> str:
    return host.ovs_vsctl("get", "Interface", "x0", name).stdout.strip()
