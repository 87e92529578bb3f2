"""Row 73: a subnet that nobody gave overlaps nothing this host knows."""

import ipaddress
import json
from collections.abc import Iterator
from ipaddress import IPv4Network, IPv6Network

import pytest
from tests.rig.host import Host
from tests.rig.namespace_host import NamespaceHost
from tests.rig.process import wait_until
from tests.system import networks

FIRST = "10.192.0.0/20"
"""What would be chosen on a host that knows nothing."""
BY_HAND = (
    "ip link add lan7 type bridge; ip addr add 10.192.40.1/24 dev lan7; ip link set lan7 up",
    "ip route add 10.192.0.0/24 via 172.31.0.254",
    "ip route add blackhole 10.192.17.0/30 table 77",
    "ip route add 10.192.48.0/22 dev lan7",
)
UNDO = "ip link del lan7; ip route del 10.192.0.0/24; ip route del blackhole 10.192.17.0/30 table 77"
Subnet = IPv4Network | IPv6Network


@pytest.fixture
def crowded(host: NamespaceHost) -> Iterator[NamespaceHost]:
    """Routes by hand, also in a table of their own, and networks of Docker's bridge driver and of ours."""
    host.shell("set -e; " + "; ".join(BY_HAND))
    host.docker("network", "create", "--subnet", "10.192.64.0/19", "theirs")
    networks.create(host, "given", "10.192.96.0/23")
    host.docker("network", "create", "-d", "ovsnet", "--subnet", "10.192.112.0/24", "plain")
    yield host
    host.shell(UNDO)


def subnets(host: Host, network: str) -> list[Subnet]:
    config = host.docker("network", "inspect", network).json()[0]["IPAM"]["Config"]
    return [ipaddress.ip_network(it["Subnet"]) for it in config]


def known_to(host: Host) -> set[Subnet]:
    """Every route of the host but those for everything, and every subnet of the engine."""
    routes = host.shell("ip -j -4 route show table all; ip -j -6 route show table all").stdout
    found = {it for line in routes.splitlines() for it in _destinations(line)}
    listed = host.docker("network", "ls", "-q").stdout.split()
    return found | {it for network in listed for it in subnets(host, network)}


def _destinations(line: str) -> Iterator[Subnet]:
    for route in json.loads(line or "[]"):
        if route["dst"] != "default" and not route["dst"].startswith(("fe80", "ff00")):
            yield ipaddress.ip_network(route["dst"])


def overlap(one: Subnet, other: Subnet) -> bool:
    return (
        one.version == other.version
        and one.network_address <= other.broadcast_address  # type: ignore[operator]  # of one family
        and other.network_address <= one.broadcast_address  # type: ignore[operator]
    )


@pytest.mark.row(73)
def test_automatic_subnets_overlap_no_route_no_docker_network_and_each_other(crowded: NamespaceHost) -> None:
    host = crowded
    taken = known_to(host)
    assert any(str(it) == "10.192.17.0/30" for it in taken)

    for number in range(4):
        networks.create(host, f"auto{number}", "", *(("--ipv6",) if number % 2 else ()))
        chosen = subnets(host, f"auto{number}")
        assert len(chosen) == 1 + number % 2
        clashes = [(it, other) for it in chosen for other in taken if overlap(it, other)]
        assert clashes == []
        taken |= set(chosen)

    c1, c2 = networks.start(host, "c1", "c2", network="auto1")
    assert c1.pings(c2.address("auto1"))
    assert c1.pings(c2.address6("auto1"))


@pytest.mark.row(73)
def test_automatic_subnets_chosen_at_once_are_all_different(host: NamespaceHost) -> None:
    create = f"docker network create {' '.join(networks.DRIVER)} autoN"
    host.shell(f"seq 8 | xargs -P 8 -I N {create}")

    chosen = [subnets(host, f"auto{number}")[0] for number in range(1, 9)]

    assert len(set(chosen)) == 8
    assert ipaddress.ip_network(FIRST) in chosen


@pytest.mark.row(73)
def test_a_given_subnet_that_overlaps_another_network_is_refused_with_its_name(host: NamespaceHost) -> None:
    networks.create(host, "web", "10.73.0.0/24")
    # The engine tells names afterwards, by its events.
    wait_until(lambda: "web" in [it["name"] for it in networks.ask(host, "networks")], 5, "the name of the network")

    refused = networks.create(host, "other", "10.73.0.128/25", check=False)

    assert not refused.ok
    assert "10.73.0.0/24" in refused.stderr
    assert "network web" in refused.stderr
