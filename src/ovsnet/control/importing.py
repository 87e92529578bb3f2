"""`ovsnet import` and `ovsnet unimport`: containers of a network reach a service of elsewhere at an address of theirs.

    10.20.0.9:3322 ─► 192.0.2.7:2211     the network's pool holds the address, its gateway sends on what comes there

Where the service is may change at any time: containers know the address alone.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

from ovsnet.control.commit import Committer
from ovsnet.control.endpoints import Host
from ovsnet.control.pool_view import PoolView
from ovsnet.ipam.allocator import check_address
from ovsnet.model.addressing import Allocation, AllocationKind, Pool
from ovsnet.model.egress import FIREWALL, leads_out
from ovsnet.model.errors import BadRequest, Conflict, NotFound, OvsnetError
from ovsnet.model.ids import IpAddress, NetworkId
from ovsnet.model.network import Network, find_network
from ovsnet.model.services import IMPORTED, Import, Service, parse_service, parse_target
from ovsnet.model.state import State
from ovsnet.plan import names
from ovsnet.store.interface import Change, Drop, Put


class Imports:
    """One order at a time."""

    def __init__(self, committer: Committer[State], host: Host, clock: Callable[[], float], *, deadline: float) -> None:
        """`clock`: seconds since the epoch; `deadline` in seconds, until an order is in force."""
        self._committer = committer
        self._host = host
        self._clock = clock
        self._deadline = deadline

    async def put(self, service: str, target: str, network: str) -> tuple[Import, Import | None]:
        """Have it lead there from now on; returns it and what it was before. What the host refuses is put back."""
        asked = parse_service(service)
        there, now = parse_target(target, asked), self._clock()

        def decide(state: State) -> tuple[Sequence[Change], tuple[Import, Import | None]]:
            found = _network(state, asked.address, network)
            wanted = Import(found.id, asked.address, asked.transport, asked.port, there.address, there.port)
            before = state.imports.get(wanted.key)
            _check_target(state, wanted)
            reserved = _reserved(state, found, asked.address, now)
            return ([*reserved, Put(wanted)] if wanted != before else ()), (wanted, before)

        wanted, before = await self._committer.commit(decide)
        try:
            await self._settled(wanted.network_id)
        except OvsnetError:
            await self._committer.commit(lambda state: (_put_back(state, wanted, before, now), None))
            raise
        return wanted, before

    async def drop(self, service: str, network: str) -> Import:
        """Nothing leads there any more, and its address is free with the last service at it. NotFound without one."""
        asked = parse_service(service)

        def decide(state: State) -> tuple[Sequence[Change], Import]:
            found = _meant(state, asked, network)
            return _removal(state, found, self._clock()), found

        dropped = await self._committer.commit(decide)
        await self._settled(dropped.network_id)
        return dropped

    async def _settled(self, network_id: NetworkId) -> None:
        state = self._committer.snapshot()
        if network_id in state.networks:
            resources = (names.gateway_port(state.networks[network_id].vni), FIREWALL)
            await self._host.settled(state.revision, resources, self._deadline)


def _network(state: State, address: IpAddress, name: str) -> Network:
    """The one meant, which must be able to have a service at this address."""
    if name:
        found = find_network(state.networks, name)
    else:
        on = [it for it in state.networks.values() if _has(it, address)]
        if len(on) != 1:
            titles = ", ".join(sorted(it.title for it in on))
            raise BadRequest(
                f"{address} is an address of the networks {titles}; say which one with --network"
                if on
                else f"{address} is not an address of a network of ovsnet; choose a free one of the network's subnet"
            )
        (found,) = on
    if not leads_out(found):
        raise BadRequest(
            f"network {found.title} has egress={found.options.egress}: its containers do not leave by a gateway of "
            "this host, which could lead them on; make the network with -o egress=nat or -o egress=routed"
        )
    if found.shared:
        raise BadRequest(
            f"network {found.title} is one of all hosts of the cluster, which no service can be imported to in this "
            "version; use a network of this host alone (-o mode=bridge)"
        )
    if not _has(found, address):
        subnets = ", ".join(str(it) for it in (found.ipv4, found.ipv6) if it is not None)
        raise BadRequest(f"{address} is not in network {found.title} ({subnets}); choose a free address of it")
    return found


def _has(network: Network, address: IpAddress) -> bool:
    return any(address in it for it in (network.ipv4, network.ipv6) if it is not None)


def _check_target(state: State, wanted: Import) -> None:
    """BadRequest for a service that would be its own."""
    other = (wanted.network_id, wanted.target, wanted.transport)
    if any(other == (it.network_id, it.address, it.transport) for it in (wanted, *state.imports.values())):
        raise BadRequest(f"{wanted.title} cannot lead to {wanted.leads_to}, which is an imported service itself")


def _reserved(state: State, network: Network, address: IpAddress, now: float) -> Sequence[Change]:
    """What keeps the address from containers; nothing where an import or `--aux-address` does."""
    pool = _pool(state, network, address)
    if pool is None:
        raise BadRequest(
            f"addresses of network {network.title} are not given by ovsnet, so {address} cannot be kept from its "
            "containers; make the network with --ipam-driver ovsnet"
        )
    check_address(pool, address)
    view = PoolView(state, pool)
    allocation, endpoint = view.allocation(address), view.endpoint_at(address)
    if address in (network.gateway4, network.gateway6):
        raise Conflict(f"{address} is the gateway of network {network.title}; choose another address")
    if endpoint is not None:
        raise Conflict(f"{address} is held by container {endpoint.title}; choose another address")
    if allocation is None or not allocation.held:
        return [Put(Allocation(pool.id, address, AllocationKind.RESERVED, holder=IMPORTED, created_at=now))]
    if allocation.kind is not AllocationKind.RESERVED:
        held = allocation.holder or "a container that is just starting or stopping"
        raise Conflict(f"{address} is held by {held}; choose another address, or try again")
    return []


def _pool(state: State, network: Network, address: IpAddress) -> Pool | None:
    return next((it for it in state.pools.values() if it.serves(network) and address in it.subnet), None)


def _meant(state: State, asked: Service, name: str) -> Import:
    network = find_network(state.networks, name) if name else None
    found = [
        it
        for it in state.imports.values()
        if (it.address, it.transport, it.port) == (asked.address, asked.transport, asked.port)
        and (network is None or it.network_id == network.id)
    ]
    if not found:
        known = ", ".join(sorted(it.title for it in state.imports.values())) or "none"
        raise NotFound(f"no service is imported at {asked.address} port {asked.port}; imported are: {known}")
    if len(found) > 1:
        raise BadRequest(f"{found[0].title} is imported to several networks; say which one with --network")
    return found[0]


def _removal(state: State, it: Import, now: float) -> Sequence[Change]:
    """Its address rests after the last service, as an endpoint's does: containers remember the gateway's MAC for it."""
    changes: list[Change] = [Drop(it)]
    network = state.networks.get(it.network_id)
    others = any(
        one != it and (one.network_id, one.address) == (it.network_id, it.address) for one in state.imports.values()
    )
    pool = None if network is None or others else _pool(state, network, it.address)
    allocation = None if pool is None else state.allocations.get((pool.id, it.address))
    if allocation is not None and allocation.held and allocation.holder == IMPORTED:
        changes.append(Put(replace(allocation, released_at=now)))
    return changes


def _put_back(state: State, wanted: Import, before: Import | None, now: float) -> Sequence[Change]:
    if state.imports.get(wanted.key) != wanted:
        return ()
    return _removal(state, wanted, now) if before is None else (Put(before),)
