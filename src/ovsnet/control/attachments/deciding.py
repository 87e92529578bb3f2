"""What an attachment becomes, given what there is: refusals name who is in the way. Pure."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from ipaddress import IPv4Address

from ovsnet.control.attachments import devices
from ovsnet.control.attachments.targets import Found
from ovsnet.control.endpoints import check_free, check_segment
from ovsnet.control.spares import macs_in_use
from ovsnet.ipam.macs import next_mac
from ovsnet.model.attaching import Wanted
from ovsnet.model.attachment import Attachment, Tagging, Target
from ovsnet.model.endpoint import Endpoint
from ovsnet.model.errors import BadRequest, Conflict, Unavailable
from ovsnet.model.host import Datapath, Medium, SwitchFacts
from ovsnet.model.ids import UNTAGGED, EndpointId, IpInterface, Mac, NetworkId
from ovsnet.model.listening import EVERYTHING, NOTHING
from ovsnet.model.network import DEFAULT_MTU, MIN_IPV6_MTU, Multicast, Network, PortKind, find_network
from ovsnet.model.routing import rule_words
from ovsnet.model.state import State
from ovsnet.model.uplink import Phase as UplinkPhase
from ovsnet.plan import names
from ovsnet.plan.attachments import datapath_of
from ovsnet.plan.dns import service_route
from ovsnet.store.interface import Change, Put

FIRST = 1
"""eth0 is the engine's; eth1 is what pipework calls its interfaces."""


def on_uplink(wanted: Wanted, state: State) -> Wanted:
    """With the bridge that the NIC is in, where one was named. Conflict when it is in none, or is on its way."""
    if not wanted.uplink:
        return wanted
    uplink = state.uplinks.get(wanted.uplink)
    if uplink is None:
        raise Conflict(
            f"--uplink {wanted.uplink}: it is no uplink; 'ovsnet uplink add {wanted.uplink}' makes it one, and "
            "'ovsnet uplink ls' lists those there are"
        )
    if uplink.phase is not UplinkPhase.IN_FORCE:
        raise Conflict(
            f"--uplink {wanted.uplink}: it is {uplink.phase}; try again when 'ovsnet uplink ls' says in force"
        )
    return replace(wanted, bridge=uplink.bridge)


def draft(attachment_id: EndpointId, wanted: Wanted, found: Found, inside: Collection[str], now: float) -> Attachment:
    """All of it that does not depend on what else there is. Conflict when the name inside is taken."""
    ifname = wanted.ifname
    if wanted.port is PortKind.INTERNAL:
        if wanted.ifname and wanted.host_ifname and wanted.ifname != wanted.host_ifname:
            raise BadRequest("an internal port has one name, inside and on the host; give --ifname alone")
        ifname = wanted.ifname or wanted.host_ifname or names.internal_port(attachment_id)
    if ifname in inside:
        raise Conflict(
            f"{found.target.title} has an interface {ifname} already, which is not an attached one; choose another "
            "--ifname"
        )
    return Attachment(
        id=attachment_id,
        target=found.target,
        ifname=ifname,
        mac=wanted.mac or Mac(""),
        bridge=wanted.bridge,
        addresses=tuple(it.on(it.ip.max_prefixlen) for it in wanted.addresses),
        gateways=wanted.gateways,
        routes=wanted.routes,
        rules=wanted.rules,
        dhcp=wanted.dhcp,
        slaac=wanted.slaac,
        shape=wanted.shape,
        vlan=wanted.vlan,
        tagging=wanted.tagging,
        trunks=wanted.trunks,
        mtu=wanted.mtu or DEFAULT_MTU,
        port=wanted.port or PortKind.VETH,
        host_ifname="" if wanted.port is PortKind.INTERNAL else wanted.host_ifname,
        sandbox=found.sandbox,
        created_at=now,
    )


def on_bridge(attachment: Attachment, wanted: Wanted, switch: SwitchFacts, *, ours: str, mtu: int | None) -> Attachment:
    """The draft on its bridge; `ours` is our networks' one. `mtu` is that of the host's link of the bridge's name, None
    where there is none.

    Open vSwitch gives a bridge the smallest MTU of its ports: one that is not asked for leaves it as it is.
    """
    bridge = attachment.bridge
    if bridge == ours:
        raise BadRequest(f"--bridge {bridge} is the bridge of ovsnet's own networks; use --network NET")
    if not switch.available:
        raise Unavailable("Open vSwitch", switch.reason or "it does not answer", remedy="see 'ovsnet status'")
    there = switch.bridges.get(bridge)
    if there is None and mtu is not None:
        raise Conflict(
            f"--bridge {bridge}: the host has a link of this name, which is no bridge of Open vSwitch; choose another "
            "name"
        )
    if attachment.port is PortKind.INTERNAL and datapath_of(bridge, switch) is Datapath.USERSPACE:
        raise BadRequest(
            f"--port internal needs the kernel datapath, and bridge {bridge} has the userspace datapath, where a "
            "restart of ovs-vswitchd cuts such a container off for good; use --port veth"
        )
    chosen = wanted.mtu or mtu or DEFAULT_MTU
    return replace(attachment, makes_bridge=there is None or there.ours, mtu=chosen)


def remark(made: Attachment, mtu: int | None) -> str:
    """What somebody should know who attached it to a bridge with this MTU; "" for nothing."""
    if not made.bridge or mtu is None or made.mtu == mtu:
        return ""
    if made.mtu > mtu:
        return f"Bridge {made.bridge} has an MTU of {mtu}: what is larger gets lost there."
    return f"Open vSwitch gives bridge {made.bridge}, which has an MTU of {mtu}, the smallest of its ports: {made.mtu}."


def on_network(
    attachment: Attachment, network: Network, wanted: Wanted, addresses: Sequence[IpInterface]
) -> tuple[Attachment, Endpoint]:
    """The draft on its network with the addresses it was given there, and the endpoint that goes with it."""
    mtu = network.options.mtu
    if wanted.mtu is not None and wanted.mtu > mtu:
        raise BadRequest(f"--mtu {wanted.mtu} is more than the {mtu} bytes that fit into network {network.title}")
    kind, ifname = network.options.port, attachment.ifname
    if kind is PortKind.INTERNAL:
        own = wanted.host_ifname or ifname or names.internal_port(attachment.id)
        if ifname and own != ifname:
            raise BadRequest(f"network {network.title} has port=internal, where --ifname and --host-ifname are one")
        ifname = own
    made = replace(
        attachment,
        network_id=network.id,
        addresses=tuple(addresses),
        dhcp=network.options.dhcp,
        slaac=network.options.slaac,
        shape=attachment.shape if wanted.says_rate else replace(attachment.shape, rate=network.options.rate),
        mtu=wanted.mtu or mtu,
        port=kind,
        ifname=ifname,
        host_ifname=ifname if kind is PortKind.INTERNAL else attachment.host_ifname,
    )
    endpoint = Endpoint(
        id=made.id,
        network_id=network.id,
        mac=made.mac,
        ipv4=next((it for it in made.addresses if it.version == 4), None),
        ipv6=next((it for it in made.addresses if it.version == 6), None),
        vlan=None if made.vlan == UNTAGGED else made.vlan,
        listens=NOTHING if network.options.multicast is Multicast.SNOOP else EVERYTHING,
        host_ifname=made.host_ifname,
        created_at=made.created_at,
    )
    return made, placed(endpoint, made)


def placed(
    endpoint: Endpoint, attachment: Attachment, state: State | None = None, names_at: IPv4Address | None = None
) -> Endpoint:
    """The endpoint of an attachment where that is now, under the name its target has now.

    `names_at`: where containers ask for names; the way there is chosen by what else the target has in `state`.
    """
    there = replace(
        endpoint,
        plugged=attachment.plugged,
        sandbox=attachment.sandbox if attachment.plugged else "",
        ifname=attachment.ifname,
        mac=attachment.mac,
        container_id=attachment.target.id,
        container_name=attachment.target.label,
        compose_service=attachment.target.service,
        names_route=None,
    )
    if state is None or names_at is None or not there.sandbox:
        return there
    return replace(there, names_route=service_route(names_at, replace(there, names_route=endpoint.names_route), state))


def admit(
    state: State,
    made: Attachment,
    endpoint: Endpoint | None,
    inside: Collection[str],
    prefix: str,
    names_at: IPv4Address | None = None,
) -> tuple[Sequence[Change], Attachment]:
    """The changes that make it wanted. Conflict names who has its name, its address or its MAC."""
    made = replace(made, ifname=made.ifname or _free_name(state, made.target, inside))
    check_rate(made)
    check_rules(state, made)
    _check_name(state, made)
    _check_port_name(state, made)
    changes: list[Change] = []
    if not made.mac:
        mac, counters = next_mac(state.counters, prefix, macs_in_use(state))
        made = replace(made, mac=mac)
        changes.append(Put(counters))
    if endpoint is None:
        _check_bridge(state, made)
        return [*changes, Put(made)], made
    network = find_network(state.networks, endpoint.network_id)
    check_segment(network, endpoint)
    check_free(state, network, replace(endpoint, mac=made.mac))
    return [*changes, Put(placed(endpoint, made, state, names_at)), Put(made)], made


def check_change(state: State, before: Attachment, after: Attachment) -> None:
    """What a running one may become."""
    if after.mtu < MIN_IPV6_MTU and (after.slaac or 6 in after.dhcp):
        raise BadRequest(f"an MTU of {after.mtu} is too small for IPv6; use at least {MIN_IPV6_MTU}")
    check_rate(after)
    if after.medium is not Medium.PORT:
        return
    if after.bridge:
        _check_bridge(state, after)
        return
    network = find_network(state.networks, after.network_id)
    if after.addresses != before.addresses:
        raise BadRequest(
            f"{after.title} is on network {network.title}, where its address cannot change while it runs: other hosts "
            "know it by that; detach it and attach it anew"
        )
    if after.mtu > network.options.mtu:
        raise BadRequest(
            f"--mtu {after.mtu} is more than the {network.options.mtu} bytes that fit into network {network.title}"
        )
    if after.vlan != before.vlan and network.shared:
        raise BadRequest(
            f"network {network.title} has mode={network.options.mode}: all its interfaces are in one segment"
        )


def check_rate(attachment: Attachment) -> None:
    """Towards its container a port is bound at its link on the host, and an internal one has none."""
    if attachment.shape.rate and attachment.port is PortKind.INTERNAL:
        raise BadRequest(f"--rate: {attachment.title} is an internal port, whose rate cannot be bound; use --port veth")


def check_rules(state: State, attachment: Attachment) -> None:
    """Rules are the namespace's: one that two interfaces had would go with the first of them."""
    if len({*attachment.rules}) < len(attachment.rules):
        raise Conflict(f"{attachment.title} has this rule already")
    for other in of_target(state, attachment.target):
        for rule in (it for it in other.rules if it in attachment.rules and other.id != attachment.id):
            raise Conflict(f"{other.title} has the rule {rule_words(rule)!r} already")


def of_target(state: State, target: Target) -> Sequence[Attachment]:
    """What is attached to a target, in the order of the names inside."""
    found = (it for it in state.attachments.values() if it.target.is_same(target) and not it.detached)
    return sorted(found, key=lambda it: it.ifname)


def network_of(attachment: Attachment, state: State) -> str:
    """Where it is, for people."""
    if attachment.medium is not Medium.PORT:
        return devices.title(attachment)
    if attachment.bridge:
        return f"bridge {attachment.bridge}"
    network = state.networks.get(NetworkId(attachment.network_id))
    return f"network {network.title}" if network else f"network {attachment.network_id[:12]}"


def _free_name(state: State, target: Target, inside: Collection[str]) -> str:
    taken = {*inside, *(it.ifname for it in state.attachments.values() if it.target.is_same(target))}
    return next(name for number in range(FIRST, FIRST + len(taken) + 1) if (name := f"eth{number}") not in taken)


def _check_name(state: State, made: Attachment) -> None:
    for other in state.attachments.values():
        if other.target.is_same(made.target) and other.ifname == made.ifname:
            raise Conflict(
                f"{made.target.title} has an interface {made.ifname} already, attached to {network_of(other, state)}; "
                f"choose another --ifname, or take that one away: ovsnet detach {made.target.title} {made.ifname}"
            )


def _check_port_name(state: State, made: Attachment) -> None:
    name = made.ifname if made.port is PortKind.INTERNAL else made.host_ifname
    if not name:
        return
    if name != names.internal_port(made.id) and names.is_reserved(name):
        raise BadRequest(f"{name!r} could be the name of a port that ovsnet makes by itself; choose another one")
    for other in state.attachments.values():
        if names.port_of_attachment(other, state) == name:
            raise Conflict(f"the port {name} is that of {other.title}; choose another name")


def _check_bridge(state: State, made: Attachment) -> None:
    """Two holders of one address or MAC in a segment would take each other's packets."""
    for other in _neighbours(state.attachments_on(made.bridge), made):
        if other.mac == made.mac:
            raise Conflict(f"bridge {made.bridge}: MAC address {made.mac} is held by {other.title}; choose another")
        mine = {it.ip for it in made.addresses}
        for address in (it.ip for it in other.addresses if it.ip in mine):
            raise Conflict(
                f"bridge {made.bridge}: address {address} is held by {other.title}; choose another --ip, or take that "
                f"one away: ovsnet detach {other.target.title} {other.ifname}"
            )


def _neighbours(others: Iterable[Attachment], made: Attachment) -> Iterable[Attachment]:
    """Those that may share a segment with it: of a trunk nobody knows where it leads."""
    trunks = (Tagging.TRUNK, Tagging.NATIVE)
    near = (it for it in others if it.vlan == made.vlan or it.tagging in trunks or made.tagging in trunks)
    return (it for it in near if it.id != made.id)
