"""What is on the switch, port by port: `ovsnet ps`. Pure.

What a port is for is read from the switch database alone (the external ids written beside it), so that the
list is right even where the desired state is not. The desired state adds what should be there and is not.
"""

from collections.abc import Mapping, Sequence

import msgspec

from ovsnet.model.endpoint import Endpoint
from ovsnet.model.errors import ApplyError
from ovsnet.model.host import PortPlan, SwitchFacts
from ovsnet.model.ids import EndpointId
from ovsnet.model.network import Network
from ovsnet.model.shaping import rate_words
from ovsnet.model.state import State
from ovsnet.observe.attachments import without_bridge
from ovsnet.plan import names
from ovsnet.plan.attachments import plan_attached_port
from ovsnet.plan.ports import plan_port


class EndpointInfo(msgspec.Struct, frozen=True, kw_only=True):
    """One interface of one container. `ofport` is 0 and `in_force` false while the switch has not taken it
    up.

    `service` is the container's in its Compose file, "" for most; `reason` says why it is not in force, "" where it is.
    `attachment_id`, `ifname` (its name inside) and `bridge` are told of attached interfaces; one on a bridge has no
    network and no endpoint. `rate` is the most it may send and the most it may receive, as option words have it, ""
    for no bound.
    """

    container_id: str
    container: str
    service: str
    network_id: str
    network: str
    endpoint_id: str
    mac: str
    addresses: tuple[str, ...]
    vlan: int
    port: str
    ofport: int
    in_force: bool
    reason: str = ""
    attachment_id: str = ""
    ifname: str = ""
    bridge: str = ""
    rate: str = ""


def on_switch(
    state: State,
    switch: SwitchFacts,
    ports: Mapping[str, PortPlan],
    failures: Sequence[ApplyError],
) -> tuple[EndpointInfo, ...]:
    """Every port of an endpoint on the switch, then every endpoint that should have one and does not."""
    refused = {it.resource: it.reason for it in failures}
    absent = _absent(state, ports)
    refused |= {names.attachment_port(it): f"there is no bridge {it.bridge}" for it in without_bridge(state, switch)}
    there = [_row(it, switch, _why_not(it, state, switch, refused)) for it in ports.values() if _is_endpoints(it)]
    lacking = [_row(it, switch, _why_absent(it.name, switch, refused)) for it in absent]
    return tuple(
        sorted((*there, *lacking), key=lambda it: (it.network, it.bridge, it.container, it.ifname, it.endpoint_id))
    )


def _is_endpoints(port: PortPlan) -> bool:
    others = (names.TRUNK_KEY, names.SPARE_KEY)
    return not names.is_tunnel(port.name) and not any(it in port.external_ids for it in others)


def _absent(state: State, ports: Mapping[str, PortPlan]) -> list[PortPlan]:
    """The ports of plugged endpoints that the switch database does not hold."""
    wanted = (
        plan_port(
            endpoint,
            network,
            "",
            state.attachments.get(endpoint.id),
            rate=state.rate_of(endpoint, network) or 0,
        )
        for endpoint, network in _plugged(state)
        if names.port_name(endpoint, network) not in ports
    )
    attached = (it for it in state.attachments.values() if it.bridge and it.plugged)
    return [*wanted, *(plan_attached_port(it, "") for it in attached if names.attachment_port(it) not in ports)]


def _plugged(state: State) -> list[tuple[Endpoint, Network]]:
    return [
        (it, state.networks[it.network_id])
        for it in state.endpoints.values()
        if it.plugged and it.network_id in state.networks
    ]


def _why_not(port: PortPlan, state: State, switch: SwitchFacts, refused: Mapping[str, str]) -> str:
    endpoint = state.endpoints.get(EndpointId(port.external_ids.get(names.ENDPOINT_KEY, "")))
    if not switch.available:
        return f"Open vSwitch does not answer: {switch.reason or 'unknown reason'}"
    attachment = state.attachments.get(EndpointId(port.external_ids.get(names.ATTACHMENT_KEY, "")))
    wanted = attachment if attachment is not None and attachment.bridge else endpoint
    if wanted is None or not wanted.plugged:
        return "left over: no container wants it; the agent takes it away"
    if reason := refused.get(port.name) or refused.get(names.inside(port.name)):
        return reason
    return "" if port.name in switch.ofports else "ovs-vswitchd has not taken the port up yet"


def _why_absent(name: str, switch: SwitchFacts, refused: Mapping[str, str]) -> str:
    if not switch.available:
        return f"Open vSwitch does not answer: {switch.reason or 'unknown reason'}"
    return refused.get(name, "its port is not on the switch yet")


def _row(port: PortPlan, switch: SwitchFacts, reason: str) -> EndpointInfo:
    facts = port.external_ids
    return EndpointInfo(
        container_id=facts.get(names.CONTAINER_KEY, ""),
        container=facts.get(names.CONTAINER_NAME_KEY, ""),
        service=facts.get(names.COMPOSE_SERVICE_KEY, ""),
        network_id=facts.get(names.NETWORK_KEY, ""),
        network=facts.get(names.NETWORK_NAME_KEY, ""),
        endpoint_id=facts.get(names.ENDPOINT_KEY, ""),
        mac=facts.get(names.MAC_KEY, ""),
        addresses=tuple(facts.get(names.ADDRESSES_KEY, "").split()),
        vlan=port.vlan,
        port=port.name,
        ofport=switch.ofports.get(port.name, 0),
        in_force=not reason,
        reason=reason,
        attachment_id=facts.get(names.ATTACHMENT_KEY, ""),
        ifname=facts.get(names.IFNAME_KEY, ""),
        bridge=facts.get(names.BRIDGE_KEY, ""),
        rate=rate_words(port.rate),
    )
