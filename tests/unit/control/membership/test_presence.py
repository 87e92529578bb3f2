"""When a host looks at the others: soon after something changed, and of many changes at once only once."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from ovsnet.control.commit import Committer
from ovsnet.control.membership.liveness import Liveness
from ovsnet.control.membership.presence import HostFacts, Presence
from ovsnet.model.cluster import Beat, Cluster
from ovsnet.model.ids import HostName
from ovsnet.store.interface import Put
from ovsnet.store.memory import MemoryStore
from tests.fakes.clock import jumping
from tests.unit.control.sharing.hosts import A, B, cluster_store, member

PERIOD = 10.0


class Looked(Liveness):
    """Counts how often it was asked."""

    looks = 0

    def observe(self, members: Mapping[HostName, object], beats: Mapping[HostName, Beat], now: float) -> bool:
        self.looks += 1
        return super().observe(members, beats, now)


async def _facts() -> HostFacts:
    return HostFacts("1.0", 1500, ())


@asynccontextmanager
async def presence(store: MemoryStore[Cluster], liveness: Liveness) -> AsyncIterator[Presence]:
    it = Presence(Committer(store), A, liveness, _facts, PERIOD, lambda: None)
    store.watch(it.nudge)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(it.run())
        yield it
        task.cancel()


@jumping
async def test_a_storm_of_signs_of_life_is_looked_at_a_few_times() -> None:
    store = cluster_store(member(A), member(B))
    liveness = Looked(A, 35.0, PERIOD)
    async with presence(store, liveness):
        await asyncio.sleep(1.0)
        liveness.looks = 0
        for number in range(100):
            await store.commit(store.snapshot(), [_beat(number)])
            await asyncio.sleep(0.01)
        assert 1 <= liveness.looks <= 6


@jumping
async def test_a_host_that_comes_back_is_seen_within_a_fraction_of_a_period() -> None:
    store = cluster_store(member(A), member(B))
    liveness = Liveness(A, 35.0, PERIOD)
    async with presence(store, liveness):
        await asyncio.sleep(60.0)
        assert liveness.dead == {B}
        await store.commit(store.snapshot(), [_beat(1)])
        await asyncio.sleep(PERIOD / 40)
        assert not liveness.dead


def _beat(count: int) -> Put:
    return Put(Beat(B, count))
