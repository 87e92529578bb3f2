"""A host as one finds it: two NICs on a LAN with a DHCP server and router, bridges of the administrator's, guests.

eth2, eth3 ── lan (192.0.2.1 with dnsmasq, 10.1.1.254) ── br0, and by a port in VLAN 10 ovsbr0
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.rig.host import PROJECT
from tests.rig.namespace_host import NamespaceHost
from tests.rig.spawned import Spawned
from tests.system import networks
from tests.system.dhcp_lan import server_of

SET_UP = f"""
set -e
ip netns add server
ip -n server link add lan type bridge
ip -n server address add 192.0.2.1/24 dev lan && ip -n server address add 2001:db8:77::1/64 dev lan nodad
ip -n server address add 10.1.1.254/24 dev lan && ip -n server link set lan up
cable() {{
    ip link add $1 address 02:00:00:00:00:$2 type veth peer name of-$1 netns server
    # A wire has whole packets on it, with their checksums.
    ethtool -K $1 tx off >/dev/null && ip netns exec server ethtool -K of-$1 tx off >/dev/null
    ip -n server link set of-$1 master lan up && ip link set $1 up
}}
cable eth2 e2
cable eth3 e3
cable to-br0 b0
cable to-ovsbr0 b1
ovs-vsctl add-br br0 -- set bridge br0 datapath_type=netdev -- add-port br0 to-br0
ovs-vsctl add-br ovsbr0 -- set bridge ovsbr0 datapath_type=netdev -- add-port ovsbr0 to-ovsbr0 tag=10
mkdir -p /tmp/lan
docker tag busybox:local busybox
ln -s {PROJECT}/.venv/bin/ovsnet /usr/local/sbin/ovsnet
ln -s {PROJECT}/.venv/bin/ovsnet-ovs-docker /usr/local/sbin/ovs-docker
ln -s {PROJECT}/.venv/bin/ovsnet-pipework /usr/local/sbin/pipework
"""


@dataclass(frozen=True, slots=True)
class Lab:
    """The host, and what serves its LAN."""

    host: NamespaceHost
    server: Spawned

    def detach_all(self) -> None:
        """Nothing is attached to anybody any more."""
        for it in networks.ask(self.host, "attachments"):
            words = f'{{"target": "{it["target"]}", "ifname": "{it["ifname"]}", "if_exists": true}}'
            self.host.run(*networks.API, "-d", words, "http://ovsnet/v1/attachments/detach")


@contextmanager
def lab(host: NamespaceHost) -> Iterator[Lab]:
    """All of it; once for each host."""
    host.shell(SET_UP)
    with server_of(host, renewed_after=60) as server:
        yield Lab(host, server)
