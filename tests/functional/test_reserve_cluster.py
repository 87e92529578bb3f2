"""Addresses across hosts on the real database: one RAFT server, a connection and a reserve for each host."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from ipaddress import IPv4Network
from pathlib import Path

import pytest
from tests.contract.test_shared_store import raft_server
from tests.functional.ovsdb_server import PATIENCE, Server, following, until
from tests.unit.control.sharing.member_hosts import NET, TINY, Host, Net, member

from ovsnet.model.cluster import Cluster, ClusterInfo, SharedNetwork
from ovsnet.model.errors import Conflict, Unavailable
from ovsnet.settings import Settings
from ovsnet.store.interface import Put
from ovsnet.store.ovsdb import OvsdbStore
from ovsnet.store.shared import SHARED

pytestmark = [pytest.mark.functional]
WIDE = replace(NET, ipv4=IPv4Network("10.20.0.0/16"))
NAMES = "ab"


@asynccontextmanager
async def hosts_on(
    server: Server, network: SharedNetwork, settings: Settings | None = None
) -> AsyncIterator[tuple[Host, ...]]:
    """Two hosts with a part of the network each."""
    settings, net = settings or Settings(), Net()
    async with AsyncExitStack() as stack:
        stores = [await stack.enter_async_context(_store(server, settings)) for _ in NAMES]
        members = [member(it, number) for number, it in enumerate(NAMES, 1)]
        start = [Put(ClusterInfo(id="c1")), *map(Put, members), Put(network)]
        await stores[0].commit(stores[0].snapshot(), start)
        hosts = tuple(Host(name, store, net, settings, store) for name, store in zip(NAMES, stores, strict=True))
        for host, store in zip(hosts, stores, strict=True):
            await until(lambda store=store: store.snapshot().networks, store.watch)  # type: ignore[misc]
            await host.take_part(network)
            await stack.enter_async_context(following(host.reserve))
        yield hosts


@asynccontextmanager
async def _store(server: Server, settings: Settings) -> AsyncIterator[OvsdbStore[Cluster]]:
    store = OvsdbStore(str(server.socket), SHARED, deadline=settings.store_deadline, durable=False)
    async with following(store):
        await store.wait_ready(PATIENCE)
        yield store


@pytest.mark.row(69)
async def test_two_hosts_with_two_hundred_requests_each_get_four_hundred_addresses(tmp_path: Path) -> None:
    server = raft_server(tmp_path).start()
    try:
        async with hosts_on(server, WIDE) as hosts:
            got = await asyncio.gather(*(hosts[it % 2].ask() for it in range(400)))
            assert len(set(got)) == 400
            for number, host in enumerate(hosts):
                assert {str(it) for it in got[number::2]} <= host.leases()
    finally:
        server.terminate()


@pytest.mark.row(69)
async def test_a_network_that_is_too_small_for_all_is_used_up_to_the_last_address(tmp_path: Path) -> None:
    """Both hosts claim in the same few addresses, and ask each other for the last ones."""
    server = raft_server(tmp_path).start()
    try:
        async with hosts_on(server, replace(NET, ipv4=IPv4Network("10.20.0.0/25"))) as hosts:
            outcomes = await asyncio.gather(*(hosts[it % 2].ask() for it in range(140)), return_exceptions=True)
            got = [it for it in outcomes if not isinstance(it, BaseException)]
            assert len(set(got)) == len(got) == 125
            refused = [it for it in outcomes if isinstance(it, BaseException)]
            assert {type(it) for it in refused} == {Conflict}
            assert all("is full" in str(it) for it in refused)
    finally:
        server.terminate()


@pytest.mark.row(70)
async def test_the_sixth_address_of_a_slash_29_is_refused_on_either_host(tmp_path: Path) -> None:
    server = raft_server(tmp_path).start()
    try:
        async with hosts_on(server, TINY) as hosts:
            got = [await hosts[it % 2].ask() for it in range(5)]
            assert {str(it) for it in got} == {f"10.20.0.{it}" for it in range(2, 7)}
            for host in hosts:
                with pytest.raises(Conflict, match="full"):
                    await host.ask()
    finally:
        server.terminate()


@pytest.mark.row(71)
async def test_an_address_moves_to_the_host_that_asks_for_it(tmp_path: Path) -> None:
    server = raft_server(tmp_path).start()
    try:
        async with hosts_on(server, NET) as hosts:
            for turn in range(6):
                assert str(await hosts[turn % 2].ask("10.20.0.9")) == "10.20.0.9"
                with pytest.raises(Conflict, match="on host "):
                    await hosts[(turn + 1) % 2].ask("10.20.0.9")
                await hosts[turn % 2].release("10.20.0.9")
    finally:
        server.terminate()


async def test_the_reserve_outlives_a_killed_database_and_is_filled_again(tmp_path: Path) -> None:
    server = raft_server(tmp_path).start()
    try:
        async with hosts_on(server, WIDE, Settings(store_deadline=0.5)) as (host, _):
            await host.ask()
            await until(lambda: len(host.leases()) == 9, host.cluster.watch)
            server.kill()
            await until(lambda: not host.cluster.available, host.cluster.watch)
            got = {await host.ask() for _ in range(8)}
            with pytest.raises(Unavailable, match="used up"):
                await host.ask()
            server.start()
            await until(lambda: len(host.leases()) == 17, host.cluster.watch)
            assert len(got) == 8
    finally:
        server.terminate()
