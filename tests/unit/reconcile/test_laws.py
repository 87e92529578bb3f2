"""The laws of convergence: path, rest, heal, restart."""

import itertools
from dataclasses import replace

import pytest

from ovsnet.model.bound import Bound
from ovsnet.reconcile.phases import Kind
from tests.fakes.host import FakeHost
from tests.states import EMPTY, NAMED, TWO_ENDPOINTS, TWO_NETWORKS, WEB


async def settle(host: FakeHost) -> None:
    converger = host.converger()
    for _ in range(6):
        done = await converger.round()
        if done.clean and not done.written:
            return
    raise AssertionError(f"still busy after six rounds: {done}")


@pytest.mark.parametrize("path", list(itertools.permutations(NAMED, 3)), ids=" -> ".join)
async def test_the_host_depends_on_the_last_state_only(path: tuple[str, ...]) -> None:
    walked, direct = FakeHost(EMPTY), FakeHost(NAMED[path[-1]])
    for name in path:
        walked.state = NAMED[name]
        await settle(walked)
    await settle(direct)
    assert walked.contents() == direct.contents()


async def test_a_second_round_writes_nothing() -> None:
    host = FakeHost(TWO_NETWORKS)
    converger = host.converger()
    assert (await converger.round()).written > 0
    assert (await converger.round()).written == 0


@pytest.mark.parametrize("before", [EMPTY, TWO_ENDPOINTS], ids=["from empty", "from two endpoints"])
@pytest.mark.parametrize("after", [EMPTY, TWO_NETWORKS], ids=["to empty", "to two networks"])
async def test_heals_whichever_change_is_refused(before: object, after: object) -> None:
    for refuse in itertools.count(1):
        host = FakeHost(before, refuse)  # type: ignore[arg-type]
        await host.converger().round()
        host.state = after  # type: ignore[assignment]
        failures = (await host.converger().round()).failures
        await settle(host)
        direct = FakeHost(after)  # type: ignore[arg-type]
        await settle(direct)
        assert host.contents() == direct.contents()
        if not failures and host.refusals.seen < refuse:
            return


async def test_an_agent_that_lost_its_memory_writes_nothing() -> None:
    host = FakeHost(TWO_NETWORKS)
    await settle(host)
    before = host.refusals.seen
    assert (await host.converger().round()).written == 0
    assert host.refusals.seen == before


async def test_one_silent_neighbour_does_not_stop_the_other_kinds() -> None:
    host = FakeHost(TWO_ENDPOINTS)
    host.appliers[Kind.FLOWS].answers = False
    done = await host.converger().round()
    assert [it.resource for it in done.failures] == [Kind.FLOWS]
    assert len(host.appliers[Kind.PORTS].resources) == 2


@pytest.mark.row(85)
async def test_what_was_ordered_of_a_running_container_is_planned_at_once() -> None:
    (one, *_) = TWO_ENDPOINTS.endpoints.values()
    host = FakeHost(replace(TWO_ENDPOINTS, endpoints={one.id: replace(one, container_id="c1")}))
    converger = host.converger()
    await converger.round()
    host.state = replace(host.state, bounds={("c1", WEB.id): Bound("c1", WEB.id, 1_000_000)})
    await converger.round()
    (port,) = host.contents()[Kind.PORTS].values()
    assert port.rate == 1_000_000
