"""When: nudge, retry, periodic resync. Level-triggered: a nudge says that something changed, never what."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress

from ovsnet.model.errors import ApplyError, Unavailable
from ovsnet.reconcile.converge import Compared, Converger, Round
from ovsnet.reconcile.phases import Kind

Reporter = Callable[[Round, Round], None]
"""Called after every round with the round before and this one."""


class Loop:
    """Runs one round per batch of nudges, soon again after a failure, and a full resync now and then.

    `retry`, `resync`: seconds until the next round after a failure, and between full comparisons.
    `grace`: see `settled`.
    """

    def __init__(
        self, converger: Converger, *, retry: float, resync: float, after_round: Reporter, grace: float = 6.5
    ) -> None:
        self._converger = converger
        self._retry = retry
        self._grace = grace
        self._resync = resync
        self._after_round = after_round
        self._nudged = asyncio.Event()
        self._dirty: set[Kind] = set(Kind)
        self._owed = False
        self._waiters: set[asyncio.Future[None]] = set()
        self._looks: list[asyncio.Future[Compared]] = []
        self.last = Round()
        self.last_seconds: float | None = None

    def nudge(self, *dirty: Kind) -> None:
        """Something changed; `dirty` kinds must be read afresh. Cheap, callable from anywhere on the loop."""
        self._dirty.update(dirty)
        self._nudged.set()

    def retry_lasting(self) -> None:
        """Somebody changed something that we do not follow: what was refused for good is tried again."""
        if any(it.lasting for it in self.last.failures):
            self.nudge()

    async def run(self) -> None:
        """Until cancelled."""
        self.nudge()
        next_resync = self._time() + self._resync
        while True:
            await self._wait(next_resync)
            self._nudged.clear()
            if self._time() >= next_resync:
                self._dirty.update(Kind)
            if self._dirty >= set(Kind):
                next_resync = self._time() + self._resync
            await self._one_round()

    async def settled(self, revision: int, resources: Sequence[str], deadline: float) -> None:
        """Wait until `revision` is in force here for these resources.

        What is refused is tried again for `grace` seconds and raised then; while nothing is refused the host is only
        slow, and has all of `deadline` seconds.
        """

        def in_force() -> bool:
            return self.last.revision >= revision and not self.last.failures_of(resources)

        grace = min(self._grace, deadline)
        await self._until(in_force, grace)
        await self._until(lambda: in_force() or bool(self.last.failures_of(resources)), deadline - grace)
        if not in_force():
            raise self._why(resources, deadline)

    async def compared(self, deadline: float) -> Compared:
        """Read the host afresh and return what is wanted and what is there, before anything is repaired.

        Taken at a moment when nothing is on its way: the last round was for the present state. Unavailable when the
        host cannot be read, or after `deadline` seconds.
        """
        look: asyncio.Future[Compared] = asyncio.get_running_loop().create_future()
        self._looks.append(look)
        self.nudge(*Kind)
        try:
            async with asyncio.timeout(deadline):
                return await look
        except TimeoutError:
            why = self._why(list(Kind), deadline)
            # What the host refused is no fault of whoever wants to see it.
            raise why if isinstance(why, Unavailable) else Unavailable("the reconciler", str(why)) from None

    def _why(self, resources: Sequence[str], deadline: float) -> Exception:
        refused = self.last.failures_of(resources)
        if refused:
            return refused[0]
        return Unavailable("the reconciler", f"no round finished within {deadline:g} s; see 'ovsnet status'")

    async def _wait(self, next_resync: float) -> None:
        quiet = next_resync - self._time()
        pause = min(self._retry, quiet) if worth_another_try(self.last.failures) else quiet
        try:
            async with asyncio.timeout(max(0.0, pause)):
                await self._nudged.wait()
        except TimeoutError:
            return

    async def _one_round(self) -> None:
        began = self._time()
        dirty, self._dirty = self._dirty, set()
        unread = await self._converger.resync([kind for kind in Kind if kind in dirty])
        self._show(unread)
        before = self.last
        done = await self._converger.round()
        refused: dict[str, ApplyError] = {}
        for it in (*unread, *done.failures):
            refused.setdefault(it.resource, it)  # a link and its port are called alike: the first is the cause
        away = done.away | {Kind(it.resource) for it in unread}
        self.last = Round(done.revision, done.written, tuple(refused.values()), away)
        self._read_again()
        self.last_seconds = self._time() - began
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)
        self._waiters.clear()
        self._after_round(before, self.last)

    def _read_again(self) -> None:
        """A refusal may mean that what we believe is wrong: then everything is read again. Of a neighbour that does not
        answer only its own things are, so that they are written at once when it is back, and the rest after that.
        """
        self._dirty.update(self.last.away)
        if worth_another_try([it for it in self.last.failures if it.resource not in self.last.away]):
            self._dirty.update(Kind)
        elif self.last.away:
            self._owed = True
        elif self._owed:
            self._owed = False
            self.nudge(*Kind)

    def _show(self, unread: Sequence[ApplyError]) -> None:
        """Answer those who want to compare; while a change is on its way they wait for the round after it."""
        if not self._looks:
            return
        if not unread and self._converger.revision() != self.last.revision:
            self.nudge(*Kind)
            return
        looks, self._looks = self._looks, []
        for look in (it for it in looks if not it.done()):
            if unread:
                reason = f"its {unread[0].resource} cannot be read: {unread[0].reason}"
                look.set_exception(Unavailable("the host", reason))
            else:
                look.set_result(self._converger.compared())

    async def _until(self, condition: Callable[[], bool], deadline: float) -> None:
        """Ask after every round; returns when it is so, and after `deadline` seconds in any case."""
        with suppress(TimeoutError):
            async with asyncio.timeout(deadline):
                while not condition():
                    await self._next_round()

    async def _next_round(self) -> None:
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.add(waiter)
        try:
            await waiter
        finally:
            self._waiters.discard(waiter)

    @staticmethod
    def _time() -> float:
        return asyncio.get_running_loop().time()


def worth_another_try(failures: Sequence[ApplyError]) -> bool:
    """Whether it may help to try again soon.

    Not after one that lasts, nor one that follows from it: what belongs to a port has a key that begins with the
    port's.
    """
    lasting = {it.resource for it in failures if it.lasting}
    return any(it.resource.partition(" ")[0] not in lasting for it in failures)
