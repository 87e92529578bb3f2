"""Address pools and the addresses in them, as Docker asks for them.

    RequestPool ─► Pool      RequestAddress ─► Allocation held ─► ReleaseAddress ─► resting ─► gone
                                                                 ReleasePool drops the pool and all of it

Every decision is a plain function of a State; `Committer` makes it durable before Docker gets the answer.
"""

import secrets
from collections.abc import Awaitable, Callable, Collection, Iterator
from dataclasses import dataclass, replace
from functools import partial
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_interface

from ovsnet.control.commit import Committer
from ovsnet.control.requests import AddressRequest, PoolRequest
from ovsnet.ipam import allocator, pools
from ovsnet.model.addressing import Allocation, AllocationKind, Pool
from ovsnet.model.endpoint import Endpoint
from ovsnet.model.errors import BadRequest, Conflict, NotFound
from ovsnet.model.ids import IpAddress, IpInterface, IpNetwork, PoolId, pool_id, short
from ovsnet.model.network import Network
from ovsnet.model.state import State
from ovsnet.settings import Settings
from ovsnet.store.interface import Change, Drop, Put


@dataclass(frozen=True, slots=True)
class _PoolView:
    """One pool with everything in the state that has to do with it."""

    state: State
    pool: Pool

    @property
    def networks(self) -> tuple[Network, ...]:
        """Our networks on this subnet. None before CreateNetwork, and for a network of another driver."""
        subnet = self.pool.subnet
        return tuple(it for it in self.state.networks.values() if subnet in (it.ipv4, it.ipv6))

    @property
    def title(self) -> str:
        """The pool as people know it."""
        names = ", ".join(f"network {it.title}" for it in self.networks)
        return names or "a network that is being made or removed, or that another driver made"

    def allocation(self, address: IpAddress) -> Allocation | None:
        return self.state.allocations.get((self.pool.id, address))

    def held(self) -> Iterator[Allocation]:
        """What was handed out and not released."""
        return (it for it in self.state.allocations_of(self.pool.id) if it.held)

    def released(self) -> list[Allocation]:
        """What rests, or has rested. A host may hold ten thousand addresses; few of them are these."""
        return [
            it for it in self.state.allocations.values() if it.released_at is not None and it.pool_id == self.pool.id
        ]

    def endpoints(self) -> Iterator[tuple[int, Endpoint]]:
        """Each endpoint of our networks on this subnet, with the number of its address."""
        ids = {it.id for it in self.networks}
        v4 = self.pool.subnet.version == 4
        for endpoint in self.state.endpoints.values():
            interface = endpoint.ipv4 if v4 else endpoint.ipv6
            if interface is not None and endpoint.network_id in ids:
                yield int(interface), endpoint

    def endpoint_at(self, address: IpAddress) -> Endpoint | None:
        wanted = int(address)
        return next((endpoint for number, endpoint in self.endpoints() if number == wanted), None)


class _Taken:
    """The addresses of a pool that cannot be given: held ones, and what endpoints have without being held."""

    def __init__(self, view: _PoolView) -> None:
        self._view = view
        self._of_endpoints = {number for number, _ in view.endpoints()}

    def __contains__(self, address: object) -> bool:
        if not isinstance(address, IPv4Address | IPv6Address):
            return False
        allocation = self._view.allocation(address)
        return (allocation is not None and allocation.held) or int(address) in self._of_endpoints


class Addresses:
    """What Docker's IPAM protocol asks of us."""

    def __init__(
        self,
        committer: Committer[State],
        clock: Callable[[], float],
        host_networks: Callable[[], Awaitable[Collection[IpNetwork]]],
        settings: Settings,
        random_bytes: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        """`clock`: seconds since the epoch; `host_networks` what this host has routes or addresses in."""
        self._committer = committer
        self._clock = clock
        self._host_networks = host_networks
        self._settings = settings
        self._random_bytes = random_bytes
        self._blocks = pools.parse_blocks(settings.pools_v4)

    async def request_pool(self, request: PoolRequest) -> Pool:
        """A new pool with the subnet asked for, or with one that overlaps nothing; never the same one twice.

        BadRequest when the subnet is unfit, Conflict when it overlaps another pool of its address space or
        when there is no free one.
        """
        if request.subnet is not None:
            return await self._committer.commit(partial(self._given_subnet, request, request.subnet))
        taken = await self._host_networks()
        return await self._committer.commit(partial(self._chosen_subnet, request, taken))

    async def release_pool(self, pool_id: PoolId) -> None:
        """Forget the pool and every address in it; an unknown pool is already forgotten."""
        await self._committer.commit(partial(_without_pool, pool_id))

    async def request_address(self, request: AddressRequest) -> IpInterface:
        """An address with the subnet's prefix length: the one asked for, or the next free one.

        NotFound for an unknown pool, BadRequest for an address no interface of the pool can have, Conflict
        when it is taken (by whom) or when the pool is full.
        """
        try:
            return await self._committer.commit(partial(self._address, request))
        except (BadRequest, Conflict):
            # Engine 20.10 forgets the IPv4 address of a container whose IPv6 address it is refused.
            await self._committer.commit(partial(self._without_other_half, request))
            raise

    async def release_address(self, pool_id: PoolId, address: IpAddress) -> None:
        """Let an endpoint's address rest and forget any other; an unknown one is already released."""
        await self._committer.commit(partial(self._without_address, pool_id, address))

    # ------------------------------------------------------------ pools

    def _given_subnet(self, request: PoolRequest, subnet: IpNetwork, state: State) -> tuple[list[Change], Pool]:
        pools.check_subnet(subnet, request.sub_range)
        wanted = self._new_pool(request, subnet)
        known = state.pools.get(wanted.id)
        if known is not None and self._abandoned(_PoolView(state, known)):
            taken_over = replace(known, created_at=wanted.created_at)
            return [Put(taken_over)], taken_over
        other = pools.overlapping(subnet, request.space, state.pools.values())
        if other is not None:
            owner = _PoolView(state, other).title
            raise Conflict(f"subnet {subnet} overlaps {other.subnet} of {owner}; choose another --subnet")
        return [Put(wanted)], wanted

    def _abandoned(self, view: _PoolView) -> bool:
        """True when the creation this pool was made for cannot be under way any more and left nothing behind.

        The engine forgets a pool whose RequestPool it gave up on (we were killed before the answer). The age
        keeps two creations of the same subnet at the same moment from sharing one pool.
        """
        age = self._clock() - view.pool.created_at
        under_way = 0 <= age < self._settings.attach_deadline
        return not (under_way or view.networks or any(view.held()))

    def _chosen_subnet(
        self, request: PoolRequest, host: Collection[IpNetwork], state: State
    ) -> tuple[list[Change], Pool]:
        taken = [*host, *_subnets(state)]
        if not request.v6:
            subnet = pools.choose_subnet(self._blocks, self._settings.pool_prefix_v4, taken)
            pool = self._new_pool(request, subnet)
            return [Put(pool)], pool
        counters = state.counters
        if not counters.ula_prefix:
            counters = replace(counters, ula_prefix=str(_ula(self._random_bytes(5))))
        block = IPv6Network(counters.ula_prefix)
        pool = self._new_pool(request, pools.choose_subnet([block], self._settings.pool_prefix_v6, taken))
        return [Put(pool), *([Put(counters)] if counters != state.counters else [])], pool

    def _new_pool(self, request: PoolRequest, subnet: IpNetwork) -> Pool:
        return Pool(
            id=pool_id(request.space, subnet, request.sub_range),
            space=request.space,
            subnet=subnet,
            sub_range=request.sub_range,
            created_at=self._clock(),
        )

    # -------------------------------------------------------- addresses

    def _address(self, request: AddressRequest, state: State) -> tuple[list[Change], IpInterface]:
        pool = state.pools.get(request.pool_id)
        if pool is None:
            raise NotFound(
                f"address pool {request.pool_id!r} is not known here; remove the network and create it again"
            )
        view = _PoolView(state, pool)
        repeated = _repeated(view, request)
        if repeated is not None:
            return [], _interface(pool, repeated.address)
        address = self._choice(view, request)
        return self._taking(view, request, address), _interface(pool, address)

    def _choice(self, view: _PoolView, request: AddressRequest) -> IpAddress:
        """The address to give: the one asked for where it is free, a gateway's, or the next one."""
        if request.address is not None:
            allocator.check_address(view.pool, request.address)
            _refuse_if_taken(view, request.address)
            return request.address
        if request.kind is AllocationKind.GATEWAY:
            return allocator.gateway_address(view.pool, _Taken(view))
        resting = {it.address: it.released_at or 0.0 for it in view.released() if self._rests(it)}
        return allocator.next_address(view.pool, _Taken(view), resting)

    def _taking(self, view: _PoolView, request: AddressRequest, address: IpAddress) -> list[Change]:
        allocation = Allocation(
            pool_id=view.pool.id,
            address=address,
            kind=_kind(view, request),
            holder=request.holder,
            created_at=self._clock(),
        )
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
        old = self._rested(_PoolView(state, pool), keep=address) if pool is not None else []
        return [*old, resting], None

    def _without_other_half(self, request: AddressRequest, state: State) -> tuple[list[Change], None]:
        """Let the address rest that the same container was given a moment ago in the IPv4 pool of its network.

        From a container's first address to its CreateEndpoint the engine keeps all others of the network
        waiting: of the addresses without an endpoint the youngest is this container's.
        """
        pool = state.pools.get(request.pool_id)
        if pool is None or request.kind is not AllocationKind.ENDPOINT:
            return [], None
        subnets = {it.ipv4 for it in _PoolView(state, pool).networks if it.ipv6 == pool.subnet}
        views = [_PoolView(state, it) for it in state.pools.values() if it.space == pool.space and it.subnet in subnets]
        unused = [
            it
            for view in views
            for it in view.held()
            if it.kind is AllocationKind.ENDPOINT and not view.endpoint_at(it.address)
        ]
        newest = max(unused, key=lambda it: it.created_at, default=None)
        return ([Put(replace(newest, released_at=self._clock()))] if newest is not None else []), None

    def _rests(self, allocation: Allocation) -> bool:
        return allocator.rests(allocation, now=self._clock(), rest=self._settings.address_rest)

    def _rested(self, view: _PoolView, *, keep: IpAddress) -> list[Change]:
        """Drops what has rested long enough, apart from the address that is about to be written."""
        return [Drop(it) for it in view.released() if not self._rests(it) and it.address != keep]


def _without_pool(pool_id: PoolId, state: State) -> tuple[list[Change], None]:
    pool = state.pools.get(pool_id)
    if pool is None:
        return [], None
    return [*(Drop(it) for it in state.allocations_of(pool_id)), Drop(pool)], None


def _subnets(state: State) -> Iterator[IpNetwork]:
    """Every subnet in use, also of networks whose addresses come from another IPAM driver."""
    yield from (pool.subnet for pool in state.pools.values())
    for network in state.networks.values():
        yield from (subnet for subnet in (network.ipv4, network.ipv6) if subnet is not None)


def _ula(random: bytes) -> IPv6Network:
    """A /48 of unique local addresses from 40 random bits (RFC 4193 3.2)."""
    return IPv6Network((bytes([0xFD]) + random + bytes(10), 48))


def _interface(pool: Pool, address: IpAddress) -> IpInterface:
    return ip_interface((address, pool.subnet.prefixlen))


def _kind(view: _PoolView, request: AddressRequest) -> AllocationKind:
    """`--aux-address` looks like `--ip` on the wire, but comes before the network is made."""
    unnamed = request.kind is AllocationKind.ENDPOINT and request.address is not None and not request.holder
    return AllocationKind.RESERVED if unnamed and not view.networks else request.kind


def _repeated(view: _PoolView, request: AddressRequest) -> Allocation | None:
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


def _refuse_if_taken(view: _PoolView, address: IpAddress) -> None:
    """Conflict with the holder's name when it is held or an endpoint has it. A resting address is free."""
    allocation = view.allocation(address)
    endpoint = view.endpoint_at(address)
    if endpoint is None and (allocation is None or not allocation.held):
        return
    raise Conflict(f"address {address} of {view.title} is held by {_holder(endpoint, allocation)}")


def _holder(endpoint: Endpoint | None, allocation: Allocation | None) -> str:
    """Who has the address and what to do about it. The engine's events know a container's name best."""
    name = (endpoint.container_name if endpoint else "") or (allocation.holder if allocation else "")
    if name:
        return f"container {name}; choose another --ip or disconnect it first"
    if endpoint is not None:
        return f"endpoint {short(endpoint.id)}; choose another --ip or disconnect its container first"
    if allocation is not None and allocation.kind is AllocationKind.GATEWAY:
        return "the network's gateway; choose another --ip"
    if allocation is not None and allocation.kind is AllocationKind.RESERVED:
        return "the network itself, by --aux-address; choose another --ip"
    return "a container that is just starting or stopping; choose another --ip or try again"
