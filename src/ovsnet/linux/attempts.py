"""One change of the kernel as a value: done, or refused with the kernel's reason."""

import errno
from collections.abc import Awaitable, Collection
from typing import Final

from ovsnet.linux.linkmessage import Link
from ovsnet.model.errors import ApplyError, Unavailable

NO_LINK: Final = frozenset({errno.ENODEV})
NOTHING_INSIDE: Final = frozenset({errno.EADDRNOTAVAIL, errno.ESRCH, errno.ENODEV})
"""Of an address or a route: a route goes with the address it was reached by, and both with their link."""


async def attempt(name: str, action: Awaitable[None]) -> ApplyError | None:
    """Do it; a refusal is a value, so that the other links go on."""
    try:
        await action
    except ApplyError as error:
        return error
    except OSError as error:
        return ApplyError(name, error.strerror or str(error))
    except Unavailable as error:  # a namespace that cannot be entered is that of one link
        return ApplyError(name, str(error))
    return None


async def unless_gone(request: Awaitable[None], gone: Collection[int] = NO_LINK) -> None:
    """What is to be removed and has gone by itself is as wanted; `gone` are the kernel's words for that."""
    try:
        await request
    except OSError as error:
        if error.errno not in gone:
            raise


def taken(link: Link | None) -> str:
    """Why a name cannot be had, and what a person can do."""
    kind = (link.kind if link is not None else "") or "physical"
    return f"the name is taken by a {kind} link that is not ours; rename or delete that link"
