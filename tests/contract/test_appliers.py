"""What the reconciler may expect of every applier, asked of the fake and of the real ones.

Each applier comes with four values: two that differ, another version of the first, and one that the host
refuses.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from tests.fakes.appliers import FakeApplier, Refusals
from tests.functional.switch import DEADLINE, Switch, private_switch

from ovsnet.model.delta import Delta, diff
from ovsnet.model.errors import Unavailable
from ovsnet.model.host import BridgePlan, Datapath, PortPlan
from ovsnet.model.ids import Vlan
from ovsnet.model.network import PortKind
from ovsnet.ovs.bridge import BridgeApplier
from ovsnet.ovs.openflow import FlowApplier
from ovsnet.ovs.ports import PortApplier
from ovsnet.ovs.switch import Switch as OurSwitch
from ovsnet.pipeline.cookies import Feature, cookie
from ovsnet.pipeline.flow import Flow
from ovsnet.plan.names import OWNER_KEY
from ovsnet.reconcile.appliers import Applier
from ovsnet.settings import Settings

BRIDGE = "br-ours"
OURS = {OWNER_KEY: "test"}


@dataclass
class Subject:
    """One kind of applier on one host.

    `fresh` is what a restarted process would start with; `refused` what the host does not take; `leave`
    stops the host.
    """

    fresh: Callable[[], Awaitable[Applier[Any]]]
    first: Any
    second: Any
    first_changed: Any
    refused: Any
    leave: Callable[[], None]
    key: Callable[[Any], str] = lambda it: str(it.name)

    def wanted(self, *values: Any) -> dict[str, Any]:
        """By resource key."""
        return {self.key(it): it for it in values}

    async def converged(self, *values: Any) -> Applier[Any]:
        """An applier that has brought the host to these values."""
        applier = await self.fresh()
        assert await applier.apply(diff(self.wanted(*values), applier.have())) == []
        return applier


# ---------------------------------------------------------------- the subjects


@asynccontextmanager
async def the_fake(_: Switch) -> AsyncIterator[Subject]:
    host: FakeApplier[PortPlan] = FakeApplier()

    async def fresh() -> FakeApplier[PortPlan]:
        return host

    def leave() -> None:
        host.answers = False

    yield Subject(fresh, port("va"), port("vb"), port("va", vlan=7), None, leave)


@asynccontextmanager
async def a_refusing_fake(_: Switch) -> AsyncIterator[Subject]:
    host: FakeApplier[PortPlan] = FakeApplier(Refusals(2))

    async def fresh() -> FakeApplier[PortPlan]:
        return host

    yield Subject(fresh, port("va"), port("vb"), port("va", vlan=7), port("vnone"), lambda: None)


@asynccontextmanager
async def flows(real: Switch) -> AsyncIterator[Subject]:
    real.add_bridge(BRIDGE)

    async def fresh() -> FlowApplier:
        applier = FlowApplier(BRIDGE, real.run_dir, deadline=DEADLINE)
        await applier.resync()
        return applier

    mark = cookie(Feature.BASE)
    yield Subject(
        fresh,
        first=Flow(0, 1, "ip,in_port=1", "drop", mark),
        second=Flow(0, 2, "ipv6,in_port=1", "drop", mark),
        first_changed=Flow(0, 1, "ip,in_port=1", "goto_table:3", mark),
        refused=Flow(0, 3, "ip", "group:1", mark),
        leave=real.stop_daemon,
        key=lambda it: str(it.key),
    )


@asynccontextmanager
async def bridges(real: Switch) -> AsyncIterator[Subject]:
    async with following(real) as switch:

        async def fresh() -> BridgeApplier:
            return BridgeApplier(await switch())

        made = BridgePlan(BRIDGE, Datapath.USERSPACE, OURS)
        changed = BridgePlan(BRIDGE, Datapath.USERSPACE, {**OURS, "ovsnet-note": "x"})
        yield Subject(fresh, made, made, changed, None, real.stop_database)


@asynccontextmanager
async def ports(real: Switch) -> AsyncIterator[Subject]:
    for name in ("va", "vb"):
        real.call("ip", "link", "add", name, "type", "veth", "peer", "name", f"{name}-inside")
    async with following(real) as switch:
        await BridgeApplier(await switch()).apply(Delta({BRIDGE: BridgePlan(BRIDGE, Datapath.USERSPACE, OURS)}, {}, {}))

        async def fresh() -> PortApplier:
            return PortApplier(await switch(), lambda name: ifindex(real, name))

        yield Subject(fresh, port("va"), port("vb"), port("va", vlan=7), port("vnone"), real.stop_database)


def port(name: str, *, vlan: int = 0) -> PortPlan:
    return PortPlan(name, PortKind.VETH, Vlan(vlan), external_ids=OURS)


def ifindex(real: Switch, name: str) -> int | None:
    found = real.call("sh", "-c", f"cat /sys/class/net/{name}/ifindex 2>/dev/null || true")
    return int(found) if found else None


@asynccontextmanager
async def following(real: Switch) -> AsyncIterator[Callable[[], Awaitable[OurSwitch]]]:
    """Gives replicas that are followed, one for each process of the test."""
    settings = Settings(instance="test", bridge=BRIDGE, ovsdb_socket=str(real.db_socket), ovs_run_dir=str(real.run_dir))
    tasks = []
    async with asyncio.TaskGroup() as group:

        async def another() -> OurSwitch:
            switch = OurSwitch(settings, deadline=DEADLINE)
            tasks.append(group.create_task(switch.run()))
            await switch.wait_ready(DEADLINE)
            return switch

        yield another
        for task in tasks:
            task.cancel()


@pytest.fixture
def real() -> Iterator[Switch]:
    with private_switch() as it:
        yield it


@pytest.fixture(params=[the_fake, flows, bridges, ports], ids=lambda it: str(it.__name__))
async def subject(request: pytest.FixtureRequest, real: Switch) -> AsyncIterator[Subject]:
    async with request.param(real) as it:
        yield it


@pytest.fixture(params=[a_refusing_fake, flows, ports], ids=lambda it: str(it.__name__))
async def divisible(request: pytest.FixtureRequest, real: Switch) -> AsyncIterator[Subject]:
    """Those of which the host can refuse one resource beside others."""
    async with request.param(real) as it:
        yield it


# ---------------------------------------------------------------- the contract


async def test_have_shows_what_was_written(subject: Subject) -> None:
    applier = await subject.converged(subject.first, subject.second)
    assert dict(applier.have()) == subject.wanted(subject.first, subject.second)


async def test_have_is_the_same_after_a_new_look(subject: Subject) -> None:
    applier = await subject.converged(subject.first, subject.second)
    await applier.resync()
    assert dict(applier.have()) == subject.wanted(subject.first, subject.second)


async def test_a_change_is_written(subject: Subject) -> None:
    applier = await subject.converged(subject.first)
    wanted = subject.wanted(subject.first_changed)
    assert await applier.apply(diff(wanted, applier.have())) == []
    await applier.resync()
    assert dict(applier.have()) == wanted


async def test_writing_twice_is_harmless(subject: Subject) -> None:
    applier = await subject.converged(subject.first)
    assert await applier.apply(Delta(subject.wanted(subject.first), {}, {})) == []
    await applier.resync()
    assert dict(applier.have()) == subject.wanted(subject.first)


async def test_what_was_removed_is_gone(subject: Subject) -> None:
    applier = await subject.converged(subject.first, subject.second)
    assert await applier.apply(diff({}, applier.have())) == []
    await applier.resync()
    assert dict(applier.have()) == {}


async def test_a_new_process_recognises_its_own(subject: Subject) -> None:
    await subject.converged(subject.first, subject.second)
    reborn = await subject.fresh()
    assert dict(reborn.have()) == subject.wanted(subject.first, subject.second)


async def test_one_refusal_does_not_stop_the_others(divisible: Subject) -> None:
    applier = await divisible.fresh()
    wanted = divisible.wanted(divisible.first, divisible.refused, divisible.second)
    failures = await applier.apply(Delta(wanted, {}, {}))
    assert [it.resource for it in failures] == [divisible.key(divisible.refused)]
    await applier.resync()
    assert dict(applier.have()) == divisible.wanted(divisible.first, divisible.second)


async def test_a_host_that_is_away_is_unavailable_and_what_is_known_stays(subject: Subject) -> None:
    applier = await subject.converged(subject.first)
    subject.leave()
    assert await refuses_to_look(applier)
    with pytest.raises(Unavailable):
        await applier.apply(diff({}, applier.have()))
    assert dict(applier.have()) == subject.wanted(subject.first)


async def refuses_to_look(applier: Applier[Any]) -> bool:
    """True once a look is Unavailable: a replica notices the end of its server with the next turn of the
    loop.
    """
    async with asyncio.timeout(DEADLINE):
        while True:
            try:
                await applier.resync()
            except Unavailable:
                return True
            await asyncio.sleep(0)
