"""A store in memory that takes its time: while it commits, others have their turn."""

import asyncio
from collections.abc import Sequence

from ovsnet.model.state import State
from ovsnet.store.interface import Change
from ovsnet.store.memory import MemoryStore


class SlowStore(MemoryStore[State]):
    """Whoever comes meanwhile looks at what was there before, as with a store that is a process of its own."""

    async def commit(self, base: State, changes: Sequence[Change]) -> State:
        """As the one in memory, a few turns of the loop later."""
        for _ in range(10):
            await asyncio.sleep(0)
        return await super().commit(base, changes)
