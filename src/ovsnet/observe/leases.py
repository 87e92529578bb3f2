"""Addresses in use, and how full the pools are. Pure."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from ipaddress import IPv4Network

import msgspec

from ovsnet.model.addressing import Allocation, Pool
from ovsnet.model.ids import IpAddress, IpNetwork, PoolId
from ovsnet.model.state import State

COUNTABLE = 2**32
"""Pools with more addresses than this have no total: nobody fills them, and JSON readers lose such numbers.
"""


class LeaseState(StrEnum):
    """`resting`: released a short while ago and not handed out again yet."""

    HELD = "held"
    RESTING = "resting"


class Lease(msgspec.Struct, frozen=True, kw_only=True):
    """One address that is held or rests. `holder` is the container, "" where no name is known. `since` is
    when it was handed out, or released; null where not known. `space` is the name of the address space, "" for the
    common one.
    """

    subnet: str
    space: str = ""
    address: str
    kind: str
    holder: str
    state: LeaseState
    since: datetime | None = None
    pool: str


class PoolUsage(msgspec.Struct, frozen=True, kw_only=True):
    """How full a pool is. `total` counts what can be handed out, the gateway included; null where
    uncountable.
    """

    pool: str
    subnet: str
    space: str = ""
    networks: tuple[str, ...]
    used: int
    resting: int
    total: int | None = None

    @property
    def full(self) -> bool:
        """True when the next request for any address fails until one is released or has rested."""
        return self.total is not None and self.used + self.resting >= self.total


def all_leases(state: State) -> tuple[Lease, ...]:
    """Every allocation, by subnet and address."""
    known = [it for it in state.allocations.values() if it.pool_id in state.pools]
    ordered = sorted(known, key=lambda it: (*_order(state.pools[it.pool_id]), int(it.address)))
    holders = _holders(state)
    return tuple(_lease(it, state.pools[it.pool_id], holders) for it in ordered)


def usage(state: State) -> tuple[PoolUsage, ...]:
    """Every pool with its counts, by subnet."""
    held = _count(it.pool_id for it in state.allocations.values() if it.held)
    resting = _count(it.pool_id for it in state.allocations.values() if not it.held)
    pools = sorted(state.pools.values(), key=_order)
    return tuple(_usage(it, state, held.get(it.id, 0), resting.get(it.id, 0)) for it in pools)


def capacity(subnet: IpNetwork) -> int | None:
    """How many addresses of a subnet a container or gateway can have; None beyond `COUNTABLE`."""
    if isinstance(subnet, IPv4Network):
        # RFC 3021: a /31 has neither network nor broadcast address; a /32 is one address.
        return subnet.num_addresses - (2 if subnet.prefixlen <= 30 else 0)
    # RFC 4291 2.6.1: the first address is the subnet-router anycast address.
    total = subnet.num_addresses - (1 if subnet.prefixlen <= 126 else 0)
    return total if total <= COUNTABLE else None


def _order(pool: Pool) -> tuple[int, int, str]:
    return (pool.subnet.version, int(pool.subnet.network_address), pool.id)


def _count(pools: Iterable[PoolId]) -> dict[PoolId, int]:
    counts: dict[PoolId, int] = {}
    for it in pools:
        counts[it] = counts.get(it, 0) + 1
    return counts


def _holders(state: State) -> Mapping[tuple[str, IpNetwork, IpAddress], str]:
    """Containers by address space, subnet and address: engines before 29 do not name the container when they ask for an
    address.
    """
    return {
        (network.space, subnet, address.ip): it.container_name
        for it in state.endpoints.values()
        if (network := state.networks.get(it.network_id)) is not None
        for subnet, address in ((network.ipv4, it.ipv4), (network.ipv6, it.ipv6))
        if subnet is not None and address is not None
    }


def _lease(allocation: Allocation, pool: Pool, holders: Mapping[tuple[str, IpNetwork, IpAddress], str]) -> Lease:
    moment = allocation.created_at if allocation.released_at is None else allocation.released_at
    return Lease(
        subnet=str(pool.subnet),
        space=pool.space_name,
        address=str(allocation.address),
        kind=allocation.kind,
        holder=allocation.holder or holders.get((pool.space_name, pool.subnet, allocation.address), ""),
        state=LeaseState.HELD if allocation.held else LeaseState.RESTING,
        since=datetime.fromtimestamp(moment, UTC) if moment else None,
        pool=pool.id,
    )


def _usage(pool: Pool, state: State, used: int, resting: int) -> PoolUsage:
    networks = (it.title for it in state.networks.values() if pool.serves(it))
    return PoolUsage(
        pool=pool.id,
        subnet=str(pool.subnet),
        space=pool.space_name,
        networks=tuple(sorted(networks)),
        used=used,
        resting=resting,
        total=capacity(pool.subnet),
    )
