"""Which kernel link an endpoint gets. Pure."""

from ovsnet.model.attachment import Attachment
from ovsnet.model.endpoint import Endpoint
from ovsnet.model.host import Datapath, LinkPlan, Placement, Route, Routers, SwitchFacts
from ovsnet.model.network import Network, PortKind
from ovsnet.model.shaping import Shape
from ovsnet.plan import names


def plan_link(
    endpoint: Endpoint, network: Network, attachment: Attachment | None, *, offload: bool, rate: int = 0
) -> LinkPlan:
    """The link of one plugged endpoint; `attachment` is what it was made for, where that was no container's start.

    `rate` is that of its `Shape`.
    """
    internal = network.options.port is PortKind.INTERNAL
    return LinkPlan(
        name=names.port_name(endpoint, network),
        kind=network.options.port,
        alias=names.alias(names.link_id(endpoint)),
        mtu=network.options.mtu if attachment is None else attachment.mtu,
        peer="" if internal else names.container_end(names.link_id(endpoint)),
        mac=endpoint.mac,
        checksum_offload=offload,
        placement=_placement(endpoint, network, attachment, rate),
    )


def may_offload(switch: SwitchFacts) -> bool:
    """The userspace datapath hands on packets as they are: one without a checksum would be dropped by its receiver."""
    return switch.datapath is Datapath.KERNEL or switch.tso


def routers_of(network: Network) -> Routers:
    """What its endpoints take of routers' announcements, as for an attachment."""
    if network.options.slaac:
        return Routers.AUTOCONF
    return Routers.HEEDED if 6 in network.options.dhcp else Routers.IGNORED


def has_routers(network: Network) -> bool:
    """True where endpoints are to heed routers, which no engine knows of."""
    return routers_of(network) is not Routers.IGNORED


def _placement(endpoint: Endpoint, network: Network, attachment: Attachment | None, rate: int) -> Placement | None:
    if attachment is not None:
        names_route = () if endpoint.names_route is None else (Route(endpoint.names_route),)
        return placement_of(attachment, also=names_route)
    if not (endpoint.sandbox and endpoint.ifname):
        return None
    addresses = tuple(it for it in (endpoint.ipv4, endpoint.ipv6) if it is not None)
    routes = () if endpoint.names_route is None else (Route(endpoint.names_route),)
    return Placement(endpoint.sandbox, endpoint.ifname, addresses, routes, routers_of(network), Shape(rate))


def placement_of(attachment: Attachment, *, also: tuple[Route, ...] = ()) -> Placement:
    """Where an attachment's interface is put, from its beginning: no engine moves it."""
    routes = (*also, *attachment.all_routes)
    return Placement(
        attachment.sandbox, attachment.ifname, attachment.addresses, routes, attachment.routers, attachment.shape
    )
