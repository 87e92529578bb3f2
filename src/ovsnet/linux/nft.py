"""Runs nft(8), by which we keep our tables. Every table is wholly ours; its name begins with the instance's."""

import asyncio
import socket
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress

import structlog

from ovsnet import processes
from ovsnet.model.errors import ApplyError, Unavailable

NFT = "nft"
DEADLINE = 10.0
"""Seconds one call of nft may take on a machine that is busy."""
NETLINK_NETFILTER = 12
NFNLGRP_NFTABLES = 7
"""linux/netlink.h, linux/netfilter/nfnetlink.h: who changed which rule."""

log = structlog.get_logger("nftables")


async def nft(*words: str, stdin: str = "") -> str:
    """What it prints; Unavailable when it is not installed or does not end, ApplyError with its words."""
    try:
        done = await processes.run((NFT, *words), stdin=stdin, deadline=DEADLINE)
    except FileNotFoundError as error:
        raise Unavailable(NFT, "it is not installed", remedy="install nftables") from error
    except TimeoutError as error:
        raise Unavailable(NFT, f"no answer within {DEADLINE:g} s") from error
    if done.code:
        raise ApplyError(NFT, done.complaint.partition("\n")[0])
    return done.output.decode()


def chain(name: str, hook: str, rules: Iterable[str]) -> list[str]:
    """A base chain, as nft takes it."""
    return [f"chain {name} {{ type {hook}; policy accept;", *rules, "}"]


def says_nothing_there(refusal: ApplyError) -> bool:
    """Whether nft found nothing of that name, and was not refused for another reason."""
    return "No such file or directory" in refusal.reason


@contextmanager
def nothing_there() -> Iterator[None]:
    """What is to go and has gone is as wanted."""
    try:
        yield
    except ApplyError as error:
        if not says_nothing_there(error):
            raise


class RuleChanges:
    """While this lasts `tell` is called for every change of any rule of this machine."""

    def __init__(self, tell: Callable[[], None]) -> None:
        self._tell = tell
        self._socket: socket.socket | None = None

    def __enter__(self) -> None:
        try:
            self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK, NETLINK_NETFILTER)
            self._socket.bind((0, 1 << (NFNLGRP_NFTABLES - 1)))
        except OSError as error:  # a kernel without nftables
            log.info("changes of the firewall are not heard of", reason=str(error))
            return
        asyncio.get_running_loop().add_reader(self._socket, self._drain)

    def __exit__(self, *_: object) -> None:
        if self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket)
            self._socket.close()

    def _drain(self) -> None:
        # What was lost in between (ENOBUFS) was a change as well.
        with suppress(OSError):
            while self._socket is not None and self._socket.recv(1 << 16):
                pass
        self._tell()
