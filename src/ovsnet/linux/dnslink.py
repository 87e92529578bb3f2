"""The network namespace of the name service, and sockets to listen on.

    containers ── bridge ── ovdns ══ ocdns [namespace: 169.254.83.83]      [host: 169.254.83.83, a local route]
                                            sockets: who asks is known      sockets: for everybody else

The namespace has a name, so that an agent that starts finds what the one before it left, link and all. The pair of
links is made like any other (plan/dns.py). In the host itself the address is local as well: a container of another
driver, which gets our address from the engine's settings too, is answered there at once and does not wait in vain.
"""

import asyncio
import ctypes
import os
import socket
import threading
from collections.abc import Callable
from contextlib import ExitStack, suppress
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

from ovsnet.linux.namespace import CLONE_NEWNET, opened, run_inside
from ovsnet.linux.netlink import Netlink
from ovsnet.model.errors import Unavailable

NAMESPACES = Path("/run/netns")
"""Where `ip netns` looks for names."""
DNS = 53
OUR_PROTOCOL = 83
"""rtm_protocol of the route that is ours (rtnetlink(7): free above 4 for anybody)."""
IP_FREEBIND = 15
"""Bind before the address is there: its link comes later (ip(7))."""
BACKLOG = 64
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
    except OSError as error:
        raise Unavailable(f"network namespace {path}", error.strerror or str(error)) from error


def remove_namespace(path: Path) -> None:
    """Have no namespace of that name; what is in it goes with the last that uses it."""
    with suppress(FileNotFoundError):
        _libc().umount2(os.fsencode(path), _MNT_DETACH)
        path.unlink()


async def listen_inside(path: Path, address: IPv4Address, port: int = DNS) -> Sockets:
    """Sockets in the namespace, where only our pipeline brings packets; Unavailable when they cannot be had."""
    try:
        with opened(str(path)) as namespace:
            return await run_inside(namespace, lambda: bound(address, port))
    except OSError as error:
        raise Unavailable(f"{address} in {path}", error.strerror or str(error)) from error


async def listen_here(address: IPv4Address, port: int = DNS) -> Sockets:
    """Sockets on the same address of the host; Unavailable when they cannot be had."""
    try:
        async with Netlink() as kernel:
            await kernel.add_local(IPv4Network(address), protocol=OUR_PROTOCOL)
        return bound(address, port)
    except OSError as error:
        raise Unavailable(f"{address} on this host", error.strerror or str(error)) from error


async def leave_here(address: IPv4Address) -> None:
    """Have the address not be the host's; OSError when the kernel refuses."""
    async with Netlink() as kernel:
        with suppress(ProcessLookupError):  # ESRCH: there is no such route
            await kernel.drop_local(IPv4Network(address), protocol=OUR_PROTOCOL)


def bound(address: IPv4Address, port: int) -> Sockets:
    """A pair of sockets of the calling thread's namespace."""
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


# ---------------------------------------------------------------- blocking, in threads


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
    if _libc().mount(b"", folder, b"none", _MS_SHARED | _MS_REC, None) != 0:
        _must(_libc().mount(folder, folder, b"none", _MS_BIND | _MS_REC, None))
        _must(_libc().mount(b"", folder, b"none", _MS_SHARED | _MS_REC, None))
    path.touch()
    _must(_libc().unshare(CLONE_NEWNET))
    _must(_libc().mount(b"/proc/thread-self/ns/net", os.fsencode(path), b"none", _MS_BIND, None))


def _prepare() -> None:
    """Every "nobody listens" shall be heard: it is what sends a resolver to its next server while no agent runs."""
    Path("/proc/sys/net/ipv4/icmp_ratelimit").write_text("0")


def _must(result: int) -> None:
    if result != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)
