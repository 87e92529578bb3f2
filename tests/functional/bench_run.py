"""Runs of `ovsnet bench` as somebody starts them, and what must not be left of one."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from ovsnet.bench.report import Report, from_json

COMMAND = [sys.executable, "-c", "from ovsnet.cli.main import main; main()", "bench"]


@dataclass(frozen=True, slots=True)
class Done:
    """A run that has ended well."""

    report: Report
    progress: str


@contextmanager
def own_folder() -> Iterator[Path]:
    """Where a run puts what it needs, and what must be empty afterwards.

    Not pytest's: socket paths would be longer than the 107 bytes Linux allows.
    """
    folder = Path(tempfile.mkdtemp(prefix="t"))
    yield folder
    folder.rmdir()  # refused while anything is in it


def measured(*arguments: str, deadline: float) -> Done:
    """The report of a run that leaves nothing; `deadline` in seconds."""
    with own_folder() as folder:
        done = subprocess.run(
            [*COMMAND, *arguments, "--json"],
            capture_output=True,
            text=True,
            check=False,
            timeout=deadline,
            env={**os.environ, "TMPDIR": str(folder)},
        )
        assert done.returncode == 0, done.stderr
        report = from_json(done.stdout, "stdout")
    return Done(report, done.stderr)


def interrupted(*arguments: str, at: str, signal: int) -> str:
    """What a run says that gets a signal when its progress speaks of `at`; nothing of it is left."""
    with own_folder() as folder, started(folder, arguments) as run:
        assert run.stderr is not None
        assert any(at in line for line in run.stderr)
        (made,) = folder.iterdir()
        assert mentions(made.name)
        run.send_signal(signal)
        said = run.stderr.read()
        assert run.wait(60) != 0
        assert not mentions(made.name)
        assert not cgroups(made.name)
    return said


@contextmanager
def started(folder: Path, arguments: Sequence[str]) -> Iterator["subprocess.Popen[str]"]:
    """A run, with its progress on a pipe."""
    environment = {**os.environ, "TMPDIR": str(folder)}
    with subprocess.Popen(
        [*COMMAND, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=environment
    ) as run:
        yield run


def mentions(name: str) -> list[bytes]:
    """The programs of this machine whose command line speaks of it."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            command = (process / "cmdline").read_bytes()
            if name.encode() in command:
                found.append(command)
    return found


def cgroups(name: str) -> list[Path]:
    """Of every hierarchy there is."""
    return [*Path("/sys/fs/cgroup").glob(name), *Path("/sys/fs/cgroup").glob(f"*/{name}")]
