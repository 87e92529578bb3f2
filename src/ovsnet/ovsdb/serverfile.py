"""What every ovsdb-server of ours needs before it runs: folders, files that are whole or absent, and ovsdb-tool."""

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

from ovsnet.model.errors import ApplyError, Unavailable

UMASK = 0o177
"""Sockets and files of a server are for its own user only: ovsdb-server gives a socket 0770 less this."""
TOOL_TIME = 120.0
"""Seconds ovsdb-tool may take; converting 100 000 rows takes about 3."""
QUIET = ("-vsyslog:off", "-vfile:off", "-vconsole:info")
"""A server logs to stderr, where whoever started it looks."""


def become(arguments: list[str]) -> NoReturn:
    """Replace this process by the program; Unavailable when it is not installed."""
    os.umask(UMASK)
    try:
        os.execvp(arguments[0], arguments)  # noqa: S606
    except FileNotFoundError as error:
        raise not_installed(arguments[0]) from error


def make_file(file: Path, build: Callable[[Path], object]) -> None:
    """A file as `build` makes it, on disk when this returns.

    It is built under another name first, so that a crash never leaves half a file under this one.
    """
    draft = file.with_name(f".{file.name}.new")
    draft.unlink(missing_ok=True)
    try:
        build(draft)
        draft.chmod(0o600)
        sync(draft)
        draft.rename(file)
        sync(file.parent)
    finally:
        lock_of(draft).unlink(missing_ok=True)


@contextmanager
def schema_file(database: Path, text: str) -> Iterator[str]:
    """The path of a schema for ovsdb-tool, beside the database and only as long as the block runs."""
    definition = database.with_name(f".{database.stem.lstrip('.')}.ovsschema")
    definition.write_text(text)
    try:
        yield str(definition)
    finally:
        definition.unlink()


def lock_of(file: Path) -> Path:
    """The file ovsdb-server and ovsdb-tool lock while they have `file` open."""
    return file.with_name(f".{file.name}.~lock~")


def run_tool(*arguments: str) -> str:
    """What ovsdb-tool prints; ApplyError with its words when it fails."""
    try:
        run = subprocess.run(["ovsdb-tool", *arguments], capture_output=True, text=True, timeout=TOOL_TIME, check=False)
    except FileNotFoundError as error:
        raise not_installed("ovsdb-tool") from error
    if run.returncode:
        raise ApplyError(arguments[1], f"ovsdb-tool {arguments[0]}: {run.stderr.strip()}")
    return run.stdout.strip()


def not_installed(program: str) -> Unavailable:
    """The error for a program of Open vSwitch that is missing."""
    return Unavailable(program, "it is not installed; install Open vSwitch (Debian: openvswitch-switch)")


def numbers(version: str) -> tuple[int, ...]:
    """MAJOR.MINOR.PATCH, to be compared."""
    return tuple(int(it) for it in version.split("."))


def make_folder(path: Path) -> None:
    """For us and our group, whatever the umask; one that is there keeps the mode its owner gave it."""
    if not path.is_dir():
        path.mkdir(parents=True)
        path.chmod(0o750)


def sync(path: Path) -> None:
    """A file, or the names in a folder, on disk when this returns."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
