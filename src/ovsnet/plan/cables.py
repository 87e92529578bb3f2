"""Cables from our bridge to others: two patch ports each, of which Open vSwitch makes no device. Pure."""

from collections.abc import Mapping

from ovsnet.model.host import PortPlan
from ovsnet.model.network import PortKind
from ovsnet.model.state import State
from ovsnet.plan import names


def plan_cable(near: str, far: str, bridge: str, external_ids: Mapping[str, str]) -> dict[str, PortPlan]:
    """The port `near` on our bridge, and the port `far` on that one."""
    ends = ((near, far, ""), (far, near, bridge))
    return {
        name: PortPlan(name, PortKind.PATCH, external_ids=external_ids, options={"peer": peer}, bridge=on)
        for name, peer, on in ends
    }


def plan_uplink_cables(state: State, instance: str) -> dict[str, PortPlan]:
    """One to the bridge of each uplink that has a network; none where the uplink is not known any more."""
    nics = {it.options.uplink for it in state.networks.values() if it.options.on_uplink} & state.uplinks.keys()
    ids = {names.OWNER_KEY: instance, names.TRUNK_KEY: "true"}
    cables: dict[str, PortPlan] = {}
    for nic in nics:
        near = names.uplink_port(nic)
        cables |= plan_cable(near, names.far_end(near), state.uplinks[nic].bridge, ids)
    return cables
