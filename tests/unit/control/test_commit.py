"""Decide and commit as one step."""

import asyncio
from collections.abc import Sequence

import pytest

from ovsnet.control.commit import MAX_TRIES, Committer
from ovsnet.model.errors import BadRequest, Unavailable
from ovsnet.model.state import Counters, State
from ovsnet.store.interface import Change, Put
from ovsnet.store.local import LOCAL
from ovsnet.store.memory import MemoryStore


class ContestedStore(MemoryStore[State]):
    """Somebody else commits first, the given number of times."""

    def __init__(self, losses: int) -> None:
        super().__init__(LOCAL)
        self._losses = losses

    async def commit(self, base: State, changes: Sequence[Change]) -> State:
        await asyncio.sleep(0)
        if self._losses:
            self._losses -= 1
            await super().commit(self.snapshot(), [Put(Counters(mac_next=self.snapshot().counters.mac_next + 1))])
        return await super().commit(base, changes)


def count(state: State) -> tuple[Sequence[Change], int]:
    number = state.counters.mac_next + 1
    return [Put(Counters(mac_next=number))], number


async def test_the_result_of_the_decision_is_given_back_once_it_is_committed() -> None:
    store = MemoryStore(LOCAL)
    assert await Committer(store).commit(count) == 1
    assert store.snapshot().counters.mac_next == 1


async def test_who_lost_decides_again_on_the_newer_state() -> None:
    store = ContestedStore(losses=MAX_TRIES - 1)
    assert await Committer(store).commit(count) == MAX_TRIES
    assert store.snapshot().counters.mac_next == MAX_TRIES


async def test_who_loses_every_time_is_told() -> None:
    with pytest.raises(Unavailable, match="run the command again"):
        await Committer(ContestedStore(losses=MAX_TRIES)).commit(count)


async def test_deciders_of_one_process_never_collide() -> None:
    store = ContestedStore(losses=0)
    committer = Committer(store)
    assert sorted(await asyncio.gather(*(committer.commit(count) for _ in range(20)))) == list(range(1, 21))


async def test_no_changes_commit_nothing() -> None:
    store = MemoryStore(LOCAL)
    assert await Committer(store).commit(lambda _: ((), "as before")) == "as before"
    assert store.snapshot().revision == 0


async def test_a_refusal_leaves_the_state_and_lets_the_next_one_in() -> None:
    store = MemoryStore(LOCAL)
    committer = Committer(store)

    def refuse(_: State) -> tuple[Sequence[Change], None]:
        raise BadRequest("no")

    with pytest.raises(BadRequest):
        await committer.commit(refuse)
    assert await committer.commit(count) == 1


class AwayStore(MemoryStore[State]):
    """Waits a moment for a server that does not come."""

    def __init__(self) -> None:
        super().__init__(LOCAL)
        self.waits = 0

    @property
    def available(self) -> bool:
        return False

    async def commit(self, base: State, changes: Sequence[Change]) -> State:
        self.waits += 1
        await asyncio.sleep(0.02)
        raise Unavailable("the store", "it is away")


async def test_who_queues_behind_one_that_waited_in_vain_is_not_made_to_wait_again() -> None:
    store = AwayStore()
    committer = Committer(store)

    said = await asyncio.gather(*(committer.commit(count) for _ in range(5)), return_exceptions=True)

    assert [str(it) for it in said] == ["the store is not available: it is away"] * 5
    assert store.waits == 1
    with pytest.raises(Unavailable):
        await committer.commit(count)
    assert store.waits == 2
