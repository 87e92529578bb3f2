"""Multicast DNS (RFC 6762, RFC 6763): members announce themselves on the LAN, others look who is there.

The only module that imports zeroconf, which costs megabytes: import this one where it is used.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Final

from zeroconf import DNSQuestionType, Error, ServiceStateChange, Zeroconf
from zeroconf.asyncio import AsyncServiceBrowser, AsyncServiceInfo, AsyncZeroconf

from ovsnet.cluster.sighting import Sighting, read
from ovsnet.model.errors import Unavailable
from ovsnet.model.ids import IpAddress

SERVICE: Final = "_ovsnet._tcp.local."
NEIGHBOUR: Final = "multicast DNS (UDP port 5353)"
MOST: Final = 64
"""Announcements that are looked into at a time: somebody could make them up without end."""
_IPV4, _IPV6 = (socket.IPPROTO_IP, 49), (socket.IPPROTO_IPV6, 29)
MULTICAST_ALL: Final = {socket.AF_INET: (_IPV4,), socket.AF_INET6: (_IPV4, _IPV6)}
"""IP_MULTICAST_ALL, IPV6_MULTICAST_ALL (Linux, in.h, in6.h): on by default, it brings in what others asked for."""


@asynccontextmanager
async def announced(it: Sighting, device: str) -> AsyncIterator[None]:
    """The member is announced on that interface, and there only, while the block runs; then it takes it back.

    Unavailable when that is not possible.
    """
    async with _speaking((it.address,), device) as mdns:
        info = AsyncServiceInfo(
            SERVICE,
            f"{it.label}.{SERVICE}",
            port=it.port,
            properties=dict(it.text),
            server=f"{it.label}.local.",
            parsed_addresses=[str(it.address)],
        )
        try:
            await (await mdns.async_register_service(info, allow_name_change=True))
        except (Error, OSError) as error:
            raise Unavailable(NEIGHBOUR, f"{it.name} cannot be announced on {device} ({error!r})") from error
        yield


async def look_around(addresses: Sequence[IpAddress], seconds: float, tell: Callable[[Sighting], None]) -> None:
    """Listen for so many seconds on the interfaces with these addresses, and tell of every member as it is heard of.

    Nothing of it is verified. Unavailable when it is not possible to listen there.
    """
    async with _speaking(addresses) as mdns, asyncio.TaskGroup() as group:
        names: dict[str, asyncio.Task[None]] = {}

        def heard(*, zeroconf: Zeroconf, service_type: str, name: str, state_change: ServiceStateChange) -> None:
            fresh = service_type == SERVICE and state_change is not ServiceStateChange.Removed and name not in names
            if fresh and len(names) < MOST:
                names[name] = group.create_task(_look_into(zeroconf, name, seconds, tell))

        # Asked for answers to everybody (QM): one sent to us alone could go to another program that has the port, too.
        async with AsyncServiceBrowser(mdns.zeroconf, SERVICE, [heard], question_type=DNSQuestionType.QM):
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await asyncio.get_running_loop().create_future()
        for task in names.values():
            task.cancel()


async def _look_into(mdns: Zeroconf, name: str, seconds: float, tell: Callable[[Sighting], None]) -> None:
    info = AsyncServiceInfo(SERVICE, name)
    if await info.async_request(mdns, seconds * 1000, DNSQuestionType.QM):
        found = read(info.decoded_properties, info.parsed_addresses(), info.port)
        if found is not None:
            tell(found)


@asynccontextmanager
async def _speaking(addresses: Sequence[IpAddress], device: str = "") -> AsyncIterator[AsyncZeroconf]:
    """The library on the interfaces with these addresses; bound to one of them where that is named."""
    try:
        mdns = AsyncZeroconf(interfaces=[str(it) for it in addresses])
    except (OSError, RuntimeError) as error:
        raise Unavailable(NEIGHBOUR, f"it cannot be used on {_listed(addresses)} ({error})") from error
    try:
        await _confine(mdns.zeroconf, device)
        if not mdns.zeroconf.engine.senders:
            raise Unavailable(NEIGHBOUR, f"no interface of this host takes it at {_listed(addresses)}")
        yield mdns
    finally:
        await mdns.async_close()


async def _confine(mdns: Zeroconf, device: str) -> None:
    """The library listens on all interfaces as soon as one is asked for; containers' are none of our business."""
    try:
        await mdns.async_wait_for_start()
        for reader in mdns.engine.readers:
            taken = reader.transport.get_extra_info("socket")
            for option in MULTICAST_ALL[taken.family]:
                taken.setsockopt(*option, 0)
            if device:
                taken.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode())
    except (Error, OSError) as error:
        raise Unavailable(NEIGHBOUR, f"it cannot be kept to {device or 'its interfaces'} ({error!r})") from error


def _listed(addresses: Sequence[IpAddress]) -> str:
    return ", ".join(map(str, addresses)) or "no address"
