"""Waiting for an interface inside a namespace to be up, and frames sent out through one."""

import asyncio
import socket
from collections.abc import Sequence

from ovsnet.linux.linkmessage import list_request, messages
from ovsnet.linux.linktable import EVENTS_OF_LINKS
from ovsnet.linux.namespace import is_gone, opened, run_inside
from ovsnet.model.errors import Unavailable


async def has_carrier(sandbox: str, ifname: str) -> None:
    """Return when the interface is up and its other side is; for ever when it never is. Unavailable without the
    namespace.
    """
    try:
        with opened(sandbox) as namespace:
            events = await run_inside(namespace, _subscribed)
    except OSError as error:
        reason = "it is gone" if is_gone(error) else error.strerror or str(error)
        raise Unavailable(f"network namespace {sandbox}", reason) from error
    with events:
        loop = asyncio.get_running_loop()
        # Subscribed before it is listed: no change falls between the two.
        await loop.sock_sendall(events, list_request(1))
        while True:
            for message in messages(await loop.sock_recv(events, 1 << 16)):
                if message.link is not None and message.link.name == ifname and message.link.carrier:
                    return


async def send_inside(sandbox: str, ifname: str, frames: Sequence[bytes]) -> None:
    """Send whole Ethernet frames as the namespace would itself; OSError when the interface is not there."""
    with opened(sandbox) as namespace:
        await run_inside(namespace, lambda: _send(ifname, frames))


def _subscribed() -> socket.socket:
    events = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE)
    events.bind((0, EVENTS_OF_LINKS))
    events.settimeout(0)
    return events


def _send(ifname: str, frames: Sequence[bytes]) -> None:
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_CLOEXEC) as out:
        out.bind((ifname, 0))
        for frame in frames:
            out.send(frame)
