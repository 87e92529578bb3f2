"""A LAN beside a host: a bridge of the administrator's, a DHCP server and router behind it, a container on it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.functional.dhcp_server import CONFIGURATION, RENEWED_AFTER
from tests.rig.container import Container
from tests.rig.namespace_host import NamespaceHost
from tests.rig.process import wait_until
from tests.rig.spawned import Spawned
from tests.system.attached import addresses

BACK = 15.0
MAC = "02:66:ee:60:6d:50"
"""That of auto:web1."""
RESERVED = "192.0.2.77/24"
ACKNOWLEDGED, GIVEN_BACK = "DHCPACK(lan) 192.0.2.77", "DHCPRELEASE(lan) 192.0.2.77"
# The LAN is a bridge of the administrator's; its server is behind a link whose checksums are complete.
SET_UP = """
set -e
ovs-vsctl add-br lan -- set bridge lan datapath_type=netdev
ip netns add server
ip link add lan0 type veth peer name lan netns server
ethtool -K lan0 tx off >/dev/null && ip netns exec server ethtool -K lan tx off >/dev/null
ip -n server address add 192.0.2.1/24 dev lan && ip -n server address add 2001:db8:77::1/64 dev lan nodad
ip -n server link set lan up && ip link set lan0 up
ovs-vsctl add-port lan lan0
mkdir -p /tmp/lan
"""
DNSMASQ = ("ip", "netns", "exec", "server", "dnsmasq", "--keep-in-foreground", "--conf-file=/tmp/lan/conf")


@dataclass(frozen=True, slots=True)
class Lan:
    """A host on a LAN with a server, and a container of it."""

    host: NamespaceHost
    server: Spawned
    c1: Container

    def said(self, word: str) -> int:
        """How often the server said so."""
        return sum(word in line for line in (self.server.stdout + self.server.stderr).splitlines())

    def says(self, word: str, times: int = 1) -> None:
        wait_until(lambda: self.said(word) >= times, BACK, f"the server to say {word!r} {times} times")

    def clients(self) -> list[int]:
        """Of dhcpcd, the one process of each client that others are told of."""
        found = self.host.processes().items()
        return [pid for pid, (_, command) in found if command.startswith("dhcpcd: eth")]

    def attach(self, words: str) -> None:
        self.host.ovsnet("attach", "c1", "--bridge", "lan", *words.split())

    def has(self, *wanted: str) -> None:
        wait_until(lambda: set(wanted) <= addresses(self.c1, "eth1"), BACK, f"c1 to have {wanted}")


@contextmanager
def on_lan(host: NamespaceHost) -> Iterator[Lan]:
    """A host with all of that; once for each host."""
    host.shell(SET_UP)
    c1 = host.start_container("c1", "--restart", "always", network="none")
    with server_of(host, renewed_after=RENEWED_AFTER) as server:
        yield Lan(host, server, c1)


@contextmanager
def server_of(host: NamespaceHost, *, renewed_after: int) -> Iterator[Spawned]:
    """The server; leases are renewed for the first time after so many seconds."""
    conf = CONFIGURATION.format(folder="/tmp/lan", reserved=MAC, renewed_after=renewed_after)
    host.write_file("/tmp/lan/conf", conf)
    with host.spawn(*DNSMASQ, label="dnsmasq") as server:
        yield server
