"""A container's network namespace, opened to put a lost interface back.

What the engine does when a container starts is repeated here for one interface: MAC, name, IPv6 on or off,
addresses, up. Routes over other interfaces were not lost; those to the interface's own subnets come with its
addresses, and others that it was given are put back.
"""

import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from ovsnet.linux import interface, shaping
from ovsnet.linux.namespace import is_gone, opened, run_inside
from ovsnet.linux.netlink import Netlink
from ovsnet.model.errors import ApplyError
from ovsnet.model.host import InsidePlan, LinkPlan, Placement, Route, Routers
from ovsnet.model.shaping import UNSHAPED


@dataclass(frozen=True, slots=True)
class Sandbox:
    """An open namespace: its file descriptor, a conversation with the kernel about it, and a socket for
    ioctls.
    """

    namespace: int
    kernel: Netlink
    ioctl: socket.socket

    async def finish(self, placement: Placement, alias: str, mtu: int) -> None:
        """Give the interface, which is already inside and has its final name, all the rest."""
        name = placement.ifname
        await run_inside(self.namespace, lambda: set_up_ipv6(placement))
        for address in placement.addresses:
            await self.kernel.add_address(name, address, reached=not placement.table)
        await self.kernel.change(name, alias=alias, state="up")
        if placement.table:
            await run_inside(self.namespace, lambda: interface.check_sources_by_mark(name))
        for route in (*placement.routes, *own_routes(placement)):
            await self.kernel.add_route(name, route)
        if placement.shape != UNSHAPED:
            await shaping.put(self.kernel, name, placement.shape, mtu)


def own_routes(placement: Placement) -> Iterator[Route]:
    """To the subnets of its addresses, where the kernel does not make them by itself."""
    for address in placement.addresses if placement.table else ():
        yield Route(address.network, table=placement.table)


def set_up_ipv6(placement: Placement | InsidePlan) -> None:
    """Have IPv6 on the interface where it has or gets addresses of it; in its namespace."""
    heeds = placement.routers is not Routers.IGNORED
    wanted = heeds or any(it.version == 6 for it in placement.addresses)
    if heeds:  # before IPv6 is on: then it asks for routers at once
        interface.heed_routers(placement.ifname, autoconf=placement.routers is Routers.AUTOCONF)
    interface.allow_ipv6(placement.ifname, allowed=wanted)


@asynccontextmanager
async def sandbox_of(plan: LinkPlan, placement: Placement) -> AsyncIterator[Sandbox]:
    """The namespace the link belongs into; ApplyError when it is gone."""
    async with sandbox_at(plan.name, placement.sandbox) as sandbox:
        yield sandbox


@asynccontextmanager
async def sandbox_at(resource: str, path: str) -> AsyncIterator[Sandbox]:
    """The namespace at that path; ApplyError about the resource when it is gone."""
    async with AsyncExitStack() as stack:
        try:
            namespace = stack.enter_context(opened(path))
            netlink, ioctl = await run_inside(namespace, _sockets)
        except OSError as error:
            raise ApplyError(resource, _why_not(path, error)) from error
        stack.enter_context(ioctl)
        kernel = await stack.enter_async_context(Netlink(netlink.detach()))
        yield Sandbox(namespace, kernel, ioctl)


def name_taken_inside(placement: Placement) -> str:
    """Why an interface cannot have its name."""
    return f"there is an interface {placement.ifname} inside already that was not attached; rename or remove that one"


def _why_not(path: str, error: OSError) -> str:
    outcome = "is gone" if is_gone(error) else f"cannot be entered: {error.strerror}"
    return f"the network namespace {path} of its container {outcome}"


def _sockets() -> tuple[socket.socket, socket.socket]:
    kernel = socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE)
    return kernel, socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
