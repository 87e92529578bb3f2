"""plan_host: the one entry. The same two values give the same plan, in any order, on any host. Pure."""

from ovsnet.model.attachment import Attachment
from ovsnet.model.endpoint import Endpoint
from ovsnet.model.host import BridgePlan, Datapath, HostFacts, HostPlan, LinkPlan, Placement, PortPlan
from ovsnet.model.ids import IpInterface
from ovsnet.model.network import Network, PortKind
from ovsnet.model.state import State
from ovsnet.pipeline.remembered import Latest
from ovsnet.plan import names
from ovsnet.plan.attachments import (
    lacks_bridge,
    on_bridges,
    plan_attached_link,
    plan_attached_port,
    plan_bridges,
    plan_inside,
)
from ovsnet.plan.cables import plan_uplink_cables
from ovsnet.plan.devices import plan_devices
from ovsnet.plan.dns import plan_dns_link, plan_dns_port
from ovsnet.plan.egress import plan_firewall, plan_gateways
from ovsnet.plan.links import has_routers, may_offload, plan_link
from ovsnet.plan.ports import plan_port
from ovsnet.plan.spares import plan_spares
from ovsnet.plan.tunnels import plan_tunnel_ports, plan_tunnels
from ovsnet.plan.uplinks import plan_uplinks

SPARE = 100
"""Results kept beyond twice those in use."""
_plugs: Latest[tuple[LinkPlan, PortPlan]] = Latest()

NOTHING = HostPlan({}, {}, {})
"""The plan of a host we leave: everything that carries our mark is too much."""


def plan_host(state: State, facts: HostFacts, *, bridge: str, instance: str) -> HostPlan:
    """Bridge, links, ports, tunnels and uplinks of this host."""
    links: dict[str, LinkPlan] = {}
    ports: dict[str, PortPlan] = {}
    attached: list[tuple[str, Placement | None, int, Attachment | None]] = []
    offload = may_offload(facts.switch)
    for endpoint in state.endpoints.values():
        network = state.networks.get(endpoint.network_id)
        if network is None or not endpoint.plugged or not _possible(network, facts):
            continue
        attachment = state.attachments.get(endpoint.id)
        leased = facts.leased.get(endpoint.id, ())
        rate = state.rate_of(endpoint, network)
        link, port = _plug(endpoint, network, attachment, leased, instance, offload=offload, rate=rate or 0)
        links[link.name] = link
        ports[link.name] = port
        # A bound that was lifted, 0, is to be taken away inside, too.
        if attachment is not None or rate is not None or has_routers(network):
            attached.append((link.name, link.placement, link.mtu, attachment))
    if len(_plugs) > 2 * len(state.endpoints) + SPARE:
        _plugs.keep(state.endpoints.keys())
    for attachment in on_bridges(state, facts.switch):
        link = plan_attached_link(attachment, facts.switch)
        links[link.name] = link
        if not lacks_bridge(attachment, facts.switch):
            ports[link.name] = plan_attached_port(attachment, instance, facts.leased.get(attachment.id, ()))
        attached.append((link.name, link.placement, link.mtu, attachment))
    for link, port in plan_spares(state, instance):
        links[link.name], ports[link.name] = link, port
    ours = BridgePlan(bridge, facts.switch.datapath, {names.OWNER_KEY: instance})
    ports |= plan_tunnel_ports(state, facts.overlay, instance)
    ports |= plan_uplink_cables(state, instance)
    if facts.names is not None:
        links[names.dns_port()] = plan_dns_link(facts.names, facts.switch)
        ports[names.dns_port()] = plan_dns_port(instance)
    for name, (link, port) in plan_gateways(state, facts.switch, instance).items():
        links[name], ports[name] = link, port
    bridges = {**plan_bridges(state, facts.switch, instance), bridge: ours}
    devices = plan_devices(state)
    own = ((devices.get(names.device(it.id)), it) for it in state.attachments.values())
    attached += [(device.name, device.place, it.mtu, it) for device, it in own if device is not None]
    insides = {it.name: it for it in (plan_inside(*it) for it in attached) if it is not None}
    uplinks = plan_uplinks(state, facts)
    return HostPlan(
        bridges,
        links,
        ports,
        plan_tunnels(state, facts.overlay),
        uplinks=uplinks,
        insides=insides,
        devices=devices,
        firewall=plan_firewall(state),
    )


def _plug(
    endpoint: Endpoint,
    network: Network,
    attachment: Attachment | None,
    leased: tuple[IpInterface, ...],
    instance: str,
    *,
    offload: bool,
    rate: int,
) -> tuple[LinkPlan, PortPlan]:
    """Remembered: it is asked for at every change, for a thousand endpoints of which one changed."""

    def make() -> tuple[LinkPlan, PortPlan]:
        link = plan_link(endpoint, network, attachment, offload=offload, rate=rate)
        return link, plan_port(endpoint, network, instance, attachment, leased, rate=rate)

    return _plugs.get(endpoint.id, (endpoint, network, attachment, leased, offload, rate, instance), make)


def _possible(network: Network, facts: HostFacts) -> bool:
    """In the userspace datapath an internal port is a tap that a restart of ovs-vswitchd cuts off for good."""
    return network.options.port is PortKind.VETH or facts.switch.datapath is Datapath.KERNEL
