"""Rows 40, 42 and 43: out by the network's own gateway, with the host's address or the container's own; in from a
machine that has a route; and between the host and its containers when it is exposed to them.

router, 172.31.0.254, fd31::fe ── eth0, host, ovgw… ══ br-ovsnet ── containers
"""

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from tests.rig.container import Container
from tests.rig.host import Host
from tests.rig.process import Completed, run, wait_until
from tests.rig.rig import Rig
from tests.system import networks
from tests.system.traces import clean

ROUTER, ROUTER6 = "172.31.0.254", "fd31::fe"
SUBNET, SUBNET6 = "10.40.0.0/24", "fd00:40::/64"
BACK = 5.0
"""Seconds until rules that somebody took away are there again."""
PEER = """
import socket, sys
family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
with socket.create_server((sys.argv[1], 4040), family=family) as server:
    print("listening", flush=True)
    peer, whom = server.accept()
    peer.sendall(whom[0].encode())
"""
ASK = "import socket, sys; print(socket.create_connection((sys.argv[1], 4040), 3).recv(99).decode())"


@dataclass(frozen=True)
class Wire:
    """A host, and the router outside."""

    host: Host
    outside: str

    def from_router(self, *argv: str, check: bool = True) -> Completed:
        return run("ip", "netns", "exec", self.outside, *argv, check=check)

    def policy(self, verdict: str) -> None:
        """What becomes of forwarded packets that no rule of the engine's decides about."""
        for program in ("iptables", "ip6tables"):
            self.host.run(program, "-P", "FORWARD", verdict)

    def hears(self, address: str) -> bool:
        return self.from_router("ping", "-n", "-q", "-c1", "-W1", address, check=False).ok

    def seen_as(self, container: Container, address: str) -> str:
        """The address by which a connection of the container comes to the router."""
        server = ["ip", "netns", "exec", self.outside, "python3", "-c", PEER, address]
        with subprocess.Popen(server, stdout=subprocess.PIPE, text=True) as listening:
            try:
                assert listening.stdout is not None
                assert listening.stdout.readline() == "listening\n"
                return container.inside("python3", "-c", ASK, address).stdout.strip()
            finally:
                listening.kill()


@pytest.fixture
def wire(rig: Rig, host: Host) -> Iterator[Wire]:
    it = Wire(host, f"{rig.name}-net")
    yield it
    it.policy("ACCEPT")
    for version, subnet in (("-4", SUBNET), ("-6", SUBNET6)):
        it.from_router("ip", version, "route", "del", subnet, check=False)


def network(host: Host, name: str, egress: str) -> None:
    networks.create(host, name, SUBNET, "--ipv6", "--subnet", SUBNET6, "-o", f"egress={egress}")


def own(host: Host) -> dict[int, str]:
    number = host.name.removeprefix("h")
    return {4: f"172.31.0.{number}", 6: f"fd31::{number}"}


@pytest.mark.row(40, 45)
def test_nat_leads_out_with_the_hosts_address_and_nobody_in_however_often_rules_are_reloaded(wire: Wire) -> None:
    host = wire.host
    network(host, "out", "nat")
    c1 = host.start_container("c1", network="out")
    assert networks.interfaces(c1).keys() == {"eth0"}, "no second one by Docker's gateway bridge"
    assert networks.default_routes(c1) == ["eth0"]
    wire.policy("DROP")
    wait_until(lambda: c1.pings(ROUTER) and c1.pings(ROUTER6), BACK, "the container to reach the router")
    assert wire.seen_as(c1, ROUTER) == own(host)[4]
    assert wire.seen_as(c1, ROUTER6) == own(host)[6]
    assert c1.pings("10.40.0.1")
    assert not c1.pings(own(host)[4])

    wire.from_router("ip", "route", "add", SUBNET, "via", own(host)[4])
    assert not wire.hears(c1.address("out"))
    assert not host.run("ping", "-c1", "-W1", c1.address("out"), check=False).ok

    host.shell("nft delete table inet ovsnet-egress; iptables -F DOCKER-USER")
    wait_until(lambda: c1.pings(ROUTER), BACK, "the container to reach the router again")
    host.dockerd_restart()
    c1.start()
    wait_until(lambda: c1.pings(ROUTER), BACK, "the container to reach the router after the engine came back")
    clean(host)


@pytest.mark.row(40, 43)
def test_routed_containers_are_seen_and_reached_by_their_own_address_and_other_networks_are_not(wire: Wire) -> None:
    host = wire.host
    network(host, "out", "routed")
    networks.create(host, "other", "10.41.0.0/24", "-o", "egress=nat")
    c1, c2 = host.start_container("c1", network="out"), host.start_container("c2", network="other")
    assert not c1.pings(ROUTER), "the router has no way back"
    wire.from_router("ip", "route", "add", SUBNET, "via", own(host)[4])
    wire.from_router("ip", "-6", "route", "add", SUBNET6, "via", own(host)[6])
    assert wire.seen_as(c1, ROUTER) == c1.address("out")
    assert wire.seen_as(c1, ROUTER6) == c1.address6("out")
    assert wire.hears(c1.address("out"))
    assert wire.hears(c1.address6("out"))

    assert c2.pings(ROUTER)
    assert not c2.pings(c1.address("out"))
    assert not c1.pings(c2.address("other"))


@pytest.mark.row(42)
def test_an_exposed_network_and_the_host_reach_each_other_until_it_is_hidden(wire: Wire) -> None:
    host = wire.host
    network(host, "web", "none")
    c1 = host.start_container("c1", network="web")

    def reached() -> bool:
        return host.run("ping", "-c1", "-W1", c1.address("web"), check=False).ok

    assert not reached()
    assert "10.40.0.1, fd00:40::1" in host.ovsnet("expose", "web").stdout
    assert reached()
    assert host.run("ping", "-c1", "-W1", c1.address6("web"), check=False).ok
    assert c1.pings("10.40.0.1")
    host.agent.kill()
    host.agent.wait_ready()
    assert reached()
    assert "exposed   yes" in host.ovsnet("network", "inspect", "web").stdout
    clean(host)
    host.ovsnet("hide", "web")
    assert not reached()
    assert "ovgw" not in host.run("ip", "-o", "link").stdout
    clean(host)
    assert "does not exist" in host.ovsnet("expose", "wbe", check=False).stderr
