"""What the engine says of our networks and of the containers on them, as values. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address
from types import MappingProxyType
from typing import Any

from ovsnet.model.ids import EndpointId, IpAddress, IpNetwork, NetworkId


def _nothing() -> Any:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True)
class EngineNetwork:
    """A network of our driver, or of another driver with addresses from our IPAM.

    `options` are the user's `-o` options, `ipam_options` the `--ipam-opt` ones and `labels` the user's labels, as text.
    """

    id: NetworkId
    name: str
    driver: str = ""
    ipam_driver: str = ""
    ipam_options: Mapping[str, str] = field(default_factory=_nothing)
    subnets: tuple[IpNetwork, ...] = ()
    labels: Mapping[str, str] = field(default_factory=_nothing)
    options: Mapping[str, str] = field(default_factory=_nothing)
    internal: bool = False

    @property
    def space(self) -> str:
        """The name of the address space of its subnets."""
        return self.ipam_options.get("space", "")


@dataclass(frozen=True, slots=True)
class SubnetSpec:
    """One subnet of a network to be made; `reserved` are its aux addresses."""

    subnet: IpNetwork
    ip_range: IpNetwork | None = None
    gateway: IpAddress | None = None
    reserved: tuple[IpAddress, ...] = ()


@dataclass(frozen=True, slots=True)
class NetworkSpec:
    """A network to be made in the engine, as `docker network create` would be told."""

    name: str
    driver: str
    ipam_driver: str
    subnets: tuple[SubnetSpec, ...] = ()
    labels: Mapping[str, str] = field(default_factory=_nothing)
    options: Mapping[str, str] = field(default_factory=_nothing)
    ipam_options: Mapping[str, str] = field(default_factory=_nothing)
    internal: bool = False


@dataclass(frozen=True, slots=True)
class EngineEndpoint:
    """One interface of one container, as the engine lists it; `mac` is "" where the engine does not know
    it.
    """

    id: EndpointId
    network_id: NetworkId
    container_id: str
    container_name: str
    ipv4: IPv4Address | None = None
    ipv6: IPv6Address | None = None
    mac: str = ""
    compose_service: str = ""


@dataclass(frozen=True, slots=True)
class EngineContainer:
    """A container that runs, with those of its labels that ask for attachments."""

    id: str
    name: str = ""
    service: str = ""
    wishes: Mapping[str, str] = field(default_factory=_nothing)


@dataclass(frozen=True, slots=True)
class Inspected:
    """One container, looked at by itself.

    `sandbox` is the path of its network namespace, "" while it does not run and where it has none of its own; `network`
    is the mode it was started with ("host", "container:<id>" …).
    """

    id: str
    name: str
    service: str = ""
    running: bool = False
    network: str = ""
    sandbox: str = ""


@dataclass(frozen=True, slots=True)
class EngineFacts:
    """One listing of the engine.

    `complete` is False while the engine does not answer: the rest is then the last that was known, and
    nothing may be concluded from what is missing in it. Even a complete listing lacks what is being created
    just now.
    """

    networks: Mapping[NetworkId, EngineNetwork] = field(default_factory=_nothing)
    endpoints: Mapping[EndpointId, EngineEndpoint] = field(default_factory=_nothing)
    complete: bool = False
    containers: Mapping[str, EngineContainer] = field(default_factory=_nothing)
    """All that run, by id, whatever networks they are on."""

    @property
    def subnets(self) -> frozenset[tuple[str, IpNetwork]]:
        """Every subnet of these networks, with the name of its address space."""
        return frozenset((it.space, subnet) for it in self.networks.values() for subnet in it.subnets)

    @property
    def addresses(self) -> frozenset[tuple[str, IpAddress]]:
        """Every address a container has on these networks, with the name of its address space."""
        spaces = {key: it.space for key, it in self.networks.items()}
        return frozenset(
            (spaces.get(it.network_id, ""), address)
            for it in self.endpoints.values()
            for address in (it.ipv4, it.ipv6)
            if address is not None
        )
