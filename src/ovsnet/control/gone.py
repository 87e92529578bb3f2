"""What was ordered for a container is forgotten with it. The engine lists those that run; it is asked for others."""

from collections.abc import Collection
from typing import Protocol

from ovsnet.engine.facts import EngineFacts


class Engine(Protocol):
    """The engine, as seen from here."""

    async def existing(self, ids: Collection[str]) -> frozenset[str]:
        """Those of these containers that exist."""


class Gone:
    """Asks once for each listing."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._judged = EngineFacts()

    async def among(self, ordered: Collection[str], facts: EngineFacts) -> frozenset[str]:
        """Those of these containers that are no more, as far as this listing tells; Unavailable without the engine."""
        stopped = frozenset(ordered) - facts.containers.keys()
        if not stopped or not facts.complete or facts is self._judged:
            return frozenset()
        left = await self._engine.existing(stopped)
        self._judged = facts
        return stopped - left
