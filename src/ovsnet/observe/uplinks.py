"""Uplinks as people see them: `ovsnet uplink ls`. Pure."""

from datetime import UTC, datetime

import msgspec

from ovsnet.model.state import State
from ovsnet.model.uplink import Uplink


class UplinkInfo(msgspec.Struct, frozen=True, kw_only=True):
    """One NIC that is a port of a bridge. `held`: what of it is ours (own: bridge and port, plugged: the port, noted:
    nothing). `state`: trying, in force or leaving. `addresses` and `gateways` are those that were moved; `probes`
    had to answer.
    """

    nic: str
    bridge: str
    held: str
    state: str
    datapath: str
    mac: str
    mtu: int
    addresses: tuple[str, ...]
    gateways: tuple[str, ...]
    routes: int
    probes: tuple[str, ...]
    since: datetime


def all_uplinks(state: State) -> tuple[UplinkInfo, ...]:
    """By the NIC's name."""
    return tuple(_shown(it) for _, it in sorted(state.uplinks.items()))


def networks_without(state: State) -> tuple[str, ...]:
    """Networks whose uplink is not known any more, in words."""
    lost: dict[str, list[str]] = {}
    for it in state.networks.values():
        if it.options.on_uplink and it.options.uplink not in state.uplinks:
            lost.setdefault(it.options.uplink, []).append(it.title)
    return tuple(
        f"Containers on {', '.join(sorted(on))} reach no LAN: {nic} is no uplink any more. 'ovsnet uplink add {nic}'."
        for nic, on in sorted(lost.items())
    )


def _shown(it: Uplink) -> UplinkInfo:
    return UplinkInfo(
        nic=it.nic,
        bridge=it.bridge,
        held=str(it.hold),
        state=str(it.phase),
        datapath=str(it.datapath),
        mac=it.settings.mac,
        mtu=it.settings.mtu,
        addresses=tuple(str(one.address) for one in it.addresses),
        gateways=tuple(map(str, it.gateways)),
        routes=len(it.routes),
        probes=tuple(map(str, it.probes)),
        since=datetime.fromtimestamp(it.created_at, tz=UTC),
    )
