"""Collecting what the engine forgot."""

from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from typing import Any

import pytest

from ovsnet.control.commit import Committer
from ovsnet.control.orphans import Orphans
from ovsnet.control.sharing.publishing import to_publish
from ovsnet.engine.facts import EngineEndpoint, EngineFacts, EngineNetwork
from ovsnet.model.addressing import Allocation, AllocationKind, Pool
from ovsnet.model.ids import pool_id
from ovsnet.model.state import State
from ovsnet.store.interface import Drop, Put
from ovsnet.store.local import LOCAL
from ovsnet.store.memory import MemoryStore
from tests.states import DB, TWO_NETWORKS, WEB, endpoint
from tests.unit.control.sharing.hosts import REQUEST, SHOP, A, B, Host, cluster_store

SUBNET = IPv4Network("10.20.0.0/24")
POOL = Pool(pool_id("local", SUBNET, None), "local", SUBNET)
HELD = Allocation(POOL.id, IPv4Address("10.20.0.2"), AllocationKind.ENDPOINT)
GATEWAY = Allocation(POOL.id, IPv4Address("10.20.0.1"), AllocationKind.GATEWAY)
START: State = replace(TWO_NETWORKS, pools={POOL.id: POOL}, allocations={it.key: it for it in (HELD, GATEWAY)})
AGE = 120.0


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def engine(*, without: Any = None, complete: bool = True) -> EngineFacts:
    networks = [EngineNetwork(it.id, it.name, subnets=(it.ipv4,)) for it in (WEB, DB) if it.ipv4 and it is not without]
    numbers = [number for number in (1, 2, 3, 4) if number != without]
    of = {1: WEB, 2: WEB, 3: DB, 4: DB}
    endpoints = [EngineEndpoint(endpoint(it).id, of[it].id, "c", "c") for it in numbers]
    return EngineFacts({it.id: it for it in networks}, {it.id: it for it in endpoints}, complete)


def collector() -> tuple[Orphans, Committer[State], Clock]:
    committer, clock = Committer(MemoryStore(LOCAL, START)), Clock()
    return Orphans(committer, clock, AGE), committer, clock


async def test_what_the_engine_knows_is_never_touched() -> None:
    orphans, committer, clock = collector()
    for _ in range(3):
        assert await orphans.consider(engine()) == 0
        clock.now += 1000
    assert committer.snapshot() == START


async def test_nothing_is_collected_before_its_time() -> None:
    orphans, committer, clock = collector()
    await orphans.consider(engine(without=1))
    clock.now += AGE - 1
    assert await orphans.consider(engine(without=1)) == 0
    assert committer.snapshot() == START


async def test_an_endpoint_and_its_address_are_collected_together() -> None:
    orphans, committer, clock = collector()
    await orphans.consider(engine(without=1))
    clock.now += AGE
    assert await orphans.consider(engine(without=1)) == 1
    assert endpoint(1).id not in committer.snapshot().endpoints
    await orphans.consider(engine(without=1))
    clock.now += AGE
    assert await orphans.consider(engine(without=1)) == 1
    assert HELD.key not in committer.snapshot().allocations
    assert GATEWAY.key in committer.snapshot().allocations


async def test_a_suspect_that_shows_up_again_starts_anew() -> None:
    orphans, committer, clock = collector()
    await orphans.consider(engine(without=1))
    clock.now += AGE / 2
    await orphans.consider(engine())
    clock.now += AGE / 2
    assert await orphans.consider(engine(without=1)) == 0
    assert committer.snapshot() == START


async def test_a_network_goes_with_its_endpoints_and_its_pool() -> None:
    orphans, committer, clock = collector()
    await orphans.consider(engine(without=WEB))
    clock.now += AGE
    await orphans.consider(engine(without=WEB))
    left = committer.snapshot()
    assert list(left.networks) == [DB.id]
    assert {it.network_id for it in left.endpoints.values()} == {DB.id}
    assert not left.pools
    assert not left.allocations


@pytest.mark.parametrize("away", [EngineFacts(), engine(without=WEB, complete=False)])
async def test_an_engine_that_does_not_answer_proves_nothing(away: EngineFacts) -> None:
    orphans, committer, clock = collector()
    for _ in range(3):
        assert await orphans.consider(away) == 0
        clock.now += 1000
    assert committer.snapshot() == START


async def half_made() -> tuple[Host, Host]:
    """A network whose creation broke off on host a after the cluster knew of it."""
    shared = cluster_store()
    await Host(A, shared).networks.create(REQUEST)
    return Host(A, shared), Host(B, shared)


def shared_collector(host: Host) -> tuple[Orphans, Clock]:
    clock = Clock()
    return Orphans(host.committer, clock, AGE, host.sharing), clock


async def test_a_network_of_the_cluster_that_never_got_a_name_is_collected_by_its_origin() -> None:
    a, b = await half_made()
    (mine, clock), (theirs, other_clock) = shared_collector(a), shared_collector(b)
    nothing = EngineFacts(complete=True)
    await theirs.consider(nothing)
    other_clock.now += 10 * AGE
    assert await theirs.consider(nothing) == 0
    await mine.consider(nothing)
    clock.now += AGE - 1
    assert await mine.consider(nothing) == 0
    clock.now += 1
    assert await mine.consider(nothing) == 1
    assert not a.everywhere


async def test_when_its_origin_is_no_member_any_more_any_host_collects_it() -> None:
    a, b = await half_made()
    await a.shared.commit(a.shared.snapshot(), [Drop(a.shared.snapshot().members[A])])
    collector_of_b, clock = shared_collector(b)
    await collector_of_b.consider(EngineFacts(complete=True))
    clock.now += AGE
    assert await collector_of_b.consider(EngineFacts(complete=True)) == 1
    assert not b.everywhere


async def test_a_network_of_the_cluster_with_a_name_stays_whatever_the_engine_forgot() -> None:
    a = Host(A, cluster_store())
    made = await a.networks.create(REQUEST)
    await a.store.commit(a.state, [Put(replace(made, name="shop"))])
    await a.shared.commit(a.shared.snapshot(), to_publish(a.state, a.shared.snapshot(), A))
    orphans, clock = shared_collector(a)
    await orphans.consider(EngineFacts(complete=True))
    clock.now += AGE
    assert await orphans.consider(EngineFacts(complete=True)) == 1, "this host's part goes, to be made again"
    assert (list(a.everywhere), dict(a.state.networks)) == ([SHOP], {})
