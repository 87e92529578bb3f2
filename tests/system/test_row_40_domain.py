"""Rows 40 and 43: networks of one routing domain reach each other by their gateways, on a host and across hosts; and
row 78, networks of equal subnets in two domains of one host, whose containers have equal addresses.
"""

import subprocess
from collections.abc import Sequence

import pytest
from tests.rig.cluster import Cluster
from tests.rig.container import Container
from tests.rig.host import Host
from tests.rig.namespace_host import NamespaceHost
from tests.rig.process import Completed, wait_until
from tests.system import networks
from tests.system.test_row_40_egress import ROUTER, Wire, own, wire
from tests.system.traces import clean

__all__ = ["wire"]

SHOP, SHOP6, BOOKS, BOOKS6 = "10.43.0.0/24", "fd00:43::/64", "10.44.0.0/24", "fd00:44::/64"
TRADE = ("-o", "domain=trade")
BACK = 5.0
"""Seconds until an agent that begins anew, or another host, has everything in force."""
SERVER = """
import socket
with socket.create_server(("", 4040)) as server:
    print("listening", flush=True)
    peer, whom = server.accept()
    peer.sendall(whom[0].encode())
"""
ASK = "import socket, sys; print(socket.create_connection((sys.argv[1], 4040), 3).recv(99).decode())"
MEET = """
import socket, sys
with socket.create_server((sys.argv[1], int(sys.argv[2]))) as server:
    print("listening", flush=True)
    both = [server.accept() for _ in range(2)]
    for peer, whom in both:
        peer.sendall(peer.recv(99) + b" from " + whom[0].encode())
"""
"""Answers two that are there at the same time, each what it says."""
SAY = """
import socket, sys
with socket.socket() as it:
    it.settimeout(5)
    it.bind(("", int(sys.argv[2])))
    it.connect((sys.argv[1], int(sys.argv[2])))
    it.sendall(sys.argv[3].encode())
    print("heard:", it.recv(99).decode(), flush=True)
"""
EQUAL, EQUAL6 = ("10.46.0.0/24", "--ipv6", "--subnet", "fd00:46::/64"), ("--ip", "10.46.0.7", "--ip6", "fd00:46::7")
TWINS = {"acme": 8081, "umbra": 8082}


def seen_as(asking: Container, asked: Container, address: str) -> str:
    """The address by which a connection comes there."""
    with asked.spawn_inside("python3", "-c", SERVER, label="asked") as server:
        server.wait_for_output("listening")
        return asking.inside("python3", "-c", ASK, address).stdout.strip()


def soon(asking: Container, *addresses: str) -> None:
    for it in addresses:
        wait_until(lambda it=it: asking.pings(it), BACK, f"{asking.name} reaches {it}")  # type: ignore[misc]


@pytest.mark.row(40, 43)
def test_networks_of_one_domain_reach_each_other_and_no_others(host: NamespaceHost) -> None:
    networks.create(host, "shop", SHOP, "--ipv6", "--subnet", SHOP6, "-o", "egress=nat", *TRADE)
    networks.create(host, "books", BOOKS, "--ipv6", "--subnet", BOOKS6, "-o", "egress=routed", *TRADE)
    networks.create(host, "bank", "10.45.0.0/24", "-o", "egress=nat", "-o", "domain=money")
    c1, c2, c3 = (host.start_container(f"c{at}", network=it) for at, it in enumerate(("shop", "books", "bank"), 1))
    soon(c1, c2.address("books"), c2.address6("books"))
    soon(c2, c1.address("shop"), c1.address6("shop"))
    assert seen_as(c1, c2, c2.address("books")) == c1.address("shop"), "its own address, also from a nat network"
    assert not c3.pings(c1.address("shop"))
    assert not c2.pings(c3.address("bank"))
    host.agent.kill()
    host.agent.wait_ready()
    assert c1.pings(c2.address("books"))
    assert "nat trade" in host.ovsnet("network", "ls").stdout
    clean(host)

    taken = networks.create(host, "twin", SHOP, "--ipam-opt", "space=x", "-o", "egress=nat", *TRADE, check=False)
    assert "routing domain trade is in the address space of networks that name none" in taken.stderr
    alone = networks.create(host, "alone", "10.46.0.0/24", *TRADE, check=False)
    assert "domain=trade does not go with egress=docker" in alone.stderr


def equal(host: Host, name: str, *options: str, check: bool = True) -> Completed:
    """A network of the same subnets as the others, in an address space of its own."""
    return networks.create(host, name, *EQUAL, "--ipam-opt", f"space={name}", *options, check=check)


def each_for_itself(it: Wire, twins: Sequence[Container], port: int) -> None:
    """Out from one port at one time, and in by a port of its own."""
    with subprocess.Popen(
        ["ip", "netns", "exec", it.outside, "python3", "-c", MEET, ROUTER, str(port)], stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        assert server.stdout.readline() == "listening\n"
        asking = [one.spawn_inside("python3", "-c", SAY, ROUTER, str(port), one.name) for one in twins]
        for one, its in zip(twins, asking, strict=True):
            its.wait_for_output(f"heard: {one.name} from {own(it.host)[4]}")
            its.stop("KILL")
    for name, published in TWINS.items():
        for address in (own(it.host)[4], f"[{own(it.host)[6]}]"):
            assert it.from_router("curl", "-sSf", "-m3", f"http://{address}:{published}/").stdout.strip() == name
    assert it.host.run("curl", "-sSf", "-m3", f"http://127.0.0.1:{TWINS['umbra']}/").stdout.strip() == "umbra"


@pytest.mark.row(40, 43, 78)
def test_equal_addresses_in_two_domains_of_one_host_get_out_and_are_reached_each_for_itself(wire: Wire) -> None:
    host = wire.host
    for name in TWINS:
        equal(host, name, "-o", "egress=nat", "-o", f"domain={name}")
    serves = [("sh", "-c", f"mkdir /tmp/w; echo {it} >/tmp/w/index.html; exec httpd -f -h /tmp/w") for it in TWINS]
    twins = [
        host.start_container(name, *EQUAL6, "-p", f"{port}:80", network=name, command=command)
        for (name, port), command in zip(TWINS.items(), serves, strict=True)
    ]
    for port in TWINS.values():
        reached = ("curl", "-sSf", "-m1", f"http://{own(host)[4]}:{port}/")
        wait_until(lambda reached=reached: wire.from_router(*reached, check=False).ok, 10, f"{port} answers")  # type: ignore[misc]
    each_for_itself(wire, twins, 4041)
    other = host.start_container("other", "--ip", "10.46.0.9", network="umbra")
    assert twins[1].pings("10.46.0.9")
    assert not twins[0].pings("10.46.0.9")
    assert not other.pings(own(host)[4])
    host.agent.kill()
    each_for_itself(wire, twins, 4042)
    host.agent.wait_ready()
    each_for_itself(wire, twins, 4043)
    clean(host)

    for options, words in (
        (("-o", "egress=routed"), "egress=routed does not go with the address space 'third'"),
        (("-o", "egress=nat", "-o", "domain=acme"), "routing domain acme is in the address space 'acme'"),
    ):
        assert words in equal(host, "third", *options, check=False).stderr
    assert "publish a port, with -p" in host.ovsnet("expose", "acme", check=False).stderr


@pytest.mark.row(40, 57)
def test_a_network_of_the_domain_is_reached_where_it_has_containers_on_another_host_only(cluster: Cluster) -> None:
    a, b, _ = cluster.hosts
    cluster.network("shop", SHOP, "--ipv6", "--subnet", SHOP6, "-o", "egress=nat", *TRADE)
    cluster.network("books", BOOKS, "--ipv6", "--subnet", BOOKS6, "-o", "egress=nat", *TRADE)
    cluster.network("bank", "10.45.0.0/24", "-o", "egress=nat", "-o", "domain=money")
    c1, c2 = a.start_container("c1", network="shop"), b.start_container("c2", network="books")
    c3 = a.start_container("c3", network="bank")
    soon(c1, c2.address("books"), c2.address6("books"))
    soon(c2, c1.address("shop"))
    assert seen_as(c1, c2, c2.address("books")) == c1.address("shop")
    assert seen_as(c2, c1, c1.address("shop")) == c2.address("books")
    assert not c3.pings(c2.address("books"))
    for host in (a, b):
        clean(host)
