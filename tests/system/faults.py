"""A cluster under a fault: traffic that must not lose anything, and how to tell that nothing is left wrong.

crossing.traffic(h1, h2)      numbered datagrams from each of these hosts to the next, in both families
crossing.starts(host, "x")    a container like any other, with the seconds its start took
crossing.well()               every host content, every address given once, everybody reaches everybody
"""

import shlex
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from itertools import pairwise

from tests.rig.cluster import Cluster
from tests.rig.container import Container
from tests.rig.host import HERE, INSIDE_LOG_DIR, PROJECT
from tests.rig.namespace_host import NamespaceHost
from tests.rig.process import run, wait_until
from tests.rig.spawned import Spawned
from tests.rig.traffic import Flood
from tests.system.networks import ask

NETWORK = "web"
SUBNETS = ("10.20.0.0/16", "--ipv6", "--subnet", "fd00:20::/64")
# The userspace datapath shares two cores with everything else here; much more than this it loses by itself.
RATE = 100.0
HEALED = 30.0


class Crossing:
    """A network with one container on every host of a cluster."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        cluster.network(NETWORK, *SUBNETS)
        self._first = {host.name: host.start_container(f"c-{host.name}", network=NETWORK) for host in cluster.hosts}

    def of(self, host: NamespaceHost) -> Container:
        """The container that is there from the beginning."""
        return self._first[host.name]

    def traffic(self, *hosts: NamespaceHost) -> AbstractContextManager[Mapping[str, Flood]]:
        """Between the containers of all these hosts while the block runs."""
        return between(*map(self.of, hosts))

    def starts(self, host: NamespaceHost, name: str) -> tuple[Container, float]:
        """A container, and the seconds until `docker run` was back."""
        began = time.monotonic()
        container = host.start_container(name, network=NETWORK)
        return container, round(time.monotonic() - began, 2)

    def well(self, deadline: float = HEALED) -> None:
        """Nothing is left wrong, at the latest after so many seconds: names what is."""
        wait_until(lambda: self.complaints() == [], deadline, "a cluster with nothing wrong")

    def complaints(self) -> Sequence[str]:
        """What is wrong now."""
        return [*(it for host in self.cluster.hosts for it in self._complaints_of(host)), *self._doubled()]

    def _complaints_of(self, host: NamespaceHost) -> Iterator[str]:
        if not host.agent.running or not self.cluster.status(host)["available"]:
            yield f"{host.name}: away"
            return
        status, check = ask(host, "status"), ask(host, "check")
        yield from (f"{host.name}: {it}" for it in (*status["problems"], *status["warnings"]))
        yield from (f"{host.name}: drift {it}" for it in check["items"])
        if status["cluster"]["waiting"]:
            yield f"{host.name}: not all is published"

    def _doubled(self) -> Iterator[str]:
        found: dict[str, str] = {}
        for host in self.cluster.hosts:
            for name, address in addresses(host):
                if address in found:
                    yield f"{address} is that of {found[address]} and of {host.name}/{name}"
                found[address] = f"{host.name}/{name}"

    def all_reach_all(self, deadline: float = HEALED) -> float:
        """Every container of the network reaches every other host's; returns the seconds until it was so."""
        began = time.monotonic()
        for host in self.cluster.hosts:
            others = [it for other in self.cluster.hosts if other is not host for it in addresses(other)]
            reaches(self.of(host), [address for _, address in others], began + deadline)
        return round(time.monotonic() - began, 1)


@contextmanager
def stopped(host: NamespaceHost, pid: str) -> Iterator[None]:
    """A process that does nothing while the block runs."""
    host.run("kill", "-STOP", pid)
    try:
        yield
    finally:
        host.run("kill", "-CONT", pid)


@contextmanager
def powered_off(*hosts: NamespaceHost, options: Sequence[str] = ()) -> Iterator[None]:
    """All that ran there is gone at once; after the block they boot, each agent first, as the units would have it."""
    folder, command = "boot-agent", (str(PROJECT / ".venv/bin/ovsnet"), "agent", *options)
    inside = f"{INSIDE_LOG_DIR}/{folder}"
    for host in hosts:
        host.on_boot(f"rm -rf {inside}; exec {HERE}/spawn {inside} {shlex.join(command)}")
    for host in hosts:
        run("kill", "-KILL", str(host.outer_pid))
    yield
    for host in hosts:
        host.reboot()
        host.agent.adopt(Spawned(host, command, host.log_dir / folder))
    for host in hosts:
        host.agent.wait_ready()


@contextmanager
def between(*containers: Container) -> Iterator[Mapping[str, Flood]]:
    """Numbered datagrams from each of these containers to the next one, in both families, while the block runs."""
    floods = {
        f"{one.name} to {address}": Flood(one, other, address, rate=RATE)
        for one, other in pairwise((*containers, containers[0]))
        for address in (other.address(NETWORK), other.address6(NETWORK))
    }
    # Each takes a moment to begin and to end, for itself.
    with ThreadPoolExecutor(len(floods)) as pool, ExitStack() as stack:
        list(pool.map(Flood.__enter__, floods.values()))
        stack.callback(lambda: list(pool.map(lambda it: it.__exit__(None, None, None), floods.values())))
        yield floods


def networks_in_cluster(host: NamespaceHost) -> set[str]:
    """The names of all that the cluster's database holds."""
    dump = ("ovsdb-client", "-f", "json", "dump", "unix:/run/ovsnet/cluster.sock", "OVSNet_Cluster", "Network", "name")
    return {name for (name,) in host.run(*dump).json()["data"]}


def addresses(host: NamespaceHost) -> list[tuple[str, str]]:
    """Name and address of every container on the network, by the engine's word; both families."""
    found = host.docker("network", "inspect", NETWORK).json()[0]["Containers"].values()
    return [
        (it["Name"], it[family].partition("/")[0])
        for it in found
        for family in ("IPv4Address", "IPv6Address")
        if it[family]
    ]


def reaches(container: Container, asked: Sequence[str], until: float) -> None:
    """Each of these addresses answers, all before this moment of the monotonic clock."""
    for address in asked:
        left = max(0.0, until - time.monotonic())
        wait_until(lambda it=address: container.pings(it), left, f"{container.name} reaches {address}")  # type: ignore[misc]


def lossless(floods: Mapping[str, Flood]) -> int:
    """Not one datagram was lost, of how many."""
    results = {name: it.result for name, it in floods.items()}
    lost = {
        name: f"{it.lost} of {it.sent}, as [first, how many]: {it.holes}" for name, it in results.items() if it.lost
    }
    assert lost == {}, lost
    assert min(it.sent for it in results.values()) > 0
    return sum(it.sent for it in results.values())


def database_pid(host: NamespaceHost) -> str:
    """The process of the cluster's database."""
    return host.read_file("/run/ovsnet/cluster.pid").strip()


def roles(cluster: Cluster, role: str) -> tuple[NamespaceHost, NamespaceHost]:
    """The host with this role in the database, and another one that follows."""
    leader = cluster.leader()
    followers = [it for it in cluster.hosts if it is not leader]
    return (leader, followers[0]) if role == "leader" else (followers[0], followers[1])
