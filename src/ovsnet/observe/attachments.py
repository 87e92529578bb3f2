"""What is attached, as it is remembered: `ovsnet attachments`. Pure.

`ovsnet ps` tells what is on the switch; this list has what belongs to targets that do not run, too.
"""

from collections.abc import Iterator

import msgspec

from ovsnet.model.attachment import Attachment
from ovsnet.model.host import Route, SwitchFacts
from ovsnet.model.state import State
from ovsnet.plan import names
from ovsnet.plan.attachments import lacks_bridge


class AttachmentInfo(msgspec.Struct, frozen=True, kw_only=True):
    """One interface that was attached. `target` is as one names it on the command line; `target_id` a container's id, a
    process's number or a namespace's path. Either `network` or `bridge` is "".

    `running`: its target runs, and it is wanted there. `detached`: it was taken away, and its `label` counts again when
    the container starts. `tagging` is the `vlan_mode` of its port; `routes` are CIDR[@GW]; `dhcp` are the IP
    versions for which servers are asked for addresses.
    """

    id: str
    kind: str
    target: str
    target_id: str
    ifname: str
    network: str
    bridge: str
    port: str
    mac: str
    addresses: tuple[str, ...]
    gateways: tuple[str, ...]
    routes: tuple[str, ...]
    dhcp: tuple[int, ...]
    slaac: bool
    vlan: int
    tagging: str
    trunks: tuple[int, ...]
    mtu: int
    label: str
    running: bool
    detached: bool


def all_attachments(state: State) -> tuple[AttachmentInfo, ...]:
    """Every one, by target and name."""
    infos = (_info(it, state) for it in state.attachments.values())
    return tuple(sorted(infos, key=lambda it: (it.target, it.ifname)))


def without_bridge(state: State, switch: SwitchFacts) -> Iterator[Attachment]:
    """Those that should be in force and wait for their bridge."""
    if switch.available:
        yield from (it for it in state.attachments.values() if it.plugged and lacks_bridge(it, switch))


def _info(it: Attachment, state: State) -> AttachmentInfo:
    network = state.networks.get(it.network_id)
    return AttachmentInfo(
        id=it.id,
        kind=it.target.kind,
        target=it.target.title,
        target_id=it.target.id,
        ifname=it.ifname,
        network=network.title if network else "",
        bridge=it.bridge,
        port=names.port_of_attachment(it, state),
        mac=it.mac,
        addresses=tuple(map(str, it.addresses)),
        gateways=tuple(map(str, it.gateways)),
        routes=tuple(map(_route, it.routes)),
        dhcp=it.dhcp,
        slaac=it.slaac,
        vlan=it.vlan,
        tagging=it.tagging,
        trunks=it.trunks,
        mtu=it.mtu,
        label=it.label,
        running=it.plugged,
        detached=it.detached,
    )


def _route(route: Route) -> str:
    return str(route.destination) if route.gateway is None else f"{route.destination}@{route.gateway}"
