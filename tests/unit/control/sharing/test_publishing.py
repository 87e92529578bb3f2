"""What a host tells the others of its endpoints."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Interface, IPv6Address, IPv6Interface

from ovsnet.control.commit import Committer
from ovsnet.control.sharing.publishing import BATCH, Publisher, to_publish
from ovsnet.model.cluster import Cluster, RemoteEndpoint
from ovsnet.model.errors import Unavailable
from ovsnet.model.ids import EndpointId, Mac, NetworkId
from ovsnet.model.network import Network
from ovsnet.store.interface import Change, Drop, Put
from ovsnet.store.memory import MemoryStore
from ovsnet.store.shared import SHARED
from tests.fakes import clock
from tests.unit.control.sharing.hosts import (
    REQUEST,
    SHOP,
    A,
    B,
    C,
    Host,
    cluster_store,
    container,
    make_part,
    published,
)

Body = Callable[[Host, Host, Publisher], Awaitable[None]]


class Watched(MemoryStore[Cluster]):
    """A store of the cluster that goes away and comes back, and counts what it takes."""

    def __init__(self, state: Cluster) -> None:
        super().__init__(SHARED, state)
        self.present = True
        self.refusals = 0
        self.commits = 0
        self._told: list[Callable[[], None]] = []

    @property
    def available(self) -> bool:
        return self.present

    def watch(self, changed: Callable[[], None]) -> None:
        super().watch(changed)
        self._told.append(changed)

    async def commit(self, base: Cluster, changes: Sequence[Change]) -> Cluster:
        self.commits += 1
        if not self.present or self.refusals:
            self.refusals -= 1
            raise Unavailable("the cluster's database", "no voter answers")
        return await super().commit(base, changes)

    def come_back(self) -> None:
        self.present = True
        for changed in self._told:
            changed()


async def two_hosts() -> tuple[Host, Host]:
    """One network, made on a, and on b."""
    shared = Watched(cluster_store().snapshot())
    a, b = Host(A, shared), Host(B, shared)
    await a.networks.create(REQUEST)
    await make_part(b, b.everywhere[SHOP], 0xB1)
    return a, b


def publisher(host: Host) -> Publisher:
    it = Publisher(host.cluster, host.store.snapshot, host.name)
    host.store.watch(it.nudge)
    host.shared.watch(it.nudge)
    it.nudge()
    return it


def with_publisher(body: Body) -> None:
    """Run the body beside the publisher of host b, with jumping time."""

    async def main() -> None:
        a, b = await two_hosts()
        it = publisher(b)
        async with asyncio.TaskGroup() as group:
            running = group.create_task(it.run())
            await quiet()
            await body(a, b, it)
            running.cancel()

    clock.run(main)


async def quiet() -> None:
    """Until everybody waits for something, without any time passing."""
    for _ in range(50):
        await asyncio.sleep(0)


def rows(host: Host) -> dict[EndpointId, RemoteEndpoint]:
    return dict(host.shared.snapshot().endpoints)


def part(host: Host) -> Network:
    (it,) = host.state.networks.values()
    return it


async def put(host: Host, *changes: Change) -> None:
    await host.store.commit(host.state, changes)


def test_an_endpoint_is_published_with_all_that_others_need() -> None:
    async def body(_a: Host, b: Host, it: Publisher) -> None:
        box = replace(
            container(1, part(b), name="web1"),
            ipv4=IPv4Interface("10.40.0.5/24"),
            ipv6=IPv6Interface("fd00:40::5/64"),
            compose_service="web",
            aliases=("www", "web1", "0123456789ab"),
            created_at=7.5,
        )
        await put(b, Put(box))
        await quiet()
        assert list(rows(b).values()) == [
            RemoteEndpoint(
                id=box.id,
                network=SHOP,
                host=B,
                mac=Mac("0a:00:00:00:00:01"),
                ipv4=IPv4Address("10.40.0.5"),
                ipv6=IPv6Address("fd00:40::5"),
                names=("web1", "web", "www", "0123456789ab"),
                created_at=7.5,
            )
        ]
        assert (it.lag, it.published_revision) == (0, b.state.revision)

    with_publisher(body)


def test_names_follow_when_they_are_learned() -> None:
    async def body(_a: Host, b: Host, _it: Publisher) -> None:
        box = container(1, part(b))
        await put(b, Put(box))
        await quiet()
        assert rows(b)[box.id].names == ()
        await put(b, Put(replace(box, container_name="web1")))
        await quiet()
        assert rows(b)[box.id].names == ("web1",)

    with_publisher(body)


def test_what_leaves_or_goes_is_withdrawn() -> None:
    async def body(_a: Host, b: Host, _it: Publisher) -> None:
        first, second = container(1, part(b)), container(2, part(b))
        await put(b, Put(first), Put(second))
        await quiet()
        assert set(rows(b)) == {first.id, second.id}
        await put(b, Put(replace(first, plugged=False)))
        await quiet()
        assert set(rows(b)) == {second.id}
        await put(b, Drop(second))
        await quiet()
        assert not rows(b)

    with_publisher(body)


def test_rows_of_other_hosts_and_networks_of_this_host_alone_are_left_alone() -> None:
    async def body(_a: Host, b: Host, _it: Publisher) -> None:
        theirs, stale = published(9, C, SHOP, "db"), published(8, B, SHOP, "of an earlier life")
        await b.shared.commit(b.shared.snapshot(), [Put(theirs), Put(stale)])
        alone = await b.networks.create(replace(REQUEST, id=NetworkId("77" * 32), options={"mode": "bridge"}))
        await put(b, Put(container(1, alone)))
        await quiet()
        assert rows(b) == {theirs.id: theirs}

    with_publisher(body)


def test_a_network_that_is_gone_from_the_cluster_keeps_nothing_else_back() -> None:
    async def body(_a: Host, b: Host, it: Publisher) -> None:
        await put(b, Put(container(1, part(b))))
        await quiet()
        await b.shared.commit(b.shared.snapshot(), [*(Drop(it) for it in rows(b).values()), Drop(b.everywhere[SHOP])])
        await quiet()
        assert not rows(b)
        assert (it.lag, it.problems()) == (0, ())

    with_publisher(body)


def test_what_happened_during_an_outage_is_published_after_it() -> None:
    async def body(_a: Host, b: Host, it: Publisher) -> None:
        assert isinstance(b.shared, Watched)
        box = container(1, part(b))
        await put(b, Put(box))
        await quiet()
        b.shared.present = False
        before = b.shared.commits
        await put(b, Drop(box), Put(container(2, part(b))), Put(container(3, part(b))))
        await quiet()
        assert it.lag == 3
        assert it.problems() == ("changes wait to be published: the cluster's database does not answer",)
        assert b.shared.commits == before, "nobody is kept waiting"
        b.shared.come_back()
        await quiet()
        assert set(rows(b)) == {container(2, part(b)).id, container(3, part(b)).id}
        assert (it.lag, it.problems()) == (0, ())

    with_publisher(body)


def test_a_refusal_is_tried_again_by_the_clock() -> None:
    async def body(_a: Host, b: Host, it: Publisher) -> None:
        assert isinstance(b.shared, Watched)
        b.shared.refusals = 3
        await put(b, Put(container(1, part(b))))
        await quiet()
        assert "no voter answers" in it.problems()[0]
        await asyncio.sleep(10)
        assert len(rows(b)) == 1
        assert it.problems() == ()

    with_publisher(body)


def test_many_endpoints_are_published_in_pieces() -> None:
    async def body(_a: Host, b: Host, it: Publisher) -> None:
        assert isinstance(b.shared, Watched)
        boxes = [replace(container(1, part(b)), id=EndpointId(f"{number:064x}")) for number in range(2 * BATCH + 1)]
        before = b.shared.commits
        await put(b, *(Put(it) for it in boxes))
        await quiet()
        assert len(rows(b)) == len(boxes)
        assert b.shared.commits - before == 3
        assert it.lag == 0

    with_publisher(body)


def test_other_hosts_changes_cost_no_commit() -> None:
    async def body(_a: Host, b: Host, _it: Publisher) -> None:
        assert isinstance(b.shared, Watched)
        await put(b, Put(container(1, part(b))))
        await quiet()
        before = b.shared.commits
        await b.shared.commit(b.shared.snapshot(), [Put(published(9, C, SHOP, "db"))])
        await quiet()
        assert b.shared.commits == before + 1

    with_publisher(body)


def test_a_host_that_was_taken_out_publishes_nothing_and_says_so() -> None:
    async def body(_a: Host, b: Host, it: Publisher) -> None:
        await b.shared.commit(b.shared.snapshot(), [Drop(b.shared.snapshot().members[B])])
        await put(b, Put(container(1, part(b))))
        await quiet()
        assert not rows(b)
        assert it.problems() == ("host b is not a member of the cluster any more: what runs here is not published",)

    with_publisher(body)


async def test_the_origin_tells_the_name_and_the_labels_once() -> None:
    a, b = await two_hosts()
    named = replace(part(a), name="shop", labels=(("team", "blue"),))
    await put(a, Put(named))
    (change,) = to_publish(a.state, a.shared.snapshot(), A)
    assert isinstance(change, Put)
    assert change.value == replace(a.everywhere[SHOP], name="shop", labels=(("team", "blue"),))
    await a.shared.commit(a.shared.snapshot(), [change])
    assert to_publish(a.state, a.shared.snapshot(), A) == []
    await put(b, Put(replace(part(b), name="otherwise")))
    assert to_publish(b.state, b.shared.snapshot(), B) == [], "only the origin's engine names it"


async def test_nothing_is_published_before_the_cluster_is_known() -> None:
    _, b = await two_hosts()
    await put(b, Put(container(1, part(b))))
    assert to_publish(b.state, Cluster(), B) == []
    assert Publisher(Committer(MemoryStore(SHARED)), b.store.snapshot, B).problems() == ()
