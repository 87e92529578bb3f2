"""What a state wants of the gateways on this host: which there are, which ports lead where, what is imported. Pure."""

from collections.abc import Iterable, Iterator

from ovsnet.model.egress import Detour, Lead, Passage, gateway_device, has_gateway_here, leads_out
from ovsnet.model.endpoint import Endpoint
from ovsnet.model.ids import IpAddress
from ovsnet.model.network import Egress, Network
from ovsnet.model.publication import Publication
from ovsnet.model.services import Export
from ovsnet.model.state import State


def gateways(state: State) -> tuple[Network, ...]:
    """The networks whose gateway this host is: also those with a port that was published by order."""
    exported = {it.network_id for it in state.exports.values()}
    return tuple(it for it in state.networks.values() if has_gateway_here(it) or it.id in exported)


def reached_by(state: State, endpoints: Iterable[Endpoint]) -> Iterator[tuple[str, IpAddress]]:
    """The addresses of these that this host reaches by a gateway of its own, each with the gateway's interface."""
    devices = {it.id: gateway_device(it.vni) for it in gateways(state)}
    for it in endpoints:
        for address in (it.ipv4, it.ipv6):
            if address is not None and it.network_id in devices:
                yield devices[it.network_id], address.ip


def passages(state: State) -> tuple[Passage, ...]:
    """Of the networks that have a gateway here, in the order of their numbers."""
    return tuple(
        Passage(
            gateway_device(it.vni),
            tuple(subnet for subnet in (it.ipv4, it.ipv6) if subnet is not None),
            it.options.egress if leads_out(it) else Egress.NONE,
            it.exposed,
            it.options.domain if leads_out(it) else "",
            it.space_number,
        )
        for it in sorted(gateways(state), key=lambda it: it.vni)
    )


def led(state: State) -> Iterator[tuple[Endpoint, Network, Lead]]:
    """Every port that leads somewhere now, with the endpoint and its network."""
    for it in state.endpoints.values():
        network = state.networks.get(it.network_id) if it.published and it.plugged else None
        if network is not None and leads_out(network):
            yield from ((it, network, lead) for lead in _to(it, network, it.published))
    for export in state.exports.values():
        endpoint, network = exported(state, export), state.networks.get(export.network_id)
        if endpoint is not None and network is not None:
            yield from ((endpoint, network, it) for it in _to(endpoint, network, [export.publication], borrows=True))


def exported(state: State, export: Export) -> Endpoint | None:
    """Where the port leads now; None while its container does not run. Of several interfaces the oldest counts."""
    theirs = (
        it
        for it in state.endpoints.values()
        if it.plugged and (it.container_id, it.network_id) == (export.container_id, export.network_id)
    )
    return min(theirs, key=lambda it: (it.created_at, it.id), default=None)


def leads(state: State) -> tuple[Lead, ...]:
    """All published ports that lead somewhere, in the order of their numbers."""
    return tuple(sorted((it for _, _, it in led(state)), key=lambda it: _order(it.publication)))


def detours(state: State) -> tuple[Detour, ...]:
    """All imported services, in a fixed order."""
    known = ((it, state.networks.get(it.network_id)) for it in state.imports.values())
    found = [Detour(it, gateway_device(network.vni)) for it, network in known if network and leads_out(network)]
    return tuple(sorted(found, key=lambda it: (it.device, it.service.port, it.service.title)))


def _to(
    endpoint: Endpoint, network: Network, published: Iterable[Publication], *, borrows: bool = False
) -> Iterator[Lead]:
    addresses = {own.version: own.ip for own in (endpoint.ipv4, endpoint.ipv6) if own is not None}
    for it in published:
        if it.version in addresses:
            yield Lead(it, addresses[it.version], gateway_device(network.vni), borrows)


def _order(it: Publication) -> tuple[int, str]:
    return it.host_port, it.title
