"""UDP connections that the kernel remembers are forgotten where a published port begins or ends to lead somewhere.

It asks the rules about the first packet of a connection only, and UDP has no end: who goes on sending from one port
would be led as before for as long as he does. TCP ends by itself, as nobody answers.
"""

import asyncio
import errno
import os
import socket
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final

from pyroute2.conntrack import AsyncConntrack, ConntrackEntry, NFCTAttrTuple
from pyroute2.netlink.exceptions import NetlinkError

from ovsnet.model.ids import IpAddress

DEADLINE: Final = 5.0
"""Seconds for all of it."""
NOT_FOLLOWED: Final = frozenset({errno.EPROTONOSUPPORT, errno.EOPNOTSUPP, errno.EINVAL})
"""What a kernel says that follows no connections: there are none to forget."""
TOO_MANY: Final = frozenset({errno.ETIMEDOUT, errno.ENOBUFS})
"""Where it follows more than can be looked at."""
FAMILIES: Final = (socket.AF_INET, socket.AF_INET6)


@dataclass(frozen=True, slots=True)
class Begun:
    """A UDP connection: the address and the port it was begun to, and from which ones it is answered. Those are others
    where it was led elsewhere; its mark tells to which address space.
    """

    to: IpAddress
    port: int
    answers: IpAddress
    by: int
    mark: int = 0


async def forget_udp(doomed: Callable[[Begun], bool]) -> None:
    """Have the kernel forget those UDP connections. OSError where it follows none, and where it refuses."""
    try:
        async with asyncio.timeout(DEADLINE):
            for family in FAMILIES:
                await _forget(family, doomed)
    except NetlinkError as error:
        raise OSError(error.code, os.strerror(error.code)) from error
    except TimeoutError as error:
        raise OSError(errno.ETIMEDOUT, f"not done within {DEADLINE:g} s") from error


async def _forget(family: int, doomed: Callable[[Begun], bool]) -> None:
    async with AsyncConntrack(nfgen_family=family) as kernel:
        udp = NFCTAttrTuple(family=family, proto=socket.IPPROTO_UDP)
        for entry in [it async for it in await kernel.dump_entries(tuple_orig=udp) if doomed(_begun(it))]:
            try:
                # By the answers: those are in no zone, whatever the question is in.
                await kernel.entry("del", tuple_reply=entry.tuple_reply)
            except NetlinkError as error:
                if error.code != errno.ENOENT:  # one that was to be forgotten is forgotten
                    raise


def _begun(entry: ConntrackEntry) -> Begun:
    asked, answered = entry.tuple_orig, entry.tuple_reply
    return Begun(ip_address(asked.daddr), asked.dport, ip_address(answered.saddr), answered.sport, entry.mark or 0)
