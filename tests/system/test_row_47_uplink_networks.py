"""Row 47: networks on an uplink. Containers are machines of the LAN behind the host's NIC, or of a VLAN of it.

router, 172.31.0.254 ──┬── eth0 ── br-eth0 (the host's addresses) ══ br-ovsnet ── containers
server, in VLAN 20   ──┘
"""

import json
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
from tests.rows import Figures
from tests.system import networks
from tests.system.attached import addresses
from tests.system.dhcp_lan import ACKNOWLEDGED, BACK, GIVEN_BACK, MAC, RESERVED, SET_UP, server_of
from tests.system.faults import powered_off
from tests.system.test_row_48_uplink import GATEWAY, Lan, cables, settled, uplinks
from tests.system.traces import clean

pytestmark = pytest.mark.row(47)

OWN = ("-o", "mode=uplink", "-o", "uplink=eth0")
DRIVER = ("network", "create", "-d", "ovsnet", "--ipam-driver", "null")
BARE = (*DRIVER, *OWN)
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


@pytest.fixture
def still(wire: Wire) -> Container:
    """A container with an address of the untagged LAN that IPAM gave it; one for all tests."""
    if "lan" not in networks.names(wire.host):
        networks.create(wire.host, "lan", "172.31.0.0/24", *STATIC)
        return wire.host.start_container("c1", network="lan")
    return Container(wire.host, "c1")


def leased(wire: Wire) -> Container:
    """A container that has its addresses from the server in VLAN 20, by its MAC."""
    wire.host.docker(*BARE, "-o", "vlan=20", "-o", "dhcp=both", "iot")
    # A new command line gives an old engine no --mac-address.
    wanted = {"Image": "busybox:local", "Cmd": ["sleep", "1000000"], "MacAddress": MAC}
    body = json.dumps(wanted | {"HostConfig": {"NetworkMode": "iot", "Init": True}})
    where = ("--unix-socket", "/var/run/docker.sock", "http://docker/v1.41/containers/create?name=c2")
    wire.host.run("curl", "-sSf", "-H", "Content-Type: application/json", "-d", body, *where)
    container = Container(wire.host, "c2")
    container.start()
    return container


def has(container: Container, *wanted: str) -> None:
    wait_until(lambda: set(wanted) <= addresses(container, "eth0"), BACK, f"{container.name} to have {wanted}")


def test_a_container_is_a_machine_of_the_lan_that_the_host_reaches_too(wire: Wire, still: Container) -> None:
    host, own = wire.host, still.address("lan")
    assert still.pings(GATEWAY)
    assert still.pings(wire.lan.address()), "the host, which a container of macvlan does not reach"
    assert pinged_by(host, own)
    assert wire.hears(own)
    assert wire.knows(own) == still.mac("lan")
    route = still.inside("ip", "-4", "route", "show", "default").stdout
    assert route.startswith(f"default via {GATEWAY} dev eth0")
    assert list(networks.interfaces(still)) == ["eth0"], "the engine's gateway network is not needed"
    with still.spawn_inside("python3", "-c", SERVER, label="http") as server:
        server.wait_for_output("listening")
        assert host.run("python3", "-c", CLIENT, own).stdout == "30000000\n"
        assert wire.lan.from_router("python3", "-c", CLIENT, own) == "30000000\n"
    clean(host)


def test_what_cannot_be_is_refused_and_says_what_to_do(wire: Wire, still: Container) -> None:
    host = wire.host
    own = ("--network", "lan", "--ip", wire.lan.address())
    assert "held by this host itself" in host.docker("run", "--rm", *own, "busybox:local", "true", check=False).stderr
    again = host.docker(*BARE, "again", check=False).stderr
    assert "network lan is in the untagged LAN of eth0 already" in again
    other = host.docker(*DRIVER, "-o", "mode=uplink", "-o", "uplink=eth1", "other", check=False).stderr
    assert "'ovsnet uplink add eth1'" in other
    assert "the uplink of the networks lan" in host.ovsnet("uplink", "rm", "eth0", check=False).stderr
    assert networks.names(host) == ["lan"]
    assert wire.hears(still.address("lan"))


@pytest.mark.row(8)
def test_a_killed_agent_costs_no_packet(wire: Wire, still: Container) -> None:
    with wire.lan.pinged(address=still.address("lan")) as seen:
        wire.host.agent.kill()
        wire.host.agent.wait_ready()
    assert seen["lost"] == 0, seen


def test_a_restarted_switch_and_engine_are_got_over(wire: Wire, still: Container, figures: Figures) -> None:
    own = still.address("lan")
    with wire.lan.pinged(address=own) as seen:
        wire.host.vswitchd_restart()
        wait_until(lambda: wire.hears(own), BACK, "the container is reached again, unasked")
    figures["ovs-vswitchd restarted: longest gap of a container on an uplink, ms"] = seen["longest gap, ms"]
    wire.host.dockerd_restart()
    still.start()
    wait_until(lambda: wire.hears(still.address("lan")), BACK, "the container is reached again")
    settled(wire.lan)


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
    assert networks.tag_of(c2, "iot") == "20"
    clean(wire.host)
    the_host_is_reached_where_it_has_an_address_in_the_vlan(wire, c2)
    nothing_but_what_was_leased_is_heard(wire, c2)

    c2.stop()
    wire.says(GIVEN_BACK)
    c2.start()
    has(c2, RESERVED)
    before = wire.said("DHCPDISCOVER")
    wire.host.agent.kill()
    wire.host.agent.wait_ready()
    wire.says(ACKNOWLEDGED, wire.said(ACKNOWLEDGED) + 1)
    assert wire.said("DHCPDISCOVER") == before
    c2.remove()
    wire.host.docker("network", "rm", "iot")
    assert [it["nic"] for it in uplinks(wire.host)] == ["eth0"]


def the_host_is_reached_where_it_has_an_address_in_the_vlan(wire: Wire, c2: Container) -> None:
    wire.host.shell(
        "ovs-vsctl add-port br-eth0 host20 tag=20 -- set interface host20 type=internal && "
        "ip address add 192.0.2.9/24 dev host20 && ip link set host20 up"
    )
    assert c2.pings("192.0.2.9")
    assert pinged_by(wire.host, "192.0.2.77")
    wire.host.ovs_vsctl("del-port", "host20")


def nothing_but_what_was_leased_is_heard(wire: Wire, c2: Container) -> None:
    """The server answers who asks from the leased address, and learns of no other."""
    c2.inside("ip", "address", "add", "192.0.2.78/24", "dev", "eth0")
    answered = {
        it: c2.inside("ping", "-n", "-c", "1", "-W", "1", "-I", it, "192.0.2.1", check=False).ok
        for it in ("192.0.2.77", "192.0.2.78")
    }
    c2.inside("ip", "address", "del", "192.0.2.78/24", "dev", "eth0")
    assert answered == {"192.0.2.77": True, "192.0.2.78": False}
    assert "192.0.2.78" not in wire.from_server("ip", "neigh")


@pytest.mark.row(77)
def test_a_container_in_a_vlan_gains_what_a_router_announces(wire: Wire) -> None:
    host = wire.host
    host.docker(*BARE, "-o", "vlan=20", "-o", "slaac=true", "iot")
    with host.container("c3", network="iot") as c3:
        wait_until(lambda: any(it.startswith("2001:db8:77:") for it in addresses(c3, "eth0")), BACK, "an address")
        assert c3.inside("ip", "-6", "route", "show", "default").stdout.startswith("default via fe80::")
        wait_until(lambda: c3.pings("2001:db8:77::1"), 5, "the router answers")
        clean(host)
    host.docker("network", "rm", "iot")


def test_after_a_boot_the_containers_are_on_the_lan_again(wire: Wire, still: Container) -> None:
    host = wire.host
    c4 = host.start_container("c4", "--restart", "always", network="lan")
    with powered_off(host):
        pass
    cables(wire.lan)
    wait_until(lambda: wire.hears(c4.address("lan")), BACK, "the container is reached again")
    settled(wire.lan)
    c4.remove()


def test_the_uplink_goes_when_its_networks_have_gone(wire: Wire, still: Container) -> None:
    still.remove()
    wire.host.docker("network", "rm", "lan")
    wire.host.ovsnet("uplink", "rm", "eth0")
    assert uplinks(wire.host) == []
    settled(wire.lan)


def pinged_by(host: Host, address: str) -> bool:
    return host.run("ping", "-n", "-q", "-c", "1", "-W", "2", address, check=False).ok


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
