"""The OVSDB store when its server dies, hangs, or holds what somebody wrote by hand."""

import asyncio
import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import structlog
from tests.functional.ovsdb_server import (
    PATIENCE,
    Server,
    following,
    open_store,
    store_server,
    store_settings,
    until,
)
from tests.states import DB, WEB, endpoint

from ovsnet.model.errors import Conflict, Stale, Unavailable
from ovsnet.model.state import State
from ovsnet.store.interface import Drop, Put, Store
from ovsnet.store.local import LOCAL
from ovsnet.store.ovsdb import OvsdbStore
from ovsnet.store.process import create_if_missing, store_file, witness_file
from ovsnet.store.witness import Witness

ONE, TWO, OTHER = endpoint(1), endpoint(2), endpoint(3, DB)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A running store server."""
    it = store_server(tmp_path).start()
    yield it
    it.kill()


async def by_hand(server: Server, *operations: dict[str, Any]) -> None:
    """What somebody does with ovsdb-client."""
    process = await asyncio.create_subprocess_exec(
        "ovsdb-client",
        "transact",
        server.remote,
        json.dumps(["OVSNet", *operations]),
        stdout=subprocess.PIPE,
    )
    output, _ = await process.communicate()
    assert b"error" not in output, output


def update(table: str, column: str, of: str, **row: object) -> dict[str, Any]:
    return {"op": "update", "table": table, "where": [[column, "==", of]], "row": row}


async def test_restart_of_the_server_keeps_everything(server: Server) -> None:
    async with open_store(server) as store:
        before = await store.commit(store.snapshot(), [Put(WEB), Put(DB), Put(ONE), Put(OTHER)])
        for end in (server.kill, server.terminate):
            end()
            await until(lambda: not store.available, store.watch)
            assert store.snapshot() is before
            assert "store.sock" in store.reason
            server.start()
            await store.wait_ready(PATIENCE)
            # Nothing changed, so nobody has to plan anything anew.
            assert store.snapshot() is before
        async with open_store(server) as fresh:
            assert fresh.snapshot().endpoints == before.endpoints
            assert fresh.snapshot().networks == before.networks


async def test_a_server_that_lost_its_file_is_given_all_back_and_nobody_sees_an_empty_state(
    server: Server, tmp_path: Path
) -> None:
    settings = store_settings(tmp_path)
    store = OvsdbStore(str(server.socket), LOCAL, deadline=PATIENCE)
    store.gives_back(Witness(witness_file(settings)))
    async with following(store):
        await store.wait_ready(PATIENCE)
        before = await store.commit(store.snapshot(), [Put(WEB), Put(DB), Put(ONE), Put(OTHER)])
        seen: list[State] = []
        store.watch(lambda: seen.append(store.snapshot()))
        for _ in range(2):
            server.kill()
            await until(lambda: not store.available, store.watch)
            store_file(settings).unlink()
            create_if_missing(Path(settings.state_dir))
            server.start()
            await store.wait_ready(PATIENCE)
        assert all(it is before for it in seen)
        after = await store.commit(store.snapshot(), [Put(TWO)])
        assert set(after.endpoints) == {ONE.id, TWO.id, OTHER.id}
    async with open_store(server) as fresh:
        assert fresh.snapshot().endpoints == after.endpoints
        assert fresh.snapshot().networks == after.networks


async def test_commit_waits_for_a_server_that_is_coming(server: Server) -> None:
    async with open_store(server) as store:
        server.kill()
        await until(lambda: not store.available, store.watch)
        commit = asyncio.gather(store.commit(store.snapshot(), [Put(WEB)]))
        server.start()
        assert (await commit)[0].networks == {WEB.id: WEB}


async def test_commit_without_a_server_is_unavailable_and_says_why(server: Server) -> None:
    async with open_store(server, deadline=0.2) as store:
        server.kill()
        await until(lambda: not store.available, store.watch)
        with pytest.raises(Unavailable, match=r"the store is not available: .*store.sock"):
            await store.commit(store.snapshot(), [Put(WEB)])


async def test_commit_on_a_hung_server_is_unavailable(server: Server) -> None:
    async with open_store(server, deadline=0.2) as store:
        server.freeze()
        with pytest.raises(Unavailable, match="no answer"):
            await store.commit(store.snapshot(), [Put(WEB)])
        server.thaw()
        await until(lambda: store.snapshot().networks, store.watch)


async def test_store_that_never_saw_its_server_is_empty_and_says_so(tmp_path: Path) -> None:
    store = OvsdbStore(str(tmp_path / "nobody.sock"), LOCAL, deadline=0.1)
    async with following(store):
        with pytest.raises(Unavailable, match=r"nobody.sock: No such file"):
            await store.wait_ready(0.1)
        assert store.snapshot() == State()
        assert not store.available


async def test_nothing_is_lost_or_doubled_when_the_server_is_killed_while_it_writes(server: Server) -> None:
    async with open_store(server) as store, asyncio.TaskGroup() as group:
        counting = group.create_task(_count(store, 300))
        for reached in range(20, 260, 40):
            await until(partial(_counted, store, reached), store.watch)
            server.kill()
            server.start()
        await counting
        assert store.snapshot().counters.mac_next == 300
    async with open_store(server) as fresh:
        assert fresh.snapshot().counters.mac_next == 300


def _counted(store: Store[State], number: int) -> bool:
    return store.snapshot().counters.mac_next >= number


async def _count(store: Store[State], times: int) -> None:
    done = 0
    while done < times:
        base = store.snapshot()
        try:
            await store.commit(base, [Put(replace(base.counters, mac_next=base.counters.mac_next + 1))])
        except Stale:
            continue
        done += 1


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 100 kB."""
    folder = tmp_path / "small"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=100k", "none", folder], check=True)
    yield folder
    subprocess.run(["umount", folder], check=True)


async def test_full_disk_is_said_and_over_when_there_is_room(small_disk: Path) -> None:
    server = store_server(small_disk).start()
    try:
        async with open_store(server) as store:
            before = await store.commit(store.snapshot(), [Put(WEB)])
            ballast = _fill(small_disk)
            with pytest.raises(Unavailable, match=r"refused a change: I/O error: .*ovsnet.db"):
                await store.commit(before, [Put(replace(WEB, name="x" * 5000))])
            assert store.snapshot() is before
            ballast.unlink()
            after = await store.commit(before, [Put(replace(WEB, name="short"))])
            assert after.networks[WEB.id].name == "short"
    finally:
        server.kill()


def _fill(folder: Path) -> Path:
    """A file that takes all the room there is."""
    ballast = folder / "ballast"
    free = os.statvfs(folder)
    ballast.write_bytes(bytes(free.f_bavail * free.f_frsize))
    return ballast


async def test_only_rows_that_changed_are_read_again(server: Server) -> None:
    async with open_store(server) as store:
        before = await store.commit(store.snapshot(), [Put(WEB), Put(ONE), Put(TWO)])
        after = await store.commit(before, [Put(replace(TWO, container_name="renamed"))])
        assert after.networks is before.networks
        assert after.endpoints[ONE.id] is before.endpoints[ONE.id]
        assert after.endpoints[TWO.id].container_name == "renamed"


@pytest.mark.parametrize(
    "nonsense",
    [{"mac": "nonsense"}, {"ipv4": "10.0.0.0.0/8"}, {"ipv6": "10.0.0.1/8"}, {"created_at": "yesterday"}],
    ids=lambda it: next(iter(it)),
)
async def test_a_row_that_makes_no_sense_is_left_out_and_logged_once(server: Server, nonsense: dict[str, str]) -> None:
    async with open_store(server) as store:
        await store.commit(store.snapshot(), [Put(WEB), Put(ONE), Put(TWO)])
        with structlog.testing.capture_logs() as logs:
            await by_hand(server, update("Endpoint", "endpoint_id", ONE.id, **nonsense))
            await until(lambda: set(store.snapshot().endpoints) == {TWO.id}, store.watch)
            await by_hand(server, update("Endpoint", "endpoint_id", ONE.id, ifname="touched again"))
            server.kill()
            server.start()
            await until(lambda: not store.available, store.watch)
            await store.wait_ready(PATIENCE)
        assert [it["table"] for it in logs if "left out" in it["event"]] == ["Endpoint"]
        assert store.snapshot().endpoints == {TWO.id: TWO}


async def test_the_rest_can_be_written_while_a_row_makes_no_sense(server: Server) -> None:
    async with open_store(server) as store:
        await store.commit(store.snapshot(), [Put(WEB), Put(ONE)])
        await by_hand(server, update("Endpoint", "endpoint_id", ONE.id, mac="nonsense"))
        await until(lambda: not store.snapshot().endpoints, store.watch)
        await store.commit(store.snapshot(), [Put(TWO)])
        with pytest.raises(Conflict, match=r"table Endpoint .*nonsense.*docs/store.md") as refusal:
            await store.commit(store.snapshot(), [Put(ONE)])
        assert not isinstance(refusal.value, Stale)
        assert store.snapshot().endpoints == {TWO.id: TWO}


async def test_what_an_unreadable_row_holds_is_a_conflict_and_not_stale(server: Server) -> None:
    async with open_store(server) as store:
        await store.commit(store.snapshot(), [Put(WEB)])
        await by_hand(server, update("Network", "net_id", WEB.id, mode="teleport"))
        await until(lambda: not store.snapshot().networks, store.watch)
        with pytest.raises(Conflict, match=r"vni.*cannot be read may be in the way: docs/store.md") as refusal:
            await store.commit(store.snapshot(), [Put(replace(DB, vni=WEB.vni))])
        assert not isinstance(refusal.value, Stale)


async def test_a_row_that_was_repaired_is_back(server: Server) -> None:
    async with open_store(server) as store:
        await store.commit(store.snapshot(), [Put(WEB), Put(ONE)])
        await by_hand(server, update("Endpoint", "endpoint_id", ONE.id, mac="nonsense"))
        await until(lambda: not store.snapshot().endpoints, store.watch)
        await by_hand(server, update("Endpoint", "endpoint_id", ONE.id, mac=ONE.mac))
        await until(lambda: store.snapshot().endpoints == {ONE.id: ONE}, store.watch)


async def test_what_refers_to_a_row_that_makes_no_sense_is_left_out_too(server: Server) -> None:
    async with open_store(server) as store:
        await store.commit(store.snapshot(), [Put(WEB), Put(DB), Put(ONE), Put(OTHER)])
        await by_hand(server, update("Network", "net_id", WEB.id, mode="teleport"))
        await until(lambda: set(store.snapshot().networks) == {DB.id}, store.watch)
        assert store.snapshot().endpoints == {OTHER.id: OTHER}
        await by_hand(server, update("Network", "net_id", WEB.id, mode="bridge"))
        await until(lambda: len(store.snapshot().networks) == 2, store.watch)
        assert store.snapshot().endpoints == {ONE.id: ONE, OTHER.id: OTHER}


async def test_rows_made_by_hand_are_used_and_can_be_replaced(server: Server) -> None:
    async with open_store(server) as store:
        row = {
            "net_id": "handmade",
            "vni": 77,
            "mode": "bridge",
            "port": "veth",
            "egress": "none",
            "mtu": 1500,
        }
        await by_hand(server, {"op": "insert", "table": "Network", "row": row | {"created_at": "0.0"}})
        await until(lambda: store.snapshot().networks, store.watch)
        base = store.snapshot()
        (handmade,) = base.networks.values()
        here = replace(ONE, network_id=handmade.id)
        named = await store.commit(base, [Put(replace(handmade, name="mine")), Put(here)])
        assert named.endpoints == {here.id: here}
        emptied = await store.commit(named, [Drop(here), Drop(handmade)])
        assert not emptied.networks
