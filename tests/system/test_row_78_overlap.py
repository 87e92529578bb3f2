"""Row 78: networks with the same subnet, and containers with the same address, in address spaces of their own."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import pytest
from tests.rig.cluster import Cluster
from tests.rig.container import Container
from tests.rig.host import Host
from tests.rig.namespace_host import NamespaceHost
from tests.rig.process import wait_until
from tests.rig.traffic import Flood
from tests.rows import Figures
from tests.system import networks
from tests.system.networks import ask
from tests.system.test_row_11_compose import FILE, compose
from tests.system.test_row_79_names import SERVICE, learns
from tests.system.traces import left_as, traces

WHOAMI = ("python3", str(Path(__file__).with_name("whoami.py")))
PORT, ROUNDS = "7878", 200
SUBNET, SUBNET6 = "10.78.0.0/24", "fd00:78::/64"
FIRST, SECOND, NOBODY = "10.78.0.10", "10.78.0.11", "10.78.0.99"
FIRST6, SECOND6 = "fd00:78::10", "fd00:78::11"
DUAL = ("--ipv6", "--subnet", SUBNET6)
SPACES = {"one": ("--ipam-opt", "space=blue"), "two": ("--ipam-opt", "space=green"), "three": ()}
"""Networks of one subnet: two spaces that have a name, and the one that all others share."""

pytestmark = pytest.mark.row(78)


@contextmanager
def telling(*containers: Container) -> Iterator[None]:
    """Each answers with its own name."""
    with ExitStack() as stack:
        for it in containers:
            inbox = it.spawn_inside(*WHOAMI, "serve", PORT, it.name, label=f"whoami-{it.name}")
            stack.callback(inbox.stop)
            inbox.wait_for_output("listening")
        yield


def heard(asking: Container, *addresses: str, rounds: int = ROUNDS) -> Sequence[Mapping[str, int]]:
    """For each address who answered how often; "" where nobody did."""
    found: Sequence[Mapping[str, int]] = json.loads(
        asking.inside(*WHOAMI, "ask", PORT, str(rounds), *addresses, timeout=120).stdout
    )
    return found


def at(host: Host, name: str, network: str, number: int, *options: str) -> Container:
    """A container with an address that one of each network has."""
    where = ("--ip", f"10.78.0.{number}", "--ip6", f"fd00:78::{number}")
    return host.start_container(name, *where, *options, network=network)


def talk_to_their_own(askers: Mapping[str, Container], peers: Mapping[str, Container]) -> None:
    """Asked at the same address, each network's peer answers its own network's containers, and nobody else does."""
    for network, asker in askers.items():
        all_of_them = {peers[network].name: ROUNDS}
        assert heard(asker, SECOND, SECOND6) == [all_of_them, all_of_them], network


def test_networks_of_one_subnet_live_on_one_host_and_each_container_hears_its_own_only(
    host: NamespaceHost, figures: Figures
) -> None:
    networks.with_gateway_bridge(host)
    before = traces(host)
    for name, space in SPACES.items():
        networks.create(host, name, SUBNET, *DUAL, *space)
    askers = {it: at(host, f"{it}-asks", it, 10) for it in SPACES}
    peers = {it: at(host, f"{it}-tells", it, 11) for it in SPACES}
    assert {it.address(name) for name, it in peers.items()} == {SECOND}

    with telling(*askers.values(), *peers.values()):
        talk_to_their_own(askers, peers)
        assert heard(askers["one"], NOBODY, rounds=1) == [{"": 1}]
    figures["datagrams asked on one host, and answered by another network's container"] = f"{6 * ROUNDS}, 0"

    held = [(it["space"], it["address"], it["holder"]) for it in ask(host, "leases") if it["address"] == FIRST]
    assert sorted(held) == [("", FIRST, "three-asks"), ("blue", FIRST, "one-asks"), ("green", FIRST, "two-asks")]
    listed = {it["name"]: it["space"] for it in ask(host, "networks")}
    assert listed == {"one": "blue", "two": "green", "three": ""}

    with telling(*askers.values(), *peers.values()), Flood(askers["one"], peers["one"], SECOND, rate=100) as flood:
        host.agent.kill()
        host.agent.wait_ready()
        talk_to_their_own(askers, peers)
        for it in (askers["two"], peers["two"]):
            it.remove()
        host.docker("network", "rm", "two")
        assert heard(askers["three"], SECOND) == [{"three-tells": ROUNDS}]
    assert flood.result.lost == 0
    again = at(host, "one-more", "one", 12)
    assert again.pings(FIRST)

    for it in (askers["one"], askers["three"], peers["one"], peers["three"], again):
        it.remove()
    for name in ("one", "three"):
        host.docker("network", "rm", name)
    left_as(host, before)


def test_within_one_space_an_overlap_is_refused_and_the_way_out_is_named(host: NamespaceHost) -> None:
    networks.create(host, "one", SUBNET, *SPACES["one"])
    networks.create(host, "three", SUBNET)
    wait_until(lambda: {it["name"] for it in ask(host, "networks")} == {"one", "three"}, 10, "the networks' names")
    before = traces(host)
    for space, other in (((), "network three"), (SPACES["one"], "network one")):
        refused = networks.create(host, "late", "10.78.0.128/25", *space, check=False)
        assert not refused.ok
        assert f"overlaps {SUBNET} of {other}" in refused.stderr
        assert "--ipam-opt space=NAME" in refused.stderr
    for wrong, words in (("space=", "is not the name of an address space"), ("colour=red", "known are: space")):
        refused = networks.create(host, "late", "", "--ipam-opt", wrong, check=False)
        assert not refused.ok
        assert words in refused.stderr
    left_as(host, before)


def test_an_automatic_subnet_overlaps_none_of_any_space(host: NamespaceHost) -> None:
    networks.create(host, "first", "", *SPACES["one"])
    networks.create(host, "second", "", *SPACES["two"])
    networks.create(host, "third")
    subnets = [it["subnets"] for it in ask(host, "networks")]
    assert len({tuple(it) for it in subnets}) == 3


def test_networks_of_one_subnet_made_at_the_same_moment_are_each_of_their_own_space(host: NamespaceHost) -> None:
    spaces = {f"n{number}": f"space{number}" for number in range(6)}
    create = "docker network create -d ovsnet --ipam-driver ovsnet --subnet 10.78.0.0/24 --ipam-opt space=space{} n{}"
    host.shell(f"seq 0 5 | xargs -P 6 -I {{}} {create}")
    wait_until(lambda: {it["name"]: it["space"] for it in ask(host, "networks")} == spaces, 10, "each in its own space")


def test_a_container_on_two_networks_of_one_subnet_is_refused_by_the_engine_and_leaves_nothing(
    host: NamespaceHost,
) -> None:
    networks.create(host, "one", SUBNET, *SPACES["one"])
    networks.create(host, "two", SUBNET, *SPACES["two"])
    both = host.start_container("both", network="one")
    before = traces(host)
    refused = host.docker("network", "connect", "two", "both", check=False)
    assert not refused.ok
    assert "conflict" in refused.stderr, refused.stderr
    left_as(host, before)
    assert both.pings("10.78.0.1")


def test_on_a_cluster_the_same_addresses_live_side_by_side_and_names_are_their_networks_own(
    cluster: Cluster, figures: Figures
) -> None:
    here, there, third = cluster.hosts
    for number, (name, space) in enumerate(SPACES.items()):
        cluster.network(name, SUBNET, *DUAL, *space, on=cluster.hosts[number])
    dns = ("--dns", SERVICE)
    askers = {it: at(here, f"{it}-asks", it, 10, *dns) for it in SPACES}
    peers = {it: at(there, f"{it}-tells", it, 11, *dns) for it in SPACES}
    dbs = {
        it: at(third, f"{it}-db", it, number, "--network-alias", "db", *dns)
        for number, it in enumerate(SPACES, start=20)
    }

    with telling(*askers.values(), *peers.values(), *dbs.values()):
        for network in SPACES:
            wait_until(partial(askers[network].pings, SECOND), 15, f"{network} reaches its peer")
        talk_to_their_own(askers, peers)
        figures["datagrams asked across hosts, and answered by another network's container"] = f"{6 * ROUNDS}, 0"
        for number, network in enumerate(SPACES, start=20):
            learns(askers[network], "db", f"10.78.0.{number}")
            learns(peers[network], f"{network}-asks.ovsnet.internal", FIRST)
            assert heard(askers[network], f"10.78.0.{number}", rounds=20) == [{f"{network}-db": 20}]
            others = [it for it in SPACES if it != network]
            for other in others:
                learns(askers[network], f"{other}-db.ovsnet.internal")

        for name, (_, option) in ((it, SPACES[it]) for it in ("one", "two")):
            for host in cluster.hosts:
                ipam = host.docker("network", "inspect", name).json()[0]["IPAM"]
                assert ipam["Options"] == {"space": option.removeprefix("space=")}, host.name

        with Flood(askers["one"], peers["one"], SECOND, rate=100) as flood:
            for host in cluster.hosts:
                host.agent.kill()
                host.agent.wait_ready()
            for number, network in enumerate(SPACES, start=20):
                learns(askers[network], "db", f"10.78.0.{number}")
            talk_to_their_own(askers, peers)
            for it in (askers["two"], peers["two"], dbs["two"]):
                it.remove()
            there.docker("network", "rm", "two")
            wait_until(lambda: "two" not in networks.names(here), 15, "network two gone from the first host")
            assert heard(askers["three"], SECOND) == [{"three-tells": ROUNDS}]
            learns(askers["one"], "db", "10.78.0.20")
        assert flood.result.lost == 0


def test_no_address_of_one_space_is_refused_for_another_ones(cluster: Cluster) -> None:
    for name in ("one", "two"):
        cluster.network(name, "10.78.0.0/29", *SPACES[name])
    first, second, _ = cluster.hosts
    inside = first.start_container("here", "--ip", "10.78.0.2", network="one")
    second.start_container("there", "--ip", "10.78.0.2", network="two")
    refused = second.docker(
        "run", "--rm", "--network", "one", "--ip", "10.78.0.2", "busybox:local", "true", check=False
    )
    assert "held by container here on host" in refused.stderr
    full = [second.start_container(f"c{number}", network="one") for number in range(4)]
    assert len({it.address("one") for it in (*full, inside)}) == 5
    overlap = second.docker(
        "network", "create", *networks.DRIVER, "--subnet", "10.78.0.0/25", *SPACES["two"], "late", check=False
    )
    assert "overlaps 10.78.0.0/29 of network two" in overlap.stderr
    assert "--ipam-opt space=NAME" in overlap.stderr


TENANTS = """
version: "3.7"
services:
  blue:
    {image: busybox:local, init: true, command: sleep 1000000, networks: {left: {ipv4_address: 10.78.0.10}}}
  green:
    {image: busybox:local, init: true, command: sleep 1000000, networks: {right: {ipv4_address: 10.78.0.10}}}
networks:
  left:
    driver: ovsnet
    ipam: {driver: ovsnet, options: {space: blue}, config: [{subnet: 10.78.0.0/24}]}
  right:
    driver: ovsnet
    ipam: {driver: ovsnet, options: {space: green}, config: [{subnet: 10.78.0.0/24}]}
"""


@pytest.mark.row(11)
def test_compose_names_address_spaces_and_finds_the_same_again(host: NamespaceHost) -> None:
    host.write_file(FILE, TENANTS)
    networks.with_gateway_bridge(host)
    before = traces(host)
    compose(host, "up", "-d")
    spaces = {"shop_left": "blue", "shop_right": "green"}
    wait_until(lambda: {it["name"]: it["space"] for it in ask(host, "networks")} == spaces, 10, "each in its own space")
    running = host.docker("ps", "-q", "--no-trunc").stdout.split()
    compose(host, "up", "-d")
    assert host.docker("ps", "-q", "--no-trunc").stdout.split() == running
    compose(host, "down", "-t", "1")
    left_as(host, before, 10)
