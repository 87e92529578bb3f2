"""Deciding on a snapshot and committing the decision, as one step.

    lock ─► snapshot ─► decide (a plain function) ─► commit ─► unlock
              ▲                                        │ Stale
              └────────────────────────────────────────┘

Inside the process the lock makes deciders queue up instead of colliding; `Stale` is left for other writers
(another process, a member of a cluster) and for a store that changed on its own. While the store is away, who queued
behind one that waited for it in vain has waited enough, too.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from ovsnet.model.errors import Stale, Unavailable
from ovsnet.store.interface import Change, Store

S = TypeVar("S")
T = TypeVar("T")

MAX_TRIES = 5
"""Each try is made on a newer state: who loses five times in a row is told so and the queue moves on."""


class Committer(Generic[S]):
    """The one way by which `control` writes desired state."""

    def __init__(self, store: Store[S]) -> None:
        self._store = store
        self._turn = asyncio.Lock()
        self._in_vain: tuple[float, Unavailable] | None = None
        self._committed = asyncio.Event()

    def snapshot(self) -> S:
        """The state as it is known now, for reading only: decisions belong into `commit`."""
        return self._store.snapshot()

    @property
    def available(self) -> bool:
        """False while nothing can be committed; the snapshot is then the last one that was known."""
        return self._store.available

    async def next_commit(self) -> None:
        """Return after the next commit of this process."""
        await self._committed.wait()

    async def commit(self, decide: Callable[[S], tuple[Sequence[Change], T]]) -> T:
        """Call `decide` with the present state, commit the changes it returns, and give back its result.

        `decide` is called again on a newer state when somebody else committed in between, so it keeps nothing
        from an earlier call. No changes: nothing is committed. What `decide` raises leaves the store alone.
        Unavailable when the store does not answer, or when other writers were faster every time.
        """
        asked = asyncio.get_running_loop().time()
        async with self._turn:
            for _ in range(MAX_TRIES):
                base = self._store.snapshot()
                changes, result = decide(base)
                if not changes:
                    return result
                try:
                    await self._take(base, changes, asked)
                except Stale:
                    continue
                return result
        raise Unavailable("store", f"others changed the same rows {MAX_TRIES} times meanwhile; run the command again")

    async def _take(self, base: S, changes: Sequence[Change], asked: float) -> None:
        if self._in_vain is not None and not self._store.available:
            when, error = self._in_vain
            if when >= asked:
                raise Unavailable(error.neighbour, error.reason, remedy=error.remedy) from error
        try:
            await self._store.commit(base, changes)
        except Unavailable as error:
            self._in_vain = (asyncio.get_running_loop().time(), error)
            raise
        self._committed.set()
        self._committed = asyncio.Event()
