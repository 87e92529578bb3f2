"""The network namespace of the name service, its way to the host, and sockets to listen on.

    containers ── bridge ── ovdns ══ ocdns ┐ namespace       ┌ ochost ══ ovdnsh ── host, containers of other drivers
                  169.254.83.82   .83/31   └ listens on .83  ┘ .81/31    .80/31

The namespace has a name, so that an agent that starts finds what the one before it left, links and all. The pair to
the bridge is made like any other (plan/dns.py). The one to the host is made here: a container of another driver, which
gets our address from the engine's settings as well, is answered at once instead of waiting in vain. It comes through
the host like any packet for outside, by the engine's own rules, so nobody of the LAN gets there; and strict source
checks see to it that nobody comes that way with an address that belongs on the bridge.
"""

import asyncio
import os
import socket
import threading
from collections.abc import Callable
from contextlib import ExitStack, suppress
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from pathlib import Path

from ovsnet.linux.libc import libc, must
from ovsnet.linux.namespace import CLONE_NEWNET, links_inside, list_links, opened, run_inside
from ovsnet.linux.netlink import Netlink, NewEnd
from ovsnet.model.errors import Unavailable
from ovsnet.model.host import Route
from ovsnet.model.network import DEFAULT_MTU

NAMESPACES = Path("/run/netns")
"""Where `ip netns` looks for names."""
AT_HOST, INSIDE = "ovdnsh", "ochost"
"""The ends of the pair between host and namespace."""
MARK = "ovsnet names"
"""Its alias: not that of the links that the reconciler makes and takes away."""
DNS = 53
IP_FREEBIND = 15
"""Bind before the address is there: its link comes later (ip(7))."""
BACKLOG = 64
SYSCTLS = {
    # Every "nobody listens" shall be heard: it sends a resolver to its next server while no agent runs.
    "icmp_ratelimit": "0",
    "conf/all/rp_filter": "1",
    # A new namespace takes over what the host has, and the engine makes that a router.
    "ip_forward": "0",
    # Our unit has no CAP_NET_BIND_SERVICE, and needs none for a namespace in which nobody else is.
    "ip_unprivileged_port_start": "0",
}
_MS_BIND, _MS_REC, _MS_SHARED, _MNT_DETACH = 4096, 16384, 1 << 20, 2

Sockets = tuple[socket.socket, socket.socket]
"""For datagrams, and for streams."""


def namespace_of(instance: str) -> Path:
    """The namespace of this instance of the agent."""
    return NAMESPACES / f"{instance}-dns"


async def make_namespace(path: Path) -> None:
    """Have a network namespace of that name; Unavailable when none can be made."""
    try:
        await asyncio.to_thread(_in_a_thread_of_its_own, lambda: _make(path))
        with opened(str(path)) as namespace:
            await run_inside(namespace, _prepare)
            async with Netlink(await run_inside(namespace, _netlink)) as kernel:
                # Where no interface is up the kernel takes any address for a broadcast one, and a socket that is
                # bound to it sends by whatever address is nearest (__inet_dev_addr_type, seen on 6.18).
                await kernel.change("lo", state="up")
    except OSError as error:
        raise Unavailable(f"network namespace {path}", error.strerror or str(error)) from error


async def remove_namespace(path: Path) -> None:
    """Have no namespace of that name and no way to it; Unavailable when the kernel refuses."""
    try:
        async with Netlink() as kernel:
            await _delete_ours(kernel)
        _unmake(path)
    except OSError as error:
        raise Unavailable(f"network namespace {path}", error.strerror or str(error)) from error


async def listen_inside(path: Path, address: IPv4Address, port: int = DNS) -> Sockets:
    """Sockets in the namespace; Unavailable when they cannot be had."""
    try:
        with opened(str(path)) as namespace:
            return await run_inside(namespace, lambda: _bound(address, port))
    except OSError as error:
        raise Unavailable(f"{address} in {path}", error.strerror or str(error)) from error


async def join_host(path: Path, address: IPv4Address) -> None:
    """Have a way from the host to the address in the namespace; Unavailable when the kernel refuses."""
    ours, hosts = (IPv4Interface((int(address) ^ it, 31)) for it in (2, 3))
    try:
        with opened(str(path)) as namespace:
            if all(it.name != INSIDE for it in await links_inside(str(path))):
                async with Netlink() as kernel:
                    await _delete_ours(kernel)  # it led to a namespace that is no more
                    far = NewEnd(INSIDE, DEFAULT_MTU, namespace=namespace)
                    await kernel.make_veth(NewEnd(AT_HOST, DEFAULT_MTU), far)
                    await kernel.change(AT_HOST, alias=MARK)
            async with Netlink(await run_inside(namespace, _netlink)) as kernel:
                await _set_up(kernel, INSIDE, ours)
        async with Netlink() as kernel:
            await _set_up(kernel, AT_HOST, hosts)
            await kernel.add_route(AT_HOST, Route(IPv4Network(address)))
    except OSError as error:
        raise Unavailable(f"the way from this host to {path}", error.strerror or str(error)) from error


async def _delete_ours(kernel: Netlink) -> None:
    for link in (it for it in list_links() if it.name == AT_HOST and it.alias == MARK):
        await kernel.delete(link.index)


async def _set_up(kernel: Netlink, name: str, address: IPv4Interface) -> None:
    await kernel.add_address(name, address)
    await kernel.change(name, state="up")


# ---------------------------------------------------------------- in the namespace


def _bound(address: IPv4Address, port: int) -> Sockets:
    with ExitStack() as stack:
        kinds = (socket.SOCK_DGRAM, socket.SOCK_STREAM)
        sockets = [stack.enter_context(socket.socket(socket.AF_INET, it | socket.SOCK_NONBLOCK)) for it in kinds]
        for it in sockets:
            it.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, int(it.type == socket.SOCK_STREAM))
            it.setsockopt(socket.IPPROTO_IP, IP_FREEBIND, 1)
            it.bind((str(address), port))
        sockets[1].listen(BACKLOG)
        stack.pop_all()
        return sockets[0], sockets[1]


def _netlink() -> int:
    kind = socket.SOCK_DGRAM | socket.SOCK_CLOEXEC
    return socket.socket(socket.AF_NETLINK, kind, socket.NETLINK_ROUTE).detach()


def _prepare() -> None:
    for name, value in SYSCTLS.items():
        Path("/proc/sys/net/ipv4", name).write_text(value)


# ---------------------------------------------------------------- making it


def _in_a_thread_of_its_own(job: Callable[[], None]) -> None:
    """The thread ends with the job: it may be in another namespace then, and nobody shall work there by mistake."""
    refused: list[OSError] = []

    def work() -> None:
        try:
            job()
        except OSError as error:
            refused.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    for error in refused:
        raise error


def _make(path: Path) -> None:
    """As `ip netns add` does it (ip-netns(8)), so that it can be looked at with `ip netns exec`."""
    if os.path.ismount(path):
        return
    path.parent.mkdir(exist_ok=True)
    folder = os.fsencode(path.parent)
    if libc().mount(b"", folder, b"none", _MS_SHARED | _MS_REC, None) != 0:
        must(libc().mount(folder, folder, b"none", _MS_BIND | _MS_REC, None))
        must(libc().mount(b"", folder, b"none", _MS_SHARED | _MS_REC, None))
    path.touch()
    must(libc().unshare(CLONE_NEWNET))
    must(libc().mount(b"/proc/thread-self/ns/net", os.fsencode(path), b"none", _MS_BIND, None))


def _unmake(path: Path) -> None:
    with suppress(FileNotFoundError):
        libc().umount2(os.fsencode(path), _MNT_DETACH)
        path.unlink()
