"""Subnets, as Docker asks for them: RequestPool and ReleasePool.

Every decision is a plain function of a State; `Committer` makes it durable before Docker gets the answer.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterator
from dataclasses import replace
from functools import partial
from ipaddress import IPv6Network

from ovsnet.control.commit import Committer
from ovsnet.control.pool_view import PoolView
from ovsnet.control.requests import PoolRequest
from ovsnet.control.sharing.parts import Parts
from ovsnet.ipam import pools
from ovsnet.model.addressing import Pool, name_in
from ovsnet.model.cluster import Cluster, SharedNetwork
from ovsnet.model.errors import Conflict
from ovsnet.model.ids import IpNetwork, PoolId, SharedId, pool_id
from ovsnet.model.state import State
from ovsnet.settings import Settings
from ovsnet.store.interface import Change, Drop, Put


class Subnets:
    """Pools with a subnet that overlaps nothing."""

    def __init__(
        self,
        committer: Committer[State],
        clock: Callable[[], float],
        host_networks: Callable[[], Awaitable[Collection[IpNetwork]]],
        settings: Settings,
        random_bytes: Callable[[int], bytes],
        cluster: Callable[[], Cluster],
        parts: Parts,
    ) -> None:
        """`cluster`: what is known of it now; an empty one on a host that is in none."""
        self._committer = committer
        self._clock = clock
        self._host_networks = host_networks
        self._settings = settings
        self._random_bytes = random_bytes
        self._cluster = cluster
        self._parts = parts
        self._blocks = pools.parse_blocks(settings.pools_v4)

    async def request(self, request: PoolRequest) -> Pool:
        """See Addresses.request_pool."""
        if request.subnet is not None:
            pool = await self._in_turn(request, request.subnet)
            self._parts.given(request)
            return pool
        taken = await self._host_networks()
        return await self._committer.commit(partial(self._chosen, request, taken))

    async def release(self, pool_id: PoolId) -> None:
        """See Addresses.release_pool."""
        await self._committer.commit(partial(_without_pool, pool_id))

    async def _in_turn(self, request: PoolRequest, subnet: IpNetwork) -> Pool:
        """Two networks of one subnet, which are of two spaces, are made one after the other.

        The engine makes a network with its subnet and does not say again of which space: it can be told only where one
        pool waits for its network.
        """
        end = asyncio.get_running_loop().time() + self._settings.attach_deadline / 2
        while True:
            try:
                return await self._committer.commit(partial(self._given, request, subnet))
            except _InTheMaking as other:
                try:
                    async with asyncio.timeout_at(end):
                        await self._committer.next_commit()
                except TimeoutError:
                    raise Conflict(
                        f"subnet {subnet}: a network with the same subnet in {_space(other.space)} is being made at "
                        "this moment; run the command again in a few seconds"
                    ) from None

    def _given(self, request: PoolRequest, subnet: IpNetwork, state: State) -> tuple[list[Change], Pool]:
        pools.check_subnet(subnet, request.sub_range)
        _check_cluster(self._parts.wanting(request), request, subnet, self._cluster())
        wanted = self._new_pool(request, subnet)
        known = state.pools.get(wanted.id)
        if known is not None and self._abandoned(PoolView(state, known)):
            taken_over = replace(known, created_at=wanted.created_at)
            return [Put(taken_over)], taken_over
        other = pools.overlapping(subnet, request.space, state.pools.values())
        if other is not None:
            owner = PoolView(state, other).title
            raise Conflict(
                f"subnet {subnet} overlaps {other.subnet} of {owner}; choose another --subnet{_or_space(request)}"
            )
        for twin in state.pools.values():
            same = (twin.engine_space, twin.subnet) == (wanted.engine_space, subnet)
            if same and self._under_way(twin) and not PoolView(state, twin).networks:
                raise _InTheMaking(twin.space)
        return [Put(wanted)], wanted

    def _abandoned(self, view: PoolView) -> bool:
        """True when the creation this pool was made for cannot be under way any more and left nothing behind.

        The engine forgets a pool whose RequestPool it gave up on (we were killed before the answer). The age
        keeps two creations of the same subnet at the same moment from sharing one pool.
        """
        return not (self._under_way(view.pool) or view.networks or any(view.held()))

    def _under_way(self, pool: Pool) -> bool:
        """True while the network this pool was made for may still come."""
        return 0 <= self._clock() - pool.created_at < self._settings.attach_deadline

    def _chosen(self, request: PoolRequest, host: Collection[IpNetwork], state: State) -> tuple[list[Change], Pool]:
        taken = [*host, *_subnets(state), *_subnets_of_cluster(self._cluster())]
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


class _InTheMaking(Exception):
    """A pool of another space has the same subnet, and its network was not made yet."""

    def __init__(self, space: str) -> None:
        super().__init__(space)
        self.space = space


def _space(space: str) -> str:
    name = name_in(space)
    return f"address space {name}" if name else "the common address space"


def _or_space(request: PoolRequest) -> str:
    """The other way out: subnets are compared within one address space only."""
    other = "another" if name_in(request.space) else "an address space of its own"
    return f", or {other} with --ipam-opt space=NAME"


def _check_cluster(part_of: SharedId, request: PoolRequest, subnet: IpNetwork, cluster: Cluster) -> None:
    """A subnet of the cluster is given to parts of its own network only, within its address space."""
    if part_of in cluster.networks:
        return
    for network in (it for it in cluster.networks.values() if it.space == name_in(request.space)):
        for other in _subnets_of(network):
            if pools.overlap(subnet, other):
                raise Conflict(
                    f"subnet {subnet} overlaps {other} of network {network.title}, which all hosts of the cluster have "
                    f"(made on host {network.origin}); use that network, or choose another --subnet{_or_space(request)}"
                )


def _subnets_of(network: SharedNetwork) -> Iterator[IpNetwork]:
    yield from (it for it in (network.ipv4, network.ipv6) if it is not None)


def _subnets_of_cluster(cluster: Cluster) -> Iterator[IpNetwork]:
    """The networks all hosts have, and what each host reaches already."""
    for network in cluster.networks.values():
        yield from _subnets_of(network)
    for member in cluster.members.values():
        yield from member.subnets


def _subnets(state: State) -> Iterator[IpNetwork]:
    """Every subnet in use, also of networks whose addresses come from another IPAM driver."""
    yield from (pool.subnet for pool in state.pools.values())
    for network in state.networks.values():
        yield from (subnet for subnet in (network.ipv4, network.ipv6) if subnet is not None)


def _ula(random: bytes) -> IPv6Network:
    """A /48 of unique local addresses from 40 random bits (RFC 4193 3.2)."""
    return IPv6Network((bytes([0xFD]) + random + bytes(10), 48))


def _without_pool(pool_id: PoolId, state: State) -> tuple[list[Change], None]:
    pool = state.pools.get(pool_id)
    if pool is None:
        return [], None
    return [*(Drop(it) for it in state.allocations_of(pool_id)), Drop(pool)], None
