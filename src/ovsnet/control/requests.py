"""What a door asks of control, and what it gets back, as values. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network
from types import MappingProxyType

from ovsnet.model.addressing import AllocationKind
from ovsnet.model.ids import EndpointId, IpAddress, IpNetwork, Mac, NetworkId, PoolId


@dataclass(frozen=True, slots=True)
class NetworkRequest:
    """CreateNetwork. `options` are the user's `-o` options as text; a family that is not used is None.

    `space4` and `space6` are the engine's address spaces the subnets are from: they tell whose IPAM driver gives the
    addresses, and nothing of an `--ipam-opt`.
    """

    id: NetworkId
    options: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    internal: bool = False
    ipv4: IPv4Network | None = None
    gateway4: IPv4Address | None = None
    ipv6: IPv6Network | None = None
    gateway6: IPv6Address | None = None
    space4: str = ""
    space6: str = ""


@dataclass(frozen=True, slots=True)
class EndpointRequest:
    """CreateEndpoint. `mac` is None unless the user chose one; `options` are the `--driver-opt` options as text."""

    id: EndpointId
    network_id: NetworkId
    ipv4: IPv4Interface | None = None
    ipv6: IPv6Interface | None = None
    mac: Mac | None = None
    options: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class Joined:
    """The answer to Join: the interface `source` is ready to be moved and becomes `prefix` + index in the container.

    `gateway*` are None where the engine must not set a default route through us. `no_gateway_bridge` keeps Docker's own
    gateway bridge out of the container; `publishes`: its ports are published by this network's own gateway. `routes`
    are what is on the link beside the network's own subnets.
    """

    source: str
    prefix: str
    gateway4: IPv4Address | None = None
    gateway6: IPv6Address | None = None
    no_gateway_bridge: bool = False
    publishes: bool = False
    routes: tuple[IPv4Network, ...] = ()


@dataclass(frozen=True, slots=True)
class PoolRequest:
    """RequestPool. `subnet` is None when we shall choose one that overlaps nothing; `space` as in Pool."""

    space: str
    subnet: IpNetwork | None = None
    sub_range: IpNetwork | None = None
    v6: bool = False


@dataclass(frozen=True, slots=True)
class AddressRequest:
    """RequestAddress. `address` is None when we shall choose one; `holder` is the container's name, if told."""

    pool_id: PoolId
    address: IpAddress | None = None
    kind: AllocationKind = AllocationKind.ENDPOINT
    holder: str = ""
