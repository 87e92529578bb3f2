"""All features together: the flows and groups of one host. Pure.

    endpoints ─► plugs (those with a port) ─┬─► flows of each plug ────────────────────┐
                                            └─► segments ─┬─► their flows and groups ──┼─► one mapping by key
    other hosts ─► what they have of these segments ──────┴─► flows of each remote ────┤
                                                              tables ─► base flows ────┘

It runs at every change, for thousands of endpoints of which one changed: the flows of a value are remembered.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Protocol

from ovsnet.model.egress import led_into
from ovsnet.model.endpoint import Endpoint
from ovsnet.model.gateways import gateways
from ovsnet.model.host import HostFacts
from ovsnet.model.ids import EndpointId, IpInterface, Ofport, Vni
from ovsnet.model.network import Multicast, Network
from ovsnet.model.overlay import Overlay
from ovsnet.model.state import State
from ovsnet.pipeline import (
    dns,
    egress,
    elsewhere,
    flood,
    forward,
    gateway,
    guard,
    lan,
    multicast,
    neighbour,
    origin,
    output,
    trunk,
)
from ovsnet.pipeline.elsewhere import Elsewhere
from ovsnet.pipeline.flow import Flow, Resource
from ovsnet.pipeline.plug import Gateway, Plug, Segment
from ovsnet.pipeline.remembered import Latest
from ovsnet.pipeline.remote import Way
from ovsnet.pipeline.tables import keyed, miss_flows

SPARE = 100
"""Results kept beyond twice those in use. One is some 8 KiB: endpoints come and go, the agent stays small."""

_of_segments: Latest[Mapping[str, Resource]] = Latest()
"""What the plugs of a segment share: of most of them nothing changed."""
_of_endpoints: Latest["Plugged"] = Latest()
_of_answers: Latest[Mapping[str, Flow]] = Latest()
"""By the endpoint: to find a plug among others by its value costs far more than to see that it is the very same."""


class PortNames(Protocol):
    """What planning calls the ports of this host (module `plan.names`)."""

    def port_name(self, endpoint: Endpoint, network: Network) -> str:
        """The port of an endpoint."""

    def tunnel_port(self, overlay: Overlay, vni: Vni) -> str:
        """The port by which a network reaches other hosts."""

    def uplink_port(self, nic: str) -> str:
        """The port to the LAN behind a NIC."""

    def gateway_port(self, vni: Vni) -> str:
        """The port of a network's gateway on this host."""

    def dns_port(self) -> str:
        """The port of the name service."""


@dataclass(frozen=True, slots=True)
class Plugged:
    """An endpoint's plug, and the flows that concern nobody else."""

    id: EndpointId
    plug: Plug
    flows: Mapping[str, Flow]


def compile_flows(state: State, facts: HostFacts, names: PortNames) -> dict[str, Resource]:
    """The flows and groups this host should have, by key.

    Endpoints that are not plugged, or whose port the switch has not taken up yet, have none; nor has anything on other
    hosts before the port of the tunnel was taken up. Where two claim the same MAC or address, the older one has it on
    this host, the younger one among other hosts, and one on this host before any elsewhere: it was moved here.
    """
    plugged = tuple(_plugged(state, facts, names))
    members = _by_segment(plugged)
    remote = elsewhere.parts(state, facts, names, _led_into(state, members.keys()))
    resources: dict[str, Resource] = {**_base(), **elsewhere.entrances(facts, remote)}
    for part in remote.values():
        resources.update(part.flows)
    for it in plugged:
        resources.update(it.flows)
    resources.update(_dns_flows(facts, names.dns_port(), plugged))
    for passage in _passages(state, facts, names):
        resources.update(_passage_flows(passage, tuple(members.get(passage.segment, ()))))
    for segment, group_id in flood.group_ids(members).items():
        resources.update(_segment_resources(tuple(members[segment]), remote.get(segment), group_id))
    _of_segments.keep(members)
    _forget(state.endpoints.keys())
    return resources


def _plugged(state: State, facts: HostFacts, names: PortNames) -> Iterator[Plugged]:
    """What is plugged, the youngest first: with `dict.update` the oldest has the last word."""
    for endpoint in sorted(state.endpoints.values(), key=_age, reverse=True):
        network = state.networks.get(endpoint.network_id)
        if network is None or not endpoint.plugged:
            continue
        ofport = facts.switch.ofports.get(names.port_name(endpoint, network))
        if ofport is not None:
            inputs = (endpoint, network, ofport, facts.leased.get(endpoint.id, ()))
            yield _of_endpoints.get(endpoint.id, inputs, lambda it=inputs: _made_of_endpoint(*it))  # type: ignore[misc]


def _age(endpoint: Endpoint) -> tuple[float, str]:
    return endpoint.created_at, endpoint.id


def _by_segment(plugged: Sequence[Plugged]) -> Mapping[Segment, list[Plug]]:
    members: dict[Segment, list[Plug]] = defaultdict(list)
    for it in plugged:
        members[it.plug.segment].append(it.plug)
    return members


def _led_into(state: State, here: Collection[Segment]) -> Collection[Segment]:
    """The segments with endpoints here, and those that this host's gateways lead them into."""
    if not any(it.options.domain for it in state.networks.values()):
        return here
    own = {it.id: Segment(it.vni, it.options.vlan) for it in state.networks.values()}
    reached = led_into(state.networks.values(), {it for it, segment in own.items() if segment in here})
    return {*here, *(own[it] for it in reached)}


def _made_of_endpoint(endpoint: Endpoint, network: Network, ofport: Ofport, leased: tuple[IpInterface, ...]) -> Plugged:
    plug = _plug(endpoint, network, ofport, leased)
    return Plugged(endpoint.id, plug, _plug_flows(plug))


def _plug(endpoint: Endpoint, network: Network, ofport: Ofport, leased: tuple[IpInterface, ...]) -> Plug:
    vlan = endpoint.vlan_on(network)
    plug = Plug(
        segment=Segment(network.vni, vlan),
        ofport=ofport,
        mac=endpoint.mac,
        ipv4=None if endpoint.ipv4 is None else endpoint.ipv4.ip,
        ipv6=() if endpoint.ipv6 is None else (endpoint.ipv6.ip, endpoint.link_local),
        addressed=network.addressed,
        icc=network.options.icc,
        gateway=Gateway(network.gateway4, network.gateway6),
        listens=endpoint.listens,
        snooped=network.options.multicast is Multicast.SNOOP,
        disguised=bool(network.space),
    )
    return lan.on_lan(plug, endpoint, network, leased) if network.options.on_uplink else plug


def _plug_flows(plug: Plug) -> Mapping[str, Flow]:
    return keyed(
        *origin.plug_flows(plug),
        *guard.plug_flows(plug),
        *neighbour.plug_flows(plug),
        *forward.plug_flows(plug),
    )


def _dns_flows(facts: HostFacts, port: str, plugged: Sequence[Plugged]) -> Mapping[str, Flow]:
    """The way to the name service and back; none while the switch has not taken up its port."""
    ofport = facts.switch.ofports.get(port)
    if facts.names is None or ofport is None:
        return {}
    door = dns.Door(facts.names.address, ofport)
    flows = dict(_door_flows(door))
    for it in plugged:
        inputs = (it.plug, door)
        flows.update(_of_answers.get(it.id, inputs, lambda it=inputs: keyed(*dns.plug_flows(*it))))  # type: ignore[misc]
    return flows


def _passages(state: State, facts: HostFacts, names: PortNames) -> Iterator[egress.Passage]:
    """The gateways on this host whose ports the switch has taken up."""
    for it in gateways(state):
        ofport = facts.switch.ofports.get(names.gateway_port(it.vni))
        if ofport is not None:
            segment = Segment(it.vni, it.options.vlan)
            of_network = Gateway(it.gateway4, it.gateway6)
            imported = frozenset(one.address for one in state.imports.values() if one.network_id == it.id)
            yield egress.Passage(segment, ofport, of_network, it.ipv4, it.ipv6, it.exposed, imported)


def _passage_flows(passage: egress.Passage, plugs: tuple[Plug, ...]) -> Mapping[str, Flow]:
    """One flow per plug only where plugs do not reach each other; else what is forwarded to peers is to the gateway."""
    flows = dict(_flows_of_passage(passage))
    for plug in plugs if plugs and not plugs[0].icc else ():
        flows.update(keyed(*egress.plug_flows(plug, passage)))
    return flows


@cache
def _flows_of_passage(passage: egress.Passage) -> Mapping[str, Flow]:
    return keyed(*egress.passage_flows(passage))


@cache
def _door_flows(door: dns.Door) -> Mapping[str, Flow]:
    return keyed(*dns.door_flows(door))


def _segment_resources(plugs: tuple[Plug, ...], remote: Elsewhere | None, group_id: int) -> Mapping[str, Resource]:
    """What the plugs of one segment share: all of them are of one network."""
    inputs = (plugs, remote, group_id)
    return _of_segments.get(plugs[0].segment, inputs, lambda: _made_of_segment(*inputs))


def _made_of_segment(plugs: tuple[Plug, ...], remote: Elsewhere | None, group_id: int) -> Mapping[str, Resource]:
    one = plugs[0]
    flows = _segment_flows(one.segment, one.gateway, icc=one.icc)
    if not one.icc:
        return flows
    way, vteps = (remote.way, remote.vteps) if remote is not None else (None, ())
    to_all = flood.broadcast(one.segment, group_id, [plug.ofport for plug in plugs], way, vteps)
    confined = multicast.segment_flows(plugs, way, remote.listeners if remote is not None else None)
    kept = _trunk_flows(way, plugs) if way is not None and way.on_trunk else {}
    return {**flows, **kept, **{it.key: it for it in to_all}, **keyed(*confined)}


def _trunk_flows(way: Way, plugs: Sequence[Plug]) -> Mapping[str, Flow]:
    """What nobody out there may claim to be."""
    flows = dict(_kept_of_segment(way, plugs[0].gateway))
    for plug in plugs:
        flows.update(_kept_of_plug(way, plug))
    return flows


@cache
def _kept_of_segment(way: Way, gateway_: Gateway) -> Mapping[str, Flow]:
    return keyed(*trunk.segment_flows(way, gateway_))


@cache
def _kept_of_plug(way: Way, plug: Plug) -> Mapping[str, Flow]:
    return keyed(*trunk.plug_flows(way, plug))


@cache
def _segment_flows(segment: Segment, of_network: Gateway, *, icc: bool) -> Mapping[str, Flow]:
    return keyed(
        *neighbour.segment_flows(segment, of_network, icc=icc),
        *gateway.segment_flows(segment, of_network),
        *forward.segment_flows(segment, icc=icc),
    )


def _forget(endpoints: Collection[EndpointId]) -> None:
    """Drop what is remembered of values that are long gone, now and then."""
    most = 2 * len(endpoints) + SPARE
    for latest in (_of_endpoints, _of_answers):
        if len(latest) > most:
            latest.keep(endpoints)
    # Of these all goes at once: what is in use is made anew when it is asked for.
    for remembered in (_segment_flows, _flows_of_passage, _door_flows, _kept_of_segment, _kept_of_plug):
        if remembered.cache_info().currsize > most:
            remembered.cache_clear()


@cache
def _base() -> Mapping[str, Flow]:
    return keyed(
        *miss_flows(),
        *guard.base_flows(),
        *neighbour.base_flows(),
        *gateway.base_flows(),
        *forward.base_flows(),
        *multicast.base_flows(),
        *output.base_flows(),
    )
