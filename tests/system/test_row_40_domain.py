"""Rows 40 and 43: networks of one routing domain reach each other by their gateways, on a host and across hosts."""

import pytest
from tests.rig.cluster import Cluster
from tests.rig.container import Container
from tests.rig.namespace_host import NamespaceHost
from tests.rig.process import wait_until
from tests.system import networks
from tests.system.traces import clean

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
    assert "egress=nat does not go with the address space 'x'" in taken.stderr
    alone = networks.create(host, "alone", "10.46.0.0/24", *TRADE, check=False)
    assert "domain=trade does not go with egress=docker" in alone.stderr


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
