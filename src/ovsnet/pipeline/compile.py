"""All features together: the flows and groups of one host. Pure.

    endpoints ─► plugs (those with a port) ─┬─► flows of each plug ──────┐
                                            └─► segments ─► their flows ─┼─► one mapping by key
                                                   tables ─► base flows ─┘

It runs at every change, for thousands of endpoints of which one changed: the flows of a value are remembered.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache

from ovsnet.model.endpoint import Endpoint
from ovsnet.model.ids import Ofport
from ovsnet.model.network import Network
from ovsnet.model.state import State
from ovsnet.pipeline import flood, forward, gateway, guard, neighbour, origin, output
from ovsnet.pipeline.flow import Flow, Resource
from ovsnet.pipeline.plug import Gateway, Plug, Segment
from ovsnet.pipeline.tables import check, miss_flows

SPARE = 100
"""Results kept beyond twice those in use. One is some 8 KiB: endpoints come and go, the agent stays small."""


def compile_flows(
    state: State, ofports: Mapping[str, Ofport], port_name: Callable[[Endpoint], str]
) -> dict[str, Resource]:
    """The flows and groups this host should have, by key.

    Endpoints that are not plugged, or whose port the switch has not taken up yet, have none. Where two claim
    the same MAC or address, the older one has it.
    """
    resources: dict[str, Resource] = dict(_base())
    members: dict[Segment, list[Plug]] = defaultdict(list)
    for plug in _plugs(state, ofports, port_name):
        resources.update(_plug_flows(plug))
        members[plug.segment].append(plug)
    for segment, group_id in flood.group_ids(members).items():
        resources.update(_segment_resources(members[segment], group_id))
    _forget(in_use=sum(map(len, members.values())))
    return resources


def _plugs(state: State, ofports: Mapping[str, Ofport], port_name: Callable[[Endpoint], str]) -> Iterator[Plug]:
    """What is plugged, the youngest first: with `dict.update` the oldest has the last word."""
    for endpoint in sorted(state.endpoints.values(), key=_age, reverse=True):
        network = state.networks.get(endpoint.network_id)
        ofport = ofports.get(port_name(endpoint)) if endpoint.plugged else None
        if network is not None and ofport is not None:
            yield _plug(endpoint, network, ofport)


def _age(endpoint: Endpoint) -> tuple[float, str]:
    return endpoint.created_at, endpoint.id


@cache
def _plug(endpoint: Endpoint, network: Network, ofport: Ofport) -> Plug:
    vlan = endpoint.vlan_on(network)
    return Plug(
        segment=Segment(network.vni, vlan),
        ofport=ofport,
        mac=endpoint.mac,
        ipv4=None if endpoint.ipv4 is None else endpoint.ipv4.ip,
        ipv6=() if endpoint.ipv6 is None else (endpoint.ipv6.ip, endpoint.link_local),
        addressed=network.addressed,
        icc=network.options.icc,
        gateway=Gateway(network.gateway4, network.gateway6),
    )


@cache
def _plug_flows(plug: Plug) -> Mapping[str, Flow]:
    return _keyed(
        *origin.plug_flows(plug),
        *guard.plug_flows(plug),
        *neighbour.plug_flows(plug),
        *forward.plug_flows(plug),
    )


def _segment_resources(plugs: Sequence[Plug], group_id: int) -> Mapping[str, Resource]:
    """What the plugs of one segment share: all of them are of one network."""
    one = plugs[0]
    flows = _segment_flows(one.segment, one.gateway, group_id, icc=one.icc)
    if not one.icc:
        return flows
    group = flood.group(group_id, [plug.ofport for plug in plugs])
    return {**flows, group.key: group}


@cache
def _segment_flows(segment: Segment, of_network: Gateway, group_id: int, *, icc: bool) -> Mapping[str, Flow]:
    return _keyed(
        *neighbour.segment_flows(segment, of_network, icc=icc),
        *gateway.segment_flows(segment, of_network),
        *forward.segment_flows(segment, icc=icc),
        *(flood.segment_flows(segment, group_id) if icc else ()),
    )


def _forget(*, in_use: int) -> None:
    """Drop what is remembered of values that are long gone, together with the rest: it is made anew when asked for."""
    for remembered in (_plug, _plug_flows, _segment_flows):
        if remembered.cache_info().currsize > 2 * in_use + SPARE:
            remembered.cache_clear()


@cache
def _base() -> Mapping[str, Flow]:
    return _keyed(
        *miss_flows(),
        *guard.base_flows(),
        *neighbour.base_flows(),
        *gateway.base_flows(),
        *forward.base_flows(),
        *output.base_flows(),
    )


def _keyed(*flows: Flow) -> Mapping[str, Flow]:
    check(flows)
    return {flow.key: flow for flow in flows}
