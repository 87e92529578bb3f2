"""Two hosts of a subject: two namespaces of the sandbox, and the wire between them that every overlay crosses.

host 0: eth1 10.99.0.1 ══ veth pair ══ eth1 10.99.0.2: host 1
"""

from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from ovsnet.bench.crew import Crew
from ovsnet.bench.wiring import End, Joined, Subject, dress, namespace, pair

DEVICE = "eth1"
PREFIX = 24
ADDRESSES = ("10.99.0.1", "10.99.0.2")
MTU = 1500
INNER_MTU = MTU - 50
"""Of containers: an Ethernet header of 14, VXLAN's 8, UDP's 8, an IP header of 20 (RFC 7348)."""
INNER = ("198.51.100.1/24", "198.51.100.2/24")
"""Addresses of containers (RFC 5737), where nobody else gives them any."""
NAME = "underlay"
OFFLOADS = ("tso", "gso", "gro")


@dataclass(frozen=True, slots=True)
class Ground:
    """Where hosts are made. Without `offload` the wire carries only what a NIC without offloads for tunnels would."""

    folder: Path
    offload: bool = True

    async def hosts(self, name: str) -> tuple[Crew, Crew]:
        """Two of them, whose interfaces have no addresses yet."""
        left, right = [await namespace(f"{name}{number}", self.folder) for number in (0, 1)]
        await pair(left, DEVICE, right, DEVICE, mtu=MTU)
        for host in (left, right):
            if not self.offload:
                await host.call("ethtool", "-K", DEVICE, *(word for it in OFFLOADS for word in (it, "off")))
            await host.call("ip", "link", "set", DEVICE, "up")
        return left, right

    async def addressed_hosts(self, name: str) -> tuple[Crew, Crew]:
        """Two that reach each other."""
        hosts = await self.hosts(name)
        for number, host in enumerate(hosts):
            await give_address(host, number)
        return hosts

    async def containers(self, name: str) -> Sequence[Crew]:
        """Two namespaces, one for each host, which nothing joins yet."""
        return [await namespace(f"{name}{number}", self.folder) for number in (0, 1)]


async def give_address(host: Crew, number: int, *, device: str = DEVICE) -> None:
    """The host's own address."""
    await host.call("ip", "addr", "add", f"{ADDRESSES[number]}/{PREFIX}", "dev", device)


async def plug(host: Crew, container: Crew, number: int, *, port: str, mtu: int = INNER_MTU) -> End:
    """Give a container its interface; the host's end has this name and is up."""
    await pair(host, port, container, "eth0", mtu=mtu)
    await host.call("ip", "link", "set", port, "up")
    return await dress(container, "eth0", INNER[number])


def underlay(ground: Ground) -> Subject:
    """The wire itself, which nothing can be faster than."""

    async def build(stack: AsyncExitStack) -> Joined:
        del stack
        client, server = await ground.addressed_hosts("u")
        return Joined(NAME, End(client, ADDRESSES[0], DEVICE), End(server, ADDRESSES[1], DEVICE))

    return Subject(NAME, "the two hosts themselves, without an overlay", build)
