"""Ours, as an agent makes it: a network with veth pairs and one with internal ports; and a bare Open vSwitch bridge,
which shows what our flow tables cost.
"""

from collections.abc import Iterator
from contextlib import AsyncExitStack
from hashlib import sha256
from ipaddress import IPv4Interface, IPv4Network
from pathlib import Path

from ovsnet.bench.crew import Crew
from ovsnet.bench.station import KERNEL, Station
from ovsnet.bench.wiring import NAMESPACES, End, Joined, Subject, addressed, dress, namespace, pair
from ovsnet.model.endpoint import Endpoint
from ovsnet.model.errors import Unavailable
from ovsnet.model.ids import EndpointId, Mac, NetworkId, Vni
from ovsnet.model.network import Egress, Network, NetworkOptions, PortKind
from ovsnet.plan.names import internal_port

SUBNETS = {PortKind.VETH: IPv4Network("10.191.0.0/24"), PortKind.INTERNAL: IPv4Network("10.192.0.0/24")}
VETH, INTERNAL, BARE = "ovsnet", "ovsnet internal port", "bare OVS bridge"
PLAIN_BRIDGE = "br-plain"


class Ours:
    """One switch and one agent for all of them."""

    def __init__(self, folder: Path, datapath: str) -> None:
        self._folder = folder
        self._datapath = datapath
        self._kinds = (PortKind.VETH, PortKind.INTERNAL) if datapath == KERNEL else (PortKind.VETH,)
        self._inside: dict[EndpointId, Crew] = {}
        self._tso = False
        self.station = Station(folder / "h", datapath=datapath)

    def subjects(self) -> Iterator[Subject]:
        yield Subject(VETH, "a network of ours with veth pairs, which is the default", self.veth)
        yield Subject(INTERNAL, "a network of ours with -o port=internal", self.internal)
        yield Subject(BARE, "veth pairs on a bridge with the one flow NORMAL", self.bare)

    async def open(self, stack: AsyncExitStack, **other_config: str) -> None:
        """Switch and agent, which puts interfaces into the namespaces made here."""
        self._tso = other_config.get("userspace_tso_enable") == "true"
        stack.push_async_callback(self.station.crew.close)
        await self.station.open_switch(**other_config)
        networks = [network(it) for it in self._kinds]
        endpoints = [endpoint(it, number) for it in networks for number in (0, 1)]
        for it in endpoints:
            self._inside[it.id] = await namespace(Path(it.sandbox).name, self._folder)
        await self.station.want(*networks, *endpoints)
        await stack.enter_async_context(self.station.agent())

    async def veth(self, stack: AsyncExitStack) -> Joined:
        """The default kind of port."""
        del stack
        return await self._joined(VETH, PortKind.VETH)

    async def internal(self, stack: AsyncExitStack) -> Joined:
        """Ports that Open vSwitch makes itself."""
        del stack
        if self._datapath != KERNEL:
            raise Unavailable(
                INTERNAL, "the userspace datapath has none that survive a restart, so ovsnet makes none there"
            )
        return await self._joined(INTERNAL, PortKind.INTERNAL)

    async def bare(self, stack: AsyncExitStack) -> Joined:
        """Without our flow tables."""
        del stack
        options = ("--", "set", "Bridge", PLAIN_BRIDGE, f"datapath_type={self._datapath}")
        await self.station.vsctl("add-br", PLAIN_BRIDGE, *options)
        ends = []
        for number in (0, 1):
            crew, port = await namespace(f"bare{number}", self._folder), f"bare{number}"
            await pair(self.station.crew, port, crew, "eth0")
            await self.station.crew.call("ip", "link", "set", port, "up")
            await self.station.vsctl("add-port", PLAIN_BRIDGE, port)
            if self._datapath != KERNEL and not self._tso:
                # As the agent does it: this datapath hands packets on as they are, without a checksum too.
                await crew.call("ethtool", "-K", "eth0", "tx", "off")
            ends.append(await dress(crew, "eth0", f"198.51.100.{number + 1}/24"))
        return Joined(BARE, *ends)

    async def _joined(self, subject: str, kind: PortKind) -> Joined:
        client, server = [await self._end(endpoint(network(kind), number)) for number in (0, 1)]
        return Joined(subject, client, server)

    async def _end(self, it: Endpoint) -> End:
        """Where the agent has put its interface."""
        end = End(self._inside[it.id], str(it.ipv4).partition("/")[0], it.ifname)
        await addressed(end)
        return end


def network(kind: PortKind) -> Network:
    """The one with this kind of port."""
    return Network(
        id=NetworkId(_hex(f"network {kind}")),
        vni=Vni(9000 + list(PortKind).index(kind)),
        options=NetworkOptions(port=kind, egress=Egress.NONE),
        ipv4=SUBNETS[kind],
        name=f"bench-{kind}",
    )


def endpoint(of: Network, number: int) -> Endpoint:
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
        sandbox=str(NAMESPACES / f"{of.options.port}{number}"),
        ifname=internal_port(identifier) if internal else "eth0",
        container_name=f"bench{number}",
    )


def _hex(text: str) -> str:
    return sha256(text.encode()).hexdigest()
