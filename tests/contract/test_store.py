"""What every store promises (ovsnet.store.interface), asked of the one in memory and of the real one."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from tests.contract.store_values import values_of_one_state
from tests.functional.ovsdb_server import open_store, store_server
from tests.states import DB, WEB, endpoint

from ovsnet.model.addressing import Allocation, AllocationKind, Pool
from ovsnet.model.errors import BadRequest, Conflict, Stale
from ovsnet.model.ids import NetworkId, Vni, pool_id
from ovsnet.model.state import Counters, State
from ovsnet.store.interface import Change, Drop, OfThisHost, Put, Store, Value
from ovsnet.store.local import LOCAL
from ovsnet.store.memory import MemoryStore

Open = Callable[[], AbstractAsyncContextManager[Store[State]]]

SUBNET4, SUBNET6 = IPv4Network("10.20.0.0/24"), IPv6Network("fd00:20::/64")
POOL = Pool(id=pool_id("local", SUBNET4, None), space="local", subnet=SUBNET4)
POOL6 = Pool(id=pool_id("local", SUBNET6, None), space="local", subnet=SUBNET6)
HELD = Allocation(POOL.id, IPv4Address("10.20.0.2"), AllocationKind.ENDPOINT, holder="web1", created_at=1.5)
HELD6 = Allocation(POOL6.id, IPv6Address("fd00:20::2"), AllocationKind.ENDPOINT)
ONE, TWO = endpoint(1), endpoint(2)
THIRD = NetworkId("c3" * 32)


@pytest.fixture(params=["memory", "ovsdb"])
def stores(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Open]:
    """Opens stores on the same data, as often as asked."""
    if request.param == "memory":
        memory = MemoryStore(LOCAL)

        @asynccontextmanager
        async def shared() -> AsyncIterator[Store[State]]:
            yield memory

        yield shared
        return
    server = store_server(tmp_path).start()
    try:
        yield lambda: open_store(server)
    finally:
        server.terminate()


def puts(*values: Value) -> Sequence[Change]:
    return [Put(it) for it in values]


def contents(state: State) -> tuple[object, ...]:
    """Everything in a state but its revision."""
    return (
        dict(state.networks),
        dict(state.endpoints),
        dict(state.pools),
        dict(state.allocations),
        dict(state.attachments),
        dict(state.spares),
        state.counters,
    )


async def test_begins_empty(stores: Open) -> None:
    async with stores() as store:
        assert contents(store.snapshot()) == contents(State())
        assert store.available


async def test_what_was_put_is_there(stores: Open) -> None:
    async with stores() as store:
        counted = Counters("0a:1b:2c", 7)
        after = await store.commit(store.snapshot(), puts(WEB, ONE, POOL, POOL6, HELD, HELD6, counted))
        assert after is store.snapshot()
        assert after.networks == {WEB.id: WEB}
        assert after.endpoints == {ONE.id: ONE}
        assert after.pools == {POOL.id: POOL, POOL6.id: POOL6}
        assert after.allocations == {HELD.key: HELD, HELD6.key: HELD6}
        assert after.counters == counted


async def test_order_within_a_commit_does_not_matter(stores: Open) -> None:
    async with stores() as store:
        full = await store.commit(store.snapshot(), puts(HELD, ONE, POOL, WEB))
        assert set(full.endpoints) == {ONE.id}
        empty = await store.commit(full, [Drop(WEB), Drop(POOL), Drop(ONE), Drop(HELD)])
        assert contents(empty) == contents(State())


async def test_put_replaces_what_has_the_same_key(stores: Open) -> None:
    async with stores() as store:
        first = await store.commit(store.snapshot(), puts(WEB, ONE))
        left = replace(ONE, plugged=False, sandbox="", ipv6=None, container_name="")
        renamed = replace(WEB, name="shop", labels=(("b", "2"), ("a", "1")))
        second = await store.commit(first, puts(left, renamed))
        assert second.endpoints == {ONE.id: left}
        assert second.networks == {WEB.id: renamed}


async def test_drop_removes_one_and_leaves_the_others(stores: Open) -> None:
    async with stores() as store:
        full = await store.commit(store.snapshot(), puts(WEB, ONE, TWO, POOL, HELD))
        after = await store.commit(full, [Drop(ONE), Drop(HELD)])
        assert after.endpoints == {TWO.id: TWO}
        assert after.allocations == {}
        assert after.pools == {POOL.id: POOL}


async def test_dropping_what_is_not_there_does_nothing(stores: Open) -> None:
    async with stores() as store:
        after = await store.commit(store.snapshot(), [Drop(ONE), Drop(HELD), Put(WEB)])
        assert contents(after) == contents(State(networks={WEB.id: WEB}))


async def test_of_several_changes_of_one_key_the_last_counts(stores: Open) -> None:
    async with stores() as store:
        first = await store.commit(store.snapshot(), [Put(WEB), Put(ONE), Drop(ONE), Put(TWO)])
        assert set(first.endpoints) == {TWO.id}
        second = await store.commit(first, [Drop(TWO), Put(replace(TWO, ifname="eth7"))])
        assert second.endpoints[TWO.id].ifname == "eth7"


async def test_a_commit_of_nothing_changes_nothing(stores: Open) -> None:
    async with stores() as store:
        base = await store.commit(store.snapshot(), puts(WEB, ONE))
        assert contents(await store.commit(base, [])) == contents(base)
        assert contents(await store.commit(base, puts(WEB, ONE))) == contents(base)


async def test_revision_grows_with_every_change(stores: Open) -> None:
    async with stores() as store:
        base = store.snapshot()
        first = await store.commit(base, puts(WEB))
        second = await store.commit(first, [Drop(WEB)])
        assert base.revision < first.revision < second.revision


async def test_a_snapshot_never_changes(stores: Open) -> None:
    async with stores() as store:
        before = await store.commit(store.snapshot(), puts(WEB, ONE))
        await store.commit(before, [Drop(ONE), Put(replace(WEB, name="other"))])
        assert before.endpoints == {ONE.id: ONE}
        assert before.networks == {WEB.id: WEB}


@pytest.mark.parametrize(
    "changes",
    [[Put(replace(ONE, container_name="late"))], [Drop(ONE)], [Put(TWO), Drop(ONE)]],
    ids=["replace", "drop", "all or none"],
)
async def test_stale_base_changes_nothing(stores: Open, changes: Sequence[Change]) -> None:
    async with stores() as store:
        base = await store.commit(store.snapshot(), puts(WEB, ONE))
        now = await store.commit(base, puts(replace(ONE, container_name="early")))
        with pytest.raises(Stale):
            await store.commit(base, changes)
        assert contents(store.snapshot()) == contents(now)


async def test_adding_what_somebody_added_is_stale(stores: Open) -> None:
    async with stores() as store:
        base = await store.commit(store.snapshot(), puts(POOL))
        await store.commit(base, puts(HELD))
        with pytest.raises(Stale):
            await store.commit(base, puts(replace(HELD, holder="db1")))
        assert store.snapshot().allocations == {HELD.key: HELD}


async def test_outdated_counters_are_stale(stores: Open) -> None:
    async with stores() as store:
        base = store.snapshot()
        await store.commit(base, puts(Counters("0a:1b:2c", 1)))
        with pytest.raises(Stale):
            await store.commit(base, puts(Counters("0a:ff:ff", 1)))
        assert store.snapshot().counters == Counters("0a:1b:2c", 1)


async def test_unrelated_changes_do_not_disturb_each_other(stores: Open) -> None:
    async with stores() as store:
        base = await store.commit(store.snapshot(), puts(WEB))
        await store.commit(base, puts(ONE))
        await store.commit(base, puts(TWO))
        assert set(store.snapshot().endpoints) == {ONE.id, TWO.id}


@pytest.mark.parametrize(
    ("there", "changes"),
    [
        pytest.param([WEB], [Put(replace(DB, vni=WEB.vni))], id="VNI taken"),
        pytest.param([], [Put(WEB), Put(replace(DB, vni=WEB.vni))], id="VNI twice"),
        pytest.param([], [Put(ONE)], id="no network"),
        pytest.param([], [Put(HELD)], id="no pool"),
        pytest.param([WEB, ONE], [Drop(WEB)], id="endpoint left"),
        pytest.param([POOL, HELD], [Drop(POOL)], id="address left"),
        pytest.param([WEB, ONE], [Put(TWO), Drop(WEB), Drop(ONE)], id="endpoint added"),
    ],
)
async def test_rules_between_values_hold(stores: Open, there: list[Value], changes: list[Change]) -> None:
    async with stores() as store:
        base = await store.commit(store.snapshot(), puts(*there))
        with pytest.raises(Conflict) as refusal:
            await store.commit(base, changes)
        assert not isinstance(refusal.value, Stale)
        assert contents(store.snapshot()) == contents(base)


async def test_a_vni_may_pass_to_another_network_in_one_commit(stores: Open) -> None:
    async with stores() as store:
        base = await store.commit(store.snapshot(), puts(WEB))
        after = await store.commit(base, [Put(replace(DB, vni=WEB.vni)), Drop(WEB)])
        assert [(it.id, it.vni) for it in after.networks.values()] == [(DB.id, WEB.vni)]


async def test_text_that_cannot_be_stored_is_refused(stores: Open) -> None:
    async with stores() as store:
        for name in ("nul \0", "half a pair \ud800"):
            with pytest.raises(BadRequest, match="name"):
                await store.commit(store.snapshot(), puts(replace(WEB, name=name)))
        await store.commit(store.snapshot(), puts(replace(WEB, name="Zürich 網路 🦭")))
        assert store.snapshot().networks[WEB.id].name == "Zürich 網路 🦭"


async def test_watchers_hear_of_every_commit(stores: Open) -> None:
    async with stores() as store:
        seen: list[int] = []
        store.watch(lambda: seen.append(store.snapshot().revision))
        after = await store.commit(store.snapshot(), puts(WEB))
        assert seen
        assert seen[-1] == after.revision


async def test_two_writers_racing_for_one_address_give_one_winner(stores: Open) -> None:
    async with stores() as left, stores() as right:
        await left.commit(left.snapshot(), puts(POOL))
        await _agree(left, right)
        bases = left.snapshot(), right.snapshot()
        mine, yours = replace(HELD, holder="left"), replace(HELD, holder="right")
        outcomes = await asyncio.gather(
            left.commit(bases[0], puts(mine)), right.commit(bases[1], puts(yours)), return_exceptions=True
        )
        assert sorted(type(it).__name__ for it in outcomes) == ["Stale", "State"]
        await _agree(left, right)
        winner = mine if isinstance(outcomes[0], State) else yours
        assert right.snapshot().allocations == {HELD.key: winner}


async def test_two_writers_counting_lose_nothing(stores: Open) -> None:
    async with stores() as left, stores() as right:
        await asyncio.gather(_count(left, 40), _count(right, 40))
        await _agree(left, right)
        assert left.snapshot().counters.mac_next == 80


async def _count(store: Store[State], times: int) -> None:
    done = 0
    while done < times:
        base = store.snapshot()
        try:
            await store.commit(base, puts(replace(base.counters, mac_next=base.counters.mac_next + 1)))
        except Stale:
            continue
        done += 1


@pytest.mark.parametrize(
    ("mine", "yours"),
    [
        pytest.param([Put(replace(DB, vni=Vni(99)))], [Put(replace(DB, id=THIRD, vni=Vni(99)))], id="one VNI"),
        pytest.param([Drop(WEB)], [Put(ONE)], id="network goes, endpoint comes"),
        pytest.param([Drop(POOL)], [Put(HELD)], id="pool goes, address comes"),
    ],
)
async def test_of_two_writers_who_break_a_rule_together_one_is_stale(
    stores: Open, mine: Sequence[Change], yours: Sequence[Change]
) -> None:
    async with stores() as left, stores() as right:
        await left.commit(left.snapshot(), puts(WEB, POOL))
        await _agree(left, right)
        outcomes = await asyncio.gather(
            left.commit(left.snapshot(), mine), right.commit(right.snapshot(), yours), return_exceptions=True
        )
        assert sorted(type(it).__name__ for it in outcomes) == ["Stale", "State"]


async def test_after_stale_the_snapshot_is_newer(stores: Open) -> None:
    async with stores() as left, stores() as right:
        bases = left.snapshot(), right.snapshot()
        results = await asyncio.gather(
            left.commit(bases[0], puts(Counters(mac_next=1))),
            right.commit(bases[1], puts(Counters(mac_next=2))),
            return_exceptions=True,
        )
        loser = right if isinstance(results[1], Stale) else left
        assert loser.snapshot().counters.mac_next in {1, 2}
        assert loser.snapshot().revision > bases[0].revision


async def _agree(left: Store[State], right: Store[State]) -> None:
    """Wait until both know the same."""
    changed = asyncio.Event()
    left.watch(changed.set)
    right.watch(changed.set)
    async with asyncio.timeout(20):
        while contents(left.snapshot()) != contents(right.snapshot()):
            await changed.wait()
            changed.clear()


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(values=values_of_one_state())
def test_every_field_of_every_value_comes_back(stores: Open, values: list[Value]) -> None:
    asyncio.run(_round_trip(stores, values))


async def _round_trip(stores: Open, values: list[Value]) -> None:
    async with stores() as writer:
        empty = await _emptied(writer)
        written = await writer.commit(empty, puts(*values))
        async with stores() as reader:
            assert contents(reader.snapshot()) == contents(written)
    assert set(values) == {*_values(written), written.counters}


async def _emptied(store: Store[State]) -> State:
    state = store.snapshot()
    return await store.commit(state, [Drop(it) for it in _values(state)])


def _values(state: State) -> Sequence[OfThisHost]:
    here = (
        state.networks,
        state.endpoints,
        state.attachments,
        state.bounds,
        state.exports,
        state.imports,
        state.uplinks,
        state.spares,
    )
    maps = (*here, state.pools, state.allocations)
    return [it for values in maps for it in values.values()]
