"""What this host says of itself to the others: that it lives, and what it is.

Signs of life are written now and then; everybody else's are judged by `Liveness`. Nothing here waits for anybody.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, replace

import structlog

from ovsnet.control.commit import Committer
from ovsnet.control.membership.liveness import Liveness
from ovsnet.model.cluster import Beat, Cluster
from ovsnet.model.errors import OvsnetError
from ovsnet.model.ids import HostName, IpNetwork
from ovsnet.store.interface import Change, Put

LOOKS = 50
"""So often in a period the others are looked at, at most: of a thousand hosts one beats every hundredth of a second."""

log = structlog.get_logger("cluster")


@dataclass(frozen=True, slots=True)
class HostFacts:
    """What others must know of this host: `mtu` of its VTEP's interface in bytes, `subnets` it already reaches,
    `trunk_mtu` of its trunk in bytes, 0 without one.
    """

    version: str
    mtu: int
    subnets: Collection[IpNetwork]
    trunk_mtu: int = 0


class Presence:
    """Beats, and judges. `period`: seconds between two beats; `changed` is called when somebody died or came back."""

    def __init__(
        self,
        committer: Committer[Cluster],
        me: HostName,
        liveness: Liveness,
        facts: Callable[[], Awaitable[HostFacts]],
        period: float,
        changed: Callable[[], None],
    ) -> None:
        self._committer = committer
        self._me = me
        self._liveness = liveness
        self._facts = facts
        self._period = period
        self._changed = changed
        self._wake = asyncio.Event()
        self._waking: asyncio.TimerHandle | None = None

    def nudge(self) -> None:
        """The cluster's state changed, or its database came or went. The first of many wakes us for all."""
        if self._waking is None:
            self._waking = asyncio.get_running_loop().call_later(self._period / LOOKS, self._awaken)

    def _awaken(self) -> None:
        self._waking = None
        self._wake.set()

    async def run(self) -> None:
        """Until cancelled."""
        next_beat = 0.0
        while True:
            now = self._now()
            if now >= next_beat:
                next_beat = now + self._period
                await self._beat()
            self._judge()
            await self._wait(next_beat)

    async def _wait(self, until: float) -> None:
        try:
            async with asyncio.timeout(max(0.0, until - self._now())):
                await self._wake.wait()
        except TimeoutError:
            pass
        self._wake.clear()

    async def _beat(self) -> None:
        try:
            # Also while nobody can be told: this host itself depends on what it finds here.
            facts = await self._facts()
            if self._committer.available:
                await self._committer.commit(lambda state: (signs_of_life(state, self._me, facts), None))
        except OvsnetError as error:
            log.debug("no sign of life could be given", reason=str(error))

    def _judge(self) -> None:
        if not self._committer.available:
            self._liveness.lost()
            return
        cluster = self._committer.snapshot()
        before = self._liveness.dead
        if self._liveness.observe(cluster.members, cluster.beats, self._now()):
            for name in self._liveness.dead - before:
                log.warning("a host gives no sign of life", host=name)
            for name in before - self._liveness.dead:
                log.info("a host is back, or was forgotten", host=name)
            self._changed()

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()


def signs_of_life(state: Cluster, me: HostName, facts: HostFacts) -> Sequence[Change]:
    """The next beat, and what changed about this host; nothing of one that is no member any more."""
    member = state.members.get(me)
    if member is None:
        return ()
    beat = state.beats.get(me, Beat(me))
    subnets = tuple(sorted(facts.subnets, key=str))
    told = replace(member, version=facts.version, mtu=facts.mtu, trunk_mtu=facts.trunk_mtu, subnets=subnets)
    changes: list[Change] = [Put(replace(beat, count=beat.count + 1))]
    if told != member:
        changes.append(Put(told))
    return changes
