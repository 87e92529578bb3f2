"""Work inside another network namespace, without ever taking the agent there.

A namespace belongs to a thread. Each job gets a thread of its own that enters the namespace, does the job and
ends; nothing has to be put back, so nothing can be forgotten. A socket made inside keeps talking to the
namespace it was made in, and may be used outside.
"""

import asyncio
import errno
import os
import socket
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from ovsnet.linux.libc import libc, must
from ovsnet.linux.linkmessage import Link, list_request, messages, single_request
from ovsnet.linux.wire import DONE, ERROR
from ovsnet.model.errors import Unavailable
from ovsnet.model.ids import Mac

CLONE_NEWNET = 0x40000000
LISTING_DEADLINE = 3.0

T = TypeVar("T")


@contextmanager
def opened(sandbox: str) -> Iterator[int]:
    """The namespace at that path as a file descriptor; FileNotFoundError when it is gone."""
    descriptor = os.open(sandbox, os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


async def run_inside(namespace: int, job: Callable[[], T]) -> T:
    """Run a short job in the namespace behind a file descriptor; OSError when that is not a network
    namespace.
    """
    with ThreadPoolExecutor(max_workers=1) as thread:
        return await asyncio.get_running_loop().run_in_executor(thread, _enter_and_do, namespace, job)


async def find_inside(sandbox: str, macs: Collection[Mac]) -> Mapping[Mac, str]:
    """What the interfaces with these MACs are called in the namespace at that path.

    Those that are not there are left out: all of them when the namespace itself is gone.
    """
    wanted = frozenset(macs)
    links = await links_inside(sandbox)
    return {Mac(it.mac): it.name for it in links if it.mac in wanted}


async def links_inside(sandbox: str) -> tuple[Link, ...]:
    """All links of the namespace at that path; none when it is gone. Unavailable when it cannot be entered."""
    try:
        with opened(sandbox) as namespace:
            return await run_inside(namespace, list_links)
    except OSError as error:
        if is_gone(error):
            return ()
        raise Unavailable(f"network namespace {sandbox}", error.strerror or str(error)) from error


def is_gone(error: OSError) -> bool:
    """True when the path has been removed, or is a file on which no namespace is mounted any more."""
    return error.errno in (errno.ENOENT, errno.ENOTDIR, errno.EINVAL)


def list_links() -> tuple[Link, ...]:
    """All links of the calling thread's namespace. Blocks for less than a millisecond."""
    return tuple(_asked(list_request(1)))


def link_at(index: int) -> Link | None:
    """The link of that index in the calling thread's namespace; None when there is none."""
    return next(_asked(single_request(index=index)), None)


def _asked(request: bytes) -> Iterator[Link]:
    kind = socket.SOCK_RAW | socket.SOCK_CLOEXEC
    with socket.socket(socket.AF_NETLINK, kind, socket.NETLINK_ROUTE) as kernel:
        kernel.settimeout(LISTING_DEADLINE)
        kernel.send(request)
        yield from _listed(kernel)


def _listed(kernel: socket.socket) -> Iterator[Link]:
    while True:
        for message in messages(kernel.recv(1 << 16)):
            if message.type in (DONE, ERROR):
                return
            if message.link is not None:
                yield message.link


def _enter_and_do(namespace: int, job: Callable[[], T]) -> T:
    must(libc().setns(namespace, CLONE_NEWNET))
    return job()
