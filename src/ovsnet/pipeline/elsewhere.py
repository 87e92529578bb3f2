"""What this host's flows say of other hosts: the ways there and back, and the endpoints there. Pure.

Only of segments that packets of endpoints here go to, and only once the switch has taken up the port of the way. There
may be a hundred thousand endpoints elsewhere, and each one that comes or goes is a change here: see `remembered`.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Protocol

from ovsnet.model.cluster import RemoteEndpoint
from ovsnet.model.endpoint import link_local
from ovsnet.model.host import HostFacts
from ovsnet.model.ids import HostName, IpAddress, Vni
from ovsnet.model.network import Network
from ovsnet.model.overlay import Overlay, TunnelKind
from ovsnet.model.state import State
from ovsnet.pipeline import forward, neighbour, trunk, tunnel
from ovsnet.pipeline.flow import Flow
from ovsnet.pipeline.multicast import Listeners, listeners
from ovsnet.pipeline.plug import Segment
from ovsnet.pipeline.remembered import Latest
from ovsnet.pipeline.remote import Reached, Remote, Way, is_on_trunk, living_vteps, reached, reaches_others
from ovsnet.pipeline.tables import keyed

SPARE = 1000
"""Results kept beyond twice those in use. One is some 2 KiB."""
_NOBODY: Final[Mapping[HostName, IpAddress]] = MappingProxyType({})


class WayNames(Protocol):
    """What planning calls the ports of ways to others."""

    def tunnel_port(self, overlay: Overlay, vni: Vni) -> str:
        """That of a network's tunnel."""

    def uplink_port(self, nic: str) -> str:
        """That to the LAN behind a NIC."""


@dataclass(frozen=True, slots=True, eq=False)
class Elsewhere:
    """The part of one segment that is on other hosts: its flows here, and who gets a copy of a broadcast.

    Compared by identity: a new one is made only when something in it changed. `listeners` are hosts, by tunnel ends.
    """

    way: Way
    vteps: frozenset[IpAddress]
    flows: Mapping[str, Flow]
    size: int
    listeners: Listeners[IpAddress]


_parts: Latest[Elsewhere] = Latest()
_entrances: Latest[Mapping[str, Flow]] = Latest()
_flows: Latest[Mapping[str, Flow]] = Latest()
"""By endpoint: to compute the hash of one takes longer than to see that it is the very same."""


def parts(state: State, facts: HostFacts, names: WayNames, here: Collection[Segment]) -> dict[Segment, Elsewhere]:
    """By segment, of those in `here`: where packets of endpoints here go."""
    overlay = facts.overlay
    by_tunnel = living_vteps(overlay) if overlay is not None else _NOBODY
    found: dict[Segment, Elsewhere] = {}
    for network in state.networks.values():
        # On the wire is either the VNI or the VLAN: one in a tunnel has no VLAN.
        segment = Segment(network.vni, network.options.vlan)
        way = _way(segment, network, facts, names) if segment in here else None
        if way is None:
            continue
        if overlay is None or way.lan:
            found[segment] = _part(way, (), _NOBODY, current=True)
        else:
            hosts = overlay.peers if way.on_trunk else by_tunnel
            found[segment] = _part(way, overlay.remotes.get(network.shared, ()), hosts, current=overlay.current)
    _forget(found)
    return found


def _way(segment: Segment, network: Network, facts: HostFacts, names: WayNames) -> Way | None:
    """None for a network of this host alone, and while the switch has not taken up the port."""
    options, overlay = network.options, facts.overlay
    if options.on_uplink:
        ofport = facts.switch.ofports.get(names.uplink_port(options.uplink))
        # Where IPAM gives no addresses at all, whatever the LAN gives is welcome.
        gives = options.from_lan or not network.addressed
        return None if ofport is None else Way(segment, None, ofport, lan=True, gives=gives)
    if overlay is None or not reaches_others(network):
        return None
    on_trunk = is_on_trunk(network)
    name = overlay.trunk.name if on_trunk else names.tunnel_port(overlay, network.vni)
    ofport = facts.switch.ofports.get(name)
    return None if ofport is None else Way(segment, None if on_trunk else overlay.kind, ofport)


def entrances(facts: HostFacts, of: Mapping[Segment, Elsewhere]) -> Mapping[str, Flow]:
    """For kind ovs: which hosts may send here at all."""
    ofport = next((it.way.ofport for it in of.values() if it.way.kind is TunnelKind.OVS), None)
    if facts.overlay is None or ofport is None:
        return {}
    vteps = tuple(living_vteps(facts.overlay).values())
    return _entrances.get(ofport, (vteps,), lambda: keyed(*tunnel.peer_flows(ofport, vteps)))


def _part(
    way: Way, remotes: tuple[RemoteEndpoint, ...], vteps: Mapping[HostName, IpAddress], *, current: bool
) -> Elsewhere:
    def make() -> Elsewhere:
        flows = dict(keyed(*(trunk if way.on_trunk else tunnel).way_flows(way)))
        there = reached(remotes, vteps)
        for endpoint, vtep in there:
            flows.update(_flows_of(endpoint, vtep, way))
        hosts = frozenset(vtep for _, vtep in there)
        return Elsewhere(way, hosts, flows, len(there), _listeners(there, hosts, current=current))

    return _parts.get(way.segment, (way, vteps, remotes, current), make)


def _listeners(there: Iterable[Reached], hosts: frozenset[IpAddress], *, current: bool) -> Listeners[IpAddress]:
    """What is not current may lack somebody: then every host gets everything."""
    said = listeners((vtep, endpoint.listens) for endpoint, vtep in there)
    return said if current else Listeners(hosts, said.of)


def _flows_of(endpoint: RemoteEndpoint, vtep: IpAddress, way: Way) -> Mapping[str, Flow]:
    return _flows.get(endpoint.id, (endpoint, vtep, way), lambda: _made(endpoint, vtep, way))


def _made(endpoint: RemoteEndpoint, vtep: IpAddress, way: Way) -> Mapping[str, Flow]:
    remote = Remote(
        way=way,
        vtep=vtep,
        mac=endpoint.mac,
        ipv4=endpoint.ipv4,
        ipv6=() if endpoint.ipv6 is None else (endpoint.ipv6, link_local(endpoint.mac)),
    )
    return keyed(*neighbour.remote_flows(remote), *forward.remote_flows(remote))


def _forget(in_use: Mapping[Segment, Elsewhere]) -> None:
    _parts.keep(in_use)
    if len(_flows) > 2 * sum(it.size for it in in_use.values()) + SPARE:
        _flows.clear()
