"""NetworkDriver.*: the engine's network calls as requests to control, and its results as answers.

Never calls the engine: during most of these calls it holds a lock that its own API needs.
"""

from typing import Protocol

import structlog

from ovsnet.control.publishing import PublishRequest
from ovsnet.control.requests import EndpointRequest, Joined, NetworkRequest
from ovsnet.docker import answers, wire
from ovsnet.docker.answers import Answer
from ovsnet.docker.calls import Calls
from ovsnet.docker.fields import endpoint_id, network_id, path, texts
from ovsnet.model.endpoint import Endpoint
from ovsnet.model.ids import EndpointId, NetworkId, short

LOCAL = "local"
"""A plugin found by its socket gains nothing from global scope and is shut out of swarm mode by it."""

log = structlog.get_logger(__name__)


class Networks(Protocol):
    """The networks we are asked to keep."""

    async def create(self, request: NetworkRequest, /) -> object:
        """Make a network. Repeated with the same content, it succeeds."""

    async def delete(self, network_id: NetworkId, /) -> object:
        """Remove a network and what is left in it; an unknown one is already removed."""


class Endpoints(Protocol):
    """The container interfaces we are asked to keep."""

    async def create(self, request: EndpointRequest, /) -> Endpoint:
        """Make an endpoint. Repeated with the same content, it gives the same endpoint."""

    async def join(self, network_id: NetworkId, endpoint_id: EndpointId, sandbox: str, /) -> Joined:
        """Have the endpoint's interface ready for the engine to move."""

    async def leave(self, network_id: NetworkId, endpoint_id: EndpointId, /) -> object:
        """Unplug an endpoint; an unknown one is already unplugged."""

    async def delete(self, network_id: NetworkId, endpoint_id: EndpointId, /) -> object:
        """Remove an endpoint; an unknown one is already removed."""


class Ports(Protocol):
    """The ports of this host that shall lead to containers."""

    async def publish(self, request: PublishRequest, /) -> object:
        """Have them lead to a container whose way out is our network."""

    async def revoke(self, endpoint_id: EndpointId, /) -> object:
        """Have none of them lead to it; an unknown one has none."""


class NetworkDriver:
    """One method for each call; each takes the request's body."""

    def __init__(self, networks: Networks, endpoints: Endpoints, ports: Ports) -> None:
        self._networks = networks
        self._ports = ports
        self._endpoints = endpoints

    @property
    def calls(self) -> Calls:
        """Every method of the protocol, by its name."""
        return {
            "NetworkDriver.GetCapabilities": self.get_capabilities,
            "NetworkDriver.GwAllocCheck": self.gw_alloc_check,
            "NetworkDriver.CreateNetwork": self.create_network,
            "NetworkDriver.DeleteNetwork": self.delete_network,
            "NetworkDriver.AllocateNetwork": self.allocate_network,
            "NetworkDriver.FreeNetwork": self.free_network,
            "NetworkDriver.CreateEndpoint": self.create_endpoint,
            "NetworkDriver.DeleteEndpoint": self.delete_endpoint,
            "NetworkDriver.EndpointOperInfo": self.endpoint_oper_info,
            "NetworkDriver.Join": self.join,
            "NetworkDriver.Leave": self.leave,
            "NetworkDriver.ProgramExternalConnectivity": self.program_external_connectivity,
            "NetworkDriver.RevokeExternalConnectivity": self.revoke_external_connectivity,
            "NetworkDriver.DiscoverNew": self.discover,
            "NetworkDriver.DiscoverDelete": self.discover,
        }

    async def get_capabilities(self, _: bytes) -> Answer:
        """Constant: the engine remembers a failure of this one until it is restarted."""
        return answers.NetworkCapabilities(scope=LOCAL, connectivity_scope="")

    async def gw_alloc_check(self, _: bytes) -> Answer:
        """We do not claim to check, as our gateways need their addresses; asked all the same, we say so."""
        return answers.GatewayCheck(skip4=False, skip6=False)

    async def create_network(self, body: bytes) -> Answer:
        await self._networks.create(wire.decode(wire.CreateNetwork, body).request())
        return Answer()

    async def delete_network(self, body: bytes) -> Answer:
        await self._networks.delete(network_id(wire.decode(wire.NetworkNamed, body).network_id))
        return Answer()

    async def allocate_network(self, body: bytes) -> Answer:
        """Gives the options back as they came: what is answered here is all that swarm tells the nodes."""
        return answers.Allocated(texts(wire.decode(wire.AllocateNetwork, body).options, "Options"))

    async def free_network(self, body: bytes) -> Answer:
        """Nothing was kept by AllocateNetwork."""
        network_id(wire.decode(wire.NetworkNamed, body).network_id)
        return Answer()

    async def create_endpoint(self, body: bytes) -> Answer:
        message = wire.decode(wire.CreateEndpoint, body)
        request = message.request()
        endpoint = await self._endpoints.create(request)
        if message.ifname:
            log.warning(
                "the interface name asked for is not used: engines ignore it for remote drivers",
                endpoint=short(request.id),
                ifname=message.ifname,
            )
        return answers.endpoint_created(request, endpoint.mac)

    async def delete_endpoint(self, body: bytes) -> Answer:
        await self._endpoints.delete(*_named(body))
        return Answer()

    async def endpoint_oper_info(self, body: bytes) -> Answer:
        """Must succeed: on engines before 28 a failure fails the container's start."""
        _named(body)
        return answers.OperInfo({})

    async def join(self, body: bytes) -> Answer:
        message = wire.decode(wire.Join, body)
        joined = await self._endpoints.join(
            network_id(message.network_id),
            endpoint_id(message.endpoint_id),
            path(message.sandbox, "SandboxKey"),
        )
        dockers = joined.gateway4 is None and not joined.no_gateway_bridge
        if message.ports and not dockers and not joined.publishes:
            log.warning(
                "ports are not published through this network: its way out is neither Docker's nor its own (egress)",
                network=short(message.network_id),
                endpoint=short(message.endpoint_id),
                ports=message.ports[:100],
            )
        return answers.join_answer(joined)

    async def leave(self, body: bytes) -> Answer:
        await self._endpoints.leave(*_named(body))
        return Answer()

    async def program_external_connectivity(self, body: bytes) -> Answer:
        """We became a container's way out, by which its ports are published. Nothing the engine shows tells of them."""
        await self._ports.publish(wire.decode(wire.Program, body).request())
        return Answer()

    async def revoke_external_connectivity(self, body: bytes) -> Answer:
        """We are its way out no longer; Leave does the same, as this may never come."""
        await self._ports.revoke(_named(body)[1])
        return Answer()

    async def discover(self, _: bytes) -> Answer:
        """Swarm tells of its nodes. They are not our members."""
        return Answer()


def _named(body: bytes) -> tuple[NetworkId, EndpointId]:
    message = wire.decode(wire.EndpointNamed, body)
    return network_id(message.network_id), endpoint_id(message.endpoint_id)
