"""`ovsnet wait`: until an interface of a target is up, whoever made it."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

from ovsnet.control.attachments.targets import Targets
from ovsnet.model.attaching import interface_name, parse_target
from ovsnet.model.errors import BadRequest, Unavailable

LONGEST = 3600.0
"""Seconds."""


class Waiting:
    """Waits for interfaces."""

    def __init__(
        self,
        targets: Targets,
        has_carrier: Callable[[str, str], Awaitable[None]],
        something_changed: Callable[[], Awaitable[None]],
    ) -> None:
        """`has_carrier` returns when the interface of that name is up in the namespace at that path;
        `something_changed` when a target may have come.
        """
        self._targets = targets
        self._has_carrier = has_carrier
        self._something_changed = something_changed

    async def wait(self, target: str, ifname: str, deadline: float) -> str:
        """Why it is not up after `deadline` seconds; "" as soon as it is. NotFound when there is no such target."""
        kind, name = parse_target(target)
        if not interface_name("interface", ifname):
            raise BadRequest("say for which interface to wait, by its name inside")
        if not 0 <= deadline <= LONGEST:
            raise BadRequest(f"--timeout {deadline:g}: give seconds, from 0 to {LONGEST:g}")
        reason = f"it could not be looked at within {deadline:g} s"
        with suppress(TimeoutError):
            async with asyncio.timeout(deadline):
                while True:
                    found = await self._targets.find(kind, name)
                    if not found.sandbox:
                        reason = f"{found.target.title} does not run"
                        await self._something_changed()
                        continue
                    reason = f"{found.target.title} has no interface {ifname} with a carrier"
                    with suppress(Unavailable):  # it has just gone: look again
                        await self._has_carrier(found.sandbox, ifname)
                        return ""
                    await self._something_changed()
        return reason
