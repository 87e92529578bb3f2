"""Facts about the network below the tunnels: which interface has an address, and what packets fit on the way to a
peer. Reads only.
"""

import asyncio
import errno
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from ovsnet.linux import interface
from ovsnet.linux.hostlists import held
from ovsnet.linux.hostmessage import Held
from ovsnet.linux.namespace import link_at
from ovsnet.linux.netlink import Netlink
from ovsnet.linux.subscription import NEIGHBOUR
from ovsnet.model.errors import Unavailable
from ovsnet.model.ids import IpAddress

IP_MTU, IPV6_MTU = 14, 24
IP_MTU_DISCOVER, IPV6_MTU_DISCOVER = 10, 23
NEVER_FRAGMENT = 2
"""IP_PMTUDISC_DO: packets that do not fit are refused, or reported by the router they do not fit through."""
HEADERS = {4: 28, 6: 48}
"""Bytes of an IP header and a UDP header."""
SMALLEST = {4: 576, 6: 1280}
"""What every host takes (RFC 1122 3.3.3, RFC 8200 5)."""
ATTEMPTS = 3
"""The first packets on a way may get lost while neighbours are looked for."""
USUAL = (8950, 8500, 4352, 2002, 1500, 1492, 1480, 1472, 1450, 1442, 1420, 1400, 1392, 1372, 1350, 1300, 1280)
"""MTUs of paths that are met with, for a router that drops in silence."""
NOBODYS_PORT = 33434
"""Where traceroute begins: no program is known to listen there, so the peer's kernel answers."""


@dataclass(frozen=True, slots=True)
class Underlay:
    """The interface that has a VTEP's address. `family` is 4 or 6; `mtu` is in bytes, with the IP header.

    `joins`: it hands up packets joined to larger ones (GRO). Then a userspace datapath without TSO loses packets that
    come through a vxlan device of the kernel.
    """

    device: str
    mtu: int
    family: int
    joins: bool = False


async def underlay_of(address: IpAddress) -> Underlay | None:
    """The interface of this host that has the address; None when none has it."""
    having = (it for it in await _held() if it.packed == address.packed)
    found = next(having, None)
    return None if found is None else _described(found)


async def address_of(device: str) -> IpAddress | None:
    """The first address of the interface by which others may reach it, IPv4 before IPv6; None when it has none."""
    try:
        index = socket.if_nametoindex(device)
    except OSError:
        return None
    found = [it.address for it in await _held() if it.index == index and it.everywhere]
    return min(found, key=lambda it: it.version, default=None)


async def addresses_everywhere() -> Sequence[Held]:
    """The addresses of this host that are of global scope, in the kernel's order."""
    return [it for it in await _held() if it.everywhere]


async def source_towards(address: IpAddress) -> IpAddress | None:
    """The address of this host that packets to another one would come from; None when there is no way there."""
    try:
        async with Netlink() as kernel:
            return await kernel.source_towards(address)
    except OSError as error:
        if error.errno in (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EACCES, errno.EINVAL):
            return None
        raise Unavailable(NEIGHBOUR, f"the route to {address} cannot be asked for: {error.strerror}") from error


def route_mtu(peer: IpAddress) -> int:
    """The largest packet to the peer, in bytes with its IP header, as far as the kernel knows by now: that of the
    interface, or less when a router said so lately. Unavailable when there is no way there.
    """
    with _towards(peer) as probe:
        level, option = (socket.IPPROTO_IP, IP_MTU) if peer.version == 4 else (socket.IPPROTO_IPV6, IPV6_MTU)
        return probe.getsockopt(level, option)


async def path_mtu(peer: IpAddress, *, patience: float = 0.5) -> int | None:
    """The largest packet that gets to the peer, found by sending some there; None when the peer does not say.

    Each is sent to a UDP port where nobody listens, and the peer's kernel answers that: then it has arrived. Routers
    that drop in silence what does not fit are noticed by the answer that does not come for `patience` seconds; the
    whole may take ten times as long. Unavailable when there is no way there.
    """
    smallest = SMALLEST[peer.version]
    for _ in range(ATTEMPTS):
        if await _arrives(peer, smallest, patience):
            break
    else:
        return None
    for size in _sizes(peer):
        if await _arrives(peer, size, patience):
            return size
    return smallest


async def _held() -> Sequence[Held]:
    try:
        return await asyncio.to_thread(held)
    except OSError as error:
        raise Unavailable(NEIGHBOUR, f"addresses cannot be listed: {error.strerror}") from error


def _described(held: Held) -> Underlay | None:
    link = link_at(held.index)
    if link is None:
        return None
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ioctl:
        joins = interface.joins(link.name, ioctl)
    return Underlay(link.name, link.mtu, held.address.version, joins)


def _sizes(peer: IpAddress) -> Iterator[int]:
    """What the kernel believes, as long as what it hears from routers changes that; then the usual sizes below."""
    tried = 0
    while (size := route_mtu(peer)) != tried:
        tried = size
        yield size
    yield from (it for it in USUAL if it < tried)


async def _arrives(peer: IpAddress, size: int, patience: float) -> bool:
    """True when the peer answers that nobody listens; False when it does not fit, or when nothing is heard of it."""
    with _towards(peer) as probe:  # one for each packet, so that a late answer is not taken for another's
        try:
            async with asyncio.timeout(patience):
                probe.send(bytes(size - HEADERS[peer.version]))
                await asyncio.get_running_loop().sock_recv(probe, 1)
        except (ConnectionRefusedError, TimeoutError) as error:
            return isinstance(error, ConnectionRefusedError)
        except OSError as error:
            if error.errno != errno.EMSGSIZE:
                raise
            return False
    return True  # somebody does listen there, and has answered


@contextmanager
def _towards(peer: IpAddress) -> Iterator[socket.socket]:
    """A socket whose packets to the peer are never fragmented here."""
    family = socket.AF_INET if peer.version == 4 else socket.AF_INET6
    level, option = (
        (socket.IPPROTO_IP, IP_MTU_DISCOVER) if peer.version == 4 else (socket.IPPROTO_IPV6, IPV6_MTU_DISCOVER)
    )
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.setsockopt(level, option, NEVER_FRAGMENT)
            probe.settimeout(0)
            probe.connect((str(peer), NOBODYS_PORT))
            yield probe
    except OSError as error:
        raise Unavailable(f"a way to {peer}", error.strerror or str(error)) from error
