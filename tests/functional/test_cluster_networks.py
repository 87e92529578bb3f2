"""Networks of all hosts and what is published on them, on a real database that two hosts write at once."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from importlib.resources import files
from ipaddress import IPv4Interface, IPv4Network
from pathlib import Path

import pytest
from tests.functional.ovsdb_server import PATIENCE, Server, following, plain_server, until
from tests.unit.control.sharing.hosts import REQUEST, SHOP, A, B, C, Host, container, make_part, member

from ovsnet.control.sharing.publishing import Publisher
from ovsnet.model.cluster import Cluster, ClusterInfo
from ovsnet.model.errors import Conflict
from ovsnet.model.ids import NetworkId
from ovsnet.store.interface import Drop, Put
from ovsnet.store.ovsdb import OvsdbStore
from ovsnet.store.shared import SHARED


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    it = plain_server(tmp_path, Path(str(files("ovsnet.store") / SHARED.schema_file))).start()
    try:
        yield it
    finally:
        it.kill()


@asynccontextmanager
async def hosts(server: Server, *, deadline: float = PATIENCE) -> AsyncIterator[tuple[Host, Host]]:
    """Hosts a and b of a cluster of three, each with a connection of its own."""
    stores = [OvsdbStore(str(server.socket), SHARED, deadline=deadline) for _ in range(2)]
    async with AsyncExitStack() as stack:
        for store in stores:
            await stack.enter_async_context(following(store))
            await store.wait_ready(PATIENCE)
        first = [Put(ClusterInfo(id="cl")), *(Put(member(it)) for it in (A, B, C))]
        await stores[0].commit(stores[0].snapshot(), first)
        await until(lambda: len(stores[1].snapshot().members) == 3, stores[1].watch)
        yield Host(A, stores[0]), Host(B, stores[1])


@asynccontextmanager
async def publishing(host: Host) -> AsyncIterator[Publisher]:
    it = Publisher(host.cluster, host.store.snapshot, host.name)
    host.store.watch(it.nudge)
    host.shared.watch(it.nudge)
    async with following(it):
        it.nudge()
        yield it


async def turns(condition: Callable[[], object]) -> None:
    """Until the condition holds of what no store tells about: other tasks get their turns meanwhile."""
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110 - there is no event for it
            await asyncio.sleep(0)


async def seen(host: Host, *names: str) -> None:
    """Until the host sees these containers of others, and no more."""

    def there() -> bool:
        cluster: Cluster = host.shared.snapshot()
        return {it.names[0] for it in cluster.endpoints.values()} == set(names)

    await until(there, host.shared.watch)


async def test_of_overlapping_networks_made_at_once_on_two_hosts_one_is_made(server: Server) -> None:
    async with hosts(server) as (a, b):
        for number in range(10):
            subnet = IPv4Network((0x0A000000 + number * 65536, 24))
            wider = IPv4Network((0x0A000000 + number * 65536, 20))
            one = replace(REQUEST, id=NetworkId(f"a{number}" * 32), ipv4=subnet, ipv6=None, space6="")
            other = replace(one, id=NetworkId(f"b{number}" * 32), ipv4=wider)
            done = await asyncio.gather(a.networks.create(one), b.networks.create(other), return_exceptions=True)
            assert [type(it) for it in done if isinstance(it, Exception)] == [Conflict]
            await until(lambda made=number + 1: len(a.everywhere) == len(b.everywhere) == made, a.shared.watch)  # type: ignore[misc]


async def test_a_network_is_removed_with_what_its_host_had_published_and_not_while_others_use_it(
    server: Server,
) -> None:
    async with hosts(server) as (a, b), publishing(b):
        await a.networks.create(REQUEST)
        await until(lambda: SHOP in b.everywhere, b.shared.watch)
        part = await make_part(b, b.everywhere[SHOP], 0xB1)
        box = replace(container(1, part, name="web1"), ipv4=IPv4Interface("10.40.0.5/24"))
        await b.store.commit(b.state, [Put(box)])
        await seen(a, "web1")
        with pytest.raises(Conflict, match=r"in use on host b \(web1\)"):
            await a.networks.delete(NetworkId(SHOP))
        assert SHOP in a.everywhere
        await b.sharing.release(SHOP, ())
        assert not b.everywhere
        assert not b.shared.snapshot().endpoints


async def test_a_container_that_starts_while_its_network_is_removed_wins_or_is_not_published(
    server: Server,
) -> None:
    async with hosts(server) as (a, b), publishing(b) as publisher:
        for number in range(10):
            request = replace(REQUEST, id=NetworkId(f"a{number}" * 32))
            made = await a.networks.create(request)
            await until(lambda it=made: it.shared in b.everywhere, b.shared.watch)  # type: ignore[misc]
            part = await make_part(b, b.everywhere[made.shared], 0xB0 + number)
            box = container(number + 1, part, name="web1")
            await b.store.commit(b.state, [Put(box)])
            (refusal,) = await asyncio.gather(a.networks.delete(made.id), return_exceptions=True)
            if refusal is None:
                await turns(lambda: not b.everywhere and not publisher.lag)
                assert not b.shared.snapshot().endpoints
            else:
                await seen(a, "web1")
            await b.store.commit(b.state, [Drop(box), Drop(part)])
            await seen(a)
            if refusal is not None:
                await a.sharing.release(made.shared, ())


async def test_what_changes_while_the_database_is_down_is_there_when_it_is_back(server: Server) -> None:
    async with hosts(server, deadline=2.0) as (a, b), publishing(b) as publisher:
        await a.networks.create(REQUEST)
        await until(lambda: SHOP in b.everywhere, b.shared.watch)
        part = await make_part(b, b.everywhere[SHOP], 0xB1)
        await b.store.commit(b.state, [Put(container(1, part, name="web1"))])
        await seen(a, "web1")
        server.kill()
        await until(lambda: not b.shared.available, b.shared.watch)
        await b.store.commit(b.state, [Drop(container(1, part)), Put(container(2, part, name="web2"))])
        await turns(lambda: publisher.lag == 2 and publisher.problems())
        server.start()
        await seen(a, "web2")
        await turns(lambda: not publisher.problems())
