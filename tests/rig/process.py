"""Commands and waiting: what every part of the rig is made of."""

import json
import os
import shlex
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

T = TypeVar("T")

DEFAULT_TIMEOUT = 60.0
PAUSE = 0.02


class CommandFailed(Exception):
    """A command ended otherwise than the test demanded; the message holds all it said."""


class NotReached(AssertionError):
    """Something a test waited for did not come true in its time."""


@dataclass(frozen=True, slots=True)
class Completed:
    """A command that has ended; negative codes are signals."""

    argv: tuple[str, ...]
    returncode: int
    stdout: str
    stderr: str
    seconds: float

    @property
    def ok(self) -> bool:
        return self.returncode == 0

    def json(self) -> Any:
        """What it printed, parsed."""
        return json.loads(self.stdout)

    def checked(self) -> "Completed":
        """Itself if it succeeded; raises CommandFailed with its output if not."""
        if self.ok:
            return self
        raise CommandFailed(
            f"{shlex.join(self.argv)}\nended with {self.returncode} after {self.seconds:.2f} s\n"
            f"stderr: {self.stderr.strip()}\nstdout: {self.stdout.strip()}"
        )


def run(
    *argv: str,
    check: bool = True,
    stdin: str | bytes | None = None,
    timeout: float = DEFAULT_TIMEOUT,
    env: Mapping[str, str] | None = None,
) -> Completed:
    """Run a command to its end; on timeout it and its children are killed and CommandFailed is raised."""
    started = time.monotonic()
    with subprocess.Popen(
        argv,
        stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=env,
        start_new_session=True,
    ) as process:
        try:
            raw = stdin.encode() if isinstance(stdin, str) else stdin
            out, err = process.communicate(raw, timeout=timeout)
        except subprocess.TimeoutExpired as error:
            _kill_group(process.pid)
            raise CommandFailed(f"{shlex.join(argv)}\nwas still running after {timeout:g} s") from error
        except BaseException:
            _kill_group(process.pid)
            raise
    done = Completed(
        argv,
        process.returncode,
        out.decode(errors="replace"),
        err.decode(errors="replace"),
        time.monotonic() - started,
    )
    return done.checked() if check else done


def _kill_group(leader: int) -> None:
    # Its own session: the group is the command and what it started, in whatever namespaces.
    with suppress(ProcessLookupError):
        os.killpg(leader, signal.SIGKILL)


def wait_until(condition: Callable[[], T], deadline: float, what: str) -> T:
    """The first true value of `condition`; NotReached says `what` after `deadline` seconds.

    For state that announces itself in no other way; the condition is asked at least once.
    """
    end = time.monotonic() + deadline
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise NotReached(f"{what}: not so after {deadline:g} s (last seen: {value!r})")
        time.sleep(PAUSE)
