"""Which ports of this host lead to which containers, as people see it: `ovsnet ports`. Pure."""

import msgspec

from ovsnet.model.egress import Lead
from ovsnet.model.endpoint import Endpoint
from ovsnet.model.gateways import led
from ovsnet.model.network import Network
from ovsnet.model.services import Export
from ovsnet.model.state import State

BY_ENGINE, BY_ORDER = "-p", "publish"


class PortInfo(msgspec.Struct, frozen=True, kw_only=True):
    """One published port, for one IP version. `host_address` is 0.0.0.0 or :: for all addresses of this host; `service`
    is the container's in its Compose file, "" for most. `by` is what it was published with: "-p" of the engine, or
    "publish" of ovsnet. Of the latter one whose container does not run has no endpoint and no address.
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
    by: str


def all_ports(state: State) -> tuple[PortInfo, ...]:
    """Those that lead somewhere, and those whose container does not run; by port of this host."""
    now = tuple(led(state))
    lead_now = {it.publication for _, _, it in now if it.borrows}
    found = [_row(network, endpoint, lead) for endpoint, network, lead in now]
    waiting = [it for it in state.exports.values() if it.publication not in lead_now]
    found += [_waiting(it, state.networks.get(it.network_id)) for it in waiting]
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
        by=BY_ORDER if lead.borrows else BY_ENGINE,
    )


def _waiting(it: Export, network: Network | None) -> PortInfo:
    return PortInfo(
        container_id=it.container_id,
        container=it.container_name,
        service="",
        network_id=it.network_id,
        network=network.title if network else "",
        endpoint_id="",
        protocol=str(it.publication.transport),
        host_address=str(it.publication.host),
        host_port=it.publication.host_port,
        container_address="",
        container_port=it.publication.port,
        by=BY_ORDER,
    )
