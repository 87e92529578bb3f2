"""Rows of a replica share equal values (`ovsnet.ovsdb.repeats`) and change each for itself, on a real ovsdb-server."""

import json
import random
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.functional.ovsdb_server import PATIENCE, Server, following, plain_server, until

from ovsnet.ovsdb.database import Database
from ovsnet.ovsdb.rows import Row, Transaction, assign, insert

COLUMNS: dict[str, Any] = {
    "number": "integer",
    "word": "string",
    "perhaps": {"key": "integer", "min": 0, "max": 1},
    "several": {"key": "integer", "min": 0, "max": "unlimited"},
    "ids": {"key": "string", "value": "string", "min": 0, "max": "unlimited"},
}
ROWS, EDITS = 30, 300
SCHEMA = {
    "name": "Things",
    "version": "1.0.0",
    "tables": {
        "Thing": {
            "isRoot": True,
            "columns": {"name": {"type": "string"}} | {column: {"type": it} for column, it in COLUMNS.items()},
        }
    },
}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    schema = tmp_path / "things.ovsschema"
    schema.write_text(json.dumps(SCHEMA))
    it = plain_server(tmp_path, schema)
    it.start()
    yield it
    it.kill()


@asynccontextmanager
async def opened(server: Server) -> AsyncIterator[Database]:
    database = Database(server.remote, "Things", {"Thing": ("name", *COLUMNS)}, title="things")
    async with following(database):
        await database.wait_ready(PATIENCE)
        yield database


def contents(database: Database) -> dict[str, tuple[object, ...]]:
    return {row.name: tuple(getattr(row, column) for column in COLUMNS) for row in database.rows("Thing")}


def thing(database: Database, name: str) -> Row:
    return next(row for row in database.rows("Thing") if row.name == name)


def edit(database: Database, name: str, change: dict[str, object]) -> Callable[[Transaction], None]:
    return lambda _: assign(thing(database, name), change)


def anything(chance: random.Random, column: str) -> object:
    few = range(3)
    return {
        "number": chance.choice(few),
        "word": chance.choice(("", "internal", "vxlan")),
        "perhaps": chance.sample(few, chance.choice((0, 1))),
        "several": chance.sample(few, chance.choice(few)),
        "ids": {f"key {it}": str(chance.choice(few)) for it in chance.sample(few, chance.choice(few))},
    }[column]


def add_all(transaction: Transaction) -> None:
    same = {"number": 1, "word": "internal", "perhaps": [2], "several": [0, 1], "ids": {"key 0": "0"}}
    for number in range(ROWS):
        insert(transaction, "Thing", {"name": str(number), **same})


@pytest.mark.parametrize("seed", range(3))
async def test_rows_that_held_the_same_change_each_for_itself(server: Server, seed: int) -> None:
    chance = random.Random(seed)
    async with opened(server) as writer, opened(server) as reader:
        await writer.transact(add_all, PATIENCE)
        for _ in range(EDITS):
            name, column = str(chance.randrange(ROWS)), chance.choice(tuple(COLUMNS))
            await writer.transact(edit(writer, name, {column: anything(chance, column)}), PATIENCE)
        async with opened(server) as fresh:
            assert len(contents(fresh)) == ROWS
            assert contents(writer) == contents(fresh)
            await until(lambda: contents(reader) == contents(fresh), reader.watch)


async def test_a_value_that_comes_again_is_one_object_and_so_are_the_keys_of_maps(server: Server) -> None:
    async with opened(server) as database:
        await database.transact(add_all, PATIENCE)
        rows = [row._data for row in database.rows("Thing")]  # noqa: SLF001
        for column, kept in {"number": 1, "word": 1, "perhaps": 1, "several": ROWS, "ids": ROWS, "name": ROWS}.items():
            assert len({id(row[column]) for row in rows}) == kept, column
        assert len({id(key) for row in rows for key in row["ids"].values}) == 1
