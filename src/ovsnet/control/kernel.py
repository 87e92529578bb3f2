"""Whether this host's kernel can do what somebody asks for: found out before anything is wanted.

What it could do once it can always do; what it could not, somebody may have installed since.
"""

from collections.abc import Awaitable, Callable, Collection

from ovsnet.model.errors import Conflict
from ovsnet.model.host import Medium
from ovsnet.model.shaping import Shape

Lacking = Callable[[Collection[str]], Awaitable[Collection[str]]]
"""Those of these parts that the kernel does not have (linux/abilities.py)."""


async def _lacks_nothing(_: Collection[str]) -> Collection[str]:
    return ()


class Kernel:
    """Asks it, about each of its parts until it is there."""

    def __init__(self, lacking: Lacking = _lacks_nothing) -> None:
        self._lacking = lacking
        self._seen: frozenset[str] = frozenset()

    async def check(self, shape: Shape, medium: Medium = Medium.PORT) -> None:
        """Conflict when it cannot do that."""
        unsure = needed(shape, medium) - self._seen
        lacks = await self._lacking(unsure) if unsure else ()
        self._seen |= unsure - set(lacks)
        if lacks:
            raise Conflict(_cannot(lacks))


def needed(shape: Shape, medium: Medium) -> frozenset[str]:
    """The parts of the kernel that it needs: queueing disciplines inside and at the port, and a kind of link."""
    made = [str(medium)] if medium not in (Medium.PORT, Medium.NIC) else []
    return frozenset([*made, *(["tbf", "htb"] if shape.rate else []), *(["netem"] if shape.disturbed else [])])


def _cannot(lacking: Collection[str]) -> str:
    """What a person reads whose kernel has none of these."""
    needy = {"netem": "loss and delay need", "tbf": "a rate needs", "htb": "a rate needs"}
    what = next((f"--{it} needs" for it in lacking if it not in needy), "") or needy[max(lacking)]
    modules = " and ".join(f"sch_{it}" if it in needy else it for it in sorted(lacking))
    return f"{what} a part of Linux that this host's kernel does not have: {modules}; install it, or leave that out"
