"""What is known of the NIC that may be this host's trunk, and why it may not. Reads, and has it up; nothing else.

A NIC that is a port of a switch has no use for addresses: the kernel's own stack would no longer get its packets, and a
host that is reached by it would be cut off. So such a NIC is refused, and no address is ever taken away.
"""

import asyncio
import errno
import socket
from collections.abc import Collection
from dataclasses import dataclass

from ovsnet.linux import hostlists, interface
from ovsnet.linux.linkmessage import Link
from ovsnet.linux.namespace import list_links
from ovsnet.linux.netlink import Netlink
from ovsnet.linux.subscription import NEIGHBOUR
from ovsnet.model.errors import Unavailable
from ovsnet.model.ids import IpAddress

OUR_ALIAS = "ovsnet:"
"""How the alias of every link begins that we made."""
SWITCHES = frozenset({"openvswitch"})
"""Kinds of link that stand for the switch itself, which is the master of its ports."""


@dataclass(frozen=True, slots=True)
class Nic:
    """A NIC as it is. `mtu` is in bytes; `joins`: it hands up packets joined to larger ones (GRO).

    `obstacle` says in words why it cannot be a trunk, "" when it can.
    """

    name: str
    there: bool = False
    up: bool = False
    mtu: int = 0
    joins: bool = False
    obstacle: str = ""


async def look_at(name: str) -> Nic:
    """The NIC of that name now; Unavailable when the kernel does not tell."""
    links = list_links()
    link = next((it for it in links if it.name == name), None)
    if link is None:
        return Nic(name, obstacle=f"this host has no interface '{name}'; 'ip link' lists those it has")
    master = next((it for it in links if it.index == link.master), None)
    try:
        everything = await asyncio.to_thread(hostlists.held)
        routes = await asyncio.to_thread(hostlists.has_default_route, link.index)
    except OSError as error:
        raise Unavailable(NEIGHBOUR, f"addresses of {name} cannot be listed: {error.strerror}") from error
    addresses = [it.address for it in everything if it.index == link.index and it.everywhere]
    obstacle = obstacle_of(link, master, addresses, has_default_route=routes)
    return Nic(name, there=True, up=link.up, mtu=link.mtu, joins=_joins(name), obstacle=obstacle)


def obstacle_of(link: Link, master: Link | None, addresses: Collection[IpAddress], *, has_default_route: bool) -> str:
    """Why a NIC cannot be a trunk, and what to do; "" when it can."""
    if link.alias.startswith(OUR_ALIAS):
        return f"interface '{link.name}' was made by ovsnet itself; name a NIC"
    if addresses:
        held = ", ".join(sorted(map(str, addresses)))
        return (
            f"interface '{link.name}' has the address {held}, at which nobody would reach this host any more; name a "
            "NIC without addresses, or move them away first"
        )
    if has_default_route:
        return f"the default route of this host leads through interface '{link.name}'; name another NIC"
    if master is not None and master.kind not in SWITCHES:
        return f"interface '{link.name}' is a port of '{master.name}' ({master.kind}); take it out, or name another NIC"
    return ""


async def bring_up(name: str) -> None:
    """Have the NIC up; Unavailable when the kernel refuses."""
    try:
        async with Netlink() as kernel:
            await kernel.change(name, state="up")
    except OSError as error:
        raise Unavailable(f"interface {name}", f"it cannot be brought up: {error.strerror}") from error


def _joins(name: str) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ioctl:
        try:
            return interface.joins(name, ioctl)
        except OSError as error:
            if error.errno in (errno.ENODEV, errno.EOPNOTSUPP):  # it has gone meanwhile, or knows no offloads
                return False
            raise
