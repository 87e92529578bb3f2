"""Row 41: published ports of containers on a network of the cluster, on every host for that host's containers."""

import pytest
from tests.rig.cluster import Cluster
from tests.rig.host import Host
from tests.rig.process import Completed, run, wait_until
from tests.rig.rig import Rig

SERVES = ("sh", "-c", "echo hello from $(hostname) >/tmp/index.html; exec httpd -f -h /tmp -p 80")
ECHO = """
import socket
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as it:
    it.bind(("", 53))
    print("listening", flush=True)
    while True:
        word, whom = it.recvfrom(99)
        it.sendto(word, whom)
"""
ASK = """
import socket, sys
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as it:
    it.settimeout(2)
    it.connect((sys.argv[1], 5353))
    it.send(b"marco")
    print(it.recv(99).decode())
"""


def outside(rig: Rig, *argv: str, check: bool = True) -> Completed:
    """A command on the wire between the hosts, which is no host."""
    return run("ip", "netns", "exec", f"{rig.name}-net", *argv, check=check)


def page(host: Host, number: int = 8080) -> str:
    return f"http://172.31.0.{host.name.removeprefix('h')}:{number}/index.html"


def await_page(rig: Rig, address: str) -> None:
    wait_until(lambda: outside(rig, "curl", "-sf", address, check=False).ok, 10, f"{address} answers")


@pytest.mark.row(41)
@pytest.mark.fault("publishing-does-nothing")
def test_a_published_port_is_that_of_the_hosts_own_container_on_every_host(cluster: Cluster, rig: Rig) -> None:
    cluster.network("web", "10.20.0.0/24")
    for host in cluster.hosts:
        options = ("-p", "8080:80", "--hostname", f"on-{host.name}")
        host.start_container("server", *options, network="web", command=SERVES)
        await_page(rig, page(host))

    for host in cluster.hosts:
        said = f"hello from on-{host.name}\n"
        assert outside(rig, "curl", "-sSf", "-m", "5", page(host)).stdout == said
        assert host.run("curl", "-sSf", "-m", "5", page(host)).stdout == said
        assert host.run("curl", "-sSf", "-m", "5", "http://127.0.0.1:8080/index.html").stdout == said
        assert "0.0.0.0:8080->80/tcp" in host.docker("ps").stdout

    first, second, *_ = cluster.hosts
    # A container reaches another host's port by the hosts' network, and its container by their own.
    client = first.start_container("client", network="web")
    assert client.inside("curl", "-sSf", "-m", "5", page(second)).stdout == f"hello from on-{second.name}\n"
    first.docker("rm", "-f", "server")
    assert not outside(rig, "curl", "-sf", "-m", "2", page(first), check=False).ok
    assert outside(rig, "curl", "-sSf", "-m", "5", page(second)).ok


@pytest.mark.row(41)
@pytest.mark.fault("publishing-does-nothing")
def test_udp_and_a_chosen_host_address_work_too(cluster: Cluster, rig: Rig) -> None:
    cluster.network("web", "10.20.0.0/24")
    host = cluster.hosts[1]
    address = cluster.address(host)
    echo = host.start_container("echo", "-p", f"{address}:5353:53/udp", network="web")
    with echo.spawn_inside("python3", "-c", ECHO, label="echo") as it:
        it.wait_for_output("listening")

        assert outside(rig, "python3", "-c", ASK, address).stdout == "marco\n"
        elsewhere = f"172.31.0.{host.name.removeprefix('h')}"
        assert not outside(rig, "python3", "-c", ASK, elsewhere, check=False).ok
