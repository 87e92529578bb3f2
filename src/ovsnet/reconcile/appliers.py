"""Applier: the protocol of everything that can read and change one kind of resource on the host."""

from collections.abc import Mapping, Sequence
from typing import Protocol, TypeVar

from ovsnet.model.delta import Delta
from ovsnet.model.errors import ApplyError

V = TypeVar("V")


class Applier(Protocol[V]):
    """Owns one kind of resource. Sees only what carries our mark; a fresh process recognises its own.

    `have` is what the applier believes: what it wrote, corrected by the events it receives. It may be wrong after an
    event was missed; `resync` makes it true again.
    """

    def have(self) -> Mapping[str, V]:
        """What is there, by resource key, as far as known; cheap."""

    async def resync(self) -> None:
        """Read the host afresh. Unavailable when it cannot be read; `have` is then unchanged."""

    async def apply(self, delta: Delta[V]) -> Sequence[ApplyError]:
        """Write what differs and return what was refused; one refusal never stops the others.

        When it returns, `have` reflects what was written. Repeating it is harmless. Unavailable when the host's side
        does not answer at all.
        """
