"""UDP connections that the kernel remembers are forgotten where a published port begins or ends to lead somewhere.

It asks the rules about the first packet of a connection only, and UDP has no end: who goes on sending from one port
would be led as before for as long as he does. TCP ends by itself, as nobody answers.
"""

import asyncio
import errno
import os
import socket
from collections.abc import Collection
from typing import Final

from pyroute2.conntrack import AsyncConntrack, NFCTAttrTuple
from pyroute2.netlink.exceptions import NetlinkError

DEADLINE: Final = 5.0
"""Seconds for all of it."""
FAMILIES: Final = (socket.AF_INET, socket.AF_INET6)


async def forget_udp(ports: Collection[int]) -> None:
    """Have the kernel forget connections that were begun to these UDP ports, of whatever address. OSError where it
    follows none.
    """
    try:
        async with asyncio.timeout(DEADLINE):
            for family in FAMILIES:
                await _forget(family, ports)
    except NetlinkError as error:
        raise OSError(error.code, os.strerror(error.code)) from error


async def _forget(family: int, ports: Collection[int]) -> None:
    async with AsyncConntrack(nfgen_family=family) as kernel:
        for port in ports:
            begun = NFCTAttrTuple(family=family, proto=socket.IPPROTO_UDP, dport=port)
            for entry in [it async for it in await kernel.dump_entries(tuple_orig=begun)]:
                try:
                    await kernel.delete(entry)
                except NetlinkError as error:
                    if error.code != errno.ENOENT:  # one that was to be forgotten is forgotten
                        raise
