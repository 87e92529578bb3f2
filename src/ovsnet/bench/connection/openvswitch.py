"""Ours, as an agent makes it: a network with veth pairs and one with internal ports."""

from collections.abc import Iterator
from contextlib import AsyncExitStack
from hashlib import sha256
from ipaddress import IPv4Interface, IPv4Network
from pathlib import Path

from ovsnet.bench.crew import Crew
from ovsnet.bench.station import KERNEL, TSO, Station
from ovsnet.bench.wiring import NAMESPACES, End, Joined, Subject, addressed, namespace
from ovsnet.model.endpoint import Endpoint
from ovsnet.model.errors import Unavailable
from ovsnet.model.ids import EndpointId, Mac, NetworkId, Vni
from ovsnet.model.network import Egress, Network, NetworkOptions, PortKind
from ovsnet.plan.names import internal_port

SUBNETS = {PortKind.VETH: IPv4Network("10.191.0.0/24"), PortKind.INTERNAL: IPv4Network("10.192.0.0/24")}
VETH, NO_TSO, INTERNAL = "ovsnet", "ovsnet, no TSO", "ovsnet internal port"


class Ours:
    """One switch and one agent for all of them. `tso` is for the userspace datapath."""

    def __init__(self, folder: Path, datapath: str, *, tso: bool = True) -> None:
        self._folder = folder
        self._datapath = datapath
        self._tso = tso and datapath != KERNEL
        self._tag = "n" if datapath != KERNEL and not tso else "h"
        self._kinds = (PortKind.VETH, PortKind.INTERNAL) if datapath == KERNEL else (PortKind.VETH,)
        self._inside: dict[EndpointId, Crew] = {}
        # In a namespace of its own: the userspace datapath's devices have the same names everywhere.
        self._host = f"{self._tag}host"
        where = str(NAMESPACES / self._host)
        self.station = Station(folder / self._tag, datapath=datapath, namespace=where, instance=f"ovsnet-{self._tag}")

    def subjects(self) -> Iterator[Subject]:
        """With userspace-tso all, without it the one that differs."""
        if self._tag == "n":
            yield Subject(NO_TSO, "as ovsnet, without userspace-tso", self.veth)
            return
        yield Subject(VETH, "a network of ours with veth pairs, which is the default", self.veth)
        yield Subject(INTERNAL, "a network of ours with -o port=internal", self.internal)

    async def veth(self, stack: AsyncExitStack) -> Joined:
        """The default kind of port; the first to be built."""
        await self._open(stack)
        return await self._joined(NO_TSO if self._tag == "n" else VETH, PortKind.VETH)

    async def internal(self, stack: AsyncExitStack) -> Joined:
        """Ports that Open vSwitch makes itself."""
        if self._datapath != KERNEL:
            raise Unavailable(
                INTERNAL, "the userspace datapath has none that survive a restart, so ovsnet makes none there"
            )
        await self._open(stack)
        return await self._joined(INTERNAL, PortKind.INTERNAL)

    async def _open(self, stack: AsyncExitStack) -> None:
        """Switch and agent, which puts interfaces into the namespaces made here; once."""
        if self._inside:
            return
        networks = [network(it) for it in self._kinds]
        endpoints = [self._endpoint(it, number) for it in networks for number in (0, 1)]
        for it in endpoints:
            self._inside[it.id] = await namespace(Path(it.sandbox).name, self._folder)
        await namespace(self._host, self._folder)
        stack.push_async_callback(self.station.crew.close)
        await self.station.open_switch(**(TSO if self._tso else {}))
        await self.station.want(*networks, *endpoints)
        await stack.enter_async_context(self.station.agent())

    async def _joined(self, subject: str, kind: PortKind) -> Joined:
        client, server = [await self._end(self._endpoint(network(kind), number)) for number in (0, 1)]
        return Joined(subject, client, server)

    async def _end(self, it: Endpoint) -> End:
        """Where the agent has put its interface."""
        end = End(self._inside[it.id], str(it.ipv4).partition("/")[0], it.ifname)
        await addressed(end)
        return end

    def _endpoint(self, of: Network, number: int) -> Endpoint:
        """A container's on it."""
        subnet = SUBNETS[of.options.port]
        identifier = EndpointId(_hex(f"endpoint {of.name} {number}"))
        internal = of.options.port is PortKind.INTERNAL
        return Endpoint(
            id=identifier,
            network_id=of.id,
            mac=Mac(f"0a:02:00:00:{of.vni % 256:02x}:{number + 2:02x}"),
            ipv4=IPv4Interface((int(subnet.network_address) + 2 + number, subnet.prefixlen)),
            # Open vSwitch finds an internal port by its name, which it keeps in the container.
            sandbox=str(NAMESPACES / f"{self._tag}{of.options.port}{number}"),
            ifname=internal_port(identifier) if internal else "eth0",
            container_name=f"bench{number}",
        )


def network(kind: PortKind) -> Network:
    """The one with this kind of port."""
    return Network(
        id=NetworkId(_hex(f"network {kind}")),
        vni=Vni(9000 + list(PortKind).index(kind)),
        options=NetworkOptions(port=kind, egress=Egress.NONE),
        ipv4=SUBNETS[kind],
        name=f"bench-{kind}",
    )


def _hex(text: str) -> str:
    return sha256(text.encode()).hexdigest()
