"""The store's server: an ovsdb-server process of our own, its file and how it is started.

    /var/lib/ovsnet/ovsnet.db          the data: every commit is synced to it
    /run/ovsnet/store.sock, .ctl, .pid where clients, ovs-appctl and people find the process

Whoever keeps the process alive (a systemd unit, the keeper) runs `python -m ovsnet.store`, which becomes
ovsdb-server.
"""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import structlog

from ovsnet.model.errors import ApplyError, Conflict
from ovsnet.ovsdb.serverfile import (
    QUIET,
    become,
    lock_of,
    make_file,
    make_folder,
    numbers,
    run_tool,
    schema_file,
    sync,
)
from ovsnet.settings import Settings
from ovsnet.store import schema
from ovsnet.store.local import LOCAL
from ovsnet.store.logfile import find_damage
from ovsnet.store.witness import somebody_knows

log = structlog.get_logger(__name__)


def store_file(settings: Settings) -> Path:
    """Where the data is."""
    return Path(settings.state_dir).absolute() / "ovsnet.db"


def store_socket(settings: Settings) -> Path:
    """Where the store listens."""
    return Path(settings.run_dir).absolute() / "store.sock"


def witness_file(settings: Settings) -> Path:
    """What the agent locks while it knows all that the store holds."""
    return Path(settings.run_dir).absolute() / "store.known"


def command(settings: Settings) -> list[str]:
    """The server in the foreground, logging to stderr. Its umask must be UMASK."""
    run_dir = Path(settings.run_dir).absolute()
    return [
        "ovsdb-server",
        str(store_file(settings)),
        f"--remote=punix:{store_socket(settings)}",
        f"--unixctl={run_dir / 'store.ctl'}",
        f"--pidfile={run_dir / 'store.pid'}",
        *QUIET,
    ]


def become_server(settings: Settings) -> None:
    """Prepare the file and replace this process by the server; returns never, except by an OvsnetError."""
    make_folder(Path(settings.run_dir))
    create_if_missing(Path(settings.state_dir), known=somebody_knows(witness_file(settings)))
    become(command(settings))


def create_if_missing(state_dir: Path, *, known: bool = False) -> Path:
    """Make the database file fit for this build, and return it: made anew, mended or converted as needed.

    ApplyError when it is damaged, written by a newer build, or not ours; Conflict while a server has it open. What is
    damaged is set aside when all that it held is `known`: the server will be given it back.
    """
    make_folder(state_dir)
    file = state_dir.absolute() / "ovsnet.db"
    if not file.exists():
        _create(file)
        return file
    with _alone_with(file):
        if not _mend(file, known=known):
            return file
    _convert_if_older(file)
    return file


def _create(file: Path) -> None:
    with schema_file(file, schema.text(LOCAL)) as definition:
        make_file(file, lambda draft: run_tool("create", str(draft), definition))
    log.info("store created", file=str(file), schema=schema.version(LOCAL))


def _mend(file: Path, *, known: bool) -> bool:
    """Cut off a torn last record, keeping a copy; ApplyError for any other damage. False when it is made anew."""
    damage = find_damage(file)
    if damage is None:
        return True
    if known and (not damage.torn or damage.offset == 0):
        aside = file.with_name(f"{file.name}.damaged")
        file.rename(aside)
        _create(file)
        log.warning("the store was damaged and begins anew; the agent knows what it held", damaged=str(aside))
        return False
    if not damage.torn or damage.offset == 0:
        raise ApplyError(
            str(file),
            f"it is damaged at byte {damage.offset}, and ovsdb-server would silently forget what follows. "
            f"Put back a copy of the file, or move it away to start with an empty store: "
            f"networks must then be created again",
        )
    copy = file.with_name(f"{file.name}.torn")
    shutil.copy2(file, copy)
    os.truncate(file, damage.offset)
    sync(file)
    log.warning("last record of the store was torn and is cut off", file=str(file), copy=str(copy))
    return True


def _convert_if_older(file: Path) -> None:
    name, found, ours = run_tool("db-name", str(file)), run_tool("db-version", str(file)), schema.version(LOCAL)
    if name != LOCAL.database:
        raise ApplyError(str(file), f"it holds the database {name}, not {LOCAL.database}; move it away")
    if numbers(found) > numbers(ours):
        raise ApplyError(
            str(file),
            f"it was written by a newer ovsnet (schema {found}; this one has {ours}): install that version "
            f"again, or put back a copy of the file that is as old as this version",
        )
    if numbers(found) < numbers(ours):
        _convert(file, found)


def _convert(file: Path, found: str) -> None:
    backup = file.with_name(f"{file.name}.backup-{found}")
    shutil.copy2(file, backup)
    sync(backup)
    with schema_file(file, schema.text(LOCAL)) as definition:
        run_tool("convert", str(file), definition)
    log.info("store converted", file=str(file), backup=str(backup), old=found, new=schema.version(LOCAL))


@contextmanager
def _alone_with(file: Path) -> Iterator[None]:
    """Holds the lock ovsdb-server takes on a file it opens; Conflict while a server has it."""
    with lock_of(file).open("a") as lock:
        try:
            fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise Conflict(f"{file} is open in another ovsdb-server; stop that one first") from error
        yield
