"""The engine's JSON as values. Tolerant: engines add fields and write null for what is empty. Pure."""

from collections.abc import Iterator, Mapping
from ipaddress import IPv4Address, IPv6Address, ip_network

import msgspec

from ovsnet.engine.facts import EngineContainer, EngineEndpoint, EngineNetwork, Inspected, NetworkSpec, SubnetSpec
from ovsnet.model.ids import EndpointId, NetworkId

COMPOSE_SERVICE = "com.docker.compose.service"
"""The label by which Compose says which service of its file a container is of."""


ATTACH = "ovsnet.attach"
"""The label that asks for an attachment; `ovsnet.attach.NAME` for more than one."""


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
    options: dict[str, str] | None = None
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


# ------------------------------------------------------------------ one container


class NamedAttachment(msgspec.Struct, frozen=True):
    """One network of one container, with the names it has there. Engines from 26 on tell all of them as DNSNames."""

    endpoint_id: str = msgspec.field(name="EndpointID", default="")
    aliases: list[str] | None = msgspec.field(name="Aliases", default=None)
    dns_names: list[str] | None = msgspec.field(name="DNSNames", default=None)


class NamedAttachments(msgspec.Struct, frozen=True, rename="pascal"):
    """A container's networks by name."""

    networks: dict[str, NamedAttachment | None] | None = None


class Named(msgspec.Struct, frozen=True, rename="pascal"):
    """GET /containers/ID/json, for its names."""

    name: str = ""
    network_settings: NamedAttachments | None = None


class RunState(msgspec.Struct, frozen=True, rename="pascal"):
    """Whether it runs. A paused one does; one that restarts does not, in between."""

    running: bool = False


class Settings(msgspec.Struct, frozen=True, rename="pascal"):
    """What it was made with."""

    labels: dict[str, str] | None = None


class HostSettings(msgspec.Struct, frozen=True, rename="pascal"):
    """What it was made with, of the host."""

    network_mode: str = ""


class Namespace(msgspec.Struct, frozen=True, rename="pascal"):
    """Where its network namespace is."""

    sandbox_key: str = ""


class Described(msgspec.Struct, frozen=True, rename="pascal"):
    """GET /containers/ID/json, for its namespace."""

    id: str
    name: str = ""
    state: RunState = RunState()
    config: Settings = Settings()
    host_config: HostSettings = HostSettings()
    network_settings: Namespace = Namespace()


def aliases_of(container: Named) -> Mapping[EndpointId, tuple[str, ...]]:
    """The names other than its own, which may change, that a container has on each network; each once."""
    own = container.name.removeprefix("/")
    networks = (container.network_settings or NamedAttachments()).networks or {}
    return {
        EndpointId(it.endpoint_id): tuple(
            name for name in dict.fromkeys([*(it.aliases or ()), *(it.dns_names or ())]) if name and name != own
        )
        for it in networks.values()
        if it is not None and it.endpoint_id
    }


# ----------------------------------------------------------------------- networks


class NewSubnet(msgspec.Struct, frozen=True, omit_defaults=True, rename="pascal"):
    """One address pool of a network to be made."""

    subnet: str
    ip_range: str = msgspec.field(name="IPRange", default="")
    gateway: str = ""
    reserved: dict[str, str] = msgspec.field(name="AuxiliaryAddresses", default_factory=dict)


class NewIpam(msgspec.Struct, frozen=True, rename="pascal"):
    """Where its addresses come from."""

    driver: str
    options: dict[str, str]
    config: list[NewSubnet]


class NewNetwork(msgspec.Struct, frozen=True, omit_defaults=True, rename="pascal"):
    """POST /networks/create. Without CheckDuplicate engines before 25 make a second network of the same name."""

    name: str
    driver: str
    ipam: NewIpam = msgspec.field(name="IPAM")
    options: dict[str, str]
    labels: dict[str, str]
    check_duplicate: bool
    internal: bool = False
    enable_ipv6: bool = msgspec.field(name="EnableIPv6", default=False)
    enable_ipv4: bool | None = msgspec.field(name="EnableIPv4", default=None)


class Made(msgspec.Struct, frozen=True, rename="pascal"):
    """The answer to it."""

    id: str


class Complaint(msgspec.Struct, frozen=True):
    """Why the engine refuses something."""

    message: str


def creation(spec: NetworkSpec) -> bytes:
    """The body that asks the engine for a network. IPv4 is only spoken of where it is not wanted: a word of 28."""
    versions = {it.subnet.version for it in spec.subnets}
    return msgspec.json.encode(
        NewNetwork(
            name=spec.name,
            driver=spec.driver,
            ipam=NewIpam(spec.ipam_driver, dict(spec.ipam_options), [_new_subnet(it) for it in spec.subnets]),
            options=dict(spec.options),
            labels=dict(spec.labels),
            check_duplicate=True,
            internal=spec.internal,
            enable_ipv6=6 in versions,
            enable_ipv4=False if versions == {6} else None,
        )
    )


def _new_subnet(it: SubnetSpec) -> NewSubnet:
    return NewSubnet(
        subnet=str(it.subnet),
        ip_range=str(it.ip_range or ""),
        gateway=str(it.gateway or ""),
        reserved={f"aux{number}": str(address) for number, address in enumerate(it.reserved)},
    )


def network_of(item: NetworkItem) -> EngineNetwork:
    """The value of one listed network."""
    ipam = item.ipam or Ipam()
    return EngineNetwork(
        id=NetworkId(item.id),
        name=item.name,
        driver=item.driver,
        ipam_driver=ipam.driver,
        ipam_options=ipam.options or {},
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


def container_of(container: Container) -> EngineContainer:
    """The value of one listed container."""
    labels = container.labels or {}
    return EngineContainer(
        id=container.id,
        name=_name(container),
        service=labels.get(COMPOSE_SERVICE, ""),
        wishes={key: text for key, text in labels.items() if key == ATTACH or key.startswith(f"{ATTACH}.")},
    )


def inspected_of(container: Described) -> Inspected:
    """The value of one container that was asked for."""
    return Inspected(
        id=container.id,
        name=container.name.removeprefix("/"),
        service=(container.config.labels or {}).get(COMPOSE_SERVICE, ""),
        running=container.state.running,
        network=container.host_config.network_mode,
        sandbox=container.network_settings.sandbox_key if container.state.running else "",
    )


def _name(container: Container) -> str:
    """The container's own name: links add further names, with a second slash ("/web/db")."""
    names = [it.removeprefix("/") for it in container.names or ()]
    return next((it for it in names if "/" not in it), "")
