"""One change of the kernel as a value: done, or refused with the kernel's reason."""

import errno
from collections.abc import Awaitable

from ovsnet.linux.linkmessage import Link
from ovsnet.model.errors import ApplyError


async def attempt(name: str, action: Awaitable[None]) -> ApplyError | None:
    """Do it; a refusal is a value, so that the other links go on."""
    try:
        await action
    except ApplyError as error:
        return error
    except OSError as error:
        return ApplyError(name, error.strerror or str(error))
    return None


async def unless_gone(request: Awaitable[None]) -> None:
    """What is to be removed and has gone by itself is as wanted."""
    try:
        await request
    except OSError as error:
        if error.errno != errno.ENODEV:
            raise


def taken(link: Link | None) -> str:
    """Why a name cannot be had, and what a person can do."""
    kind = (link.kind if link is not None else "") or "physical"
    return f"the name is taken by a {kind} link that is not ours; rename or delete that link"
