"""Who may create, join, leave and delete an endpoint, and what is waited for."""

from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address
from typing import Protocol

from ovsnet.control.commit import Committer
from ovsnet.control.egress import resources_of
from ovsnet.control.kernel import Kernel
from ovsnet.control.requests import EndpointRequest, Joined
from ovsnet.control.spares import fitting, macs_in_use
from ovsnet.ipam.macs import next_mac
from ovsnet.model.egress import FIREWALL, leads_out
from ovsnet.model.endpoint import Endpoint
from ovsnet.model.errors import BadRequest, Conflict, NotFound, OvsnetError
from ovsnet.model.ids import EndpointId, Mac, NetworkId
from ovsnet.model.listening import EVERYTHING, NOTHING
from ovsnet.model.network import Egress, Multicast, Network, PortKind, parse_endpoint_options
from ovsnet.model.shaping import Shape
from ovsnet.model.state import State
from ovsnet.pipeline.dns import SERVICE_MAC
from ovsnet.pipeline.gateway import GATEWAY_MAC
from ovsnet.plan import names
from ovsnet.plan.dns import service_route
from ovsnet.store.interface import Change, Drop, Put

UNPLUG_PATIENCE = 3.0
"""Seconds a deletion waits for the host: so that the port is gone when `docker` returns; it succeeds all the same."""


class Host(Protocol):
    """The reconciler, as seen from here."""

    async def settled(self, revision: int, resources: Sequence[str], deadline: float) -> None:
        """Wait until `revision` is in force for these resources; raises what was refused."""

    def reachable(self) -> bool:
        """False while the switch does not answer: then nobody waits for it on the way out."""


@dataclass(frozen=True, slots=True)
class Beside:
    """What endpoints have to do with beside the store and the switch.

    `name_service` is the address at which containers can ask for names; None where they cannot. `give_back`: have these
    give back what DHCP servers gave them, within seconds. `offload`: whether packets may pass without a checksum; None
    where no pair waits for an endpoint.
    """

    name_service: IPv4Address | None = None
    give_back: Callable[[Collection[EndpointId]], Awaitable[None]] | None = None
    kernel: Kernel = field(default_factory=Kernel)
    offload: Callable[[], bool] | None = None


class Endpoints:
    """CreateEndpoint, Join, Leave, DeleteEndpoint."""

    def __init__(
        self,
        committer: Committer[State],
        host: Host,
        *,
        clock: Callable[[], float],
        new_prefix: Callable[[], str],
        deadline: float,
        beside: Beside | None = None,
    ) -> None:
        """`deadline` in seconds, for one to be in force."""
        self._beside = beside or Beside()
        self._committer = committer
        self._host = host
        self._clock = clock
        self._new_prefix = new_prefix
        self._deadline = deadline
        self._wanted_since: dict[EndpointId, int] = {}

    async def create(self, request: EndpointRequest) -> Endpoint:
        """Want the endpoint; its link and port are being made when this returns. Repeating it changes nothing."""
        prefix, now = self._new_prefix(), self._clock()
        await self._beside.kernel.check(Shape(_rate(self._committer.snapshot(), request)))
        offload = None if self._beside.offload is None else self._beside.offload()
        endpoint = await self._committer.commit(
            lambda state: _decide_create(state, request, prefix, now, offload=offload)
        )
        self._wanted_since[endpoint.id] = self._committer.snapshot().revision
        return endpoint

    async def join(self, network_id: NetworkId, endpoint_id: EndpointId, sandbox: str) -> Joined:
        """Wait until the endpoint is in force on this host. When it cannot be, nothing of it stays wanted."""
        network, endpoint = await self._committer.commit(
            lambda state: _decide_join(state, network_id, endpoint_id, sandbox, self._beside.name_service)
        )
        # Where the container is does not change what the host must have: the round for CreateEndpoint will do.
        since = self._wanted_since.pop(endpoint_id, self._committer.snapshot().revision)
        try:
            await self._settle(endpoint, network, since, self._deadline)
        except OvsnetError:
            await self.leave(network_id, endpoint_id)
            raise
        return _joined(endpoint, network)

    async def leave(self, _network_id: NetworkId, endpoint_id: EndpointId) -> None:
        """Want nothing of it on the host any more; the address stays its own until DeleteEndpoint."""
        state = self._committer.snapshot()
        network = (
            state.networks.get(state.endpoints[endpoint_id].network_id) if endpoint_id in state.endpoints else None
        )
        give_back = self._beside.give_back
        if give_back is not None and network is not None and network.options.dhcp:
            await give_back([endpoint_id])  # while its port is there
        had_ports = endpoint_id in state.endpoints and bool(state.endpoints[endpoint_id].published)
        await self._committer.commit(lambda state: (_unplug(state, endpoint_id), None))
        if had_ports:
            await let_go_of_ports(self._host, self._committer.snapshot().revision)

    async def delete(self, network_id: NetworkId, endpoint_id: EndpointId) -> None:
        """Forget the endpoint; unknown ones are gone already. Waits a little for the host to be clean."""
        state = self._committer.snapshot()
        endpoint, network = state.endpoints.get(endpoint_id), state.networks.get(network_id)
        self._wanted_since.pop(endpoint_id, None)
        await self._committer.commit(lambda now: (_drop(now, endpoint_id), None))
        if endpoint is not None and network is not None and self._host.reachable():
            with suppress(OvsnetError):  # the reconciler goes on trying; the engine ignores an error here anyway
                now = self._committer.snapshot().revision
                await self._settle(endpoint, network, now, UNPLUG_PATIENCE)

    async def _settle(self, endpoint: Endpoint, network: Network, revision: int, deadline: float) -> None:
        wanted = (names.port_name(endpoint, network), *resources_of(network))
        await self._host.settled(revision, wanted, deadline)


async def let_go_of_ports(host: Host, revision: int) -> None:
    """Returns when the host's ports are free that led somewhere before `revision`: the next thing the engine does may
    be to have them for another way out of the same container, its own among them.
    """
    if host.reachable():
        with suppress(OvsnetError):  # the reconciler goes on trying, and the engine with what it does
            await host.settled(revision, (FIREWALL,), UNPLUG_PATIENCE)


def _joined(endpoint: Endpoint, network: Network) -> Joined:
    internal = network.options.port is PortKind.INTERNAL
    by_router = network.options.egress is Egress.LAN or leads_out(network)
    gateway4 = network.gateway4 if by_router and endpoint.ipv4 else None
    return Joined(
        source=names.internal_port(endpoint.id) if internal else names.container_end(names.link_id(endpoint)),
        prefix=names.internal_prefix(endpoint.id) if internal else "eth",
        gateway4=gateway4,
        gateway6=network.gateway6 if by_router and endpoint.ipv6 else None,
        # Of an endpoint that does without the bridge an engine does not see the gateway (needDefaultGW): who is on a
        # network with Docker's way out as well would have the bridge beside it.
        no_gateway_bridge=network.options.egress is not Egress.DOCKER and gateway4 is None,
        publishes=leads_out(network),
        routes=() if endpoint.names_route is None else (endpoint.names_route,),
    )


def _decide_create(
    state: State, request: EndpointRequest, prefix: str, now: float, *, offload: bool | None
) -> tuple[Sequence[Change], Endpoint]:
    network = _network(state, request.network_id)
    options = parse_endpoint_options(request.options)
    wanted = Endpoint(
        id=request.id,
        network_id=network.id,
        mac=request.mac or Mac(""),
        ipv4=request.ipv4,
        ipv6=request.ipv6,
        vlan=options.vlan,
        rate=options.rate,
        # It says what it listens to when it begins to: who is plugged while we look needs not be asked.
        listens=NOTHING if network.options.multicast is Multicast.SNOOP else EVERYTHING,
        created_at=now,
    )
    known = state.endpoints.get(request.id)
    if known is not None:
        return (), _same(known, wanted)
    check_segment(network, wanted)
    check_rate(network, options.rate or 0)
    check_free(state, network, wanted)
    if request.mac is not None:
        return (Put(wanted),), wanted
    spare = None if offload is None else fitting(state, network, offload=offload)
    if spare is not None:
        made = replace(wanted, mac=spare.mac, spare=spare.id)
        return (Drop(spare), Put(made)), made
    mac, counters = next_mac(state.counters, prefix, macs_in_use(state))
    made = replace(wanted, mac=mac)
    return (Put(counters), Put(made)), made


def _rate(state: State, request: EndpointRequest) -> int:
    """The bound it will have, as far as options say."""
    own, network = parse_endpoint_options(request.options).rate, state.networks.get(request.network_id)
    return (network.options.rate if network else 0) if own is None else own


def _same(known: Endpoint, wanted: Endpoint) -> Endpoint:
    """A repeated CreateEndpoint gets what the first one got; one that differs is not a repetition."""
    mine = (known.network_id, known.ipv4, known.ipv6, known.vlan, known.rate)
    again = (wanted.network_id, wanted.ipv4, wanted.ipv6, wanted.vlan, wanted.rate)
    if mine != again or wanted.mac not in ("", known.mac):
        raise Conflict(f"endpoint {known.title} exists with other settings; remove the container and start it again")
    return known


def check_segment(network: Network, wanted: Endpoint) -> None:
    """BadRequest for a VLAN of its own where there is none."""
    if wanted.vlan is None:
        return
    if network.shared or network.options.on_uplink:
        raise BadRequest(
            f"network {network.title} has mode={network.options.mode}, where all endpoints are in one segment: none "
            "has a VLAN of its own; leave the driver option vlan out"
        )
    if leads_out(network):
        raise BadRequest(
            f"network {network.title} has egress={network.options.egress}, whose gateway is in the network's own VLAN "
            "alone: no endpoint has another one; leave the driver option vlan out"
        )


def check_rate(network: Network, rate: int) -> None:
    """Towards its container a port is bound at its link on the host, and an internal one has none."""
    if rate and network.options.port is PortKind.INTERNAL:
        raise BadRequest(
            f"network {network.title} has port=internal, and the rate of an internal port cannot be bound; leave the "
            "rate out, or make the network with port=veth"
        )


def check_free(state: State, network: Network, wanted: Endpoint) -> None:
    """Two holders of one address or MAC would take each other's packets."""
    if wanted.mac in (GATEWAY_MAC, SERVICE_MAC):
        owner = "the gateway's" if wanted.mac == GATEWAY_MAC else "the name service's"
        raise Conflict(f"network {network.title}: MAC address {wanted.mac} is {owner}; choose another")
    for other in state.endpoints_of(network.id):
        if wanted.mac and other.mac == wanted.mac:
            raise Conflict(
                f"network {network.title}: MAC address {wanted.mac} is held by {other.title}; choose another"
            )
        for address in (wanted.ipv4, wanted.ipv6):
            if address is not None and address in (other.ipv4, other.ipv6):
                raise Conflict(
                    f"network {network.title}: address {address.ip} is held by {other.title}; choose another --ip "
                    "or stop that container"
                )


def _decide_join(
    state: State, network_id: NetworkId, endpoint_id: EndpointId, sandbox: str, name_service: IPv4Address | None
) -> tuple[Sequence[Change], tuple[Network, Endpoint]]:
    network = _network(state, network_id)
    endpoint = state.endpoints.get(endpoint_id)
    if endpoint is None:
        raise NotFound(f"endpoint {endpoint_id[:12]} is not known to ovsnet; start the container again")
    joined = replace(endpoint, plugged=True, sandbox=sandbox)
    if name_service is not None:
        joined = replace(joined, names_route=service_route(name_service, joined, state))
    return ((Put(joined),) if joined != endpoint else ()), (network, joined)


def _unplug(state: State, endpoint_id: EndpointId) -> Sequence[Change]:
    endpoint = state.endpoints.get(endpoint_id)
    if endpoint is None:
        return ()
    left = replace(endpoint, plugged=False, sandbox="", ifname="", names_route=None, published=())
    return (Put(left),) if left != endpoint else ()


def _drop(state: State, endpoint_id: EndpointId) -> Sequence[Change]:
    endpoint = state.endpoints.get(endpoint_id)
    return () if endpoint is None else (Drop(endpoint),)


def _network(state: State, network_id: NetworkId) -> Network:
    network = state.networks.get(network_id)
    if network is None:
        raise NotFound(
            f"network {network_id[:12]} is not known to ovsnet (its state was lost or removed); "
            "remove it with 'docker network rm' and create it again"
        )
    return network
