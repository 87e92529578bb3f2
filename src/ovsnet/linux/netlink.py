"""Requests to the kernel about links, addresses and routes. Only this module and conntrack.py import pyroute2.

Refusals are OSError with the kernel's errno, so that a caller may ask for FileExistsError and the like. The
kernel works on a request while it is being sent: a request that takes it long is sent from a thread.
"""

import asyncio
import errno
import os
import socket
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import IPv6Interface, ip_address
from types import TracebackType
from typing import Any, Self

from pyroute2 import AsyncIPRoute
from pyroute2.netlink.exceptions import NetlinkError

from ovsnet.linux.fdbmessage import EVERYBODY, drop_request, put_request
from ovsnet.linux.hostmessage import FAMILIES
from ovsnet.linux.linkmessage import delete_request
from ovsnet.linux.vxlan import Change
from ovsnet.linux.wire import ACKNOWLEDGE, ERROR, frames
from ovsnet.model.host import Route, Rule, TunnelPlan
from ovsnet.model.ids import IpAddress, IpInterface, Mac

NODAD = 0x02
"""IFA_F_NODAD: the address is usable at once."""
NO_ROUTE = 0x200
"""IFA_F_NOPREFIXROUTE."""
ON_LINK = 253
"""RT_SCOPE_LINK: without a gateway."""

OUR_PROTOCOL = 0x6F
"""By it a routing rule of ours is known (FRA_PROTOCOL)."""
AT_ONCE = 100
"""So many changes go into one datagram: were all refused, the answers would just fit into the socket's buffer."""


@dataclass(frozen=True, slots=True)
class NewEnd:
    """One end of a veth pair that is to be made. `namespace` is a file descriptor; None means here."""

    name: str
    mtu: int
    group: int = 0
    mac: Mac | None = None
    namespace: int | None = None


class Netlink:
    """A conversation with the kernel, about the namespace the socket was made in. Short-lived, a context
    manager.
    """

    def __init__(self, descriptor: int | None = None, *, deadline: float = 5.0) -> None:
        """`descriptor` is a netlink socket, which becomes ours; None: a new one. `deadline`: seconds a
        request.
        """
        self._kernel = AsyncIPRoute() if descriptor is None else AsyncIPRoute(fileno=descriptor)
        self._deadline = deadline

    async def __aenter__(self) -> Self:
        # Otherwise every one of many first requests at a time would open the socket's transport once more.
        await self._kernel.setup_endpoint()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._kernel.close()

    async def make_veth(self, near: NewEnd, far: NewEnd) -> None:
        """Make both ends in one step: either both are there or none."""
        await self._link("add", kind="veth", peer=_attributes(far), **_attributes(near))

    async def make(self, kind: str, name: str, attributes: Mapping[str, Any]) -> None:
        """Make a link of that kind."""
        await self._link("add", kind=kind, ifname=name, **attributes)

    async def make_vxlan(self, plan: TunnelPlan, *, device: int, group: int) -> None:
        """Make a vxlan device that learns nothing, down and without an alias, bound to the interface of that index."""
        version = "vxlan_local" if plan.local.version == 4 else "vxlan_local6"
        await self._link(
            "add",
            kind="vxlan",
            ifname=plan.name,
            group=group,
            vxlan_id=plan.vni,
            vxlan_link=device,
            vxlan_port=plan.udp_port,
            vxlan_learning=0,
            **{version: str(plan.local)},
        )

    async def forward(self, index: int, changes: Sequence[Change]) -> None:
        """Write where the vxlan device of that index sends what, in that order. After a refusal, which is raised, it
        goes on with the others.
        """
        await asyncio.to_thread(_forward_now, index, changes, self._deadline)

    async def change(self, name: str, **attributes: Any) -> None:
        """Change a link by its name: alias, group, mtu, address (MAC), state ("up"), `flags` and which to `change`."""
        # Index 0 makes the kernel look for the name; the library would spend a request of its own on that.
        await self._link("set", index=0, IFLA_IFNAME=name, **_with_kernel_names(attributes))

    async def change_at(self, index: int, **attributes: Any) -> None:
        """As `change`, by the link's index, which it keeps when it is renamed (ifname)."""
        await self._link("set", index=index, **_with_kernel_names(attributes))

    async def move(self, index: int, namespace: int, name: str) -> None:
        """Move a link to the namespace behind that file descriptor, where it is called `name`."""
        await self._link("set", index=index, net_ns_fd=namespace, ifname=name)

    async def delete(self, index: int) -> None:
        """Delete a link of the agent's own namespace, and with one end of a veth pair the other one."""
        await self._delete(delete_request(1, index=index))

    async def delete_there(self, index: int) -> None:
        """Delete a link of the namespace that this conversation is about."""
        await self._link("del", index=index)

    async def delete_group(self, group: int) -> None:
        """Delete all links of a group in one step: fifty cost the kernel hardly more time than one."""
        await self._delete(delete_request(1, group=group))

    async def add_address(self, name: str, address: IpInterface, *, reached: bool = True) -> None:
        """Give a link an address, at once usable. `reached`: with a route to its subnet."""
        flags = (NODAD if isinstance(address, IPv6Interface) else 0) | (0 if reached else NO_ROUTE)
        with _refusals():
            async with asyncio.timeout(self._deadline):
                (index,) = await self._index(name)
                more = {"flags": flags} if flags else {}
                await self._kernel.addr("replace", index=index, address=str(address), **more)

    async def add_route(self, name: str, route: Route, *, metric: int = 0) -> None:
        """Have a route through a link that is up; again it changes nothing. The lower its `metric`, the sooner it is
        taken; 0 leaves that to the kernel.
        """
        scope = {"scope": ON_LINK} if route.gateway is None else {}
        with _refusals():
            async with asyncio.timeout(self._deadline):
                (index,) = await self._index(name)
                await self._kernel.route("replace", oif=index, **scope, **_way(route, metric))

    async def drop_address(self, name: str, address: IpInterface) -> None:
        """Take an address from a link."""
        with _refusals():
            async with asyncio.timeout(self._deadline):
                (index,) = await self._index(name)
                await self._kernel.addr("del", index=index, address=str(address))

    async def drop_route(self, name: str, route: Route, *, metric: int = 0) -> None:
        """Take a route through a link away."""
        with _refusals():
            async with asyncio.timeout(self._deadline):
                (index,) = await self._index(name)
                await self._kernel.route("del", oif=index, **_way(route, metric))

    async def add_rule(self, rule: Rule) -> None:
        """Have a routing rule, marked as ours; FileExistsError when it is there."""
        with _refusals():
            async with asyncio.timeout(self._deadline):
                await self._kernel.rule("add", **_match(rule))

    async def drop_rule(self, rule: Rule) -> None:
        """Take a routing rule of ours away; FileNotFoundError when it is not there."""
        with _refusals():
            async with asyncio.timeout(self._deadline):
                await self._kernel.rule("del", **_match(rule))

    async def rules(self) -> AsyncIterator[Rule]:
        """The routing rules of ours that go by a mark alone."""
        with _refusals():
            async with asyncio.timeout(self._deadline):
                for version, family in FAMILIES.items():
                    async for it in await self._kernel.rule("dump", family=family):
                        if it.get("protocol") == OUR_PROTOCOL and it.get("fwmark"):
                            way = {"mark": it.get("fwmark"), "mask": it.get("fwmask"), "priority": it.get("priority")}
                            yield Rule(version, it.get("table"), **way)

    async def put_discipline(self, name: str, kind: str, handle: int, parent: int, **numbers: Any) -> None:
        """Give a link a queueing discipline of that number, or change the one it has."""
        with _refusals():
            async with asyncio.timeout(self._deadline):
                (index,) = await self._index(name)
                await self._kernel.tc("replace", kind, index=index, handle=handle, parent=parent, **numbers)

    async def drop_discipline(self, name: str, handle: int, parent: int) -> None:
        """Take the queueing discipline of that number, and what is below it, from a link."""
        with _refusals():
            async with asyncio.timeout(self._deadline):
                (index,) = await self._index(name)
                await self._kernel.tc("del", index=index, handle=handle, parent=parent)

    async def _index(self, name: str) -> Sequence[int]:
        found: Sequence[int] = await self._kernel.link_lookup(ifname=name)
        if len(found) != 1:
            raise OSError(errno.ENODEV, f"there is no interface {name} any more")
        return found

    async def source_towards(self, address: IpAddress) -> IpAddress | None:
        """The address this host would send from to another one; OSError when it has no route there."""
        with _refusals():
            async with asyncio.timeout(self._deadline):
                for route in await self._kernel.route("get", dst=str(address)):
                    source = route.get("prefsrc")
                    return None if source is None else ip_address(source)
        return None

    async def _link(self, command: str, **attributes: Any) -> None:
        with _refusals():
            async with asyncio.timeout(self._deadline):
                await self._kernel.link(command, **attributes)

    async def _delete(self, request: bytes) -> None:
        # 10 to 25 ms: the kernel waits until no processor can still see the link, and the sender with it.
        await asyncio.to_thread(_delete_now, request, self._deadline)


def _delete_now(request: bytes, deadline: float) -> None:
    for error in _exchange([request], deadline).values():
        raise OSError(error, os.strerror(error))


def _forward_now(index: int, changes: Sequence[Change], deadline: float) -> None:
    refused: list[OSError] = []
    for start in range(0, len(changes), AT_ONCE):
        some = changes[start : start + AT_ONCE]
        requests = [_request(index, it, number, last=number == len(some)) for number, it in enumerate(some, 1)]
        for number, error in _exchange(requests, deadline).items():
            if some[number - 1].goes or error != errno.ENOENT:  # what is to go and has gone is as wanted
                refused.append(_refusal(some[number - 1], error))
    if refused:
        raise refused[0]


def _request(index: int, change: Change, number: int, *, last: bool) -> bytes:
    flags = ACKNOWLEDGE if last else 0
    mac = change.mac or EVERYBODY
    if change.goes and change.vtep is not None:
        return put_request(number, flags, index, mac, change.vtep)
    return drop_request(number, flags, index, mac, change.vtep)


def _refusal(change: Change, error: int) -> OSError:
    return OSError(error, f"{os.strerror(error)}, when {change.mac or 'broadcasts'} should go to {change.vtep}")


def _exchange(requests: Sequence[bytes], deadline: float) -> Mapping[int, int]:
    """Send requests, numbered from 1, the last of which asks for an acknowledgement. Returns who was refused and
    why.
    """
    kind = socket.SOCK_RAW | socket.SOCK_CLOEXEC
    errors: dict[int, int] = {}
    with socket.socket(socket.AF_NETLINK, kind, socket.NETLINK_ROUTE) as kernel:
        kernel.settimeout(deadline)
        kernel.send(b"".join(requests))
        while len(requests) not in errors:
            errors.update({it.sequence: it.error for it in frames(kernel.recv(1 << 16)) if it.type == ERROR})
    return {number: error for number, error in errors.items() if error}


def _way(route: Route, metric: int) -> dict[str, Any]:
    gateway = {} if route.gateway is None else {"gateway": str(route.gateway)}
    more = {"priority": metric, "table": route.table}
    return {"dst": str(route.destination), **gateway, **{key: value for key, value in more.items() if value}}


def _match(rule: Rule) -> dict[str, Any]:
    said: dict[str, Any] = {
        "family": FAMILIES[rule.version],
        "table": rule.table,
        "priority": rule.priority,
        "protocol": OUR_PROTOCOL,
    }
    networks = {"src": rule.source, "dst": rule.destination}
    said |= {key: str(network) for key, network in networks.items() if network is not None}
    said |= {"iifname": rule.iif} if rule.iif else {}
    return said | ({"fwmark": rule.mark, "fwmask": rule.mask} if rule.mark else {})


def _attributes(end: NewEnd) -> dict[str, Any]:
    known = {
        "ifname": end.name,
        "mtu": end.mtu,
        "group": end.group,
        "address": end.mac,
        "net_ns_fd": end.namespace,
    }
    return {key: value for key, value in known.items() if value is not None}


def _with_kernel_names(attributes: dict[str, Any]) -> dict[str, Any]:
    """The library reads `alias` as something else."""
    return {("IFLA_IFALIAS" if key == "alias" else key): value for key, value in attributes.items()}


@contextmanager
def _refusals() -> Iterator[None]:
    try:
        yield
    except NetlinkError as error:
        raise OSError(error.code, os.strerror(error.code)) from error
    except TimeoutError as error:
        raise OSError(errno.ETIMEDOUT, "the kernel did not answer in time") from error
