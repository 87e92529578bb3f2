"""What the kernel alone offers: a vxlan device on a bridge of each host, and one in each container."""

from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path

from ovsnet.bench.crew import Crew
from ovsnet.bench.overlay.underlay import ADDRESSES, DEVICE, INNER, INNER_MTU, Ground, plug
from ovsnet.bench.wiring import Joined, Subject, dress

BRIDGED, BARE = "kernel VXLAN", "kernel VXLAN, no bridge"
VNI = "77"
PORT = "4789"


class KernelVxlan:
    """Builds them."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground

    def subjects(self) -> Iterator[Subject]:
        yield Subject(BRIDGED, "a vxlan device and a veth pair on a Linux bridge", self.bridged)
        yield Subject(BARE, "a vxlan device as the container's interface: no switch at all", self.bare)

    async def bridged(self, stack: AsyncExitStack) -> Joined:
        """As people build it by hand."""
        del stack
        ends = []
        hosts = await self._ground.addressed_hosts("k")
        for number, (host, container) in enumerate(zip(hosts, await self._ground.containers("kc"), strict=True)):
            await _device(host, number, "vx")
            await host.call("ip", "link", "add", "br0", "up", "type", "bridge")
            ends.append(await plug(host, container, number, port="port"))
            for port in ("vx", "port"):
                await host.call("ip", "link", "set", port, "master", "br0", "up")
        return Joined(BRIDGED, *ends)

    async def bare(self, stack: AsyncExitStack) -> Joined:
        """The least an encapsulation can cost."""
        del stack
        ends = []
        hosts = await self._ground.addressed_hosts("b")
        for number, (host, container) in enumerate(zip(hosts, await self._ground.containers("bc"), strict=True)):
            await _device(host, number, "vx")
            await host.call("ip", "link", "set", "vx", "netns", Path(container.namespace).name)
            ends.append(await dress(container, "vx", INNER[number]))
        return Joined(BARE, *ends)


async def _device(host: Crew, number: int, name: str) -> None:
    here, there = ADDRESSES[number], ADDRESSES[1 - number]
    how = ("id", VNI, "local", here, "remote", there, "dstport", PORT, "dev", DEVICE)
    await host.call("ip", "link", "add", name, "mtu", str(INNER_MTU), "type", "vxlan", *how)
