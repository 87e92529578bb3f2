"""What every applier of kernel interfaces keeps to: the real ones on the kernel, and the fake that stands for them."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from tests.fakes.appliers import FakeApplier, Refusals
from tests.functional.kernel import ip, pair, private_host, tunnel, underlay

from ovsnet.linux.links import LinkApplier
from ovsnet.linux.tunnels import TunnelApplier
from ovsnet.model.delta import Delta, diff
from ovsnet.model.errors import ApplyError
from ovsnet.reconcile.appliers import Applier


@dataclass(frozen=True)
class Subject:
    """One kind of applier. `open` starts a process; `plans` are three that it can write, `changed` another version of
    the second.
    """

    open: Callable[[], AbstractAsyncContextManager[Applier[Any]]]
    plans: dict[str, Any]
    changed: Any
    stubborn: Callable[[], AbstractAsyncContextManager[Applier[Any]]]
    """As `open`, where the first plan is refused."""

    @property
    def names(self) -> tuple[str, str, str]:
        first, second, third = self.plans
        return first, second, third


@asynccontextmanager
async def fake(refuse: int = 0) -> AsyncIterator[FakeApplier[Any]]:
    yield FakeApplier(Refusals(refuse))


@asynccontextmanager
async def in_the_way(applier: AbstractAsyncContextManager[Applier[Any]], name: str) -> AsyncIterator[Applier[Any]]:
    """Where somebody else has an interface of that name."""
    ip("link", "add", name, "type", "bridge")
    async with applier as it:
        yield it


PAIRS = {it.name: it for it in (pair(1), pair(2), pair(3))}
TUNNELS = {
    it.name: it for it in (tunnel(1), tunnel(2, ("", "10.99.0.2")), tunnel(3, ("0a:00:00:00:00:01", "10.99.0.2")))
}
SUBJECTS = {
    "fake": Subject(fake, PAIRS, pair(2, mtu=1300), lambda: fake(refuse=1)),
    "links": Subject(LinkApplier, PAIRS, pair(2, mtu=1300), lambda: in_the_way(LinkApplier(), pair(1).name)),
    "tunnels": Subject(
        TunnelApplier,
        TUNNELS,
        tunnel(2, ("", "10.99.0.3"), mtu=1300),
        lambda: in_the_way(TunnelApplier(), tunnel(1).name),
    ),
}


@pytest.fixture(params=SUBJECTS)
def subject(request: pytest.FixtureRequest) -> Iterator[Subject]:
    with private_host():
        underlay()
        yield SUBJECTS[request.param]


@pytest.fixture
async def applier(subject: Subject) -> AsyncIterator[Applier[Any]]:
    """One that has nothing yet."""
    async with subject.open() as it:
        yield it


async def write(applier: Applier[Any], want: dict[str, Any]) -> list[ApplyError]:
    return list(await applier.apply(diff(want, applier.have())))


async def test_there_is_nothing_at_first(applier: Applier[Any]) -> None:
    await applier.resync()
    assert dict(applier.have()) == {}


async def test_what_was_written_is_there(applier: Applier[Any], subject: Subject) -> None:
    assert await write(applier, subject.plans) == []
    assert applier.have() == subject.plans
    await applier.resync()
    assert applier.have() == subject.plans


async def test_nothing_differs_afterwards(applier: Applier[Any], subject: Subject) -> None:
    await write(applier, subject.plans)
    assert not diff(subject.plans, applier.have())


async def test_a_change_takes_the_place_of_what_was(applier: Applier[Any], subject: Subject) -> None:
    await write(applier, subject.plans)
    changed = {**subject.plans, subject.changed.name: subject.changed}
    assert await write(applier, changed) == []
    assert applier.have() == changed


async def test_removing_leaves_the_others(applier: Applier[Any], subject: Subject) -> None:
    await write(applier, subject.plans)
    _, second, _ = subject.names
    assert await write(applier, {second: subject.plans[second]}) == []
    assert applier.have() == {second: subject.plans[second]}


async def test_everything_may_be_repeated(applier: Applier[Any], subject: Subject) -> None:
    adding: Delta[Any] = Delta(subject.plans, {}, {})
    removing: Delta[Any] = Delta({}, {}, subject.plans)
    for delta, result in ((adding, subject.plans), (adding, subject.plans), (removing, {}), (removing, {})):
        assert list(await applier.apply(delta)) == []
        assert applier.have() == result


async def test_an_empty_delta_does_nothing(applier: Applier[Any], subject: Subject) -> None:
    await write(applier, subject.plans)
    assert list(await applier.apply(Delta({}, {}, {}))) == []
    assert applier.have() == subject.plans


async def test_what_have_gave_does_not_change_later(applier: Applier[Any], subject: Subject) -> None:
    await write(applier, subject.plans)
    before = applier.have()
    await write(applier, {})
    assert before == subject.plans


async def test_a_refusal_names_its_interface_and_stops_no_other(subject: Subject) -> None:
    first, second, third = subject.names
    async with subject.stubborn() as applier:
        (error,) = await write(applier, subject.plans)
        assert error.resource == first
        assert error.reason
        assert applier.have() == {name: subject.plans[name] for name in (second, third)}
