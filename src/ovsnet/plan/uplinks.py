"""Which NICs are ports of bridges, and where their addresses are. Pure."""

from collections.abc import Collection, Sequence
from ipaddress import ip_network

from ovsnet.model.host import HostFacts
from ovsnet.model.state import State
from ovsnet.model.uplink import Hold, HostAddress, HostRoute, Phase, Uplink, UplinkPlan

KERNEL = 2
"""RTPROT_KERNEL: routes that come with an address."""
ON_LINK = 4
"""RTNH_F_ONLINK."""
Moving = tuple[tuple[HostAddress, ...], tuple[HostRoute, ...]]


def plan_uplinks(state: State, facts: HostFacts) -> dict[str, UplinkPlan]:
    """One plan for each uplink that is ours in any part.

    One that is not in force is moved only as long as somebody watches over it (`facts.trials`): an agent that finds it
    like that at its start puts it back.
    """
    return {it.nic: _plan(it, facts) for it in state.uplinks.values() if it.hold is not Hold.NOTED}


def plan_of(uplink: Uplink, *, moved: bool) -> UplinkPlan:
    """The plan of one uplink."""
    return UplinkPlan(
        nic=uplink.nic,
        bridge=uplink.bridge,
        moved=moved,
        hold=uplink.hold,
        datapath=uplink.datapath,
        settings=uplink.settings,
        addresses=uplink.addresses,
        routes=uplink.routes,
        boot=uplink.boot,
    )


def _plan(uplink: Uplink, facts: HostFacts) -> UplinkPlan:
    tried = uplink.phase is Phase.TRYING and uplink.nic in facts.trials
    return plan_of(uplink, moved=tried or uplink.phase is Phase.IN_FORCE)


def moving(plan: UplinkPlan, addresses: Sequence[HostAddress], routes: Sequence[HostRoute], boot: str) -> Moving:
    """What the bridge's port must get, when the NIC has these and nothing is known of the port yet.

    In the boot in which the record was made a move has broken off, or the port was made anew: everything counts. After
    another boot the host's own configuration counts where it has given the NIC addresses. Its routes may still be on
    their way: those of the record that fit are kept.
    """
    configured = set() if boot == plan.boot else {it.address.version for it in addresses}
    recorded = [it for it in plan.addresses if it.address.version not in configured]
    newer = {it: it for it in addresses}  # equal ones may differ in how long they are valid
    wanted = (*(newer.pop(it, it) for it in recorded), *newer.values())
    places = {_place(it) for it in routes}
    others = (it for it in plan.routes if _place(it) not in places and _fits(it, wanted))
    return wanted, tuple(sorted((*routes, *others), key=lambda it: it.gateway is not None))


def _place(it: HostRoute) -> tuple[object, ...]:
    return it.destination, it.table, it.metric, it.tos


def _fits(route: HostRoute, addresses: Collection[HostAddress]) -> bool:
    own = {it.address.ip for it in addresses}
    if route.source is not None and route.source not in own:
        return False
    networks = [ip_network((it.peer or it.address.ip, it.address.network.prefixlen), strict=False) for it in addresses]
    if route.gateway is None:
        return route.protocol != KERNEL or route.destination in networks
    on_link = route.gateway.is_link_local or bool(route.flags & ON_LINK)
    return on_link or any(route.gateway in it for it in networks if it.version == route.gateway.version)
