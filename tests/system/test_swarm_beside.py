"""Row 62, and the ground for row 12: hosts of a cluster that are nodes of a swarm; Docker's own overlay beside ours.

Services on networks of ours, which are row 12, come later (decision 41): here is what a swarm leaves alone, and what
the engine says.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from tests.rig.cluster import Cluster, Wiring
from tests.rig.container import Container
from tests.rig.host import Host
from tests.rig.namespace_host import NamespaceHost
from tests.rig.process import wait_until
from tests.rig.rig import Rig, Shape
from tests.rig.roots import root_of
from tests.rig.traffic import Flood
from tests.rows import Figures
from tests.system import networks
from tests.system.combinations import MACHINE, SID, Combination
from tests.system.networks import ask
from tests.system.test_row_79_names import SERVICE, learns

DOCKERS_PORT, ANOTHER = 4789, 4790
STEADY = 100
SOON = 20.0
LEGACY = "legacy plugin ovsnet of type NetworkDriver is not supported in swarm mode"
# What was refused, by the reason the agent logs, or a call it does not know.
ODD = ("unknown call", "[warning  ] refused", "[error")


@dataclass
class Swarm:
    """Two hosts that are a cluster of ours, one a manager of a swarm and the other a worker while it is active."""

    cluster: Cluster

    @property
    def hosts(self) -> tuple[NamespaceHost, NamespaceHost]:
        manager, worker = self.cluster.hosts
        return manager, worker

    def begin(self) -> None:
        manager, worker = self.hosts
        place = self.cluster.address(manager)
        manager.docker("swarm", "init", "--advertise-addr", place, timeout=120)
        token = manager.docker("swarm", "join-token", "-q", "worker").stdout.strip()
        worker.docker("swarm", "join", "--token", token, f"{place}:2377", timeout=120)

    def end(self) -> None:
        manager, worker = self.hosts
        worker.docker("swarm", "leave", "--force", timeout=120)
        manager.docker("swarm", "leave", "--force", timeout=120)

    def run(self, host: Host, name: str, network: str) -> Container:
        """A container that asks the name service."""
        return host.start_container(name, "--dns", SERVICE, network=network)


@pytest.fixture(
    scope="module",
    params=[
        pytest.param((MACHINE, ANOTHER), marks=pytest.mark.long),
        (MACHINE, DOCKERS_PORT),
        pytest.param((SID, DOCKERS_PORT), marks=pytest.mark.matrix),
    ],
    ids=["machine-another-port", "machine-same-port", "sid-same-port"],
)
def swarm(request: pytest.FixtureRequest, rig: Rig) -> Iterator[Swarm]:
    engine, port = request.param
    swarm = Swarm(made(rig, engine, port))
    swarm.cluster.network("web", "10.12.0.0/24")
    yield swarm
    swarm.cluster.down()


def made(rig: Rig, engine: Combination, port: int) -> Cluster:
    shape = Shape(root=root_of(engine.suite) if engine.suite else "/")
    return Cluster.of(rig, 2, shape=shape, wiring=Wiring(udp_port=port))


def names(host: Host) -> set[str]:
    return {it["name"] for it in ask(host, "networks")}


def odd(host: NamespaceHost, since: int) -> Sequence[str]:
    """What the agent did not like since its log was so long."""
    return [it for it in host.agent.log()[since:].splitlines() if any(word in it for word in ODD)]


def says(host: Host, *words: str) -> str:
    """Why the engine does not do this."""
    done = host.docker(*words, check=False, timeout=60)
    assert not done.ok, done.stdout
    return done.stderr


def overlay(swarm: Swarm, name: str) -> tuple[Container, Container]:
    """A container on each host, on a network of Docker's own overlay driver."""
    manager, worker = swarm.hosts
    manager.docker("network", "create", "-d", "overlay", "--attachable", "--subnet", "10.13.0.0/24", name)
    found = [Container(host, f"{name}-{host.name}") for host in (manager, worker)]
    for it in found:
        it.host.docker("run", "-d", "--init", "--name", it.name, "--network", name, "busybox:local", "sleep", "1000000")
    return found[0], found[1]


def pings_by_name(asking: Container, name: str) -> bool:
    return asking.exec("ping", "-c", "3", "-W", "1", name, check=False).ok


@pytest.mark.long
@pytest.mark.row(62)
def test_a_swarm_begins_lives_and_ends_and_nothing_of_ours_notices(swarm: Swarm, figures: Figures) -> None:
    manager, worker = swarm.hosts
    since = [len(it.agent.log()) for it in swarm.hosts]
    one, other = swarm.run(manager, "one", "web"), swarm.run(worker, "other", "web")
    address = other.address("web")
    with Flood(one, other, address, rate=STEADY) as flood:
        swarm.begin()
        learns(one, "other", address)
        swarm.cluster.network("made", "10.14.0.0/24", on=worker)
        late, later = swarm.run(manager, "late", "made"), swarm.run(worker, "later", "made")
        wait_until(lambda: late.pings(later.address("made")), SOON, "a network made while the swarm is active")
        learns(late, "later", later.address("made"))

        here, there = overlay(swarm, "theirs")
        wait_until(lambda: pings_by_name(here, there.name), SOON, "Docker's own overlay")
        # The swarm's networks are in the engine's list, too: none of them is ours, nor made again elsewhere.
        assert names(manager) == names(worker) == {"web", "made"}
        assert [it["name"] for it in engines(worker) if it["Scope"] == "swarm"] != []
        assert {it["name"]: it["Scope"] for it in engines(worker) if it["Driver"] == "ovsnet"} == {
            "web": "local",
            "made": "local",
        }
        for host in swarm.hosts:
            assert host.ovsnet("status", check=False).ok, host.ovsnet("status", check=False).stdout

        for it in (here, there):
            it.remove()
        manager.docker("network", "rm", "theirs")
        swarm.end()
        for it in (late, later):
            it.remove()
        worker.docker("network", "rm", "made")
        wait_until(lambda: names(manager) == {"web"}, SOON, "the network that was made meanwhile is gone")
        learns(one, "other", address)
    figures["datagrams lost while a swarm began and ended"] = f"{flood.result.lost} of {flood.result.sent}"
    assert flood.result.lost == 0
    assert [odd(host, start) for host, start in zip(swarm.hosts, since, strict=True)] == [[], []]
    for it in (one, other):
        it.remove()


def engines(host: Host) -> Sequence[Any]:
    """The networks as the engine lists them."""
    ids = host.docker("network", "ls", "-q").stdout.split()
    found = host.docker("network", "inspect", *ids).json()
    return [{**it, "name": it["Name"]} for it in found]


@pytest.mark.row(62)
def test_dockers_overlay_and_ours_carry_packets_side_by_side(swarm: Swarm, figures: Figures) -> None:
    """On the userspace datapath both are vxlan devices of the kernel, which shares a UDP port among them."""
    manager, worker = swarm.hosts
    swarm.begin()
    here, there = overlay(swarm, "theirs")
    one, other = swarm.run(manager, "one", "web"), swarm.run(worker, "other", "web")
    wait_until(lambda: pings_by_name(here, there.name), SOON, "Docker's own overlay")
    ours = Flood(one, other, other.address("web"), rate=STEADY)
    theirs = Flood(here, there, there.address("theirs"), rate=STEADY)
    with ours, theirs:
        third = swarm.run(manager, "third", "web")
        assert third.pings(other.address("web"))
        assert not third.pings(there.address("theirs"))
    figures["datagrams lost on Docker's overlay and on ours beside it"] = (
        f"{theirs.result.lost} of {theirs.result.sent}, {ours.result.lost} of {ours.result.sent}"
    )
    assert (ours.result.lost, theirs.result.lost) == (0, 0)
    for it in (one, other, third, here, there):
        it.remove()
    manager.docker("network", "rm", "theirs")
    swarm.end()


def test_the_engine_itself_refuses_services_and_swarm_networks_of_ours(swarm: Swarm) -> None:
    manager, worker = swarm.hosts
    since = len(manager.agent.log())
    swarm.begin()
    driver = ("network", "create", "--scope", "swarm", "-d", "ovsnet")
    assert LEGACY in says(manager, *driver, "all")
    assert LEGACY in says(manager, *driver, "--attachable", "--ipam-driver", "ovsnet", "all")
    manager.docker("network", "create", "--config-only", "--subnet", "10.15.0.0/24", "config")
    assert LEGACY in says(manager, *driver, "--config-from", "config", "all")
    manager.docker("network", "rm", "config")
    service = ("service", "create", "--detach", "--network", "web", "busybox:local", "sleep", "1000000")
    assert "network web not found" in says(manager, *service)
    # No driver was asked, so nothing is left.
    assert names(manager) == names(worker) == {"web"}
    assert odd(manager, since) == []
    swarm.end()


@pytest.mark.long
def test_agent_and_engine_restart_while_the_swarm_is_active(swarm: Swarm) -> None:
    manager, worker = swarm.hosts
    since = [len(it.agent.log()) for it in swarm.hosts]
    swarm.begin()
    one = swarm.run(worker, "one", "web")
    for host in swarm.hosts:
        host.agent.kill()
        host.agent.wait_ready()
    manager.dockerd_restart()
    wait_until(lambda: manager.docker("node", "ls", check=False).ok, SOON, "the manager manages again")
    wait_until(
        lambda: manager.docker("network", "inspect", "web", check=False).ok, SOON, "the engine knows its networks"
    )
    again = swarm.run(manager, "again", "web")
    wait_until(lambda: again.pings(one.address("web")), SOON, "a container that was started after both")
    refused = [line for host, start in zip(swarm.hosts, since, strict=True) for line in odd(host, start)]
    assert refused == []
    for it in (one, again):
        it.remove()
    swarm.end()
    assert networks.names(manager) == networks.names(worker) == ["web"]


def test_a_driver_that_comes_to_a_swarm_is_told_of_its_nodes_and_works(rig: Rig) -> None:
    host = rig.host()
    try:
        host.docker("swarm", "init", "--advertise-addr", f"10.99.0.{host.name.removeprefix('h')}", timeout=60)
        host.agent.start("--set", "log_level=debug")
        host.agent.wait_ready()
        networks.create(host, "web")
        one, other = networks.start(host, "one", "other", network="web")
        assert one.pings(other.address("web"))
        assert "NetworkDriver.DiscoverNew" in host.agent.log()
        assert odd(host, 0) == []
    finally:
        rig.discard(host)
