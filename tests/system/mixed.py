"""A cluster of two machines with the kernel datapath and one host with the userspace one: tunnels of both kinds.

    one, other   kernel datapath: one flow-based VXLAN port of Open vSwitch, and BFD between the two
    third        userspace datapath: vxlan devices of the kernel

    web          the container of each host                lone    icc=false, those of the machines, too

A command in a machine takes long, and a process of ours there up to two seconds: several things in each script.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from tests.rig.cluster import await_network, join_command
from tests.rig.container import Container
from tests.rig.host import Host
from tests.rig.kernel_host import KernelHost
from tests.rig.namespace_host import NamespaceHost
from tests.rig.process import wait_until
from tests.rig.rig import Rig, Shape
from tests.system import networks
from tests.system.networks import ask
from tests.system.parties import Party
from tests.system.together import together

SERVICE = "169.254.83.83"
# Signs of life often enough for a test, and rarely enough for a machine with half a processor.
DEAD_AFTER = 20
OPTIONS = ("--set", "heartbeat_period=2", "--set", f"dead_after={DEAD_AFTER}")
WEB_VNI = 5000
PATIENCE = 60.0
SLOW = 300.0


class Settled(Container):
    """A container that is not restarted: to ask for its process each time would take most of the time."""

    @cached_property
    def pid(self) -> int:
        """Of its first process."""
        return super().pid


@dataclass(frozen=True, slots=True)
class Mixed:
    """The hosts, and what their containers are on each network: web-one, web-other, web-third, lone-one, lone-other."""

    rig: Rig
    one: KernelHost
    other: KernelHost
    third: NamespaceHost
    parties: Mapping[str, Party]

    @property
    def hosts(self) -> Sequence[Host]:
        return self.one, self.other, self.third

    @property
    def web(self) -> Sequence[Party]:
        """On the three hosts, in their order."""
        return [self.parties[f"web-{it}"] for it in ("one", "other", "third")]


@contextmanager
def mixed_cluster(rig: Rig) -> Iterator[Mixed]:
    """The third host begins it."""
    shape = Shape(dockerd_args=f"--dns {SERVICE}")
    third = rig.host(shape)
    one, other = rig.kernel_hosts(2, shape)
    hosts: dict[Host, str] = {one: "one", other: "other", third: "third"}
    together(lambda it: it.agent.start(*OPTIONS), hosts)
    command = join_command(third.ovsnet("cluster", "init", "--advertise", address_of(third)).stdout)[1:]
    together(lambda it: it.ovsnet(*command, "--advertise", address_of(it), timeout=SLOW), (one, other))
    more = ("-o", "egress=none", "--ipv6")
    networks.create(third, "web", "10.20.0.0/24", *more, "--subnet", "fd00:20::/64", "-o", f"vni={WEB_VNI}")
    networks.create(third, "lone", "10.21.0.0/24", *more, "--subnet", "fd00:21::/64", "-o", "icc=false")
    parties = {name: it for found in together(lambda it: _furnish(*it), hosts.items()) for name, it in found.items()}
    wait_until(lambda: all(ask(it, "cluster")["endpoints"] == len(parties) for it in hosts), PATIENCE, "all published")
    yield Mixed(rig, one, other, third, parties)
    for host in hosts:
        rig.discard(host)


def address_of(host: Host) -> str:
    """Where it is reached and where its tunnels end."""
    return f"10.99.0.{host.name[1:]}"


def _furnish(host: Host, suffix: str) -> dict[str, Party]:
    """Its container, once its engine has the networks."""
    name = f"web-{suffix}"
    script = [f"docker run -d --init --name {name} --network web busybox:local sleep 1000000 >/dev/null"]
    await_network(host, "web", PATIENCE)
    if suffix != "third":
        await_network(host, "lone", PATIENCE)
        script.append(f"docker network connect lone {name}")
    (told,) = host.shell(" && ".join((*script, f"docker inspect {name}")), timeout=SLOW).json()
    return {f"{network}-{suffix}": it for network, it in _parties(Settled(host, name), told)}


def _parties(container: Container, told: Any) -> Iterator[tuple[str, Party]]:
    """What it is on each of its networks."""
    for network, it in told["NetworkSettings"]["Networks"].items():
        interface = {"web": "eth0", "lone": "eth1"}[network]
        yield network, Party(container, it["MacAddress"], it["IPAddress"], it["GlobalIPv6Address"], interface)


def lost(party: Party, *addresses: str, count: int = 5) -> Mapping[str, str]:
    """What `ping` says was lost on the way to each of these addresses and back, all asked at once."""
    ping = f"nsenter -t {party.container.pid} -n ping -n -q -i 0.2 -c {count} -W 2"
    asked = (f"(echo {it} $({ping} {it} | grep -o '[0-9.]*% packet loss')) &" for it in addresses)
    said = party.container.host.shell("\n".join((*asked, "wait")), timeout=SLOW).stdout
    return dict(line.split(" ", 1) for line in said.splitlines())
