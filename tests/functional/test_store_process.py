"""The store's server process and its file: made, kept, mended, converted, or refused with a reason."""

import json
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.functional.ovsdb_server import Server, open_store, store_settings
from tests.states import DB, ONE_NETWORK, WEB

from ovsnet.model.errors import ApplyError, Conflict, Unavailable
from ovsnet.settings import Settings
from ovsnet.store import process, schema
from ovsnet.store.interface import Put
from ovsnet.store.local import LOCAL
from ovsnet.store.logfile import Damage, find_damage
from ovsnet.store.witness import Witness, somebody_knows


@contextmanager
def served(directory: Path) -> Iterator[Server]:
    """`python -m ovsnet.store`, as the keeper starts it."""
    settings = store_settings(directory)
    (directory / "run").mkdir(exist_ok=True)
    arguments = [f"--set={name}={getattr(settings, name)}" for name in ("run_dir", "state_dir")]
    server = Server([sys.executable, "-m", "ovsnet.store", *arguments], process.store_socket(settings))
    try:
        yield server.start()
    finally:
        server.kill()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A store's file without a server."""
    return process.create_if_missing(tmp_path / "state")


def tool(*arguments: str) -> str:
    return subprocess.run(["ovsdb-tool", *arguments], check=True, capture_output=True, text=True).stdout


def add_pool(file: Path, name: str) -> None:
    row = {"pool_id": name, "space": "local", "subnet": "10.0.0.0/24", "created_at": "0.0"}
    tool("transact", str(file), json.dumps(["OVSNet", {"op": "insert", "table": "Pool", "row": row}]))


def pools(file: Path) -> set[str]:
    select = ["OVSNet", {"op": "select", "table": "Pool", "where": [], "columns": ["pool_id"]}]
    (answer,) = json.loads(tool("query", str(file), json.dumps(select)))
    return {row["pool_id"] for row in answer["rows"]}


async def test_the_command_makes_the_file_and_becomes_the_server(tmp_path: Path) -> None:
    with served(tmp_path) as server:
        async with open_store(server) as store:
            await store.commit(store.snapshot(), [Put(WEB)])
            assert store.snapshot().networks == ONE_NETWORK.networks
        assert _program(server.pid) == "ovsdb-server"
        assert (tmp_path / "run" / "store.pid").read_text().strip() == str(server.pid)


async def test_only_its_user_can_speak_to_the_server(tmp_path: Path) -> None:
    with served(tmp_path) as server:
        async with open_store(server):
            modes = {it.name: stat.S_IMODE(it.stat().st_mode) for it in (tmp_path / "run").iterdir()}
            network = _sockets(server.pid)
    assert modes["store.sock"] == modes["store.ctl"] == 0o600
    assert stat.S_IMODE((tmp_path / "state" / "ovsnet.db").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "state").stat().st_mode) == 0o750
    assert network == set()


def _program(pid: int) -> str:
    return Path(f"/proc/{pid}/comm").read_text().strip()


def _sockets(pid: int) -> set[str]:
    """The sockets of the network a process has open, by the kernel's tables."""
    kinds = ("tcp", "tcp6", "udp", "udp6")
    lines = [it for kind in kinds for it in Path(f"/proc/{pid}/net/{kind}").read_text().splitlines()[1:]]
    known = {f"socket:[{line.split()[9]}]" for line in lines}
    return known & {os.readlink(it) for it in Path(f"/proc/{pid}/fd").iterdir()}


async def test_killed_command_started_again_serves_the_same(tmp_path: Path) -> None:
    with served(tmp_path) as server:
        async with open_store(server) as store:
            await store.commit(store.snapshot(), [Put(WEB)])
        server.kill()
        server.start()
        async with open_store(server) as store:
            assert store.snapshot().networks == ONE_NETWORK.networks


async def test_a_second_server_is_refused_and_the_first_goes_on(tmp_path: Path) -> None:
    with served(tmp_path) as server:
        async with open_store(server) as store:
            with pytest.raises(Conflict, match=r"ovsnet.db is open in another ovsdb-server"):
                process.create_if_missing(tmp_path / "state")
            await store.commit(store.snapshot(), [Put(DB)])
            assert store.available


def test_a_new_file_is_alone_in_its_folder(file: Path) -> None:
    assert [it.name for it in file.parent.iterdir() if "~lock~" not in it.name] == ["ovsnet.db"]
    assert tool("db-version", str(file)).strip() == schema.version(LOCAL)


def test_a_file_half_made_by_a_crash_is_made_again(tmp_path: Path) -> None:
    (tmp_path / ".ovsnet.db.new").write_text("half")
    assert find_damage(process.create_if_missing(tmp_path)) is None


def test_preparing_twice_changes_nothing(file: Path) -> None:
    add_pool(file, "a")
    before = file.read_bytes()
    process.create_if_missing(file.parent)
    assert file.read_bytes() == before


def test_a_torn_last_record_is_cut_off_and_a_copy_kept(file: Path) -> None:
    add_pool(file, "a")
    whole = file.read_bytes()
    add_pool(file, "b")
    torn = file.read_bytes()[:-20]
    file.write_bytes(torn)
    process.create_if_missing(file.parent)
    assert file.read_bytes() == whole
    assert file.with_name("ovsnet.db.torn").read_bytes() == torn
    assert pools(file) == {"a"}


def test_damage_before_the_end_is_refused_by_name_and_nothing_is_touched(file: Path) -> None:
    for name in ("first", "second", "third"):
        add_pool(file, name)
    damaged = file.read_bytes().replace(b'"second"', b'"sec\x00nd"')
    file.write_bytes(damaged)
    with pytest.raises(ApplyError, match=r"ovsnet.db: it is damaged at byte \d+.*Put back a copy"):
        process.create_if_missing(file.parent)
    assert file.read_bytes() == damaged


def test_a_damaged_file_is_set_aside_while_somebody_knows_all_that_it_held(file: Path, tmp_path: Path) -> None:
    for name in ("first", "second", "third"):
        add_pool(file, name)
    damaged = file.read_bytes().replace(b'"second"', b'"sec\x00nd"')
    file.write_bytes(damaged)
    witness = tmp_path / "known"
    assert not somebody_knows(witness)
    Witness(witness).stand()
    assert somebody_knows(witness)

    process.create_if_missing(file.parent, known=True)

    assert file.with_name("ovsnet.db.damaged").read_bytes() == damaged
    assert find_damage(file) is None
    assert pools(file) == set()


@pytest.mark.parametrize("content", [b"", b"hello", b"OVSDB JSON 5 "], ids=["empty", "text", "half a header"])
def test_a_file_that_is_no_database_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "ovsnet.db"
    file.write_bytes(content)
    with pytest.raises(ApplyError, match=r"ovsnet.db: "):
        process.create_if_missing(tmp_path)
    assert file.read_bytes() == content


def test_every_cut_and_every_flipped_byte_is_seen(file: Path) -> None:
    add_pool(file, "a")
    add_pool(file, "b")
    whole = file.read_bytes()
    records = [at for at in range(len(whole)) if whole[at:].startswith(b"OVSDB JSON")]
    for at in range(1, len(whole), 3):
        file.write_bytes(whole[:at])
        expected = None if at in records else Damage(max(it for it in records if it <= at), torn=True)
        assert find_damage(file) == expected
    for at in (*range(0, records[-2], 16), *range(records[-2], len(whole))):
        file.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        assert find_damage(file) == Damage(max(it for it in records if it <= at), torn=at >= records[-1])


def test_a_foreign_database_is_refused_by_name(tmp_path: Path) -> None:
    definition = tmp_path / "other.ovsschema"
    definition.write_text('{"name": "Other", "version": "1.0.0", "tables": {}}')
    tool("create", str(tmp_path / "ovsnet.db"), str(definition))
    with pytest.raises(ApplyError, match="holds the database Other, not OVSNet"):
        process.create_if_missing(tmp_path)


def _with_version(directory: Path, version: str, *, without: str = "") -> Path:
    """A file as another build would have made it."""
    definition = json.loads(schema.text(LOCAL)) | {"version": version}
    if without:
        del definition["tables"]["Pool"]["columns"][without]
    (directory / "definition").write_text(json.dumps(definition))
    file = directory / "ovsnet.db"
    tool("create", str(file), str(directory / "definition"))
    return file


def test_a_newer_file_is_refused(tmp_path: Path) -> None:
    file = _with_version(tmp_path, "99.0.0")
    before = file.read_bytes()
    with pytest.raises(ApplyError, match=r"written by a newer ovsnet \(schema 99.0.0; this one has"):
        process.create_if_missing(tmp_path)
    assert file.read_bytes() == before


def test_an_older_file_is_converted_and_a_copy_kept(tmp_path: Path) -> None:
    file = _with_version(tmp_path, "0.9.0", without="cursor")
    add_pool(file, "a")
    before = file.read_bytes()
    process.create_if_missing(tmp_path)
    assert tool("db-version", str(file)).strip() == schema.version(LOCAL)
    assert pools(file) == {"a"}
    assert (tmp_path / "ovsnet.db.backup-0.9.0").read_bytes() == before


def test_missing_programs_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Unavailable, match="ovsdb-tool is not available: it is not installed"):
        process.create_if_missing(tmp_path / "state")


def test_the_command_says_in_one_line_why_it_cannot_serve(tmp_path: Path) -> None:
    (tmp_path / "ovsnet.db").write_text("hello")
    run = subprocess.run(
        [sys.executable, "-m", "ovsnet.store", f"--set=state_dir={tmp_path}", f"--set=run_dir={tmp_path}"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 1
    assert run.stdout == ""
    assert run.stderr.startswith(f"ovsnet store: {tmp_path}/ovsnet.db: it is damaged at byte 0")
    assert run.stderr.count("\n") == 1


def test_paths_follow_the_settings() -> None:
    settings = Settings(run_dir="/run/x", state_dir="/var/lib/x")
    assert str(process.store_file(settings)) == "/var/lib/x/ovsnet.db"
    assert str(process.store_socket(settings)) == "/run/x/store.sock"
    assert "/var/lib/x/ovsnet.db" in process.command(settings)


def test_schema_has_a_table_for_every_kind_of_value() -> None:
    assert set(json.loads(schema.text(LOCAL))["tables"]) == {shape.table for shape in LOCAL.shapes.values()}


def test_the_document_names_every_table_and_column() -> None:
    document = (Path(__file__).parents[2] / "docs" / "store.md").read_text()
    tables = json.loads(schema.text(LOCAL))["tables"]
    names = {*tables, *(column for table in tables.values() for column in table["columns"])}
    assert [it for it in sorted(names) if f"`{it}`" not in document] == []
