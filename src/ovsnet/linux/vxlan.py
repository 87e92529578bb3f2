"""Whose a vxlan device is, what it is in the terms of a plan, and what has to be written to it. Pure.

The owner mark is the alias, or the group, which the kernel takes already when it makes the device: one of our group
without an alias is half made.
"""

import errno
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from ovsnet.linux.fdbmessage import is_single
from ovsnet.linux.forwardtable import Forwards
from ovsnet.linux.linkmessage import Link, Vxlan
from ovsnet.linux.ownership import BROKEN, TUNNEL
from ovsnet.model.cluster import OVERHEAD
from ovsnet.model.host import TunnelPlan
from ovsnet.model.ids import IpAddress, Vni

OUR_GROUP = 0x6F76_7333
ELSEWHERE = "a device in another network namespace (perhaps of a Docker overlay network)"
NOWHERE = "nowhere"
"""Reported as the interface of a device that is bound to none, or to one that is gone."""

NONE = Vxlan(vni=0, port=0)


@dataclass(frozen=True, slots=True)
class Change:
    """What is for `mac` ("": everybody) shall go to `vtep` as well, or not any more; None: to nobody at all."""

    mac: str
    vtep: IpAddress | None
    goes: bool


def is_our_tunnel(link: Link, mark: str) -> bool:
    """True for the vxlan devices that are ours, finished or not. `mark` is that of all our links."""
    return link.vxlan is not None and (link.group == OUR_GROUP or link.alias.startswith(mark + TUNNEL))


def as_plan(link: Link, device: Link | None, forwards: Forwards) -> TunnelPlan:
    """What there is. One that is down has the MTU 0, one that learns says so where it names its interface."""
    vxlan = link.vxlan or NONE
    at = device.name if device is not None else NOWHERE
    return TunnelPlan(
        name=link.name,
        vni=Vni(vxlan.vni),
        local=vxlan.local,
        device=f"{at}, learning" if vxlan.learning else at,
        udp_port=vxlan.port,
        mtu=link.mtu if link.up else BROKEN,
        alias=link.alias,
        forwards=forwards,
    )


def is_same_device(have: TunnelPlan, want: TunnelPlan) -> bool:
    """True when what differs can be changed without making the device anew, which would cost its port."""
    return replace(have, mtu=want.mtu, alias=want.alias, forwards=want.forwards) == want


def is_in_the_way(link: Link, plan: TunnelPlan) -> bool:
    """True for another device that has the VNI on this UDP port: the kernel takes one only."""
    vxlan = link.vxlan
    return vxlan is not None and link.name != plan.name and (vxlan.vni, vxlan.port) == (plan.vni, plan.udp_port)


def forwarding_changes(want: Forwards, have: Forwards) -> Sequence[Change]:
    """What to write, new ways before old ones go. A MAC with an entry that we would not write begins anew."""
    surplus = have - want
    anew = {_mac(it) for it, _ in surplus if it != _mac(it)}
    puts = [Change(mac, vtep, goes=True) for mac, vtep in want if mac in anew or (mac, vtep) not in have]
    replaced = {it.mac for it in puts if it.mac and is_single(it.mac)}
    drops = (Change(mac, vtep, goes=False) for mac, vtep in surplus if _mac(mac) not in anew | replaced)
    return [*(Change(mac, None, goes=False) for mac in anew), *puts, *drops]


def reason_of(error: OSError, plan: TunnelPlan, links: Iterable[Link]) -> str:
    """Why the kernel refuses the device, and what a person can do. `links` are all there are."""
    match error.errno:
        case errno.EEXIST:
            holder = next((f"the device {it.name}" for it in links if is_in_the_way(it, plan)), ELSEWHERE)
            return f"VNI {plan.vni} on UDP port {plan.udp_port} is taken by {holder}; delete that one"
        case errno.EADDRINUSE:
            holder = next((f"the device {it.name}" for it in links if _listens(it, plan)), "another program")
            return (
                f"UDP port {plan.udp_port} is taken by {holder}; 'ss -lunp' shows whose it is. Another port is the "
                "cluster's with 'ovsnet cluster init --udp-port'"
            )
        case errno.EOPNOTSUPP:
            return "this kernel has no vxlan devices; load its module ('modprobe vxlan') or set tunnel = \"ovs\""
        case errno.EINVAL:
            return _too_large(plan, links) or str(error.strerror)
        case _:
            return error.strerror or str(error)


def _listens(link: Link, plan: TunnelPlan) -> bool:
    return link.vxlan is not None and link.name != plan.name and link.vxlan.port == plan.udp_port


def _too_large(plan: TunnelPlan, links: Iterable[Link]) -> str:
    room = next((it.mtu for it in links if it.name == plan.device), 0) - OVERHEAD[plan.local.version]
    if plan.mtu <= room:
        return ""
    return f"an MTU of {plan.mtu} does not fit into {plan.device}; at most {room} do"


def _mac(text: str) -> str:
    """Without the oddity that the table writes after it."""
    return text.partition(" ")[0]
