"""What every applier of links keeps to: the real one on the kernel, and the fake that stands for it."""

from collections.abc import AsyncIterator

import pytest
from tests.fakes.appliers import FakeApplier, Refusals
from tests.functional.kernel import ip, pair, private_host

from ovsnet.linux.links import LinkApplier
from ovsnet.model.delta import Delta, diff
from ovsnet.model.errors import ApplyError
from ovsnet.model.host import LinkPlan
from ovsnet.reconcile.appliers import Applier

PLANS = {it.name: it for it in (pair(1), pair(2), pair(3))}


@pytest.fixture(params=["fake", "real"])
async def applier(request: pytest.FixtureRequest) -> AsyncIterator[Applier[LinkPlan]]:
    """One without any links."""
    if request.param == "fake":
        yield FakeApplier[LinkPlan]()
        return
    with private_host():
        async with LinkApplier() as links:
            yield links


async def write(applier: Applier[LinkPlan], want: dict[str, LinkPlan]) -> list[ApplyError]:
    return list(await applier.apply(diff(want, applier.have())))


async def test_there_is_nothing_at_first(applier: Applier[LinkPlan]) -> None:
    await applier.resync()
    assert dict(applier.have()) == {}


async def test_what_was_written_is_there(applier: Applier[LinkPlan]) -> None:
    assert await write(applier, PLANS) == []
    assert applier.have() == PLANS
    await applier.resync()
    assert applier.have() == PLANS


async def test_nothing_differs_afterwards(applier: Applier[LinkPlan]) -> None:
    await write(applier, PLANS)
    assert not diff(PLANS, applier.have())


async def test_a_change_takes_the_place_of_what_was(applier: Applier[LinkPlan]) -> None:
    await write(applier, PLANS)
    changed = {**PLANS, pair(2).name: pair(2, mtu=1300)}
    assert await write(applier, changed) == []
    assert applier.have() == changed


async def test_removing_leaves_the_others(applier: Applier[LinkPlan]) -> None:
    await write(applier, PLANS)
    assert await write(applier, {pair(2).name: pair(2)}) == []
    assert applier.have() == {pair(2).name: pair(2)}


async def test_everything_may_be_repeated(applier: Applier[LinkPlan]) -> None:
    adding = Delta(PLANS, {}, {})
    removing: Delta[LinkPlan] = Delta({}, {}, PLANS)
    for delta, result in ((adding, PLANS), (adding, PLANS), (removing, {}), (removing, {})):
        assert list(await applier.apply(delta)) == []
        assert applier.have() == result


async def test_an_empty_delta_does_nothing(applier: Applier[LinkPlan]) -> None:
    await write(applier, PLANS)
    assert list(await applier.apply(Delta({}, {}, {}))) == []
    assert applier.have() == PLANS


async def test_what_have_gave_does_not_change_later(applier: Applier[LinkPlan]) -> None:
    await write(applier, PLANS)
    before = applier.have()
    await write(applier, {})
    assert before == PLANS


@pytest.fixture(params=["fake", "real"])
async def stubborn(request: pytest.FixtureRequest) -> AsyncIterator[Applier[LinkPlan]]:
    """One without any links, that refuses pair 1."""
    if request.param == "fake":
        yield FakeApplier[LinkPlan](Refusals(refuse=1))
        return
    with private_host():
        ip("link", "add", pair(1).name, "type", "bridge")
        async with LinkApplier() as links:
            yield links


async def test_a_refusal_names_its_link_and_stops_no_other(stubborn: Applier[LinkPlan]) -> None:
    (error,) = await write(stubborn, PLANS)
    assert error.resource == pair(1).name
    assert error.reason
    assert stubborn.have() == {pair(2).name: pair(2), pair(3).name: pair(3)}
