"""Whether a neighbour answers on an interface: the kernel asks it (ARP, RFC 826; neighbour discovery, RFC 4861)."""

import asyncio
import errno
import os
import socket
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final

from ovsnet import processes
from ovsnet.linux.hostmessage import FAMILIES
from ovsnet.linux.wire import ACKNOWLEDGE, ERROR, attribute, attributes, frame, frames
from ovsnet.model.errors import Unavailable
from ovsnet.model.ids import IpAddress

NEWNEIGH, DELNEIGH = 28, 29
NEIGHBOURS: Final = 0x4
"""RTMGRP_NEIGH."""
_CREATE = 0x400
_MESSAGE = struct.Struct("=BxxxiHBB")  # family, index, state, flags, type: struct ndmsg
_DESTINATION = 1
_USE = 0x01
REACHABLE, PROBE, FAILED, ALWAYS = 0x02, 0x10, 0x20, 0x40 | 0x80
"""NUD_REACHABLE, NUD_PROBE, NUD_FAILED, NUD_NOARP and NUD_PERMANENT."""
_UNKNOWN = frozenset({errno.ENOENT, errno.EINVAL})
PING = "ping"


@dataclass(frozen=True, slots=True)
class _Neighbour:
    index: int
    address: IpAddress
    state: int


async def answers(address: IpAddress, device: str, deadline: float) -> bool:
    """Whether a neighbour on the interface answers within `deadline` seconds; it is asked again until then."""
    try:
        index = socket.if_nametoindex(device)
    except OSError:
        return False
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE) as events:
        events.bind((0, NEIGHBOURS))
        events.settimeout(0)
        try:
            async with asyncio.timeout(deadline):
                _ask(index, address)
                while True:
                    for it in _read(await loop.sock_recv(events, 1 << 16)):
                        if (it.index, it.address) != (index, address):
                            continue
                        if it.state & (REACHABLE | ALWAYS):
                            return True
                        if it.state & FAILED:
                            _ask(index, address)
        except TimeoutError:
            return False
        except OSError as error:
            raise Unavailable("the kernel's netlink", f"{address} cannot be asked for: {error.strerror}") from error


def forget(neighbours: Iterable[tuple[str, IpAddress]]) -> None:
    """Have the kernel ask anew who has these addresses, each behind an interface: one that came back may have another
    MAC, and what the kernel knows it takes for true for up to a minute. Unavailable when the kernel does not answer.
    """
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE) as kernel:
            kernel.settimeout(1.0)
            for device, address in neighbours:
                index = _index_of(device)
                if index:  # what is not there, or not known, is forgotten
                    _sent(kernel, _forgotten(index, address))
    except OSError as error:
        raise Unavailable("the kernel's netlink", f"neighbours cannot be forgotten: {error.strerror}") from error


def _index_of(device: str) -> int:
    try:
        return socket.if_nametoindex(device)
    except OSError:
        return 0


def _forgotten(index: int, address: IpAddress) -> bytes:
    there = attribute(_DESTINATION, address.packed)
    return frame(DELNEIGH, ACKNOWLEDGE, 1, _MESSAGE.pack(FAMILIES[address.version], index, 0, 0, 0) + there)


async def echoes(address: IpAddress, deadline: float) -> bool:
    """Whether a host that is no neighbour answers a ping within `deadline` seconds; Unavailable without ping(8)."""
    try:
        seconds = str(max(1, round(deadline)))
        done = await processes.run((PING, "-n", "-q", "-c", "1", "-w", seconds, str(address)), deadline=deadline + 5)
    except FileNotFoundError as error:
        raise Unavailable(PING, "it is not installed", remedy="install iputils-ping, or probe a neighbour") from error
    except TimeoutError:
        return False
    return done.code == 0


def _ask(index: int, address: IpAddress) -> None:
    """Have the kernel ask: one it knows, whether that is still so, and for one it does not know."""
    there = attribute(_DESTINATION, address.packed)
    again = frame(NEWNEIGH, ACKNOWLEDGE, 1, _MESSAGE.pack(FAMILIES[address.version], index, PROBE, 0, 0) + there)
    first = frame(
        NEWNEIGH, ACKNOWLEDGE | _CREATE, 2, _MESSAGE.pack(FAMILIES[address.version], index, 0, _USE, 0) + there
    )
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE) as kernel:
        kernel.settimeout(1.0)
        if _sent(kernel, again) in _UNKNOWN:
            refused = _sent(kernel, first)
            if refused:
                raise OSError(refused, os.strerror(refused))


def _sent(kernel: socket.socket, request: bytes) -> int:
    kernel.send(request)
    return next((it.error for it in frames(kernel.recv(1 << 16)) if it.type == ERROR), 0)


def _read(datagram: bytes) -> list[_Neighbour]:
    found = []
    for it in frames(datagram):
        if it.type == NEWNEIGH and len(it.body) >= _MESSAGE.size:
            _, index, state, _, _ = _MESSAGE.unpack_from(it.body)
            there = attributes(it.body, _MESSAGE.size, frozenset({_DESTINATION})).get(_DESTINATION)
            if there is not None and len(there) in (4, 16):
                found.append(_Neighbour(index, ip_address(there), state))
    return found
