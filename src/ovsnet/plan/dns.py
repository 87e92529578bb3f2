"""The pair of links between our bridge and the namespace of the name service. Pure.

    bridge ── ovdns ══ ocdns, 169.254.83.83/31, default route by the other address of the /31

One gateway for all answers: the kernel remembers one neighbour, and not every container that ever asked.
"""

from ipaddress import IPv4Address, IPv4Interface, IPv4Network

from ovsnet.model.endpoint import Endpoint
from ovsnet.model.host import LinkPlan, NameService, Placement, PortPlan, Route, SwitchFacts
from ovsnet.model.network import DEFAULT_MTU, PortKind
from ovsnet.model.state import State
from ovsnet.pipeline.dns import SERVICE_MAC, other_end
from ovsnet.plan import names
from ovsnet.plan.links import may_offload

EVERYWHERE = IPv4Network("0.0.0.0/0")
LONGEST, SHORTEST = 32, 17
"""Prefix lengths of containers' routes. Shorter ones would take in 169.254.169.254, where clouds have theirs."""


def plan_dns_link(service: NameService, switch: SwitchFacts) -> LinkPlan:
    """The pair; its far end is in the service's namespace from the beginning."""
    return LinkPlan(
        name=names.dns_port(),
        kind=PortKind.VETH,
        alias=names.DNS_ALIAS,
        mtu=DEFAULT_MTU,
        peer=names.DNS_INSIDE,
        mac=SERVICE_MAC,
        checksum_offload=may_offload(switch),
        placement=Placement(
            service.sandbox,
            names.DNS_INSIDE,
            addresses=(IPv4Interface((service.address, 31)),),
            routes=(Route(EVERYWHERE, other_end(service.address)),),
        ),
    )


def service_route(address: IPv4Address, endpoint: Endpoint, state: State) -> IPv4Network | None:
    """The route by which this endpoint's container reaches the service over it, beside those over its other endpoints.

    The engine fails to start a container to which two networks give the same route. So each gives one of another
    length; the longest counts, and when its network is taken away, the next one does. None without IPv4, in a network
    that has the address itself, and for a seventeenth network.
    """
    if endpoint.ipv4 is None or address in endpoint.ipv4.network:
        return None
    others = (it for it in state.endpoints.values() if it.sandbox == endpoint.sandbox and it.id != endpoint.id)
    taken = {it.names_route for it in others}
    routes = (IPv4Network((address, length), strict=False) for length in range(LONGEST, SHORTEST - 1, -1))
    if endpoint.names_route is not None and endpoint.names_route not in taken and address in endpoint.names_route:
        return endpoint.names_route
    return next((it for it in routes if it not in taken), None)


def plan_dns_port(instance: str) -> PortPlan:
    """The port of the host's end."""
    return PortPlan(name=names.dns_port(), kind=PortKind.VETH, external_ids={names.OWNER_KEY: instance})
