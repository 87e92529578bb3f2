"""Row 47: networks on an uplink. Containers are machines of the LAN behind the host's NIC, or of a VLAN of it.

    router, 172.31.0.254 ──┬── eth0 ── br-eth0 (the host's addresses) ══ br-ovsnet ── containers
    server, in VLAN 20   ──┘
"""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from tests.functional.dhcp_server import RENEWED_AFTER
from tests.rig.container import Container
from tests.rig.host import Host
from tests.rig.namespace_host import NamespaceHost
from tests.rig.process import wait_until
from tests.rig.rig import Rig, Shape
from tests.rig.spawned import Spawned
from tests.rig.traffic import Flood
from tests.rows import Figures
from tests.system import networks
from tests.system.attached import addresses
from tests.system.dhcp_lan import ACKNOWLEDGED, BACK, GIVEN_BACK, MAC, RESERVED, SET_UP, server_of
from tests.system.faults import powered_off
from tests.system.test_row_48_uplink import GATEWAY, Lan, cables, settled, uplinks
from tests.system.traces import clean

pytestmark = pytest.mark.row(47)

OWN = ("-o", "mode=uplink", "-o", "uplink=eth0")
BARE = ("network", "create", "-d", "ovsnet", "--ipam-driver", "null", *OWN)
STATIC = ("--gateway", GATEWAY, "--ip-range", "172.31.0.128/26", *OWN)
VLAN = f"""{SET_UP}
ovs-vsctl add-port lan eth0 -- set port lan0 tag=20
"""


@dataclass(frozen=True, slots=True)
class Wire:
    """What is at the other end of the host's NIC: a router, and a VLAN with a DHCP server."""

    lan: Lan
    server: Spawned

    @property
    def host(self) -> NamespaceHost:
        return self.lan.host

    def said(self, word: str) -> int:
        return (self.server.stdout + self.server.stderr).count(word)

    def says(self, word: str, times: int = 1) -> None:
        wait_until(lambda: self.said(word) >= times, BACK, f"the server to say {word!r} {times} times")

    def hears(self, address: str) -> bool:
        words = ("ping", "-n", "-q", "-c", "1", "-W", "2", address)
        return " 0% packet loss" in self.lan.from_router(*words, check=False)

    def knows(self, address: str) -> str:
        """The MAC that the router has for a neighbour."""
        words = self.lan.from_router("ip", "neigh", "show", address).split()
        return words[words.index("lladdr") + 1] if "lladdr" in words else ""

    def from_server(self, *command: str, check: bool = True) -> str:
        return self.far.run("ip", "netns", "exec", "server", *command, check=check).stdout

    @property
    def far(self) -> Host:
        return self.server.host


@pytest.fixture(scope="module")
def wire(rig: Rig, module_host: NamespaceHost) -> Iterator[Wire]:
    lan = Lan(module_host, f"{rig.name}-net")
    cables(lan)
    wait_until(lambda: "tentative" not in lan.shown(), 5, "the addresses of the NIC are usable")
    module_host.ovsnet("uplink", "add", "eth0")
    far = rig.host(Shape(docker=False))
    far.shell(VLAN)
    with server_of(far, renewed_after=RENEWED_AFTER) as server:
        yield Wire(lan, server)
    rig.discard(far)


@pytest.fixture(scope="module")
def still(wire: Wire) -> Iterator[Container]:
    """A container with an address of the untagged LAN that IPAM gave it."""
    networks.create(wire.host, "lan", "172.31.0.0/24", *STATIC)
    with wire.host.container("c1", network="lan") as it:
        yield it
    wire.host.docker("network", "rm", "lan")


def leased(wire: Wire) -> Container:
    """A container that has its addresses from the server in VLAN 20, by its MAC."""
    wire.host.docker(*BARE, "-o", "vlan=20", "-o", "dhcp=both", "iot")
    return wire.host.start_container("c2", "--mac-address", MAC, network="iot")


def has(container: Container, *wanted: str) -> None:
    wait_until(lambda: set(wanted) <= addresses(container, "eth0"), BACK, f"{container.name} to have {wanted}")


def test_a_container_is_a_machine_of_the_lan_that_the_host_reaches_too(wire: Wire, still: Container) -> None:
    host, own = wire.host, still.address("lan")
    assert still.pings(GATEWAY)
    assert still.pings(wire.lan.address()), "the host, which a container of macvlan does not reach"
    assert host.run("ping", "-n", "-q", "-c", "1", "-W", "2", own, check=False).ok
    assert wire.hears(own)
    assert wire.knows(own) == still.mac("lan")
    assert still.inside("ip", "-4", "route", "show", "default").stdout.split()[:5] == ["default", "via", GATEWAY, "dev", "eth0"]
    assert wire.knows(GATEWAY) == ""
    with still.spawn_inside("python3", "-c", SERVER, label="http") as server:
        server.wait_for_output("listening")
        assert host.run("python3", "-c", CLIENT, own).stdout == "30000000\n"
        assert wire.lan.from_router("python3", "-c", CLIENT, own) == "30000000\n"
    assert "held by this host itself" in host.docker("run", "--rm", "--network", "lan", "--ip", wire.lan.address(), "busybox:local", "true", check=False).stderr
    clean(host)


SERVER = """
import socket
server = socket.create_server(("0.0.0.0", 4747))
print("listening", flush=True)
while True:
    peer, _ = server.accept()
    peer.sendall(bytes(30_000_000))
    peer.close()
"""
CLIENT = """
import socket, sys
peer = socket.create_connection((sys.argv[1], 4747), timeout=20)
count = 0
while got := peer.recv(1 << 16):
    count += len(got)
print(count)
"""


@pytest.mark.row(75, 77)
def test_a_container_in_a_vlan_has_its_addresses_from_the_server_there(wire: Wire, figures: Figures) -> None:
    c2 = leased(wire)
    has(c2, RESERVED)
    wait_until(lambda: len(addresses(c2, "eth0")) == 2, BACK, "an IPv6 address, too")
    assert networks.default_routes(c2) == ["eth0"]
    assert c2.pings("192.0.2.1")
    assert c2.pings("2001:db8:77::1")
    assert " 0% packet loss" in wire.from_server("ping", "-n", "-q", "-c", "1", "-W", "2", "192.0.2.77")
    wait_until(lambda: "192.0.2.77/24" in wire.host.ovsnet("ps", "c2").stdout, 5, "ovsnet ps to show it")
    clean(wire.host)

    c2.stop()
    wire.says(GIVEN_BACK)
    c2.start()
    has(c2, RESERVED)
    c2.remove()
    wire.host.docker("network", "rm", "iot")
