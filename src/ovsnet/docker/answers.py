"""What we answer the engine, as values, and how they are made from what control says. Pure.

Fields that are empty are left out: to the engine an absent field and an empty one are the same.
"""

from collections.abc import Mapping

import msgspec
from msgspec import field

from ovsnet.control.requests import EndpointRequest, Joined
from ovsnet.model.addressing import Pool
from ovsnet.model.ids import IpInterface, Mac

ON_LINK = 1
"""The `RouteType` of what needs no gateway."""
MAX_TEXT = 2000
"""Longest error text: it may quote what was sent, which can be a megabyte."""


class Answer(msgspec.Struct, frozen=True, omit_defaults=True):
    """What we send; as it stands, the answer to every call that has none."""


class Activated(Answer, frozen=True):
    """The roles we play."""

    implements: tuple[str, ...] = field(name="Implements")


class NetworkCapabilities(Answer, frozen=True):
    """An empty connectivity scope means: the same as the scope."""

    scope: str = field(name="Scope")
    connectivity_scope: str = field(name="ConnectivityScope")


class GatewayCheck(Answer, frozen=True):
    """Whether the engine shall ask for no gateway address."""

    skip4: bool = field(name="SkipIPv4")
    skip6: bool = field(name="SkipIPv6")


class Allocated(Answer, frozen=True):
    """All that a swarm's nodes are told of a network's options."""

    options: Mapping[str, str] = field(name="Options")


class OperInfo(Answer, frozen=True):
    """The engine insists on the map and uses nothing of it."""

    value: Mapping[str, str] = field(name="Value")


class Chosen(Answer, frozen=True):
    """What we decided of an interface."""

    mac: str = field(name="MacAddress", default="")


class EndpointCreated(Answer, frozen=True):
    """Only what the request left open."""

    interface: Chosen = field(name="Interface")


class InterfaceName(Answer, frozen=True):
    """Which of the host's interfaces to move, and what it is called inside, without its number."""

    source: str = field(name="SrcName")
    prefix: str = field(name="DstPrefix")


class StaticRoute(Answer, frozen=True):
    """A route through the interface that joins, to what is on its link."""

    destination: str = field(name="Destination")
    kind: int = field(name="RouteType")


class JoinAnswer(Answer, frozen=True):
    """Gateways are given without prefix length."""

    name: InterfaceName = field(name="InterfaceName")
    gateway: str = field(name="Gateway", default="")
    gateway6: str = field(name="GatewayIPv6", default="")
    no_gateway_bridge: bool = field(name="DisableGatewayService", default=False)
    routes: tuple[StaticRoute, ...] = field(name="StaticRoutes", default=())


class IpamCapabilities(Answer, frozen=True):
    """What we need of the engine to hand out addresses."""

    requires_mac: bool = field(name="RequiresMACAddress")
    requires_replay: bool = field(name="RequiresRequestReplay")


class AddressSpaces(Answer, frozen=True):
    """The worlds in which subnets must not overlap."""

    local: str = field(name="LocalDefaultAddressSpace")
    shared: str = field(name="GlobalDefaultAddressSpace")


class PoolAnswer(Answer, frozen=True):
    """The subnet in CIDR form; engines from 28 on insist on it."""

    pool_id: str = field(name="PoolID")
    pool: str = field(name="Pool")


class AddressAnswer(Answer, frozen=True):
    """The address with the subnet's prefix length."""

    address: str = field(name="Address")


class Refusal(Answer, frozen=True):
    """The engine's network side reads `Err`, its IPAM side `Error`."""

    err: str = field(name="Err")
    error: str = field(name="Error")


def refusal(text: str) -> Refusal:
    """The one form every failure has; never without a text, which would read as success."""
    shown = (text or "refused without a reason")[:MAX_TEXT]
    return Refusal(shown, shown)


def endpoint_created(asked: EndpointRequest, mac: Mac) -> EndpointCreated:
    """The MAC, unless the user chose it: the engine takes its repetition for an attempt to change it."""
    return EndpointCreated(Chosen("" if asked.mac else mac))


def join_answer(joined: Joined) -> JoinAnswer:
    """Static routes are on the link: a default route among them fails on engines from 28 on."""
    return JoinAnswer(
        name=InterfaceName(joined.source, joined.prefix),
        gateway=str(joined.gateway4 or ""),
        gateway6=str(joined.gateway6 or ""),
        no_gateway_bridge=joined.no_gateway_bridge,
        routes=tuple(StaticRoute(str(it), ON_LINK) for it in joined.routes),
    )


def pool_answer(pool: Pool) -> PoolAnswer:
    """A new pool."""
    return PoolAnswer(pool.id, str(pool.subnet))


def address_answer(interface: IpInterface) -> AddressAnswer:
    """A new address."""
    return AddressAnswer(str(interface))
