"""Which ports of this host lead to which containers, as people see it: `ovsnet ports`. Pure."""

import msgspec

from ovsnet.model.egress import Lead, leads
from ovsnet.model.endpoint import Endpoint
from ovsnet.model.network import Network
from ovsnet.model.state import State


class PortInfo(msgspec.Struct, frozen=True, kw_only=True):
    """One published port, for one IP version. `host_address` is 0.0.0.0 or :: for all addresses of this host; `service`
    is the container's in its Compose file, "" for most.
    """

    container_id: str
    container: str
    service: str
    network_id: str
    network: str
    endpoint_id: str
    protocol: str
    host_address: str
    host_port: int
    container_address: str
    container_port: int


def all_ports(state: State) -> tuple[PortInfo, ...]:
    """Those of networks with a way out of their own, by port of this host."""
    on = [(state.networks[it.network_id], it) for it in state.endpoints.values() if it.network_id in state.networks]
    found = [_row(network, endpoint, lead) for network, endpoint in on for lead in leads(state.networks, [endpoint])]
    return tuple(sorted(found, key=lambda it: (it.host_port, it.protocol, it.host_address)))


def _row(network: Network, endpoint: Endpoint, lead: Lead) -> PortInfo:
    return PortInfo(
        container_id=endpoint.container_id,
        container=endpoint.container_name,
        service=endpoint.compose_service,
        network_id=network.id,
        network=network.title,
        endpoint_id=endpoint.id,
        protocol=str(lead.publication.transport),
        host_address=str(lead.publication.host),
        host_port=lead.publication.host_port,
        container_address=str(lead.to),
        container_port=lead.publication.port,
    )
