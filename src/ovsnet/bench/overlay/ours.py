"""Ours, as two agents make it: one network of a cluster of two hosts, a container on each.

    host 0: switch, store, agent, voter ══ wire ══ host 1: switch, store, agent, relay

There are no Docker engines: what they would have asked for is put into the stores and the cluster's database.
"""

import time
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv4Interface
from pathlib import Path

from ovsnet.bench import crowd
from ovsnet.bench.cluster_server import ClusterServer
from ovsnet.bench.crew import PATIENCE, Crew
from ovsnet.bench.overlay.underlay import ADDRESSES, DEVICE, Ground, give_address
from ovsnet.bench.rows import inserted
from ovsnet.bench.station import KERNEL, TSO, USERSPACE, Station
from ovsnet.bench.wiring import End, Joined, Subject, addressed
from ovsnet.cluster import authority, process, rbac
from ovsnet.cluster.schema import DATABASE
from ovsnet.model.cluster import ClusterInfo, Encapsulation, Role
from ovsnet.model.endpoint import Endpoint
from ovsnet.model.errors import BadRequest
from ovsnet.model.ids import EndpointId, Mac, NetworkId
from ovsnet.model.network import Egress, Network
from ovsnet.ovsdb.question import Local, transact
from ovsnet.settings import Settings
from ovsnet.store.interface import Value

NOTHING, TWO_HOSTS = crowd.Size(0, 0), crowd.Size(2, 0)
NETWORK = replace(crowd.network(0), options=replace(crowd.network(0).options, egress=Egress.NONE))
UPLINK = "br-up"
"""The bridge that holds the wire where Open vSwitch's own tunnels need it: on the userspace datapath it looks for the
tunnel's address on bridges of its own."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One way to have it. `tunnel` is as in the settings; `tso` is for the userspace datapath."""

    name: str
    what: str
    tunnel: str
    tso: bool = False
    buffers: bool = True
    """Whether more waits at our ports than Open vSwitch has by itself."""
    encapsulation: Encapsulation = Encapsulation.VXLAN

    @property
    def own(self) -> bool:
        """Whether the tunnels are Open vSwitch's own on the userspace datapath."""
        return self.tunnel == "ovs" or self.encapsulation is Encapsulation.GENEVE


AUTOMATIC = "ovsnet"
KINDS = {
    USERSPACE: (
        Kind(AUTOMATIC, "as it is by itself: a vxlan device of the kernel, with userspace-tso", "auto", tso=True),
        Kind("ovsnet, small buffers", "the same with receive_buffer=0", "auto", tso=True, buffers=False),
        Kind("ovsnet, no TSO", "as ovsnet, without userspace-tso", "auto"),
        # With userspace-tso they carry no TCP at all (decision 28).
        Kind("ovsnet, OVS tunnel, no TSO", "with tunnel=ovs: Open vSwitch's own tunnel port", "ovs"),
        Kind(
            "ovsnet, Geneve, no TSO",
            "in a cluster of Geneve: the same port",
            "auto",
            encapsulation=Encapsulation.GENEVE,
        ),
    ),
    KERNEL: (
        Kind(AUTOMATIC, "as it is by itself: Open vSwitch's own tunnel port", "auto"),
        Kind("ovsnet, vxlan device", "with tunnel=kernel: a vxlan device of the kernel for each network", "kernel"),
        Kind(
            "ovsnet, Geneve",
            "in a cluster of Geneve: Open vSwitch's own port",
            "auto",
            encapsulation=Encapsulation.GENEVE,
        ),
    ),
}


def kinds(datapath: str) -> Sequence[Kind]:
    """Those of a datapath, the one people get first; BadRequest when there is no such datapath."""
    if datapath not in KINDS:
        raise BadRequest(f"--datapath {datapath}: there is no such datapath; there are: {', '.join(KINDS)}")
    return KINDS[datapath]


def subject(ground: Ground, datapath: str, number: int, kind: Kind) -> Subject:
    """One of them; `number` tells it from the others in names of files and namespaces."""

    async def build(stack: AsyncExitStack) -> Joined:
        return await _Cluster(ground, datapath, f"o{number}", kind).open(stack)

    return Subject(kind.name, kind.what, build)


class _Cluster:
    """Two hosts and what they share."""

    def __init__(self, ground: Ground, datapath: str, name: str, kind: Kind) -> None:
        self._ground = ground
        self._datapath = datapath
        self._name = name
        self._kind = kind

    async def open(self, stack: AsyncExitStack) -> Joined:
        """Two containers that reach each other, or soon will."""
        hosts = await self._ground.hosts(self._name)
        containers = await self._ground.containers(f"{self._name}c")
        stations = [self._station(host) for host in hosts]
        for number, station in enumerate(stations):
            stack.push_async_callback(station.crew.close)
            await self._open_switch(station, number)
        await _open_database(stations, self._kind.encapsulation)
        for number, station in enumerate(stations):
            await station.want(part(), endpoint(number, containers[number]))
            await stack.enter_async_context(station.agent())
        ends = [End(it, str(address(number).ip)) for number, it in enumerate(containers)]
        for it in ends:
            await addressed(it)
        return Joined(self._kind.name, *ends)

    def _station(self, host: Crew) -> Station:
        name = Path(host.namespace).name
        # An owner mark for each: the namespaces of their name services are called by it.
        return Station(
            self._ground.folder / name,
            datapath=self._datapath,
            namespace=host.namespace,
            instance=f"ovsnet-{name}",
            tunnel=self._kind.tunnel,
            receive_buffer=Settings().receive_buffer if self._kind.buffers else 0,
        )

    async def _open_switch(self, station: Station, number: int) -> None:
        await station.open_switch(**(TSO if self._kind.tso else {}))
        own = self._datapath == USERSPACE and self._kind.own
        await (hold_wire(station, number) if own else give_address(station.crew, number))


async def hold_wire(station: Station, number: int) -> None:
    """Put the wire and the host's address on a bridge of the userspace datapath."""
    await station.vsctl("add-br", UPLINK, "--", "set", "Bridge", UPLINK, f"datapath_type={USERSPACE}")
    await station.vsctl("add-port", UPLINK, DEVICE)
    await station.crew.call("ip", "link", "set", UPLINK, "up")
    await give_address(station.crew, number, device=UPLINK)


async def _open_database(stations: Sequence[Station], encapsulation: Encapsulation) -> None:
    """The cluster's, which says what the hosts share."""
    info = ClusterInfo("bench", encapsulation.usual_port, created_at=1.0, encapsulation=encapsulation)
    said: Mapping[Value, Value] = {crowd.network(0): NETWORK, ClusterInfo("bench", created_at=1.0): info}
    own = authority.new_authority("bench", time.time())
    for number, (station, role) in enumerate(zip(stations, (Role.VOTER, Role.CLIENT), strict=True)):
        server = ClusterServer(own, ADDRESSES[:1], station)
        await server.open(crowd.host(number), IPv4Address(ADDRESSES[number]), role)
        if role is Role.VOTER:
            database = Local(process.cluster_socket(station.settings))
            await rbac.apply(database)
            rows = [said.get(it, it) for it in crowd.growth(NOTHING, TWO_HOSTS)]
            await transact(database, DATABASE, list(map(inserted, rows)), deadline=PATIENCE)


def part() -> Network:
    """A host's own of the network."""
    return Network(
        id=NetworkId(NETWORK.id),
        vni=NETWORK.vni,
        options=NETWORK.options,
        ipv4=NETWORK.ipv4,
        shared=NETWORK.id,
        name=NETWORK.name,
    )


def endpoint(number: int, container: Crew) -> Endpoint:
    """That of the container on host `number`."""
    return Endpoint(
        id=EndpointId(f"{number + 1:064x}"),
        network_id=NetworkId(NETWORK.id),
        mac=Mac(f"0a:03:00:00:00:{number + 2:02x}"),
        ipv4=address(number),
        sandbox=container.namespace,
        ifname="eth0",
        container_name=f"bench{number}",
    )


def address(number: int) -> IPv4Interface:
    """Of the container on host `number`."""
    if NETWORK.ipv4 is None:
        raise TypeError("the network of the bench has IPv4")
    return IPv4Interface((int(NETWORK.ipv4.network_address) + 2 + number, NETWORK.ipv4.prefixlen))
