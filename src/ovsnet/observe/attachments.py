"""What is attached, as it is remembered: `ovsnet attachments`. Pure.

`ovsnet ps` tells what is on the switch; this list has what belongs to targets that do not run, too.
"""

from collections.abc import Iterator

import msgspec

from ovsnet.model.attachment import Attachment
from ovsnet.model.host import Medium, SwitchFacts
from ovsnet.model.routing import route_words, rule_words
from ovsnet.model.shaping import words_of
from ovsnet.model.state import State
from ovsnet.plan import names
from ovsnet.plan.attachments import lacks_bridge


class AttachmentInfo(msgspec.Struct, frozen=True, kw_only=True):
    """One interface that was attached. `target` is as one names it on the command line; `target_id` a container's id, a
    process's number or a namespace's path. Of `network`, `bridge` and `medium`
    (dummy, nic, macvlan, ipvlan) two are ""; `nic` is the NIC it is or is on.

    `running`: its target runs, and it is wanted there. `detached`: it was taken away, and its `label` counts again when
    the container starts. `tagging` is the `vlan_mode` of its port; `dhcp` are the IP versions for which servers are
    asked for addresses. `routes`, `rules`, `rate`, `loss` and `delay` are as the options of these names have them.
    """

    id: str
    kind: str
    target: str
    target_id: str
    ifname: str
    network: str
    bridge: str
    medium: str
    nic: str
    port: str
    mac: str
    addresses: tuple[str, ...]
    gateways: tuple[str, ...]
    routes: tuple[str, ...]
    rules: tuple[str, ...]
    dhcp: tuple[int, ...]
    slaac: bool
    rate: str
    loss: str
    delay: str
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
    network, shape = state.networks.get(it.network_id), words_of(it.shape)
    return AttachmentInfo(
        id=it.id,
        kind=it.target.kind,
        target=it.target.title,
        target_id=it.target.id,
        ifname=it.ifname,
        network=network.title if network else "",
        bridge=it.bridge,
        medium=str(it.medium),
        nic=it.nic,
        port=names.port_of_attachment(it, state) if it.medium is Medium.PORT else "",
        mac=it.mac,
        addresses=tuple(map(str, it.addresses)),
        gateways=tuple(map(str, it.gateways)),
        routes=tuple(map(route_words, it.routes)),
        rules=tuple(map(rule_words, it.rules)),
        dhcp=it.dhcp,
        slaac=it.slaac,
        rate=shape[0],
        loss=shape[1],
        delay=shape[2],
        vlan=it.vlan,
        tagging=it.tagging,
        trunks=it.trunks,
        mtu=it.mtu,
        label=it.label,
        running=it.plugged,
        detached=it.detached,
    )
