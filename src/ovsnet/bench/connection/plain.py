"""What the kernel alone offers: a bridge, macvlan, ipvlan, a veth pair, and the loopback as the physical limit."""

import itertools
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path

from ovsnet.bench.crew import Crew
from ovsnet.bench.wiring import End, Joined, Subject, dress, namespace, pair
from ovsnet.model.errors import OvsnetError, Unavailable

ADDRESSES = ("192.0.2.1/24", "192.0.2.2/24")
"""Of the ends of every subject (RFC 5737); each subject has namespaces of its own."""


class Plain:
    """Builds them in the folder of a sandbox."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._outside = Crew(folder / "plain.log")
        self._numbers = itertools.count()

    def subjects(self) -> Iterator[Subject]:
        """All of them; the physical limits come last."""
        yield Subject("Linux bridge", "two veth pairs on a bridge of the kernel", self.bridge)
        yield Subject("macvlan", "macvlan interfaces in bridge mode", self.macvlan)
        yield Subject("ipvlan", "ipvlan interfaces in layer 2 mode", self.ipvlan)
        yield Subject("veth", "a veth pair and no switch", self.veth)
        yield Subject("loopback", "one namespace with itself", self.loopback)

    async def bridge(self, stack: AsyncExitStack) -> Joined:
        """Two veth pairs."""
        del stack
        middle = await self._namespace()
        await middle.call("ip", "link", "add", "br0", "up", "type", "bridge")
        ends = []
        for number, address in enumerate(ADDRESSES):
            crew = await self._namespace()
            port = f"p{number}"
            await pair(middle, port, crew, "eth0")
            await middle.call("ip", "link", "set", port, "master", "br0", "up")
            ends.append(await dress(crew, "eth0", address))
        return Joined("Linux bridge", *ends)

    async def macvlan(self, stack: AsyncExitStack) -> Joined:
        """Both on one interface that leads nowhere."""
        return await self._on_parent("macvlan", "bridge", stack)

    async def ipvlan(self, stack: AsyncExitStack) -> Joined:
        """As macvlan."""
        return await self._on_parent("ipvlan", "l2", stack)

    async def _on_parent(self, kind: str, mode: str, stack: AsyncExitStack) -> Joined:
        del stack
        middle = await self._namespace()
        await pair(middle, "parent", middle, "wire")
        for name in ("parent", "wire"):
            await middle.call("ip", "link", "set", name, "up")
        ends = []
        for number, address in enumerate(ADDRESSES):
            crew = await self._namespace()
            where = ("name", f"x{number}", "netns", Path(crew.namespace).name)
            try:
                await middle.call("ip", "link", "add", "link", "parent", *where, "type", kind, "mode", mode)
            except OvsnetError as error:
                raise Unavailable(kind, f"this kernel makes none: {error}") from None
            ends.append(await dress(crew, f"x{number}", address))
        return Joined(kind, *ends)

    async def veth(self, stack: AsyncExitStack) -> Joined:
        """No switch."""
        del stack
        left, right = await self._namespace(), await self._namespace()
        await pair(left, "eth0", right, "eth0")
        return Joined("veth", await dress(left, "eth0", ADDRESSES[0]), await dress(right, "eth0", ADDRESSES[1]))

    async def loopback(self, stack: AsyncExitStack) -> Joined:
        """No interface either."""
        del stack
        crew = await self._namespace()
        end = End(crew, "127.0.0.1", "lo")
        return Joined("loopback", end, end)

    async def _namespace(self) -> Crew:
        return await namespace(f"plain{next(self._numbers)}", self._folder)
