"""The addresses of the cluster as this host sees them: whose they are, which ones it may hand out.

The cluster's database says to which host an address is leased, this host's own store which of those are in use here.
No commit spans both, so one thing is remembered in between: what is being given back (`leaving`) is not handed out,
and what is being handed out is not given back (`Reserve.taking`). An address leaves only when the database said so,
since a commit without an answer may still come into force.
"""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Container, Iterable, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import TypeVar

from ovsnet.control.commit import Committer
from ovsnet.ipam.leasing import Family
from ovsnet.model.cluster import Cluster, Lease, RemoteEndpoint
from ovsnet.model.endpoint import Endpoint
from ovsnet.model.errors import Conflict
from ovsnet.model.ids import NO_HOST, EndpointId, HostName, IpAddress, SharedId
from ovsnet.model.state import State
from ovsnet.store.interface import Change, Drop

Key = tuple[SharedId, IpAddress]
"""An address of a network of the cluster."""
T = TypeVar("T")


class Leases:
    """Reads and writes them for the host `me`."""

    def __init__(
        self,
        committer: Committer[Cluster],
        me: HostName,
        known: Callable[[], Container[SharedId]] | None = None,
    ) -> None:
        """`known`: the networks of which every lease is known, the same value while they are the same; None: all."""
        self.me = me
        self._known = known
        self.leaving: set[Key] = set()
        self._committer = committer
        self._read: Mapping[Key, Lease] = MappingProxyType({})
        self._owners: Mapping[Family, Mapping[IpAddress, HostName]] = {}
        self._mine: Mapping[Family, frozenset[IpAddress]] = {}
        self._counted: Mapping[EndpointId, RemoteEndpoint] = MappingProxyType({})
        self._published: Mapping[Family, Mapping[HostName, int]] = {}
        self._waiters: list[asyncio.Future[None]] = []

    def snapshot(self) -> Cluster:
        """What is known of the cluster now."""
        return self._committer.snapshot()

    @property
    def available(self) -> bool:
        """False while nothing can be claimed or given back."""
        return self._committer.available

    async def commit(self, decide: Callable[[Cluster], tuple[Sequence[Change], T]]) -> T:
        """See Committer.commit."""
        return await self._committer.commit(decide)

    def knows(self, network: SharedId) -> bool:
        """Whether every lease of the network is known here, so that one that is missing is to be had."""
        return self._known is None or network in self._known()

    def sight(self) -> object:
        """Another value when `knows` has other answers."""
        return self._known and self._known()

    def owner(self, key: Key) -> HostName:
        """To whom the address is leased; "" when to nobody."""
        lease = self.snapshot().leases.get(key)
        return lease.host if lease else NO_HOST

    def owners(self, family: Family) -> Mapping[IpAddress, HostName]:
        """Every leased address of a network with the host that has it."""
        self._follow()
        return self._owners.get(family, {})

    def elsewhere(self, family: Family) -> int:
        """How many addresses other hosts have."""
        return len(self.owners(family)) - len(self.mine().get(family, ()))

    def published(self, family: Family) -> Mapping[HostName, int]:
        """How many endpoints with an address of the network each other host has published."""
        endpoints = self.snapshot().endpoints
        if endpoints is not self._counted:
            self._counted, self._published = endpoints, _count(endpoints.values(), besides=self.me)
        return self._published.get(family, {})

    def idle(self, family: Family) -> Mapping[HostName, int]:
        """How many addresses each other host may hold that none of its endpoints has; only hosts that hold some."""
        used, held = self.published(family), Counter(self.owners(family).values())
        idle = {host: count - used.get(host, 0) for host, count in held.items() if host != self.me}
        return {host: count for host, count in idle.items() if count > 0}

    def mine(self) -> Mapping[Family, frozenset[IpAddress]]:
        """What is leased to this host."""
        self._follow()
        return self._mine

    def to_hand_out(self, family: Family) -> frozenset[IpAddress]:
        """What this host may give to a container, unless it has given it to one."""
        return frozenset(it for it in self.mine().get(family, ()) if (family[0], it) not in self.leaving)

    async def give_back(self, keys: Collection[Key]) -> None:
        """Have these leased to this host no more. When that fails they stay marked, and `Reserve` goes on with them."""
        self.leaving.update(keys)
        await self.commit(partial(self._decide_give_back, keys))
        self.left(keys)

    def dropping(self, keys: Collection[Key], cluster: Cluster) -> Sequence[Change]:
        """The changes by which they leave."""
        return [Drop(it) for it in map(cluster.leases.get, keys) if it is not None and it.host == self.me]

    def left(self, keys: Collection[Key]) -> None:
        """The database said that they are gone; if one is ours again, it is a new lease."""
        self.leaving.difference_update(keys)
        self.changed()

    def _decide_give_back(self, keys: Collection[Key], cluster: Cluster) -> tuple[Sequence[Change], None]:
        # What is not marked any more is gone, and may be leased to us again by now.
        return self.dropping([it for it in keys if it in self.leaving], cluster), None

    # ------------------------------------------------------------ waiting

    def changed(self) -> None:
        """The cluster's state, or what is leaving, is another one now."""
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Ask after every change; bounded by who calls."""
        while not condition():
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            await waiter

    # ------------------------------------------------------------ reading

    def _follow(self) -> None:
        """Sort the leases when they are other ones than the last time."""
        leases = self.snapshot().leases
        if leases is self._read:
            return
        owners: dict[Family, dict[IpAddress, HostName]] = defaultdict(dict)
        mine: dict[Family, set[IpAddress]] = defaultdict(set)
        for lease in leases.values():
            family = (lease.network, lease.address.version)
            owners[family][lease.address] = lease.host
            if lease.host == self.me:
                mine[family].add(lease.address)
        self._read, self._owners = leases, dict(owners)
        ours = {family: frozenset(addresses) for family, addresses in mine.items()}
        self._mine = ours if ours != self._mine else self._mine


def unleased(state: State, cluster: Cluster, me: HostName) -> frozenset[EndpointId]:
    """The endpoints of this host that must keep still: their address may be somebody else's by now.

    That is so when another host has the lease, and, for all networks of the cluster, when this host is no member: it
    was taken for dead and forgotten, and has come back. An address that is leased to nobody is not among them: this
    host claims it again (`Reserve`), and loses it here only to a host that was faster. Nothing is said while the
    cluster was not seen yet.
    """
    if not cluster.members:
        return frozenset()
    shared = {it.id: it.shared for it in state.networks.values() if it.shared}
    return frozenset(
        it.id
        for it in state.endpoints.values()
        if it.network_id in shared and _lost(it, shared[it.network_id], cluster, me)
    )


def no_member(me: HostName) -> Conflict:
    """What a host is told that was forgotten and asks for an address."""
    return Conflict(
        f"host {me} is not a member of the cluster any more, so it has no addresses of it; 'ovsnet cluster leave "
        "--force' and then 'ovsnet cluster join' make it one again"
    )


def _lost(endpoint: Endpoint, network: SharedId, cluster: Cluster, me: HostName) -> bool:
    if me not in cluster.members:
        return True
    faces = (it for it in (endpoint.ipv4, endpoint.ipv6) if it is not None)
    leases = (cluster.leases.get((network, it.ip)) for it in faces)
    return any(it is not None and it.host != me for it in leases)


def _count(endpoints: Iterable[RemoteEndpoint], *, besides: HostName) -> Mapping[Family, Mapping[HostName, int]]:
    counts: dict[Family, Counter[HostName]] = defaultdict(Counter)
    for it in endpoints:
        for address in (it.ipv4, it.ipv6) if it.host != besides else ():
            if address is not None:
                counts[it.network, address.version][it.host] += 1
    return counts
