"""The bridges, links and ports of attachments that are on no network of ours. Pure.

Those on a network are planned as the endpoints they also are (host.py).
"""

from collections.abc import Iterator

from ovsnet.model.attachment import Attachment, Tagging
from ovsnet.model.host import BridgePlan, Datapath, InsidePlan, LinkPlan, Placement, PortPlan, SwitchFacts
from ovsnet.model.ids import IpInterface
from ovsnet.model.network import PortKind
from ovsnet.model.state import State
from ovsnet.plan import names
from ovsnet.plan.links import placement_of


def plan_bridges(state: State, switch: SwitchFacts, instance: str) -> dict[str, BridgePlan]:
    """The switches we made for attachments: they stay when the last one goes, as others may use them by then."""
    kept = {name: it.datapath for name, it in switch.bridges.items() if it.ours}
    made = {it.bridge for it in state.attachments.values() if it.makes_bridge}
    new = {name: switch.datapath for name in made if name not in switch.bridges}
    return {
        name: BridgePlan(name, datapath, {names.OWNER_KEY: instance}, learning=True, up=True)
        for name, datapath in (kept | new).items()
    }


def on_bridges(state: State, switch: SwitchFacts) -> Iterator[Attachment]:
    """Those that must be there now, on another bridge than that of our networks."""
    return (it for it in state.attachments.values() if it.bridge and it.plugged and _possible(it, switch))


def lacks_bridge(attachment: Attachment, switch: SwitchFacts) -> bool:
    """Whether the bridge it was attached to has gone: then its interface waits inside, without a port."""
    return bool(attachment.bridge) and not attachment.makes_bridge and attachment.bridge not in switch.bridges


def plan_attached_link(attachment: Attachment, switch: SwitchFacts) -> LinkPlan:
    """The link of an attachment on a bridge; it is inside from the beginning."""
    internal = attachment.port is PortKind.INTERNAL
    kernel = datapath_of(attachment.bridge, switch) is Datapath.KERNEL
    return LinkPlan(
        name=names.attachment_port(attachment),
        kind=attachment.port,
        alias=names.alias(attachment.id),
        mtu=attachment.mtu,
        peer="" if internal else names.container_end(attachment.id),
        mac=attachment.mac,
        checksum_offload=kernel or switch.tso,
        placement=placement_of(attachment),
    )


def plan_attached_port(attachment: Attachment, instance: str, leased: tuple[IpInterface, ...] = ()) -> PortPlan:
    """Its port; `marks` are what ovs-docker writes beside an interface, `leased` its addresses by DHCP."""
    target = attachment.target
    facts = {
        names.OWNER_KEY: instance,
        names.ATTACHMENT_KEY: attachment.id,
        names.BRIDGE_KEY: attachment.bridge,
        names.IFNAME_KEY: attachment.ifname,
        names.CONTAINER_KEY: target.id,
        names.CONTAINER_NAME_KEY: target.title,
        names.COMPOSE_SERVICE_KEY: target.service,
        names.MAC_KEY: attachment.mac,
        names.ADDRESSES_KEY: " ".join(map(str, (*attachment.addresses, *leased))),
    }
    return PortPlan(
        name=names.attachment_port(attachment),
        kind=attachment.port,
        vlan=attachment.vlan,
        mtu=attachment.mtu,
        external_ids={key: value for key, value in facts.items() if value},
        bridge=attachment.bridge,
        tagging="" if attachment.tagging is Tagging.ACCESS else attachment.tagging.value,
        trunks=attachment.trunks,
        rate=attachment.shape.rate,
        marks={"container_id": target.name or target.id, "container_iface": attachment.ifname},
    )


def plan_inside(name: str, place: Placement | None, mtu: int, attachment: Attachment | None) -> InsidePlan | None:
    """What its interface has inside, as far as that can change; None for one that is not inside."""
    if place is None:
        return None
    return InsidePlan(
        name=names.inside(name),
        sandbox=place.sandbox,
        ifname=place.ifname,
        mtu=mtu,
        addresses=place.addresses,
        routes=place.routes,
        shape=place.shape,
        rules=() if attachment is None else attachment.rules,
        routers=place.routers,
    )


def datapath_of(bridge: str, switch: SwitchFacts) -> Datapath:
    """Of a bridge that is there, or that is about to be made."""
    there = switch.bridges.get(bridge)
    return switch.datapath if there is None else there.datapath


def _possible(attachment: Attachment, switch: SwitchFacts) -> bool:
    """As for endpoints (host.py)."""
    return attachment.port is PortKind.VETH or datapath_of(attachment.bridge, switch) is Datapath.KERNEL
