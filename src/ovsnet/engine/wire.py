"""The engine's JSON as values. Tolerant: engines add fields and write null for what is empty. Pure."""

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address, ip_network

import msgspec

from ovsnet.engine.facts import EngineEndpoint, EngineNetwork
from ovsnet.model.ids import EndpointId, NetworkId

COMPOSE_SERVICE = "com.docker.compose.service"
"""The label by which Compose says which service of its file a container is of."""


class Version(msgspec.Struct, frozen=True, rename="pascal"):
    """GET /version."""

    version: str
    api_version: str = ""
    kernel_version: str = ""


class Actor(msgspec.Struct, frozen=True):
    """What an event is about."""

    id: str = msgspec.field(name="ID", default="")


class Event(msgspec.Struct, frozen=True, rename="pascal"):
    """One line of GET /events."""

    type: str = ""
    action: str = ""
    actor: Actor = Actor()


class Attachment(msgspec.Struct, frozen=True):
    """One network of one container."""

    network_id: str = msgspec.field(name="NetworkID", default="")
    endpoint_id: str = msgspec.field(name="EndpointID", default="")
    ipv4: str = msgspec.field(name="IPAddress", default="")
    ipv6: str = msgspec.field(name="GlobalIPv6Address", default="")
    mac: str = msgspec.field(name="MacAddress", default="")


class Attachments(msgspec.Struct, frozen=True, rename="pascal"):
    """A container's networks by name."""

    networks: dict[str, Attachment | None] | None = None


class Container(msgspec.Struct, frozen=True, rename="pascal"):
    """One item of GET /containers/json."""

    id: str
    names: list[str] | None = None
    labels: dict[str, str] | None = None
    network_settings: Attachments | None = None


class Subnet(msgspec.Struct, frozen=True, rename="pascal"):
    """One address pool of a network."""

    subnet: str = ""


class Ipam(msgspec.Struct, frozen=True, rename="pascal"):
    """Where a network's addresses come from."""

    driver: str = ""
    config: list[Subnet] | None = None


class NetworkItem(msgspec.Struct, frozen=True, rename="pascal"):
    """One item of GET /networks."""

    id: str
    name: str = ""
    driver: str = ""
    internal: bool = False
    labels: dict[str, str] | None = None
    options: dict[str, str] | None = None
    ipam: Ipam | None = msgspec.field(name="IPAM", default=None)


def network_of(item: NetworkItem) -> EngineNetwork:
    """The value of one listed network."""
    ipam = item.ipam or Ipam()
    return EngineNetwork(
        id=NetworkId(item.id),
        name=item.name,
        driver=item.driver,
        ipam_driver=ipam.driver,
        subnets=tuple(ip_network(it.subnet) for it in ipam.config or () if it.subnet),
        labels=item.labels or {},
        options=item.options or {},
        internal=item.internal,
    )


def endpoints_of(container: Container) -> Iterator[EngineEndpoint]:
    """The endpoints of one container: none unless it runs, because an endpoint lives from start to stop."""
    settings = container.network_settings or Attachments()
    for it in (settings.networks or {}).values():
        if it is not None and it.endpoint_id:
            yield EngineEndpoint(
                id=EndpointId(it.endpoint_id),
                network_id=NetworkId(it.network_id),
                container_id=container.id,
                container_name=_name(container),
                ipv4=IPv4Address(it.ipv4) if it.ipv4 else None,
                ipv6=IPv6Address(it.ipv6) if it.ipv6 else None,
                mac=it.mac.lower(),
                compose_service=(container.labels or {}).get(COMPOSE_SERVICE, ""),
            )


def _name(container: Container) -> str:
    """The container's own name: links add further names, with a second slash ("/web/db")."""
    names = [it.removeprefix("/") for it in container.names or ()]
    return next((it for it in names if "/" not in it), "")
