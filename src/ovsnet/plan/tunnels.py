"""What carries packets to other hosts: one port for all networks, or a device and its port for each. Pure.

Which endpoints are elsewhere and who lives is said in `pipeline.remote`; flows and devices must agree about it.
"""

from collections.abc import Collection, Mapping

from ovsnet.model.cluster import RemoteEndpoint
from ovsnet.model.egress import led_into
from ovsnet.model.host import PortPlan, TunnelPlan
from ovsnet.model.ids import HostName, IpAddress, Mac, NetworkId
from ovsnet.model.network import Network, PortKind
from ovsnet.model.overlay import Overlay, TunnelKind
from ovsnet.model.state import State
from ovsnet.pipeline.remembered import Latest
from ovsnet.pipeline.remote import is_on_trunk, living_vteps, reached, reaches_others
from ovsnet.plan import names
from ovsnet.plan.cables import plan_cable
from ovsnet.plan.own_tunnels import own_tunnel
from ovsnet.plan.paths import plan_path_ports

TO_ALL = ""
"""In place of a MAC in `TunnelPlan.forwards`: this VTEP gets a copy of each broadcast."""
Forwards = frozenset[tuple[str, IpAddress]]

_forwards: Latest[Forwards] = Latest()


def plan_tunnels(state: State, overlay: Overlay | None) -> dict[str, TunnelPlan]:
    """Kind kernel: a device for each network in use here; none while our VTEP is on no interface."""
    if overlay is None or overlay.kind is not TunnelKind.KERNEL or not overlay.device:
        return {}
    vteps = living_vteps(overlay)
    here = _macs_here(state)
    networks = _used(state, here)
    plans = [_device(it, overlay, _forwards_of(it, overlay, vteps, here.get(it.id, frozenset()))) for it in networks]
    _forwards.keep({it.id for it in networks})
    return {it.name: it for it in plans}


def plan_tunnel_ports(state: State, overlay: Overlay | None, instance: str) -> dict[str, PortPlan]:
    """The ports on our bridge that lead to other hosts: the trunk, and Open vSwitch's own tunnels or the devices."""
    if overlay is None:
        return {}
    return {**plan_trunk_port(state, overlay, instance), **_ports_of_tunnels(state, overlay, instance)}


def plan_trunk_port(state: State, overlay: Overlay, instance: str) -> dict[str, PortPlan]:
    """What carries networks without a tunnel, while there is one of them: the NIC, or a cable to somebody's bridge."""
    trunk = overlay.trunk
    if not trunk.name or not any(map(is_on_trunk, state.networks.values())):
        return {}
    ids = {names.OWNER_KEY: instance, names.TRUNK_KEY: "true"}
    if not trunk.bridge:
        return {trunk.name: PortPlan(trunk.name, PortKind.VETH, external_ids=ids)}
    return plan_cable(trunk.name, names.TRUNK_FAR, trunk.bridge, ids)


def _ports_of_tunnels(state: State, overlay: Overlay, instance: str) -> dict[str, PortPlan]:
    if not any(map(_needs_tunnel, state.networks.values())):
        return {}
    used = _used(state, _macs_here(state))
    if overlay.kind is TunnelKind.OVS:
        port = own_tunnel(names.flow_tunnel(overlay.encapsulation), overlay, instance, remote="flow", key="flow")
        return {port.name: port, **plan_path_ports(used, overlay, instance)}
    ports = [_device_port(it, instance) for it in used] if overlay.device else []
    return {it.name: it for it in ports}


def _used(state: State, here: Collection[NetworkId]) -> list[Network]:
    """Those with a container here, and those it is led into: a cluster may have thousands of networks, and every port
    makes each change of the switch slower.
    """
    reached = led_into(state.networks.values(), here)
    return [it for it in state.networks.values() if it.id in reached and _needs_tunnel(it)]


def _needs_tunnel(network: Network) -> bool:
    return reaches_others(network) and not is_on_trunk(network)


def _device_port(network: Network, instance: str) -> PortPlan:
    """A port like that of a veth pair: its device is made by us and opened by ovs-vswitchd."""
    facts = {
        names.OWNER_KEY: instance,
        names.NETWORK_KEY: network.id,
        names.NETWORK_NAME_KEY: network.name,
    }
    return PortPlan(
        name=names.tunnel_device(network.vni),
        kind=PortKind.VETH,
        mtu=network.options.mtu,
        external_ids={key: value for key, value in facts.items() if value},
    )


def _device(network: Network, overlay: Overlay, forwards: Forwards) -> TunnelPlan:
    return TunnelPlan(
        name=names.tunnel_device(network.vni),
        vni=network.vni,
        local=overlay.local,
        device=overlay.device,
        udp_port=overlay.udp_port,
        mtu=network.options.mtu,
        alias=names.tunnel_alias(network.vni),
        forwards=forwards,
    )


def _forwards_of(
    network: Network, overlay: Overlay, vteps: Mapping[HostName, IpAddress], here: frozenset[Mac]
) -> Forwards:
    remotes = overlay.remotes.get(network.shared, ())
    return _forwards.get(network.id, (vteps, here, remotes), lambda: _places(remotes, vteps, here))


def _places(remotes: tuple[RemoteEndpoint, ...], vteps: Mapping[HostName, IpAddress], here: frozenset[Mac]) -> Forwards:
    there = reached(remotes, vteps)
    # One VTEP a MAC: the last one is the youngest. A MAC that has moved here is sought nowhere else.
    of_macs = {endpoint.mac: vtep for endpoint, vtep in there if endpoint.mac not in here}
    hosts = {endpoint.host for endpoint, _ in there}
    return frozenset([*((TO_ALL, vteps[it]) for it in hosts), *of_macs.items()])


def _macs_here(state: State) -> Mapping[NetworkId, frozenset[Mac]]:
    macs: dict[NetworkId, set[Mac]] = {}
    for endpoint in state.endpoints.values():
        if endpoint.plugged:
            macs.setdefault(endpoint.network_id, set()).add(endpoint.mac)
    return {network: frozenset(it) for network, it in macs.items()}
