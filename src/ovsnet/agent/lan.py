"""What the agent does with multicast DNS. The library is loaded when it is used, and not before: it costs megabytes."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from ovsnet.cluster.sighting import Sighting
from ovsnet.linux.underlay import underlay_of
from ovsnet.model.errors import Unavailable
from ovsnet.model.ids import IpAddress


@asynccontextmanager
async def announced(it: Sighting) -> AsyncIterator[None]:
    """The member is announced on the interface of its address while the block runs.

    Unavailable when no interface has the address (yet), or takes no multicast.
    """
    from ovsnet.cluster import announce  # noqa: PLC0415 - see above

    underlay = await underlay_of(it.address)
    if underlay is None:
        raise Unavailable(announce.NEIGHBOUR, f"no interface of this host has the address {it.address}")
    async with announce.announced(it, underlay.device):
        yield


async def look_around(on: Sequence[IpAddress], seconds: float, tell: Callable[[Sighting], None]) -> None:
    """Tell of every member that is heard of within so many seconds on the interfaces with these addresses."""
    from ovsnet.cluster import announce  # noqa: PLC0415 - see above

    if not on:
        raise Unavailable(announce.NEIGHBOUR, "no interface of this host leads to others; see 'ip -br address'")
    await announce.look_around(on, seconds, tell)
