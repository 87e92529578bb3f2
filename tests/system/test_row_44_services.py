"""Row 44: services published and imported by order, and led elsewhere without a change of any container.

router, 172.31.0.254 ── eth0, host, ovgw… ══ br-ovsnet ── containers, 10.40.0.0/24, 10.41.0.0/24
"""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from tests.rig.container import Container
from tests.rig.process import wait_until
from tests.system import networks
from tests.system.test_row_40_egress import ROUTER, Wire, network, own, wire
from tests.system.test_row_41_nat import BACK, SERVES, await_server, ports, told, who
from tests.system.traces import clean

__all__ = ["wire"]

SERVICE = """
import socket, sys
with socket.create_server((sys.argv[1], int(sys.argv[2]))) as it:
    print("listening", flush=True)
    while True:
        peer, whom = it.accept()
        peer.sendall(f"{sys.argv[2]} sees {whom[0]}".encode())
        peer.close()
"""
ASK = """
import socket, sys
with socket.create_connection((sys.argv[1], int(sys.argv[2])), float(sys.argv[3])) as it:
    print(it.recv(99).decode())
"""


@contextmanager
def service(wire: Wire, port: int) -> Iterator[None]:
    """A server on the router that says who it is and who asks."""
    command = ["ip", "netns", "exec", wire.outside, "python3", "-c", SERVICE, ROUTER, str(port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as it:
        try:
            assert it.stdout is not None
            assert it.stdout.readline() == "listening\n"
            yield
        finally:
            it.kill()


def hears(container: Container, address: str, port: int, patience: float = 3.0) -> str:
    return container.inside("python3", "-c", ASK, address, str(port), str(patience), check=False).stdout.strip()


@pytest.mark.row(44)
def test_a_port_is_published_for_a_running_container_whatever_its_way_out_until_it_is_removed(wire: Wire) -> None:
    host, four = wire.host, own(wire.host)[4]
    networks.create(host, "plain", "10.41.0.0/24")
    network(host, "out", "nat")
    c1 = host.start_container("c1", network="plain", command=SERVES)
    wait_until(lambda: host.ovsnet("publish", "c1", "9090:80", check=False).ok, BACK, "the name c1 to be known")
    await_server(wire, four, 9090)
    assert told(wire.from_router(*who(four, 9090))) == "10.41.0.1"
    assert host.run(*who("127.0.0.1", 9090)).ok
    assert c1.inside(*who(four, 9090)).ok
    assert ports(host) == {("c1", "0.0.0.0", 9090, 80)}
    clean(host)

    said = host.docker("run", "--rm", "-p", "9090:80", "--network", "out", "busybox:local", "true", check=False)
    assert "leads to container c1 by 'ovsnet publish'" in said.stderr
    c1.restart()
    await_server(wire, four, 9090)
    host.agent.kill()
    assert wire.from_router(*who(four, 9090)).ok, "while there is no agent"
    host.agent.wait_ready()
    host.docker("stop", "-t", "0", "c1")
    assert "(not running)" in host.ovsnet("ports").stdout
    host.docker("rm", "c1")
    wait_until(lambda: not ports(host), BACK, "the order to be forgotten with its container")


@pytest.mark.row(44)
def test_an_imported_service_is_led_elsewhere_while_containers_go_on_asking_for_one_address(wire: Wire) -> None:
    host = wire.host
    network(host, "out", "nat")
    c1 = host.start_container("c1", network="out")
    with service(wire, 2211), service(wire, 2212):
        host.ovsnet("import", "10.40.0.9:3322", f"{ROUTER}:2211")
        assert hears(c1, "10.40.0.9", 3322) == f"2211 sees {own(host)[4]}"
        host.ovsnet("import", "10.40.0.9:3322", f"{ROUTER}:2212")
        assert hears(c1, "10.40.0.9", 3322) == f"2212 sees {own(host)[4]}"
        assert [it["target_port"] for it in networks.ask(host, "imports")] == [2212]
        clean(host)
        said = host.docker("run", "--rm", "--network", "out", "--ip", "10.40.0.9", "busybox:local", "true", check=False)
        assert "is held by an imported service" in said.stderr
        host.ovsnet("unimport", "10.40.0.9:3322")
        assert hears(c1, "10.40.0.9", 3322, patience=0.5) == ""
    c2 = host.start_container("c2", "--ip", "10.40.0.9", network="out")
    wait_until(lambda: c2.pings(c1.address("out")), BACK, "the address to be a container's")
