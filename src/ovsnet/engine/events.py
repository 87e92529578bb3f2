"""Follows the engine: a listing at the start, and again after whatever may have changed it.

    subscribe ─► list ─► tell ─► wait for an event, or for long enough ─► list ─► …
        ▲                                                                  │
        └────── back off ◄────── tell "not complete" ◄────── engine away ◄─┘

An event only says that something changed; what is true is always read from a listing. So events may be lost,
doubled or out of order, and a burst of them costs one listing.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import structlog

from ovsnet.engine.client import Engine
from ovsnet.engine.facts import EngineEndpoint, EngineFacts, EngineNetwork
from ovsnet.model.errors import OvsnetError, Unavailable

__all__ = ["EngineEndpoint", "EngineFacts", "EngineNetwork", "Follower"]

FIRST_RETRY = 0.25
LAST_RETRY = 5.0
"""Seconds between attempts to reach an engine that is away: doubled each time, up to the last."""

PAUSES = 4.0
"""How many times as long as the listing itself the pause after it is."""
LONGEST_PAUSE = 3.0
"""Seconds: a listing that was slow once (a disk that stood still) must not keep names away for long."""
ECHO = 1.0
"""Seconds after which a listing that followed an event is repeated: the engine announces that a running
container was connected to a network a moment before its lists show it (seen with 20.10).
"""

OnFacts = Callable[[EngineFacts], Awaitable[None]]


class Follower:
    """Keeps one listing current and hands each to `on_facts`, one at a time.

    At most one listing is under way; events meanwhile cause one more. `gap` is the shortest pause in
    seconds between two listings, and it grows with what a listing takes, so that a storm of starts does not
    keep the engine busy with lists; `relist_every` bounds how old a listing gets without any event. When
    the engine goes away, its last listing is handed over once more, marked as not complete. What `on_facts`
    refuses with an OvsnetError is logged, and handed over again a second later, listed anew.
    """

    def __init__(self, engine: Engine, on_facts: OnFacts, *, relist_every: float = 60.0, gap: float = 0.2) -> None:
        self._engine = engine
        self._on_facts = on_facts
        self._relist_every = relist_every
        self._gap = gap
        self._log = structlog.get_logger("ovsnet.engine")
        self._changed = asyncio.Event()
        self._facts = EngineFacts()
        self._listed = False  # on this connection
        self._doubtful = False  # the next listing must come soon, event or not

    @property
    def facts(self) -> EngineFacts:
        """The last listing."""
        return self._facts

    def refresh(self) -> None:
        """List again soon, also without an event."""
        self._changed.set()

    async def run(self) -> None:
        """Follow until cancelled; an absent engine is tried again and again, ever more slowly."""
        pause = FIRST_RETRY
        away = False
        while True:
            self._listed = False
            reason = await self._follow_once()
            pause = FIRST_RETRY if self._listed else min(2 * pause, LAST_RETRY)
            if self._listed or not away:
                await self._tell_away(reason)
            away = True
            await asyncio.sleep(pause)

    async def _follow_once(self) -> str:
        """Follow one connection to its end and say why it ended."""
        reason = ""
        try:
            # Subscribed before the first listing: no change falls between the two.
            async with self._engine.events() as events, asyncio.TaskGroup() as tasks:
                self._changed.set()
                tasks.create_task(self._list_after_changes())
                async for _ in events:
                    self._changed.set()
        except* Unavailable as errors:
            reason = str(errors.exceptions[0])
        return reason

    async def _list_after_changes(self) -> None:
        clock = asyncio.get_running_loop().time
        while True:
            await self._wait_for_change()
            self._changed.clear()
            begun = clock()
            self._facts = await self._engine.facts()
            took = clock() - begun
            if not self._listed:
                self._listed = True
                self._log.info("docker engine listed", networks=len(self._facts.networks))
            await self._tell()
            await asyncio.sleep(max(self._gap, min(took * PAUSES, LONGEST_PAUSE)))

    async def _wait_for_change(self) -> None:
        try:
            async with asyncio.timeout(min(ECHO, self._relist_every) if self._doubtful else self._relist_every):
                await self._changed.wait()
            self._doubtful = True
        except TimeoutError:
            self._doubtful = False

    async def _tell_away(self, reason: str) -> None:
        self._log.warning("docker engine is away", reason=reason)
        self._facts = replace(self._facts, complete=False)
        await self._tell()

    async def _tell(self) -> None:
        """What the receiver cannot do now (its store is away, say) it can do with the next listing."""
        try:
            await self._on_facts(self._facts)
        except OvsnetError as error:
            self._doubtful = True
            self._log.warning("facts of the engine were not taken up", reason=str(error))
