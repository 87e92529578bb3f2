"""`ovsnet publish` and `ovsnet unpublish`: ports of this host that lead to a container by order, not by `-p`.

    order ─► no port of ours collides ─► claimed on this host ─► committed ─► in force

The order is the container's, as long as that exists and over all its restarts: its endpoints come and go.
"""

from collections.abc import Collection, Sequence
from contextlib import suppress

from ovsnet.control.bounds import endpoints_of
from ovsnet.control.commit import Committer
from ovsnet.control.egress import HostNetworks, check_host, check_place
from ovsnet.control.endpoints import Host, let_go_of_ports
from ovsnet.control.gone import Engine, Gone
from ovsnet.control.publishing import HostPorts
from ovsnet.engine.facts import EngineFacts
from ovsnet.model.egress import FIREWALL
from ovsnet.model.endpoint import Endpoint
from ovsnet.model.errors import BadRequest, Conflict, NotFound, OvsnetError
from ovsnet.model.gateways import gateways
from ovsnet.model.ids import NetworkId
from ovsnet.model.network import Network, find_network
from ovsnet.model.publication import PortWish, check_wish, publications
from ovsnet.model.services import Export, parse_export, parse_exported
from ovsnet.model.state import State
from ovsnet.plan import names
from ovsnet.store.interface import Change, Drop, Put


class Exports:
    """One order at a time."""

    def __init__(
        self,
        committer: Committer[State],
        host: Host,
        ports: HostPorts,
        engine: Engine,
        host_networks: HostNetworks,
        *,
        deadline: float,
    ) -> None:
        """`deadline` in seconds, until an order is in force."""
        self._committer = committer
        self._host = host
        self._ports = ports
        self._gone = Gone(engine)
        self._host_networks = host_networks
        self._deadline = deadline

    async def publish(self, target: str, network: str, port: str, *, replace: bool) -> tuple[Export, ...]:
        """Returns when the port leads there; what is refused is put back. `replace`: also one that leads elsewhere."""
        wish, state = parse_export(port), self._committer.snapshot()
        endpoint = _meant(state, target, network)
        there = state.networks[endpoint.network_id]
        check_place(there, "publish")
        if there not in gateways(state):
            await check_host(there, self._host_networks)
        wanted = _exports(endpoint, wish)
        _check_free(state, wanted, replace=replace)
        ports = [it.publication for it in wanted]
        self._ports.claim(ports)
        try:
            before = await self._put(wanted, replace=replace)
            await self._settled(there, before, wanted)
        finally:
            self._ports.settle(ports)
        return wanted

    async def unpublish(self, port: str) -> tuple[Export, ...]:
        """Returns when it leads nowhere; NotFound when it did not lead anywhere by order."""
        wish = parse_exported(port)

        def decide(state: State) -> tuple[Sequence[Change], tuple[Export, ...]]:
            meant = tuple(it for it in state.exports.values() if _is_meant(it, wish))
            if not meant:
                raise NotFound(
                    f"port {wish.title} was not published by 'ovsnet publish'; published so are: {_all(state)}"
                )
            return [Drop(it) for it in meant], meant

        dropped = await self._committer.commit(decide)
        await let_go_of_ports(self._host, self._committer.snapshot().revision)
        return dropped

    async def forget_gone(self, facts: EngineFacts) -> None:
        """Forget what was ordered for containers that are no more."""
        ordered = {it.container_id for it in self._committer.snapshot().exports.values()}
        with suppress(OvsnetError):  # the next listing is as good
            gone = await self._gone.among(ordered, facts)
            if gone:
                await self._committer.commit(lambda state: (_forget(state, gone), None))

    async def _put(self, wanted: Sequence[Export], *, replace: bool) -> Sequence[Export]:
        """What was there before in their places, and beside them of the other IP version."""

        def decide(state: State) -> tuple[Sequence[Change], Sequence[Export]]:
            _check_free(state, wanted, replace=replace)
            if wanted[0].network_id not in state.networks:
                raise NotFound("the network is being removed")
            before = [it for it in state.exports.values() if _gives_way(it, wanted)]
            changes = [Drop(it) for it in before if it.key not in {one.key for one in wanted}]
            return [*changes, *(Put(it) for it in wanted if it not in before)], before

        return await self._committer.commit(decide)

    async def _settled(self, network: Network, before: Sequence[Export], wanted: Sequence[Export]) -> None:
        resources = (names.gateway_port(network.vni), FIREWALL)
        try:
            await self._host.settled(self._committer.snapshot().revision, resources, self._deadline)
        except OvsnetError:
            await self._committer.commit(lambda state: (_put_back(state, before, wanted), None))
            raise


def _meant(state: State, target: str, network: str) -> Endpoint:
    wanted: NetworkId | None = find_network(state.networks, network).id if network else None
    mine = [it for it in endpoints_of(state, target) if it.container_id and it.network_id in state.networks]
    found = {it.network_id: it for it in mine if wanted in (None, it.network_id)}
    titles = ", ".join(sorted(state.networks[it.network_id].title for it in mine))
    if len(found) > 1:
        raise Conflict(f"container {target} is on several networks: {titles}; say by which one it is to be reached")
    if not found:
        where = f"it is on {titles}" if mine else "no running container of that name is on a network of ovsnet"
        on = f" on network {network}" if network else ""
        raise NotFound(f"there is no container {target}{on}: {where}")
    return next(iter(found.values()))


def _exports(endpoint: Endpoint, wish: PortWish) -> tuple[Export, ...]:
    versions = [it.version for it in (endpoint.ipv4, endpoint.ipv6) if it is not None]
    check_wish(wish, versions)
    if not versions:
        raise BadRequest(f"container {endpoint.title} has no address on that network, so nothing can lead to it")
    led = publications(wish, wish.first, versions)
    return tuple(Export(it, endpoint.container_id, endpoint.network_id, endpoint.container_name) for it in led)


def _check_free(state: State, wanted: Sequence[Export], *, replace: bool) -> None:
    """Conflict where a port of ours, however it came to be, leads elsewhere."""
    for it in (one.publication for one in wanted):
        for other in state.endpoints.values():
            if other.plugged and any(it.collides(one) for one in other.published):
                raise Conflict(
                    f"port {it.title} of this host leads to container {other.title} by -p; choose another port"
                )
    for known in state.exports.values():
        mine = _gives_way(known, wanted)
        clashes = mine or any(it.publication.collides(known.publication) for it in wanted)
        if not clashes or (mine and (replace or _leads_alike(known, wanted[0]))):
            continue
        away = ", or add --replace" if mine else ""
        raise Conflict(
            f"port {known.publication.title} of this host leads to port {known.publication.port} of {known.title} "
            f"already; 'ovsnet unpublish {known.publication.title}' first{away}"
        )


def _leads_alike(one: Export, other: Export) -> bool:
    places = [(it.container_id, it.network_id, it.publication.port) for it in (one, other)]
    return places[0] == places[1]


def _gives_way(it: Export, wanted: Sequence[Export]) -> bool:
    """Whether the order is about it, too: a port of all addresses is one order for both IP versions."""
    mine, theirs = it.publication, wanted[0].publication
    same = (mine.transport, mine.host_port) == (theirs.transport, theirs.host_port)
    return same and (mine.host == theirs.host or (mine.host.is_unspecified and theirs.host.is_unspecified))


def _is_meant(it: Export, wish: PortWish) -> bool:
    led = it.publication
    return (led.transport, led.host_port) == (wish.transport, wish.first) and wish.host in (None, led.host)


def _put_back(state: State, before: Sequence[Export], wanted: Sequence[Export]) -> Sequence[Change]:
    if any(state.exports.get(it.key) != it for it in wanted):
        return ()
    return [*(Drop(it) for it in wanted), *map(Put, before)]


def _forget(state: State, containers: Collection[str]) -> Sequence[Change]:
    return [Drop(it) for it in state.exports.values() if it.container_id in containers]


def _all(state: State) -> str:
    return ", ".join(sorted(it.publication.title for it in state.exports.values())) or "none"
