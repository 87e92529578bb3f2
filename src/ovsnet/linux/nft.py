"""Runs nft(8), by which we keep our tables. Every table is wholly ours; its name begins with the instance's."""

from collections.abc import Iterator
from contextlib import contextmanager

from ovsnet import processes
from ovsnet.model.errors import ApplyError, Unavailable

NFT = "nft"
DEADLINE = 10.0
"""Seconds one call of nft may take on a machine that is busy."""


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


@contextmanager
def nothing_there() -> Iterator[None]:
    """What is to go and has gone is as wanted."""
    try:
        yield
    except ApplyError as error:
        if "No such file or directory" not in error.reason:
            raise
