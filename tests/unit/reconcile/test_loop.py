"""When rounds happen, on a clock that jumps."""

import asyncio
from contextlib import suppress
from dataclasses import replace

import pytest

from ovsnet.model.errors import ApplyError, Unavailable
from ovsnet.reconcile.converge import Round
from ovsnet.reconcile.loop import Loop, worth_another_try
from ovsnet.reconcile.phases import Kind
from tests.fakes import clock
from tests.fakes.host import FakeHost
from tests.states import ONE_ENDPOINT, TWO_ENDPOINTS

GRACE = 6.0


class Recorder:
    """Notes at which time each round ended."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def __call__(self, before: Round, after: Round) -> None:
        self.times.append(asyncio.get_running_loop().time())


def make(host: FakeHost, rounds: Recorder) -> Loop:
    return Loop(host.converger(), retry=1.0, resync=60.0, after_round=rounds, grace=GRACE)


async def run_for(loop: Loop, seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await loop.run()


def test_retries_soon_then_rests_until_the_next_resync() -> None:
    async def scenario() -> None:
        rounds = Recorder()
        await run_for(make(FakeHost(ONE_ENDPOINT, refuse=1), rounds), 100)
        assert [round(it) for it in rounds.times] == [0, 1, 61]

    clock.run(scenario)


def test_what_is_refused_for_good_waits_until_somebody_changes_something() -> None:
    async def scenario() -> None:
        rounds, host = Recorder(), FakeHost(ONE_ENDPOINT, refuse=1)
        host.refusals.lasting = True
        loop = make(host, rounds)
        async with asyncio.TaskGroup() as group:
            running = group.create_task(loop.run())
            asyncio.get_running_loop().call_later(20, loop.retry_lasting)
            asyncio.get_running_loop().call_later(40, loop.retry_lasting)
            await asyncio.sleep(50)
            running.cancel()
        assert [round(it) for it in rounds.times] == [0, 20], "and not once more when all is well"

    clock.run(scenario)


def test_what_follows_from_such_a_refusal_waits_with_it() -> None:
    refused = ApplyError("ov1", "its name is taken", lasting=True)
    follows = [ApplyError("ov1", "its link does not exist"), ApplyError("ov1 inside", "no")]
    assert not worth_another_try([refused, *follows])
    assert worth_another_try([refused, ApplyError("ov2", "no")])
    assert not worth_another_try([])


def test_many_nudges_make_one_round() -> None:
    async def scenario() -> None:
        rounds = Recorder()
        loop = make(FakeHost(ONE_ENDPOINT), rounds)
        for _ in range(10):
            loop.nudge()
        await run_for(loop, 10)
        assert len(rounds.times) == 1

    clock.run(scenario)


def test_settled_returns_when_the_revision_is_in_force() -> None:
    async def scenario() -> None:
        host = FakeHost(TWO_ENDPOINTS)
        loop = make(host, Recorder())
        async with asyncio.TaskGroup() as group:
            running = group.create_task(loop.run())
            await loop.settled(TWO_ENDPOINTS.revision, tuple(host.appliers[Kind.PORTS].resources), 5)
            running.cancel()
        assert len(host.appliers[Kind.PORTS].resources) == 2

    clock.run(scenario)


def test_settled_says_what_was_refused() -> None:
    async def scenario() -> None:
        host = FakeHost(ONE_ENDPOINT)
        host.appliers[Kind.PORTS].answers = False
        loop = make(host, Recorder())
        async with asyncio.TaskGroup() as group:
            running = group.create_task(loop.run())
            with pytest.raises(ApplyError, match="switched off by the test"):
                await loop.settled(ONE_ENDPOINT.revision, (), 5)
            running.cancel()

    clock.run(scenario)


def test_settled_has_patience_with_a_host_that_is_only_slow() -> None:
    async def scenario() -> None:
        host = FakeHost(ONE_ENDPOINT)
        loop = make(host, Recorder())
        host.appliers[Kind.PORTS].takes = 20.0
        async with asyncio.TaskGroup() as group:
            running = group.create_task(loop.run())
            await loop.settled(ONE_ENDPOINT.revision, tuple(host.appliers[Kind.PORTS].resources), 30)
            running.cancel()
        assert len(host.appliers[Kind.PORTS].resources) == 1

    clock.run(scenario)


def test_settled_has_no_patience_with_a_host_that_refuses() -> None:
    async def scenario() -> None:
        host = FakeHost(ONE_ENDPOINT)
        host.appliers[Kind.PORTS].answers = False
        loop = make(host, Recorder())
        began = asyncio.get_running_loop().time()
        async with asyncio.TaskGroup() as group:
            running = group.create_task(loop.run())
            with pytest.raises(ApplyError, match="switched off by the test"):
                await loop.settled(ONE_ENDPOINT.revision, (), 30)
            running.cancel()
        assert asyncio.get_running_loop().time() - began == pytest.approx(GRACE)

    clock.run(scenario)


def test_settled_says_when_no_round_came() -> None:
    async def scenario() -> None:
        with pytest.raises(Unavailable, match="no round finished"):
            await make(FakeHost(ONE_ENDPOINT), Recorder()).settled(1, (), 5)

    clock.run(scenario)


def test_a_comparison_shows_what_was_found_before_it_is_repaired() -> None:
    async def scenario() -> None:
        host = FakeHost(TWO_ENDPOINTS)
        loop = make(host, Recorder())
        async with asyncio.TaskGroup() as group:
            running = group.create_task(loop.run())
            await loop.settled(TWO_ENDPOINTS.revision, (), 5)
            gone, _ = host.appliers[Kind.PORTS].resources.popitem()
            want, have = (await loop.compared(5))[Kind.PORTS]
            assert set(want) - set(have) == {gone}
            await loop.settled(TWO_ENDPOINTS.revision, (), 5)
            want, have = (await loop.compared(5))[Kind.PORTS]
            assert want == have
            running.cancel()

    clock.run(scenario)


def test_a_comparison_waits_for_a_change_that_is_on_its_way() -> None:
    async def scenario() -> None:
        host = FakeHost(ONE_ENDPOINT)
        loop = make(host, Recorder())
        async with asyncio.TaskGroup() as group:
            running = group.create_task(loop.run())
            await loop.settled(ONE_ENDPOINT.revision, (), 5)
            host.state = replace(TWO_ENDPOINTS, revision=2)
            assert all(want == have for want, have in (await loop.compared(5)).values())
            running.cancel()

    clock.run(scenario)


def test_a_comparison_of_a_silent_host_says_so() -> None:
    async def scenario() -> None:
        host = FakeHost(ONE_ENDPOINT)
        loop = make(host, Recorder())
        host.appliers[Kind.PORTS].answers = False
        async with asyncio.TaskGroup() as group:
            running = group.create_task(loop.run())
            with pytest.raises(Unavailable, match="switched off by the test"):
                await loop.compared(5)
            running.cancel()

    clock.run(scenario)


def test_a_comparison_that_does_not_come_in_time_is_unavailable_whatever_was_refused_before() -> None:
    async def scenario() -> None:
        host = FakeHost(ONE_ENDPOINT)
        loop = make(host, Recorder())
        host.appliers[Kind.PORTS].answers = False
        async with asyncio.TaskGroup() as group:
            running = group.create_task(loop.run())
            with pytest.raises(ApplyError):
                await loop.settled(ONE_ENDPOINT.revision, [Kind.PORTS], 5)
            running.cancel()
        with pytest.raises(Unavailable, match="switched off by the test"):
            await loop.compared(5)

    clock.run(scenario)


def test_of_a_neighbour_that_is_away_only_its_own_is_read_until_it_is_back_and_then_everything_once() -> None:
    async def scenario() -> None:
        rounds, host = Recorder(), FakeHost(ONE_ENDPOINT)
        loop = make(host, rounds)
        switch, others = host.appliers[Kind.FLOWS], host.appliers[Kind.LINKS]
        async with asyncio.TaskGroup() as group:
            running = group.create_task(loop.run())
            await asyncio.sleep(5)
            read = others.resyncs
            switch.answers = False
            loop.nudge(Kind.FLOWS)
            await asyncio.sleep(10)
            assert others.resyncs == read
            assert switch.resyncs >= 10
            switch.answers = True
            switch.resources.clear()
            loop.nudge()
            await asyncio.sleep(5)
            assert switch.resources
            assert others.resyncs == read + 1
            running.cancel()

    clock.run(scenario)
