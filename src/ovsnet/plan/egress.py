"""The gateways that are on this host: a pair to each, its port, and the rules about what passes. Pure."""

from ipaddress import IPv4Interface, IPv6Interface

from ovsnet.model.egress import FIREWALL, FirewallPlan, gateway_device
from ovsnet.model.gateways import detours, gateways, leads, passages
from ovsnet.model.host import OWN_NAMESPACE, LinkPlan, Placement, PortPlan, SwitchFacts
from ovsnet.model.network import Network, PortKind
from ovsnet.model.spaces import table_of
from ovsnet.model.state import State
from ovsnet.pipeline.gateway import GATEWAY_MAC
from ovsnet.plan import names
from ovsnet.plan.links import may_offload


def plan_gateways(state: State, switch: SwitchFacts, instance: str) -> dict[str, tuple[LinkPlan, PortPlan]]:
    """Pairs and their ports, by name."""
    return {
        names.gateway_port(it.vni): (_link(it, offload=may_offload(switch)), _port(it, instance))
        for it in gateways(state)
    }


def plan_firewall(state: State) -> dict[str, FirewallPlan]:
    """Nothing where no network has its gateway here."""
    found = passages(state)
    return {FIREWALL: FirewallPlan(found, leads(state), detours(state))} if found else {}


def _link(network: Network, *, offload: bool) -> LinkPlan:
    device = gateway_device(network.vni)
    addresses: list[IPv4Interface | IPv6Interface] = []
    if network.ipv4 is not None and network.gateway4 is not None:
        addresses.append(IPv4Interface((network.gateway4, network.ipv4.prefixlen)))
    if network.ipv6 is not None and network.gateway6 is not None:
        addresses.append(IPv6Interface((network.gateway6, network.ipv6.prefixlen)))
    return LinkPlan(
        name=names.gateway_port(network.vni),
        kind=PortKind.VETH,
        alias=names.gateway_alias(network.vni),
        mtu=network.options.mtu,
        peer=device,
        mac=GATEWAY_MAC,
        checksum_offload=offload,
        placement=Placement(OWN_NAMESPACE, device, tuple(addresses), table=table_of(network.space_number)),
    )


def _port(network: Network, instance: str) -> PortPlan:
    ids = {names.OWNER_KEY: instance, names.NETWORK_KEY: network.id, names.NETWORK_NAME_KEY: network.name}
    return PortPlan(
        name=names.gateway_port(network.vni),
        kind=PortKind.VETH,
        external_ids={key: value for key, value in ids.items() if value},
    )
