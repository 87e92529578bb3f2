"""Follows what others do to the flows and groups of a bridge: one idle `ovs-ofctl monitor` process.

A flow monitor (OpenFlow 1.4 7.3.5.17) tells of flows only. Requests that change groups are told to
connections that ask for it (7.3.10 and 7.4.7, OFPT_REQUESTFORWARD); the monitor is made to ask through its
control socket. What we write ourselves is told too: the watched applier knows whether it is news.
"""

import asyncio
import struct
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Protocol

import structlog

from ovsnet.model.errors import Unavailable
from ovsnet.ovs.monitor import Monitor, Wish, monitoring

MIN_PAUSE, MAX_PAUSE = 0.1, 1.0
"""Seconds between attempts to reach a switch that is away: the first, and what doubling ends at."""
CHUNK = 1 << 18
"""Bytes taken from the monitor at once."""
_VERSION_1_4, _SET_ASYNC = 5, 28
_ASYNC_PROPERTIES = {2: 0, 3: 0, 10: 1, 11: 1}
"""OFPACPT_PORT_STATUS_* off, OFPACPT_REQUESTFORWARD_* for groups on, each for both roles (OpenFlow 1.4
7.3.10).
"""

log = structlog.get_logger(__name__)


class Watched(Protocol):
    """Believes something about the switch, and can correct it."""

    async def disagrees(self, printed: Iterable[str]) -> bool:
        """True when these lines of a monitor were news; the belief was corrected then."""

    async def seen_afresh(self) -> bool:
        """Read everything; True when anything was news."""


async def watch_flows(
    target: str, control_socket: Path, watched: Watched, changed: Callable[[], None], *, deadline: float
) -> None:
    """Until cancelled: call `changed` after news, and when the switch cannot be followed any more."""
    wish = Wish("flow monitor", set_async(), CHUNK)
    pause = MIN_PAUSE
    followed = True
    while True:
        try:
            async with monitoring(wish, target, control_socket, deadline=deadline) as monitor:
                log.info("flows are watched", target=target)
                pause, followed = MIN_PAUSE, True
                await _follow(monitor, watched, changed)
        except Unavailable as error:
            if followed:
                log.warning("flows are not watched", target=target, reason=error.reason)
                followed = False
                changed()
        await asyncio.sleep(pause)
        pause = min(MAX_PAUSE, pause * 2)


async def _follow(monitor: Monitor, watched: Watched, changed: Callable[[], None]) -> None:
    """Until the monitor ends, which is Unavailable."""
    # The monitor listens already: what happens while we read is told afterwards.
    if await watched.seen_afresh():
        changed()
    while True:
        if await watched.disagrees(await monitor.printed()):
            changed()


def set_async() -> bytes:
    """The message that asks for reports on groups and for none on ports."""
    properties = b"".join(struct.pack("!HHI", kind, 8, mask) for kind, mask in _ASYNC_PROPERTIES.items())
    return struct.pack("!BBHI", _VERSION_1_4, _SET_ASYNC, 8 + len(properties), 0) + properties
