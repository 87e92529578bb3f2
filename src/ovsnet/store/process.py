"""The store's server: an ovsdb-server process of our own, its file and how it is started.

    /var/lib/ovsnet/ovsnet.db          the data: every commit is synced to it
    /run/ovsnet/store.sock, .ctl, .pid where clients, ovs-appctl and people find the process

Whoever keeps the process alive (a systemd unit, the keeper) runs `python -m ovsnet.store`, which becomes
ovsdb-server.
"""

import fcntl
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import structlog

from ovsnet.model.errors import ApplyError, Conflict, Unavailable
from ovsnet.settings import Settings
from ovsnet.store import schema
from ovsnet.store.local import LOCAL
from ovsnet.store.logfile import find_damage

UMASK = 0o177
"""Sockets and files of the server are for its own user only: ovsdb-server gives a socket 0770 less this."""
TOOL_TIME = 120.0
"""Seconds ovsdb-tool may take; converting 100 000 rows takes about 3."""

log = structlog.get_logger(__name__)


def store_file(settings: Settings) -> Path:
    """Where the data is."""
    return Path(settings.state_dir).absolute() / "ovsnet.db"


def store_socket(settings: Settings) -> Path:
    """Where the store listens."""
    return Path(settings.run_dir).absolute() / "store.sock"


def command(settings: Settings) -> list[str]:
    """The server in the foreground, logging to stderr. Its umask must be UMASK."""
    run_dir = Path(settings.run_dir).absolute()
    return [
        "ovsdb-server",
        str(store_file(settings)),
        f"--remote=punix:{store_socket(settings)}",
        f"--unixctl={run_dir / 'store.ctl'}",
        f"--pidfile={run_dir / 'store.pid'}",
        "-vsyslog:off",
        "-vfile:off",
        "-vconsole:info",
    ]


def become_server(settings: Settings) -> None:
    """Prepare the file and replace this process by the server; returns never, except by an OvsnetError."""
    _make_folder(Path(settings.run_dir))
    create_if_missing(Path(settings.state_dir))
    os.umask(UMASK)
    arguments = command(settings)
    try:
        os.execvp(arguments[0], arguments)  # noqa: S606
    except FileNotFoundError as error:
        raise _not_installed(arguments[0]) from error


def create_if_missing(state_dir: Path) -> Path:
    """Make the database file fit for this build, and return it: made anew, mended or converted as needed.

    ApplyError when it is damaged, written by a newer build, or not ours; Conflict while a server has it open.
    """
    _make_folder(state_dir)
    file = state_dir.absolute() / "ovsnet.db"
    if not file.exists():
        _create(file)
        return file
    with _alone_with(file):
        _mend(file)
    _convert_if_older(file)
    return file


def _create(file: Path) -> None:
    """Under another name first, so that a crash never leaves half a file under this one."""
    draft, definition = file.with_name(f".{file.name}.new"), file.with_name(".ovsnet.ovsschema")
    draft.unlink(missing_ok=True)
    definition.write_text(schema.text(LOCAL))
    try:
        _tool("create", str(draft), str(definition))
        draft.chmod(0o600)
        _sync(draft)
        draft.rename(file)
        _sync(file.parent)
    finally:
        definition.unlink()
        _lock_of(draft).unlink(missing_ok=True)
    log.info("store created", file=str(file), schema=schema.version(LOCAL))


def _mend(file: Path) -> None:
    """Cut off a torn last record, keeping a copy; ApplyError for any other damage."""
    damage = find_damage(file)
    if damage is None:
        return
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
    _sync(file)
    log.warning("last record of the store was torn and is cut off", file=str(file), copy=str(copy))


def _convert_if_older(file: Path) -> None:
    name, found, ours = _tool("db-name", str(file)), _tool("db-version", str(file)), schema.version(LOCAL)
    if name != LOCAL.database:
        raise ApplyError(str(file), f"it holds the database {name}, not {LOCAL.database}; move it away")
    if _numbers(found) > _numbers(ours):
        raise ApplyError(
            str(file),
            f"it was written by a newer ovsnet (schema {found}; this one has {ours}): install that version "
            f"again, or put back a copy of the file that is as old as this version",
        )
    if _numbers(found) < _numbers(ours):
        _convert(file, found)


def _convert(file: Path, found: str) -> None:
    backup = file.with_name(f"{file.name}.backup-{found}")
    shutil.copy2(file, backup)
    _sync(backup)
    definition = file.with_name(".ovsnet.ovsschema")
    definition.write_text(schema.text(LOCAL))
    try:
        _tool("convert", str(file), str(definition))
    finally:
        definition.unlink()
    log.info("store converted", file=str(file), backup=str(backup), old=found, new=schema.version(LOCAL))


@contextmanager
def _alone_with(file: Path) -> Iterator[None]:
    """Holds the lock ovsdb-server takes on a file it opens; Conflict while a server has it."""
    with _lock_of(file).open("a") as lock:
        try:
            fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise Conflict(f"{file} is open in another ovsdb-server; stop that one first") from error
        yield


def _lock_of(file: Path) -> Path:
    return file.with_name(f".{file.name}.~lock~")


def _tool(*arguments: str) -> str:
    """What ovsdb-tool prints; ApplyError with its words when it fails."""
    try:
        run = subprocess.run(["ovsdb-tool", *arguments], capture_output=True, text=True, timeout=TOOL_TIME, check=False)
    except FileNotFoundError as error:
        raise _not_installed("ovsdb-tool") from error
    if run.returncode:
        raise ApplyError(arguments[1], f"ovsdb-tool {arguments[0]}: {run.stderr.strip()}")
    return run.stdout.strip()


def _not_installed(program: str) -> Unavailable:
    return Unavailable(program, "it is not installed; install Open vSwitch (Debian: openvswitch-switch)")


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(it) for it in version.split("."))


def _make_folder(path: Path) -> None:
    """For us and our group, whatever the umask; one that is there keeps the mode its owner gave it."""
    if not path.is_dir():
        path.mkdir(parents=True)
        path.chmod(0o750)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
