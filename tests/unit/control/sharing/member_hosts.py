"""Hosts of a cluster that share one store in memory, each with the addresses part of its agent."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_interface
from uuid import UUID

from ovsnet.control.addresses import Addresses
from ovsnet.control.commit import Committer
from ovsnet.control.requests import AddressRequest, PoolRequest
from ovsnet.control.sharing.interest import Interest, Rows
from ovsnet.control.sharing.leases import Leases
from ovsnet.control.sharing.reserve import Reserve
from ovsnet.control.sharing.shared_addresses import SharedAddresses
from ovsnet.model.addressing import LOCAL_SPACE, AllocationKind, Pool, space_of
from ovsnet.model.cluster import Cluster, ClusterInfo, Lease, Member, RemoteEndpoint, SharedNetwork
from ovsnet.model.endpoint import Endpoint
from ovsnet.model.errors import Unavailable
from ovsnet.model.ids import EndpointId, HostName, IpAddress, IpNetwork, Mac, NetworkId, SharedId, Vni
from ovsnet.model.network import Mode, Network, NetworkOptions
from ovsnet.model.state import State
from ovsnet.ovsdb.replica import Only
from ovsnet.settings import Settings
from ovsnet.store.codec import row_uuid
from ovsnet.store.interface import Change, Drop, Put, Store
from ovsnet.store.local import LOCAL
from ovsnet.store.memory import MemoryStore
from ovsnet.store.shared import SHARED
from ovsnet.store.vocabulary import Kind

START = 1_000_000.0
NET = SharedNetwork(
    id=SharedId("a1" * 32),
    vni=Vni(7),
    origin=HostName("a"),
    options=NetworkOptions(mode=Mode.OVERLAY),
    ipv4=IPv4Network("10.20.0.0/24"),
    gateway4=IPv4Address("10.20.0.1"),
    name="web",
)
DUAL = replace(NET, ipv6=IPv6Network("fd00:20::/64"), gateway6=IPv6Address("fd00:20::1"))
TINY = replace(NET, ipv4=IPv4Network("10.20.0.0/29"))


class Contact:
    """One host's connection to the store all hosts share; it may be away, and commits may come late (`answers`)."""

    def __init__(self, store: MemoryStore[Cluster]) -> None:
        self._store = store
        self._stale: Cluster | None = None
        self._watchers: list[Callable[[], None]] = []
        self.commits: list[Sequence[Change]] = []
        self.answers = asyncio.Event()
        self.answers.set()
        store.watch(self._tell)

    def snapshot(self) -> Cluster:
        return self._stale or self._store.snapshot()

    @property
    def available(self) -> bool:
        return self._stale is None

    def watch(self, changed: Callable[[], None]) -> None:
        self._watchers.append(changed)

    def cut(self) -> None:
        """The store is away, and the snapshot stays as it is."""
        self._stale = self._store.snapshot()
        self._tell()

    def mend(self) -> None:
        self._stale = None
        self._tell()

    async def commit(self, base: Cluster, changes: Sequence[Change]) -> Cluster:
        if self._stale is not None:
            raise Unavailable("the cluster's database", "nobody answers")
        await self.answers.wait()
        # Others run between the decision and the commit, as with a store behind a socket.
        await asyncio.sleep(0)
        after = await self._store.commit(base, changes)
        self.commits.append(changes)
        return after

    def _tell(self) -> None:
        for watcher in self._watchers:
            watcher()


class Everything:
    """Rows of a store that has all of them at any time."""

    narrowed = True

    def snapshot(self) -> Cluster:
        return Cluster()

    def narrow(self, only: Only) -> None:
        """Nothing is left out."""

    def row_of(self, kind: Kind, key: object) -> UUID:
        return row_uuid(kind, key)


class OwnStore(MemoryStore[State]):
    """A host's own store; commits may come late (`answers`)."""

    def __init__(self) -> None:
        super().__init__(LOCAL)
        self.answers = asyncio.Event()
        self.answers.set()

    async def commit(self, base: State, changes: Sequence[Change]) -> State:
        await self.answers.wait()
        await asyncio.sleep(0)
        return await super().commit(base, changes)


@dataclass
class Net:
    """The wires between the hosts' agents."""

    hosts: "dict[HostName, Host]" = field(default_factory=dict)
    dead: set[HostName] = field(default_factory=set)
    known_dead: set[HostName] = field(default_factory=set)
    asked: list[tuple[HostName, object]] = field(default_factory=list)

    async def yield_addresses(
        self, member: HostName, network: SharedId, count: int, family: int
    ) -> tuple[IpAddress, ...]:
        await asyncio.sleep(0)
        return await self._host(member, count).reserve.yield_addresses(network, count, family)

    async def yield_address(self, member: HostName, network: SharedId, address: IpAddress) -> bool:
        await asyncio.sleep(0)
        return await self._host(member, address).reserve.yield_address(network, address)

    def _host(self, member: HostName, about: object) -> "Host":
        self.asked.append((member, about))
        if member in self.dead:
            raise Unavailable(f"host {member} (192.0.2.9)", "no answer within 5 seconds on port 7641")
        return self.hosts[member]


class Host:
    """One host: its own store, its contact with the others, its clock.

    With `rows` it knows of the cluster what it needs only, as a real one does.
    """

    def __init__(
        self, name: str, cluster: Store[Cluster], net: Net, settings: Settings, rows: Rows | None = None
    ) -> None:
        self.name = HostName(name)
        self.cluster = cluster
        self.local = OwnStore()
        self.now = START
        self.net = net
        committer, shared = Committer(self.local), Committer(self.cluster)
        self.committer = shared
        leases = Leases(shared, self.name, self._known if rows else None)
        self.interest = Interest(
            rows or Everything(), self.local.snapshot, leases.mine, self.name, deadline=settings.store_deadline
        )
        self.reserve = Reserve(leases, self.local.snapshot, self.clock, settings)
        self.shared = SharedAddresses(
            leases, self.reserve, net, settings, lambda: net.known_dead, self.interest.network
        )
        self.addresses = Addresses(committer, self.clock, self._routes, settings, shared=self.shared)
        self.routes: Collection[IpNetwork] = ()
        self.pools: dict[int, Pool] = {}
        self._made = 0
        for store in (self.local, self.cluster):
            store.watch(self.interest.follow)
            store.watch(self.reserve.nudge)
        self.interest.follow()
        net.hosts[self.name] = self

    @property
    def contact(self) -> Contact:
        """Where the cluster's store is one in memory."""
        assert isinstance(self.cluster, Contact)
        return self.cluster

    def _known(self) -> frozenset[SharedId]:
        return self.interest.known()

    def clock(self) -> float:
        return self.now

    async def _routes(self) -> Collection[IpNetwork]:
        return self.routes

    async def take_part(self, network: SharedNetwork) -> None:
        """What the engine asks for when the agent makes a part of the network in it."""
        families = (
            (network.ipv4, network.range4, network.gateway4),
            (network.ipv6, network.range6, network.gateway6),
        )
        for subnet, sub_range, gateway in families:
            if subnet is not None:
                with self.shared.parts.expected(network):
                    space = space_of(LOCAL_SPACE, network.space)
                    pool = await self.addresses.request_pool(PoolRequest(space, subnet, sub_range))
                self.pools[subnet.version] = pool
                request = AddressRequest(pool.id, gateway, AllocationKind.GATEWAY)
                await self.addresses.request_address(request)
        part = Network(
            id=NetworkId(network.id if self.name == network.origin else f"{self.name}{network.id[1:]}"),
            vni=network.vni,
            options=network.options,
            ipv4=network.ipv4,
            ipv6=network.ipv6,
            gateway4=network.gateway4,
            gateway6=network.gateway6,
            space=network.space,
            shared=network.id,
            name=network.name,
        )
        await self.local.commit(self.local.snapshot(), [Put(part)])

    async def ask(self, address: str = "", *, version: int = 4, holder: str = "") -> IpAddress:
        wanted = ip_address(address) if address else None
        request = AddressRequest(self.pools[version].id, wanted, holder=holder)
        return (await self.addresses.request_address(request)).ip

    async def release(self, address: IpAddress | str) -> None:
        parsed = ip_address(str(address))
        await self.addresses.release_address(self.pools[parsed.version].id, parsed)

    async def attach(self, address: IpAddress) -> Endpoint:
        """CreateEndpoint with an address that was asked for."""
        self._made += 1
        network = next(iter(self.local.snapshot().networks.values()))
        face = ip_interface((address, self.pools[address.version].subnet.prefixlen))
        made = Endpoint(
            id=EndpointId(f"{self.name}{self._made:063x}"),
            network_id=network.id,
            mac=Mac(f"0a:00:00:00:00:{self._made:02x}"),
            ipv4=face if isinstance(face, IPv4Interface) else None,
            ipv6=None if isinstance(face, IPv4Interface) else face,
        )
        await self.local.commit(self.local.snapshot(), [Put(made)])
        return made

    async def detach(self, endpoint: Endpoint) -> None:
        await self.local.commit(self.local.snapshot(), [Drop(endpoint)])
        for face in (endpoint.ipv4, endpoint.ipv6):
            if face is not None:
                await self.release(face.ip)

    def leases(self) -> set[str]:
        """What is leased to this host, by whatever everybody knows."""
        leases = self.cluster.snapshot().leases.values()
        return {str(it.address) for it in leases if it.host == self.name}

    async def later(self, seconds: float) -> None:
        self.now += seconds
        self.reserve.nudge()
        await quiet()


class Members:
    """Hosts a, b … of one cluster with one network."""

    def __init__(self, names: str, network: SharedNetwork, settings: Settings) -> None:
        self.network = network
        members = [member(it, number) for number, it in enumerate(names, 1)]
        start = Cluster(
            info=ClusterInfo(id="c1"), members={it.name: it for it in members}, networks={network.id: network}
        )
        self.store = MemoryStore(SHARED, start)
        self.net = Net()
        self.hosts = [Host(it, Contact(self.store), self.net, settings) for it in names]

    def __getitem__(self, number: int) -> Host:
        return self.hosts[number]

    async def put(self, *values: RemoteEndpoint | Lease | Member | SharedNetwork) -> None:
        await self.store.commit(self.store.snapshot(), [Put(it) for it in values])
        await quiet()

    async def drop(self, *values: RemoteEndpoint | Lease | Member | SharedNetwork) -> None:
        await self.store.commit(self.store.snapshot(), [Drop(it) for it in values])
        await quiet()

    def owners(self) -> dict[str, HostName]:
        return {str(it.address): it.host for it in self.store.snapshot().leases.values()}

    async def publish(self, host: Host, address: IpAddress, name: str) -> RemoteEndpoint:
        published = RemoteEndpoint(
            id=EndpointId(f"{host.name}{int(address) % 16**63:063x}"),
            network=self.network.id,
            host=host.name,
            mac=Mac("0a:00:00:00:01:01"),
            ipv4=address if isinstance(address, IPv4Address) else None,
            ipv6=None if isinstance(address, IPv4Address) else address,
            names=(name,),
        )
        await self.put(published)
        return published

    async def forget(self, host: Host) -> None:
        """As 'ovsnet cluster forget' on another host."""
        state = self.store.snapshot()
        theirs = (state.endpoints, state.leases)
        gone = [it for values in theirs for it in values.values() if it.host == host.name]
        await self.drop(*gone, state.members[host.name])

    async def rejoin(self, host: Host) -> None:
        await self.put(member(host.name, 9))


def member(name: str, number: int) -> Member:
    address = IPv4Address(f"192.0.2.{number}")
    return Member(name=HostName(name), address=address, vtep=address)


@asynccontextmanager
async def members(
    names: str = "ab", network: SharedNetwork = NET, settings: Settings | None = None
) -> AsyncIterator[Members]:
    """The hosts, each with a part of the network and its reserve at work."""
    cluster = Members(names, network, settings or Settings())
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(it.reserve.run()) for it in cluster.hosts]
        try:
            for host in cluster.hosts:
                await host.take_part(network)
            await quiet()
            yield cluster
        finally:
            for task in tasks:
                task.cancel()


async def quiet() -> None:
    """Let everything run that does not wait for the clock or for somebody outside."""
    for _ in range(60):
        await asyncio.sleep(0)
