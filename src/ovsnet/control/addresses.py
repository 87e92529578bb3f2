"""Address pools and the addresses in them, as Docker asks for them.

    RequestPool ─► Pool      RequestAddress ─► Allocation held ─► ReleaseAddress ─► resting ─► gone
                                                                 ReleasePool drops the pool and all of it

Every decision is a plain function of a State; `Committer` makes it durable before Docker gets the answer.
"""

import secrets
from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress
from dataclasses import replace
from functools import partial
from ipaddress import ip_interface

from ovsnet.control.commit import Committer
from ovsnet.control.pool_view import PoolView, Taken
from ovsnet.control.requests import AddressRequest, PoolRequest
from ovsnet.control.sharing.parts import Parts
from ovsnet.control.sharing.reserve import Taking
from ovsnet.control.sharing.shared_addresses import SharedAddresses
from ovsnet.control.subnets import Subnets
from ovsnet.control.uplink_networks import HOST
from ovsnet.ipam import allocator
from ovsnet.model.addressing import Allocation, AllocationKind, Pool
from ovsnet.model.cluster import Cluster, SharedNetwork
from ovsnet.model.endpoint import Endpoint
from ovsnet.model.errors import BadRequest, Conflict, NotFound, Unavailable
from ovsnet.model.ids import IpAddress, IpInterface, IpNetwork, PoolId, short
from ovsnet.model.network import Network
from ovsnet.model.services import IMPORTED
from ovsnet.model.state import State
from ovsnet.settings import Settings
from ovsnet.store.interface import Change, Drop, Put

_NO_CONTAINERS = {HOST: f"{HOST} itself, on the uplink", IMPORTED: f"{IMPORTED}, see 'ovsnet imports'"}


class _NothingFree(Exception):
    """None of the addresses leased to this host can be given."""


class Addresses:
    """What Docker's IPAM protocol asks of us."""

    def __init__(
        self,
        committer: Committer[State],
        clock: Callable[[], float],
        host_networks: Callable[[], Awaitable[Collection[IpNetwork]]],
        settings: Settings,
        random_bytes: Callable[[int], bytes] = secrets.token_bytes,
        shared: SharedAddresses | None = None,
    ) -> None:
        """`clock`: seconds since the epoch; `host_networks` what this host has routes or addresses in; `shared` is None
        on a host that is in no cluster.
        """
        self._committer = committer
        self._clock = clock
        self._settings = settings
        self._shared = shared
        cluster = shared.snapshot if shared else Cluster
        parts = shared.parts if shared else Parts()
        self._subnets = Subnets(committer, clock, host_networks, settings, random_bytes, cluster, parts)

    async def request_pool(self, request: PoolRequest) -> Pool:
        """A new pool with the subnet asked for, or with one that overlaps nothing; never the same one twice.

        BadRequest when the subnet is unfit, Conflict when it overlaps another pool of its address space or a
        network of the cluster, or when there is no free one.
        """
        return await self._subnets.request(request)

    async def release_pool(self, pool_id: PoolId) -> None:
        """Forget the pool and every address in it; an unknown pool is already forgotten."""
        await self._subnets.release(pool_id)

    async def request_address(self, request: AddressRequest) -> IpInterface:
        """An address with the subnet's prefix length: the one asked for, or the next free one.

        NotFound for an unknown pool, BadRequest for an address no interface of the pool can have, Conflict
        when it is taken (by whom) or when the pool is full. In a network of the cluster Unavailable when no address is
        left that this host holds, and none can be claimed.
        """
        part = self._part(request)
        try:
            if self._shared is None or part is None:
                return await self._committer.commit(partial(self._address, request, self._choice))
            return await self._leased(self._shared, part, request)
        except (BadRequest, Conflict):
            # Engine 20.10 forgets the IPv4 address of a container whose IPv6 address it is refused.
            await self._committer.commit(partial(self._without_other_half, request))
            raise
        except Unavailable:
            if part is not None:
                with suppress(Unavailable):
                    await self._committer.commit(partial(self._without_other_half, request))
            raise

    async def release_address(self, pool_id: PoolId, address: IpAddress) -> None:
        """Let an endpoint's address rest and forget any other; an unknown one is already released."""
        await self._committer.commit(partial(self._without_address, pool_id, address))

    # -------------------------------------------------------- in a network of the cluster

    def _part(self, request: AddressRequest) -> Network | None:
        """The part of a network of the cluster whose container asks; None where this host decides alone."""
        state = self._committer.snapshot()
        pool = state.pools.get(request.pool_id)
        if self._shared is None or pool is None or request.kind is not AllocationKind.ENDPOINT:
            return None
        return self._part_in(PoolView(state, pool))

    def _part_in(self, view: PoolView) -> Network | None:
        return next((it for it in view.networks if it.shared), None) if self._shared else None

    async def _leased(self, shared: SharedAddresses, part: Network, request: AddressRequest) -> IpInterface:
        network, state = shared.network(part), self._committer.snapshot()
        view = PoolView(state, state.pools[request.pool_id])
        if request.address is not None and _repeated(view, request) is None:
            # Before anything is claimed: what is wrong here needs no other host.
            self._choice(view, request)

        async def hand_out(taking: Taking, *, rested: bool) -> IpInterface | None:
            choose = partial(self._leased_choice, shared, network, taking, rested)
            try:
                return await self._committer.commit(partial(self._address, request, choose))
            except _NothingFree:
                return None

        return await shared.lend(network, view.pool.subnet.version, request.address, hand_out)

    def _leased_choice(
        self,
        shared: SharedAddresses,
        network: SharedNetwork,
        taking: Taking,
        rested: bool,  # noqa: FBT001
        view: PoolView,
        request: AddressRequest,
    ) -> IpAddress:
        """As `_choice`, of what is leased to this host; _NothingFree when none of that can be given."""
        if request.address is not None:
            address = self._choice(view, request)
            if not shared.ours(network, address):
                raise _NothingFree
            return address
        taking.address = None
        ours, taken = shared.to_hand_out(network, view.pool.subnet.version), Taken(view)
        resting = self._resting(view)
        chosen = allocator.next_of(ours, view.pool.cursor, taken, resting)
        if chosen is None and rested:
            chosen = allocator.longest_rested(ours, taken, resting)
        if chosen is None:
            raise _NothingFree
        taking.address = chosen
        return chosen

    # -------------------------------------------------------- addresses

    def _address(
        self, request: AddressRequest, choose: Callable[[PoolView, AddressRequest], IpAddress], state: State
    ) -> tuple[list[Change], IpInterface]:
        pool = state.pools.get(request.pool_id)
        if pool is None:
            raise NotFound(
                f"address pool {request.pool_id!r} is not known here; remove the network and create it again"
            )
        view = PoolView(state, pool)
        repeated = _repeated(view, request)
        if repeated is not None:
            return [], _interface(pool, repeated.address)
        address = choose(view, request)
        return self._taking(view, request, address), _interface(pool, address)

    def _choice(self, view: PoolView, request: AddressRequest) -> IpAddress:
        """The address to give: the one asked for where it is free, a gateway's, or the next one."""
        if request.address is not None:
            allocator.check_address(view.pool, request.address)
            _refuse_if_taken(view, request.address)
            return request.address
        if request.kind is AllocationKind.GATEWAY:
            return allocator.gateway_address(view.pool, Taken(view))
        return allocator.next_address(view.pool, Taken(view), self._resting(view))

    def _taking(self, view: PoolView, request: AddressRequest, address: IpAddress) -> list[Change]:
        allocation = Allocation(
            pool_id=view.pool.id,
            address=address,
            kind=_kind(view, request),
            holder=request.holder,
            created_at=self._clock(),
        )
        if request.address is not None and allocation.kind is AllocationKind.ENDPOINT and self._part_in(view):
            allocation = replace(allocation, pinned=True)
        changes: list[Change] = [*self._rested(view, keep=address), Put(allocation)]
        if request.address is None and allocation.kind is AllocationKind.ENDPOINT:
            changes.append(Put(replace(view.pool, cursor=address)))
        return changes

    def _without_address(self, pool_id: PoolId, address: IpAddress, state: State) -> tuple[list[Change], None]:
        allocation = state.allocations.get((pool_id, address))
        if allocation is None or not allocation.held:
            return [], None
        if allocation.kind is not AllocationKind.ENDPOINT:
            # Nobody ever spoke from it on this network, so there is nothing to forget.
            return [Drop(allocation)], None
        resting = Put(replace(allocation, released_at=self._clock()))
        pool = state.pools.get(pool_id)
        old = self._rested(PoolView(state, pool), keep=address) if pool is not None else []
        return [*old, resting], None

    def _without_other_half(self, request: AddressRequest, state: State) -> tuple[list[Change], None]:
        """Let the address rest that the same container was given a moment ago in the IPv4 pool of its network.

        From a container's first address to its CreateEndpoint the engine keeps all others of the network
        waiting: of the addresses without an endpoint the youngest is this container's.
        """
        pool = state.pools.get(request.pool_id)
        if pool is None or request.kind is not AllocationKind.ENDPOINT:
            return [], None
        subnets = {it.ipv4 for it in PoolView(state, pool).networks if it.ipv6 == pool.subnet}
        views = [PoolView(state, it) for it in state.pools.values() if it.space == pool.space and it.subnet in subnets]
        unused = [
            it
            for view in views
            for it in view.held()
            if it.kind is AllocationKind.ENDPOINT and not view.endpoint_at(it.address)
        ]
        newest = max(unused, key=lambda it: it.created_at, default=None)
        return ([Put(replace(newest, released_at=self._clock()))] if newest is not None else []), None

    def _resting(self, view: PoolView) -> dict[IpAddress, float]:
        return {it.address: it.released_at or 0.0 for it in view.released() if self._rests(it)}

    def _rests(self, allocation: Allocation) -> bool:
        return allocator.rests(allocation, now=self._clock(), rest=self._settings.address_rest)

    def _rested(self, view: PoolView, *, keep: IpAddress) -> list[Change]:
        """Drops what has rested long enough, apart from the address that is about to be written."""
        return [Drop(it) for it in view.released() if not self._rests(it) and it.address != keep]


def _interface(pool: Pool, address: IpAddress) -> IpInterface:
    return ip_interface((address, pool.subnet.prefixlen))


def _kind(view: PoolView, request: AddressRequest) -> AllocationKind:
    """`--aux-address` looks like `--ip` on the wire, but comes before the network is made."""
    unnamed = request.kind is AllocationKind.ENDPOINT and request.address is not None and not request.holder
    return AllocationKind.RESERVED if unnamed and not view.networks else request.kind


def _repeated(view: PoolView, request: AddressRequest) -> Allocation | None:
    """What an earlier, identical request was given, when its answer cannot have reached anybody.

    A pool has one gateway. A container (known by name from engine 29 on) has one endpoint in a network and
    the engine asks for its address just before CreateEndpoint, so an address held for that name without an
    endpoint is left from an attempt that broke off. Only in networks of ours: of others' endpoints we know
    nothing.
    """
    if request.kind is AllocationKind.GATEWAY:
        same = (it for it in view.held() if it.kind is AllocationKind.GATEWAY)
    elif request.holder and view.networks:
        same = (it for it in view.held() if it.holder == request.holder and not view.endpoint_at(it.address))
    else:
        return None
    return next((it for it in same if request.address in (None, it.address)), None)


def _refuse_if_taken(view: PoolView, address: IpAddress) -> None:
    """Conflict with the holder's name when it is held or an endpoint has it. A resting address is free."""
    allocation = view.allocation(address)
    endpoint = view.endpoint_at(address)
    if endpoint is None and (allocation is None or not allocation.held):
        return
    raise Conflict(f"address {address} of {view.title} is held by {_holder(endpoint, allocation)}")


def _holder(endpoint: Endpoint | None, allocation: Allocation | None) -> str:
    """Who has the address and what to do about it. The engine's events know a container's name best."""
    name = (endpoint.container_name if endpoint else "") or (allocation.holder if allocation else "")
    if name in _NO_CONTAINERS:
        return f"{_NO_CONTAINERS[name]}; choose another --ip"
    if name:
        return f"container {name}; choose another --ip or disconnect it first"
    if endpoint is not None:
        return f"endpoint {short(endpoint.id)}; choose another --ip or disconnect its container first"
    if allocation is not None and allocation.kind is AllocationKind.GATEWAY:
        return "the network's gateway; choose another --ip"
    if allocation is not None and allocation.kind is AllocationKind.RESERVED:
        return "the network itself, by --aux-address; choose another --ip"
    return "a container that is just starting or stopping; choose another --ip or try again"
