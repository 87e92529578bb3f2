"""Rows of the switch's database as values of ours, and back. Pure.

The owner mark is `external_ids:ovsnet-owner=<instance>` on bridge, port and interface. Only external ids
that begin with "ovsnet-" are read or written, so that what others put beside them stays.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from hashlib import blake2s
from types import MappingProxyType
from typing import Any, Final

from ovsnet.model.host import BridgePlan, Datapath, PortPlan
from ovsnet.model.ids import UNTAGGED, Ofport, Vlan
from ovsnet.model.network import PortKind
from ovsnet.model.paths import Path
from ovsnet.ovs import shapes
from ovsnet.ovs.bfd import read_path
from ovsnet.plan.names import BRIDGE_KEY, OWNER_KEY

OUR_PREFIX: Final = "ovsnet-"
FAULT_KEY: Final = "ovsnet-fault"
"""Never in the database: what `have` shows beside a resource that is there but not as it must be, in
words.
"""
IFINDEX_KEY: Final = "ovsnet-ifindex"
"""On an interface: the kernel's number of the link it was plugged with. Another number means another link."""
WANTED_COLUMNS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "Open_vSwitch": ("bridges", "next_cfg", "cur_cfg", "other_config", "external_ids", "ovs_version"),
        "Bridge": (
            *("name", "ports", "datapath_type", "fail_mode", "protocols", "other_config", "external_ids"),
            *("stp_enable", "rstp_enable", "mcast_snooping_enable", "flow_tables"),
        ),
        "Port": ("name", "interfaces", "tag", "vlan_mode", "trunks", "qos", "external_ids"),
        "QoS": ("type", "other_config", "external_ids"),
        "Interface": (
            *("name", "type", "options", "mtu_request", "ofport", "error", "ifindex", "external_ids"),
            *("bfd", "bfd_status", "admin_state"),
        ),
        "Flow_Table": ("name",),
    }
)
"""No statistics: ovs-vswitchd writes those of every port every five seconds."""
PROTOCOLS: Final = ("OpenFlow10", "OpenFlow13", "OpenFlow14", "OpenFlow15")
"""We speak 1.4; people and tools use the others."""
INTERFACE_TYPES: Mapping[PortKind, str] = MappingProxyType(
    {
        PortKind.VETH: "",
        PortKind.INTERNAL: "internal",
        PortKind.VXLAN: "vxlan",
        PortKind.GENEVE: "geneve",
        PortKind.PATCH: "patch",
    }
)
WITH_OPTIONS: Final = frozenset({PortKind.VXLAN, PortKind.GENEVE, PortKind.PATCH})
"""The kinds whose options are ours to say."""
_KINDS: Final = {type_: kind for kind, type_ in INTERFACE_TYPES.items()}

_TUNNEL_HINTS: Final = {
    "File exists": (
        "another tunnel port of this Open vSwitch has the same options: 'ovs-vsctl find interface type={type}' shows "
        "it; remove it, or give it or the cluster another UDP port"
    ),
    "Address already in use": (
        "something else on this host has the UDP port, as a swarm's overlay does: 'ip -d link show type {type}' and "
        "'ss -ulnp' show what; remove it, or give the cluster another UDP port ('ovsnet cluster init --udp-port')"
    ),
}
"""What to do about the kernel's words for why there is no tunnel."""

Row = Any
"""Anything that has the columns as attributes, with the values that the `ovs` package gives them."""


def is_ours(row: Row, instance: str) -> bool:
    """True for a bridge, port or interface with our mark."""
    return bool(row.external_ids.get(OWNER_KEY) == instance)


def our_ids(external_ids: Mapping[str, str]) -> dict[str, str]:
    """The external ids that are ours."""
    return {key: value for key, value in external_ids.items() if key.startswith(OUR_PREFIX)}


# ---------------------------------------------------------------- bridge


def bridge_columns(plan: BridgePlan) -> dict[str, object]:
    """Every column of a bridge that is ours to set, except its maps: those are shared with others.

    Of a learning one nearly nothing is: how it works is whoever's to say who uses it.
    """
    if plan.learning:
        return {"datapath_type": plan.datapath.value}
    return {
        "datapath_type": plan.datapath.value,
        # Without our flows nothing is forwarded, and no MAC learning starts behind our back.
        "fail_mode": ["secure"],
        "protocols": list(PROTOCOLS),
        "stp_enable": False,
        "rstp_enable": False,
        "mcast_snooping_enable": False,
    }


def bridge_options(hwaddr: str) -> dict[str, str]:
    """Our keys of a bridge's other_config.

    Without an address of its own a bridge takes the lowest one of its ports, and with every new one the
    datapath id changes, which makes ovs-vswitchd drop all OpenFlow connections.
    """
    return {"disable-in-band": "true", "hwaddr": hwaddr}


def kept_options(row: Row) -> dict[str, str]:
    """An address that a bridge has already is not changed: it may be known outside."""
    return {key: value for key, value in row.other_config.items() if key == "hwaddr"}


def stable_hwaddr(instance: str, bridge: str, system_id: str) -> str:
    """A locally administered unicast address, always the same for one bridge of one host."""
    digest = blake2s(f"{instance}|{bridge}|{system_id}".encode(), digest_size=5).hexdigest()
    return "0e:" + ":".join(digest[at : at + 2] for at in range(0, 10, 2))


def read_bridge(row: Row, local: Row | None, tables: Mapping[int, str]) -> BridgePlan:
    """What a bridge of ours is; anything about it that is not as it must be is told under FAULT_KEY."""
    faults = [*_setting_faults(row, tables), *_local_faults(local)]
    ids = our_ids(row.external_ids)
    if faults:
        ids[FAULT_KEY] = "; ".join(faults)
    return BridgePlan(row.name, datapath_of(row), MappingProxyType(ids))


def read_learning(row: Row, local: Row | None) -> BridgePlan:
    """As `read_bridge`, of an ordinary switch with our mark."""
    ids, faults = our_ids(row.external_ids), _local_faults(local)
    if faults:
        ids[FAULT_KEY] = "; ".join(faults)
    up = local is not None and list(local.admin_state) == ["up"]
    return BridgePlan(row.name, datapath_of(row), MappingProxyType(ids), learning=True, up=up)


def datapath_of(row: Row) -> Datapath:
    """Of a bridge; one that says nothing, or nonsense, has the kernel's."""
    return Datapath.USERSPACE if row.datapath_type == Datapath.USERSPACE else Datapath.KERNEL


def _setting_faults(row: Row, tables: Mapping[int, str]) -> list[str]:
    checks = {
        f"datapath_type={row.datapath_type}": row.datapath_type in ("", *Datapath),
        f"fail_mode={_word(row.fail_mode)}": row.fail_mode == ["secure"],
        f"protocols={_word(row.protocols)}": set(PROTOCOLS) <= set(row.protocols),
        "stp_enable=true": not row.stp_enable,
        "rstp_enable=true": not row.rstp_enable,
        "mcast_snooping_enable=true": not row.mcast_snooping_enable,
        "other_config:disable-in-band is not true": row.other_config.get("disable-in-band") == "true",
        "other_config:hwaddr is not set": "hwaddr" in row.other_config,
        "flow_tables have other names": not tables_are_misnamed(row, tables),
    }
    return [fault for fault, right in checks.items() if not right]


def tables_are_misnamed(row: Row, tables: Mapping[int, str]) -> bool:
    """True unless every OpenFlow table of `tables` has its name."""
    named = {number: name for number, table in row.flow_tables.items() for name in table.name}
    return not tables.items() <= named.items()


def _local_faults(local: Row | None) -> list[str]:
    if local is None:
        return ["it has no local port"]
    if not local.ofport or local.ofport[0] < 0:
        return [f"ovs-vswitchd does not run it{''.join(f': {it}' for it in local.error)}"]
    return []


def _word(values: list[str]) -> str:
    return ",".join(values) or "(none)"


# ---------------------------------------------------------------- ports


@dataclass(frozen=True, slots=True)
class SeenPort:
    """One port with our mark: what it is, its number once ovs-vswitchd forwards through it, and what it has found."""

    plan: PortPlan
    ofport: Ofport | None = None
    must_be_replugged: bool = False
    path: Path | None = None
    """The way it watches; None of a port that watches none."""


def read_port(port: Row, interface: Row | None, *, on_our_bridge: bool, carrier: str = "") -> SeenPort:
    """What a port of ours is; a port that forwards nothing has its reason under FAULT_KEY and no number.

    `carrier` is the bridge it is on when that is another one than our networks'.
    """
    kind = PortKind.VETH if interface is None else _KINDS.get(interface.type, PortKind.VETH)
    plan = PortPlan(
        name=port.name,
        kind=kind,
        vlan=Vlan(port.tag[0]) if port.tag else UNTAGGED,
        external_ids=MappingProxyType(our_ids(port.external_ids)),
        tagging="".join(port.vlan_mode),
        trunks=tuple(sorted(Vlan(it) for it in port.trunks)),
        rate=shapes.rate_of(port),
    )
    if interface is not None and kind in WITH_OPTIONS:
        tunnel = MappingProxyType(dict(interface.options)), MappingProxyType(dict(interface.bfd))
        plan = replace(plan, options=tunnel[0], bfd=tunnel[1])
    if interface is not None and interface.mtu_request:
        plan = replace(plan, mtu=int(interface.mtu_request[0]))
    if kind is PortKind.PATCH or BRIDGE_KEY in plan.external_ids:
        plan = replace(plan, bridge=carrier)
    fault = _port_fault(interface) if on_our_bridge or plan.bridge else "it is on another bridge"
    if fault:
        ids = MappingProxyType({**plan.external_ids, FAULT_KEY: fault})
        return SeenPort(replace(plan, external_ids=ids), must_be_replugged=True)
    path = read_path(interface.bfd_status) if interface is not None and plan.bfd else None
    return SeenPort(plan, _ofport(interface), path=path)


def _port_fault(interface: Row | None) -> str:
    if interface is None:
        return "it has no interface"
    if interface.type not in _KINDS:
        return f"it has become a port of type {interface.type}"
    if interface.ofport == [-1]:
        return _refusal(interface)
    return _link_fault(interface)


def _refusal(interface: Row) -> str:
    words = interface.error[0] if interface.error else "ovs-vswitchd refused it"
    is_tunnel = interface.type in (PortKind.VXLAN, PortKind.GENEVE)
    hints = (it.format(type=interface.type) for cause, it in _TUNNEL_HINTS.items() if is_tunnel and cause in words)
    return "; ".join((words, *hints))


def _link_fault(interface: Row) -> str:
    """Open vSwitch 3.1's userspace datapath keeps its socket on a deleted link, also when there is a new
    one of that name.
    """
    plugged_with = interface.external_ids.get(IFINDEX_KEY)
    # No number at all: ovs-vswitchd has not looked yet.
    if plugged_with is None or not interface.ifindex or str(interface.ifindex[0]) == plugged_with:
        return ""
    return "its link was replaced by another one" if interface.ifindex[0] else "its link is gone"


def _ofport(interface: Row | None) -> Ofport | None:
    found = interface.ofport if interface is not None else []
    return Ofport(found[0]) if found and found[0] > 0 else None


def interface_columns(plan: PortPlan, instance: str, ifindex: int | None) -> dict[str, object]:
    """Every column of a new interface; `ifindex` is None for one whose link ovs-vswitchd makes."""
    marks = {**plan.marks, OWNER_KEY: instance}
    if ifindex is not None:
        marks[IFINDEX_KEY] = str(ifindex)
    columns: dict[str, object] = {
        "name": plan.name,
        "type": INTERFACE_TYPES[plan.kind],
        "external_ids": marks,
    }
    if plan.kind is PortKind.INTERNAL:
        # Not its MAC: once the port is in a container, ovs-vswitchd cannot set it and complains at every change.
        columns |= {"mtu_request": plan.mtu}
    return columns | option_columns(plan)


def option_columns(plan: PortPlan) -> dict[str, object]:
    """The options of an interface where they are ours to say."""
    return {"options": dict(plan.options), "bfd": dict(plan.bfd)} if plan.kind in WITH_OPTIONS else {}


def port_columns(plan: PortPlan, instance: str) -> dict[str, object]:
    """Every column of a new port but its interface."""
    return {
        "name": plan.name,
        **vlan_columns(plan),
        "external_ids": {**plan.external_ids, OWNER_KEY: instance},
    }


def vlan_columns(plan: PortPlan) -> dict[str, object]:
    """In which VLANs it is."""
    return {
        "tag": [] if plan.vlan == UNTAGGED else [int(plan.vlan)],
        "vlan_mode": [plan.tagging] if plan.tagging else [],
        "trunks": [int(it) for it in plan.trunks],
    }
