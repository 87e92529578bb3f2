"""Follows what others do to the flows and groups of a bridge: one idle `ovs-ofctl monitor` process.

A flow monitor (OpenFlow 1.4 7.3.5.17) tells of flows only. Requests that change groups are told to
connections that ask for it (7.3.10 and 7.4.7, OFPT_REQUESTFORWARD); the monitor is made to ask through its
control socket. What we write ourselves is told too: the watched applier knows whether it is news.
"""

import asyncio
import struct
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from ovsnet.ovs.monitor import Monitor, Wish, keep_monitoring

QUIET, LONGEST = 0.05, 0.5
"""Seconds without a report until flows are read afresh, and how long that is waited for."""
CHUNK = 1 << 18
"""Bytes taken from the monitor at once."""
_VERSION_1_4, _SET_ASYNC = 5, 28
_ASYNC_PROPERTIES = {2: 0, 3: 0, 10: 1, 11: 1}
"""OFPACPT_PORT_STATUS_* off, OFPACPT_REQUESTFORWARD_* for groups on, each for both roles (OpenFlow 1.4
7.3.10).
"""


class Watched(Protocol):
    """Believes something about the switch, and can correct it."""

    async def disagrees(self, printed: Iterable[str]) -> bool:
        """True when these lines of a monitor tell something else than is believed."""

    async def seen_afresh(self) -> bool:
        """Read everything; True when anything was news."""

    async def lost(self) -> None:
        """The switch cannot be followed any more."""

    async def forgotten(self) -> None:
        """The switch has begun anew: nothing is there."""

    async def written(self) -> None:
        """Returns after the first write since `lost`, or when there was none for a moment."""


async def watch_flows(
    target: str,
    control_socket: Path,
    watched: Watched,
    changed: Callable[[], None],
    lost: Callable[[], None],
    *,
    deadline: float,
) -> None:
    """Until cancelled: call `changed` after news, and `lost` when the switch cannot be followed any more."""
    wish = Wish("flow monitor", "flows are watched", "flows are not watched", set_async(), CHUNK)

    async def gone() -> None:
        await watched.lost()
        lost()

    async def back() -> None:
        # Until the flows are there no packet passes: nothing else is done, nor asked, before.
        await watched.forgotten()
        changed()
        await watched.written()

    await keep_monitoring(
        wish, target, control_socket, lambda it: _follow(it, watched, changed), gone, back, deadline=deadline
    )


async def _follow(monitor: Monitor, watched: Watched, changed: Callable[[], None]) -> None:
    """Until the monitor ends, which is Unavailable."""
    # The monitor listens already: what happens while we read is told afterwards.
    if await watched.seen_afresh():
        changed()
    while True:
        if await watched.disagrees(await monitor.printed()):
            await _quiet(monitor)
            if await watched.seen_afresh():
                changed()


async def _quiet(monitor: Monitor) -> None:
    """Returns when nothing was printed for a moment. What we write is told a little later, and looks like news when we
    have gone on writing: while containers come one after the other everything would be read for each of them.
    """
    with suppress(TimeoutError):
        async with asyncio.timeout(LONGEST):
            while True:
                async with asyncio.timeout(QUIET):
                    await monitor.printed()


def set_async() -> bytes:
    """The message that asks for reports on groups and for none on ports."""
    properties = b"".join(struct.pack("!HHI", kind, 8, mask) for kind, mask in _ASYNC_PROPERTIES.items())
    return struct.pack("!BBHI", _VERSION_1_4, _SET_ASYNC, 8 + len(properties), 0) + properties
