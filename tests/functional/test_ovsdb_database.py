"""ovsnet.ovsdb against real ovsdb-server processes that die, hang, change and misbehave."""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from tests.functional.ovsdb_server import PATIENCE, Server, following, plain_server, until

from ovsnet.model.errors import ApplyError, Conflict, Stale, Unavailable
from ovsnet.ovsdb.database import Database, OutcomeUnknown
from ovsnet.ovsdb.replica import Only
from ovsnet.ovsdb.rows import Row, Transaction, assign, insert, verify

SCHEMA: dict[str, Any] = {
    "name": "Books",
    "version": "1.0.0",
    "tables": {
        "Book": {
            "isRoot": True,
            "indexes": [["title"]],
            "columns": {
                "title": {"type": {"key": {"type": "string", "minLength": 1}}},
                "pages": {"type": {"key": {"type": "integer", "minInteger": 0}}},
                "notes": {"type": {"key": "string", "value": "string", "min": 0, "max": "unlimited"}},
            },
        }
    },
}
WANTED = {"Book": ("title", "pages", "notes", "shelf"), "Reader": ("name",)}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A library's server, not started."""
    schema = tmp_path / "books.ovsschema"
    schema.write_text(json.dumps(SCHEMA))
    it = plain_server(tmp_path, schema)
    yield it
    it.kill()


def library(server: Server, *, durable: bool = False) -> Database:
    return Database(server.remote, "Books", WANTED, title="the library", durable=durable)


@asynccontextmanager
async def opened(server: Server, *, durable: bool = False) -> AsyncIterator[Database]:
    database = library(server, durable=durable)
    async with following(database):
        await database.wait_ready(PATIENCE)
        yield database


def add(title: str, pages: int = 1) -> Callable[[Transaction], Row]:
    return lambda it: insert(it, "Book", {"title": title, "pages": pages})


def titles(database: Database) -> set[str]:
    return {row.title for row in database.rows("Book")}


def book(database: Database, title: str) -> Row:
    return next(row for row in database.rows("Book") if row.title == title)


async def ran(*command: str) -> None:
    process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.DEVNULL)
    assert await process.wait() == 0


async def test_absent_server_is_named_and_found_when_it_comes(server: Server) -> None:
    database = library(server)
    async with following(database):
        with pytest.raises(Unavailable, match=r"the library is not available: .*No such file"):
            await database.wait_ready(0.2)
        with pytest.raises(Unavailable):
            await database.transact(add("Emma"), PATIENCE)
        server.start()
        await database.wait_ready(PATIENCE)
        assert database.reason == ""


async def test_server_that_hangs_at_first_is_named_and_found_when_it_goes_on(server: Server) -> None:
    async with opened(server.start()):
        server.freeze()
        database = library(server)
        async with following(database):
            with pytest.raises(Unavailable, match=r"the library is not available: no answer from .*db.sock yet"):
                await database.wait_ready(0.2)
            server.thaw()
            await database.wait_ready(PATIENCE)


async def test_missing_database_is_named(server: Server) -> None:
    server.start()
    database = Database(server.remote, "Films", {"Film": ("title",)}, title="the cinema")
    async with following(database):
        with pytest.raises(Unavailable, match="no database Films"):
            await database.wait_ready(1.0)


async def test_a_committed_row_is_in_the_replica_on_return(server: Server) -> None:
    async with opened(server.start()) as database:
        await database.transact(add("Emma", 474), PATIENCE)
        assert [(it.title, it.pages) for it in database.rows("Book")] == [("Emma", 474)]


async def test_what_the_server_does_not_know_is_left_out(server: Server) -> None:
    async with opened(server.start()) as database:
        assert database.rows("Reader") == ()
        assert database.has_column("Book", "pages")
        assert not database.has_column("Book", "shelf")


async def test_many_transactions_at_once_all_arrive(server: Server) -> None:
    async with opened(server.start()) as database:
        await asyncio.gather(*(database.transact(add(f"volume {n}"), PATIENCE) for n in range(200)))
        assert titles(database) == {f"volume {n}" for n in range(200)}


async def test_one_transaction_larger_than_the_socket_arrives(server: Server) -> None:
    async with opened(server.start()) as database:
        await database.transact(lambda it: [add(f"{n:0500}")(it) for n in range(3000)], PATIENCE)
        assert len(database.rows("Book")) == 3000


async def test_text_of_any_script_arrives_whole(server: Server) -> None:
    wanted = {f"{n} Žluťoučký 網路 🦭" * 40 for n in range(400)}
    async with opened(server.start()) as writer:
        await writer.transact(lambda it: [add(title)(it) for title in wanted], PATIENCE)
        async with opened(server) as reader:
            assert titles(reader) == titles(writer) == wanted


async def test_a_verified_row_that_changed_is_stale(server: Server) -> None:
    async with opened(server.start()) as left, opened(server) as right:
        await left.transact(add("Emma"), PATIENCE)
        await until(lambda: titles(right) == {"Emma"}, right.watch)

        def edit(database: Database, pages: int) -> Callable[[Transaction], None]:
            def build(_: Transaction) -> None:
                row = book(database, "Emma")
                verify(row)
                assign(row, {"pages": pages})

            return build

        outcomes = await asyncio.gather(
            left.transact(edit(left, 10), PATIENCE),
            right.transact(edit(right, 20), PATIENCE),
            return_exceptions=True,
        )
        assert sorted(type(it).__name__ for it in outcomes) == ["NoneType", "Stale"]


async def test_a_row_that_is_only_verified_counts_too(server: Server) -> None:
    async with opened(server.start()) as left, opened(server) as right:
        await left.transact(add("Emma"), PATIENCE)
        await until(lambda: titles(right) == {"Emma"}, right.watch)

        def build(it: Transaction) -> None:
            verify(book(right, "Emma"))
            add("Persuasion")(it)

        outcomes = await asyncio.gather(
            left.transact(lambda _: assign(book(left, "Emma"), {"pages": 9}), PATIENCE),
            right.transact(build, PATIENCE),
            return_exceptions=True,
        )
        assert outcomes[0] is None
        assert isinstance(outcomes[1], Stale)
        assert titles(right) == {"Emma"}


async def test_a_second_row_of_one_uuid_is_stale(server: Server) -> None:
    async with opened(server.start()) as left, opened(server) as right:
        await left.transact(add("Emma"), PATIENCE)
        known = book(left, "Emma").uuid
        with pytest.raises(Stale):
            await right.transact(lambda it: insert(it, "Book", {"title": "Emma 2"}, known), PATIENCE)


async def test_a_broken_constraint_is_a_conflict_in_the_servers_words(server: Server) -> None:
    async with opened(server.start()) as database:
        await database.transact(add("Emma"), PATIENCE)
        with pytest.raises(Conflict, match=r"the library: constraint violation: .*(Emma).*title") as refusal:
            await database.transact(add("Emma"), PATIENCE)
        assert not isinstance(refusal.value, Stale)


async def test_any_other_refusal_is_an_apply_error_in_the_servers_words(server: Server) -> None:
    async with opened(server.start()) as database:
        with pytest.raises(ApplyError, match="No table named Film"):
            await database.transact(lambda it: it.add_op({"op": "delete", "table": "Film", "where": []}), PATIENCE)


@pytest.mark.parametrize(("column", "value"), [("pages", "many"), ("pages", -1), ("title", ""), ("notes", 7)])
async def test_a_value_that_does_not_fit_abandons_the_transaction(server: Server, column: str, value: object) -> None:
    async with opened(server.start()) as database:
        with pytest.raises(ValueError, match=column):
            await database.transact(lambda it: insert(it, "Book", {"title": "Emma", column: value}), PATIENCE)
        assert titles(database) == set()
        await database.transact(add("Persuasion"), PATIENCE)
        assert titles(database) == {"Persuasion"}


async def test_watchers_hear_of_rows_of_others_and_of_the_servers_end(server: Server) -> None:
    async with opened(server.start()) as database, opened(server) as other:
        heard: list[tuple[bool, int]] = []
        database.watch(lambda: heard.append((database.ready, len(database.rows("Book")))))
        await other.transact(add("Emma"), PATIENCE)
        await until(lambda: (True, 1) in heard, database.watch)
        server.kill()
        await until(lambda: (False, 1) in heard, database.watch)


async def test_killed_server_comes_back_with_everything(server: Server) -> None:
    async with opened(server.start(), durable=True) as database:
        for round_ in range(5):
            await database.transact(add(f"volume {round_}"), PATIENCE)
            server.kill()
            await until(lambda: not database.ready, database.watch)
            assert len(database.rows("Book")) == round_ + 1
            server.start()
            await database.wait_ready(PATIENCE)
            assert titles(database) == {f"volume {n}" for n in range(round_ + 1)}


async def test_rows_changed_while_away_are_seen_after(server: Server, tmp_path: Path) -> None:
    async with opened(server.start()) as database:
        await database.transact(add("Emma"), PATIENCE)
        server.terminate()
        await until(lambda: not database.ready, database.watch)
        change = ["Books", {"op": "update", "table": "Book", "where": [], "row": {"title": "Persuasion"}}]
        await ran("ovsdb-tool", "transact", str(tmp_path / "conf.db"), json.dumps(change))
        server.start()
        await database.wait_ready(PATIENCE)
        assert titles(database) == {"Persuasion"}


async def test_transaction_in_flight_while_the_server_dies_has_an_unknown_outcome(server: Server) -> None:
    async with opened(server.start()) as database:
        server.freeze()
        results = asyncio.gather(
            *(database.transact(add(f"volume {n}"), PATIENCE) for n in range(3)), return_exceptions=True
        )
        await asyncio.sleep(0)
        server.kill()
        outcomes = await results
        assert [isinstance(it, OutcomeUnknown) and it.lost for it in outcomes] == [True, True, True]
        server.start()
        await database.wait_ready(PATIENCE)
        await database.transact(add("Emma"), PATIENCE)
        assert titles(database) == {"Emma"}


async def test_hung_server_costs_a_deadline_and_no_more(server: Server) -> None:
    async with opened(server.start()) as database:
        server.freeze()
        with pytest.raises(OutcomeUnknown, match=r"no answer .* within 0.2 s") as unknown:
            await database.transact(add("Emma"), 0.2)
        assert not unknown.value.lost
        server.thaw()
        await database.transact(add("Persuasion"), PATIENCE)
        # The first was only slow: the server took it up when it could.
        assert titles(database) == {"Emma", "Persuasion"}


async def test_cancelled_waiting_leaves_nothing_behind(server: Server) -> None:
    async with opened(server.start()) as database:
        server.freeze()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await database.transact(add("Emma"), PATIENCE)
        server.thaw()
        await database.transact(add("Persuasion"), PATIENCE)
        assert titles(database) == {"Emma", "Persuasion"}


async def test_converted_database_is_read_by_its_new_schema(server: Server, tmp_path: Path) -> None:
    async with opened(server.start()) as database:
        await database.transact(add("Emma"), PATIENCE)
        grown = json.loads(json.dumps(SCHEMA)) | {"version": "1.1.0"}
        grown["tables"]["Book"]["columns"]["shelf"] = {"type": "string"}
        (tmp_path / "grown").write_text(json.dumps(grown))
        await ran("ovsdb-client", "convert", server.remote, str(tmp_path / "grown"))
        await until(lambda: database.ready and database.has_column("Book", "shelf"), database.watch)
        await database.transact(lambda _: assign(book(database, "Emma"), {"shelf": "A"}), PATIENCE)
        assert book(database, "Emma").shelf == "A"


NONSENSE = {
    "text": b"hello\n",
    "silence and end": b"",
    "no schema": b'{"id":0,"result":{"name":"Books"},"error":null}',
    "tables of nothing": b'{"id":0,"result":{"name":"Books","tables":{"Book":7}},"error":null}',
    "list": b"[1,2,3]",
    "not UTF-8": b'{"id":"\xff\xfe"}',
}


@pytest.mark.parametrize("words", NONSENSE.values(), ids=NONSENSE.keys())
async def test_nonsense_instead_of_a_schema_is_survived(server: Server, words: bytes) -> None:
    await _survives(server, [words])


AFTER_SCHEMA = {
    "text": b"hello\n",
    "unbalanced": b'}}}{"id":',
    "list": b"[1,2,3]",
    "message without members": b"{}",
    "update without rows": b'{"id":null,"method":"update2","params":["x",7]}',
    "update3 of nothing": b'{"id":null,"method":"update3","params":[null,null,7]}',
    "cancellation of nothing": b'{"id":null,"method":"monitor_canceled","params":[]}',
    "params that are no list": b'{"id":null,"method":"update2","params":7}',
    "not UTF-8": b'{"id":"\xff\xfe"}',
}


@pytest.mark.parametrize("words", AFTER_SCHEMA.values(), ids=AFTER_SCHEMA.keys())
async def test_nonsense_after_the_schema_is_survived(server: Server, words: bytes) -> None:
    schema = {"id": 0, "result": SCHEMA, "error": None}
    await _survives(server, [json.dumps(schema).encode(), words])


async def _survives(server: Server, answers: list[bytes]) -> None:
    """A liar listens first and answers its connections in turn; then the real server takes its place."""
    met = asyncio.Event()
    turn = iter(range(10**6))

    async def lie(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        number = next(turn)
        writer.write(answers[number % len(answers)])
        writer.close()
        if number >= 2 * len(answers) - 1:
            met.set()

    database = library(server)
    async with await asyncio.start_unix_server(lie, str(server.socket)) as liar, following(database):
        async with asyncio.timeout(PATIENCE):
            await met.wait()
        assert not database.ready
        assert database.reason
        liar.close()
        server.socket.unlink()
        server.start()
        await database.wait_ready(PATIENCE)
        await database.transact(add("Emma"), PATIENCE)


async def test_reconnecting_leaks_no_file(server: Server) -> None:
    def open_files() -> int:
        return len(os.listdir("/proc/self/fd"))

    async with opened(server.start()) as database:
        before = open_files()
        for _ in range(10):
            server.kill()
            await until(lambda: not database.ready, database.watch)
            server.start()
            await database.wait_ready(PATIENCE)
        assert open_files() <= before + 1


async def test_waiting_costs_no_cpu(server: Server) -> None:
    async with opened(server.start()) as database:
        before = time.process_time()
        await asyncio.sleep(1.5)
        # One percent of a core would be 15 ms; a busy loop would be all of it.
        assert time.process_time() - before < 0.15
        assert database.ready


async def test_a_durable_database_asks_for_the_disk_with_every_commit(server: Server, tmp_path: Path) -> None:
    async with opened(server.start(), durable=True) as durable, opened(server) as plain:
        await ran("ovs-appctl", "-t", str(tmp_path / "ctl"), "vlog/set", "jsonrpc:console:dbg")
        await durable.transact(add("Emma"), PATIENCE)
        await plain.transact(add("Persuasion"), PATIENCE)
    sent = [line for line in server.log().splitlines() if 'received request, method="transact"' in line]
    assert ['"durable":true' in line for line in sent] == [True, False]


def test_the_package_ovs_writes_nothing_to_our_output(server: Server) -> None:
    script = (
        "import asyncio, structlog\n"
        "from ovsnet.ovsdb.database import Database\n"
        "structlog.configure(logger_factory=structlog.ReturnLoggerFactory())\n"
        "async def main():\n"
        f"    it = Database('{server.remote}', 'Books', {{'Book': ('title',)}}, title='x')\n"
        "    async with asyncio.timeout(1):\n"
        "        await it.run()\n"
        "try:\n"
        "    asyncio.run(main())\n"
        "except TimeoutError:\n"
        "    print('end')\n"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert (run.stdout, run.stderr) == ("end\n", "")


def thick(pages: int) -> Only:
    return {"Book": [["pages", ">=", pages]]}


async def test_only_the_rows_that_are_asked_for_are_replicated(server: Server) -> None:
    async with opened(server.start()) as writer:
        for title, pages in (("Emma", 474), ("Lear", 120)):
            await writer.transact(add(title, pages), PATIENCE)
        reader = library(server)
        reader.narrow(thick(300))
        async with following(reader):
            await reader.wait_ready(PATIENCE)
            assert reader.narrowed
            assert titles(reader) == {"Emma"}
            await writer.transact(add("Ulysses", 730), PATIENCE)
            await until(lambda: titles(reader) == {"Emma", "Ulysses"}, reader.watch)


async def test_rows_come_and_go_with_what_is_asked_for(server: Server) -> None:
    async with opened(server.start()) as database:
        for title, pages in (("Emma", 474), ("Lear", 120), ("Ulysses", 730)):
            await database.transact(add(title, pages), PATIENCE)
        for only, expected in (
            (thick(300), {"Emma", "Ulysses"}),
            (thick(1), {"Emma", "Lear", "Ulysses"}),
            ({"Book": []}, set()),
            ({"Book": [["title", "==", "Lear"], ["title", "==", "Emma"]]}, {"Lear", "Emma"}),
        ):
            database.narrow(only)
            assert not database.narrowed
            await until(lambda: database.narrowed, database.watch)
            assert titles(database) == expected


async def test_of_questions_that_follow_each_other_at_once_the_last_one_counts(server: Server) -> None:
    async with opened(server.start()) as database:
        for number in range(50):
            await database.transact(add(f"volume {number}", number), PATIENCE)
        for number in range(50):
            database.narrow(thick(number))
            await asyncio.sleep(0)
        await until(lambda: database.narrowed, database.watch)
        assert titles(database) == {"volume 49"}


async def test_a_server_that_comes_back_is_asked_for_the_same_rows(server: Server) -> None:
    async with opened(server.start()) as database:
        await database.transact(add("Emma", 474), PATIENCE)
        await database.transact(add("Lear", 120), PATIENCE)
        database.narrow(thick(300))
        await until(lambda: database.narrowed, database.watch)
        server.kill()
        await until(lambda: not database.ready, database.watch)
        assert not database.narrowed
        database.narrow(thick(100))
        server.start()
        await until(lambda: database.narrowed, database.watch)
        assert titles(database) == {"Emma", "Lear"}


async def test_waiting_for_other_rows_costs_nothing(server: Server) -> None:
    async with opened(server.start()) as database:
        server.freeze()
        database.narrow(thick(1))
        await asyncio.sleep(0)
        database.narrow(thick(2))
        before = time.process_time()
        with suppress(TimeoutError):
            async with asyncio.timeout(0.5):
                await until(lambda: database.narrowed, database.watch)
        assert time.process_time() - before < 0.1
        server.thaw()
        await until(lambda: database.narrowed, database.watch)


async def test_a_late_answer_to_a_change_is_not_taken_for_the_rows_asked_for(server: Server) -> None:
    async with opened(server.start()) as database:
        await database.transact(add("Lear", 120), PATIENCE)
        server.freeze()
        with pytest.raises(OutcomeUnknown):
            await database.transact(add("Emma", 474), 0.05)
        database.narrow(thick(300))
        server.thaw()
        await until(lambda: database.narrowed, database.watch)
        assert titles(database) == {"Emma"}
