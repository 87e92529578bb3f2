"""Several hosts of the rig as one cluster: begun and joined with the ordinary commands, and cut apart again.

cluster = Cluster.of(rig, 3)
cluster.network("web", "10.20.0.0/16")     made on the first host, returns when every engine lists it
with cluster.cut_off(cluster.hosts[2]): …  the host's cable is out: management and tunnels
"""

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tests.rig.host import Host
from tests.rig.namespace_host import NamespaceHost
from tests.rig.process import run, wait_until
from tests.rig.rig import Rig, Shape

# Signs of life ten times as often as by default, so that a dead host is one within seconds.
QUICK = ("--set", "heartbeat_period=1", "--set", "dead_after=5")
EVERYWHERE = 15.0
API = ("curl", "-sSf", "--unix-socket", "/run/ovsnet/api.sock")


@dataclass(frozen=True, slots=True)
class Wiring:
    """How hosts are told to reach each other: an address is this plus the host's number; the rest as `init` has it.

    The UDP port 0 is the usual one.
    """

    address: str = "10.99.0."
    vtep: str = ""
    udp_port: int = 4789
    encapsulation: str = ""


TUNNEL_SEGMENT = Wiring()


class Cluster:
    """Members in the order they joined."""

    def __init__(self, rig: Rig, hosts: Sequence[NamespaceHost], wiring: Wiring = TUNNEL_SEGMENT) -> None:
        self.rig = rig
        self.hosts = list(hosts)
        self.wiring = wiring

    @classmethod
    def of(
        cls, rig: Rig, count: int, *options: str, shape: Shape | None = None, wiring: Wiring = TUNNEL_SEGMENT
    ) -> "Cluster":
        """So many fresh hosts, joined; `options` are the agent's."""
        cluster = cls(rig, [rig.host(shape) for _ in range(count)], wiring)
        for host in cluster.hosts:
            host.agent.start(*QUICK, *options)
        cluster.form()
        return cluster

    def down(self) -> None:
        """Take every host away."""
        for host in self.hosts:
            self.rig.discard(host)

    def form(self) -> None:
        """The first host begins the cluster, the others join."""
        first, *others = self.hosts
        wiring = self.wiring
        port = ("--udp-port", str(wiring.udp_port)) if wiring.udp_port else ()
        kind = ("--encapsulation", wiring.encapsulation) if wiring.encapsulation else ()
        init = ("cluster", "init", *port, *kind)
        command = join_command(first.ovsnet(*init, *self._place(first)).stdout)
        for host in others:
            host.ovsnet(*command[1:], *self._place(host), timeout=90)
        self.settle()

    def admit(self, host: NamespaceHost, *, by: NamespaceHost | None = None) -> None:
        """One more host joins, or one that left does again, at the invitation of `by` (the first)."""
        command = join_command((by or self.hosts[0]).ovsnet("cluster", "token").stdout)
        host.ovsnet(*command[1:], *self._place(host), timeout=90)
        if host not in self.hosts:
            self.hosts.append(host)
        self.settle()

    def _place(self, host: NamespaceHost) -> Sequence[str]:
        vtep = ("--vtep", self.wiring.vtep) if self.wiring.vtep else ()
        return ("--advertise", self.address(host), *vtep)

    def settle(self, deadline: float = 60.0) -> None:
        """Until every member knows every other, and as many vote as should."""
        count = len(self.hosts)
        votes = next(it for it in (5, 3, 1) if count >= it)

        def settled() -> bool:
            seen = [self.status(host) for host in self.hosts]
            return all(it["available"] and it["members"] == count and it["voters"] == votes for it in seen) and (
                self.raft_servers() == votes
            )

        wait_until(settled, deadline, f"a cluster of {count} hosts with {votes} votes")

    def address(self, host: NamespaceHost) -> str:
        """Where other members reach it."""
        return f"{self.wiring.address}{host.name.removeprefix('h')}"

    def ask(self, host: Host, what: str) -> Any:
        """An answer of the agent's API."""
        return json.loads(host.run(*API, f"http://ovsnet/v1/{what}").stdout)

    def status(self, host: Host) -> Any:
        """The cluster as this host sees it; nothing of a host whose agent is away."""
        answer = host.run(*API, "http://ovsnet/v1/cluster", check=False)
        return (
            json.loads(answer.stdout) if answer.ok else {"available": False, "members": 0, "voters": 0, "leader": False}
        )

    def leader(self) -> NamespaceHost:
        """The host whose database leads, by its own word."""
        found = wait_until(
            lambda: [it for it in self.hosts if raft_role(it) == "leader"], 30, "a leader of the database"
        )
        return found[0]

    def raft_servers(self) -> int:
        """How many servers the leader counts."""
        for host in self.hosts:
            said = raft_status(host)
            if "Role: leader" in said:
                return len(re.findall(r"^    \w+ \(", said, re.MULTILINE))
        return 0

    def network(self, name: str, subnet: str = "", *options: str, on: NamespaceHost | None = None) -> None:
        """Made on one host (the first), and waited for on all."""
        where = ("--subnet", subnet) if subnet else ()
        driver = ("-d", "ovsnet", "--ipam-driver", "ovsnet")
        (on or self.hosts[0]).docker("network", "create", *driver, *where, *options, name)
        for host in self.hosts:
            await_network(host, name)

    def tidy_up(self) -> None:
        """No container, no network."""
        for host in self.hosts:
            host.remove_containers()
        for host in self.hosts:
            for name in networks_of(host):
                host.docker("network", "rm", name, check=False)
        for host in self.hosts:
            await_no_networks(host)

    @contextmanager
    def cut_off(self, *hosts: NamespaceHost) -> Iterator[None]:
        """These hosts reach nobody: both their cables are out."""
        self._cables(hosts, "down")
        try:
            yield
        finally:
            self._cables(hosts, "up")

    def _cables(self, hosts: Sequence[NamespaceHost], state: str) -> None:
        for host in hosts:
            number = host.name.removeprefix("h")
            for cable in (f"m{number}", f"v{number}"):
                run("ip", "-n", f"{self.rig.name}-net", "link", "set", cable, state)


def join_command(said: str) -> list[str]:
    """The command in what `cluster init` or `cluster token` printed."""
    found = re.search(r"^ +(ovsnet cluster join .*)$", said, re.MULTILINE)
    assert found, said
    return found[1].split()


def networks_of(host: Host) -> Sequence[str]:
    """The networks of ours that this host's engine lists."""
    return host.docker("network", "ls", "--filter", "driver=ovsnet", "--format", "{{.Name}}").stdout.split()


def await_network(host: Host, name: str, deadline: float = EVERYWHERE) -> None:
    """Until this host's engine lists it."""
    wait_until(lambda: name in networks_of(host), deadline, f"network {name} on {host.name}")


def await_no_networks(host: Host, deadline: float = EVERYWHERE) -> None:
    """Until this host's engine lists none of ours."""
    wait_until(lambda: not networks_of(host), deadline, f"no networks on {host.name}")


def raft_status(host: Host) -> str:
    """What its database says of RAFT; nothing on a relay."""
    return host.run(
        "ovs-appctl", "-t", "/run/ovsnet/cluster.ctl", "cluster/status", "OVSNet_Cluster", check=False
    ).stdout


def raft_role(host: Host) -> str:
    """leader, follower or candidate; "" on a relay."""
    found = re.search(r"^Role: (\w+)$", raft_status(host), re.MULTILINE)
    return found[1] if found else ""
