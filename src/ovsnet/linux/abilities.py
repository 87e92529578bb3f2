"""What this kernel can do: asked by trying it, in a network namespace that is gone afterwards.

Whether something is built in, a module that can be loaded, or not there at all, nothing else tells as surely.
"""

import asyncio
import errno
import socket
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from ovsnet.linux.libc import libc, must
from ovsnet.linux.namespace import CLONE_NEWNET
from ovsnet.linux.netlink import Netlink
from ovsnet.linux.shaping import OURS, ROOT

LOOPBACK: Final = "lo"
LOOPBACK_INDEX: Final = 1
DISCIPLINES: Final[dict[str, dict[str, Any]]] = {
    "tbf": {"rate": 1000, "burst": 3000, "limit": 3000},
    "htb": {"default": 0},
    "netem": {"loss": 1},
}
"""With numbers that are good for a try."""


async def lacking(kinds: Collection[str]) -> frozenset[str]:
    """Those kinds of queueing disciplines and links that this kernel does not have."""
    if not kinds:
        return frozenset()
    with ThreadPoolExecutor(max_workers=1) as thread:
        descriptor = await asyncio.get_running_loop().run_in_executor(thread, _socket_apart)
    async with Netlink(descriptor) as kernel:
        return frozenset([it for it in kinds if not await _has(kernel, it)])


async def _has(kernel: Netlink, kind: str) -> bool:
    return await (_has_discipline if kind in DISCIPLINES else _has_link)(kernel, kind)


async def _has_link(kernel: Netlink, kind: str) -> bool:
    try:
        await kernel.make(kind, "a", {"link": LOOPBACK_INDEX})
    except OSError as error:
        # Another refusal, as of one on the loopback, is by somebody who knows the kind.
        return error.errno != errno.EOPNOTSUPP
    return True


async def _has_discipline(kernel: Netlink, kind: str) -> bool:
    try:
        await kernel.put_discipline(LOOPBACK, kind, OURS, ROOT, **DISCIPLINES[kind])
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.EOPNOTSUPP):
            return False
        raise
    await kernel.drop_discipline(LOOPBACK, OURS, ROOT)
    return True


def _socket_apart() -> int:
    """A netlink socket in a namespace of its own, which lives as long as the socket. For a thread that ends then."""
    must(libc().unshare(CLONE_NEWNET))
    kind = socket.SOCK_DGRAM | socket.SOCK_CLOEXEC
    return socket.socket(socket.AF_NETLINK, kind, socket.NETLINK_ROUTE).detach()
