"""The keeper: a small parent that holds what must outlive the agent process where there is no systemd.

    ovsnet agent ──► keeper ──┬── ovsdb-server   (the store)
                              └── agent          (restarted when it dies)

It owns the listening plugin socket: while no agent runs, the engine's calls wait in the socket's queue instead of
failing. It imports nothing heavy and does nothing else. Under systemd the units take its place.
"""

import ctypes
import fcntl
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from ovsnet.model.errors import Conflict, Unavailable
from ovsnet.settings import Settings

BACKLOG = 1024
"""Calls that may wait while the agent restarts; the kernel caps it at net.core.somaxconn."""
LOCK_PATIENCE = 15.0
"""Seconds a new keeper waits for the last processes of an old one to go."""
STOP_PATIENCE = 10.0
"""Seconds a child gets between SIGTERM and SIGKILL."""
FIRST_PAUSE, LONGEST_PAUSE = 0.05, 5.0
"""Seconds before a dead child is started again: doubles at each death, back to the first after a quiet minute."""
PR_SET_PDEATHSIG = 1
"""prctl(2)."""


class Child:
    """One process that must be running, and when it may be started again."""

    def __init__(self, name: str, command: Sequence[str], keep_fds: Sequence[int] = ()) -> None:
        self.name = name
        self._command = command
        self._keep_fds = tuple(keep_fds)
        self._process: subprocess.Popen[bytes] | None = None
        self._pause = FIRST_PAUSE
        self._started = 0.0
        self._not_before = 0.0

    def tend(self) -> None:
        """Start it when it is not running and its pause is over."""
        if self._process is not None and self._process.poll() is None:
            return
        now = time.monotonic()
        if self._process is not None:
            _say(f"{self.name} ended with code {self._process.returncode}; starting it again in {self._pause:g} s")
            self._process = None
            self._not_before = now + self._pause
            quiet = now - self._started > 60
            self._pause = FIRST_PAUSE if quiet else min(LONGEST_PAUSE, self._pause * 2)
        if now >= self._not_before:
            self._start(now)

    def due(self) -> float:
        """Seconds until `tend` has something to do; infinite while it runs."""
        return float("inf") if self._process is not None else max(0.0, self._not_before - time.monotonic())

    def stop(self) -> None:
        """SIGTERM, and SIGKILL when that was not heard."""
        if self._process is None or self._process.poll() is not None:
            return
        self._process.terminate()
        try:
            self._process.wait(STOP_PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def signal(self, number: int) -> None:
        """Pass a signal on."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(number)

    def _start(self, now: float) -> None:
        self._started = now
        self._process = subprocess.Popen(
            self._command,
            pass_fds=self._keep_fds,
            stdin=subprocess.DEVNULL,
            preexec_fn=_die_with_parent,  # noqa: PLW1509 - this process has one thread
        )


def run(settings: Settings, agent_arguments: Sequence[str]) -> int:
    """Until SIGTERM or SIGINT; returns the exit code. Conflict when another keeper runs on the same run_dir."""
    with alone(settings) as lock:
        listener = listen(Path(settings.plugin_socket))
        lines = commands(agent_arguments, listener)
        store = Child("store", lines["store"])
        agent = Child("agent", lines["agent"], keep_fds=(listener.fileno(), lock.fileno()))
        try:
            _tend([store, agent])
        finally:
            agent.stop()
            store.stop()
            Path(settings.plugin_socket).unlink(missing_ok=True)
    return 0


def commands(arguments: Sequence[str], listener: socket.socket) -> dict[str, list[str]]:
    """What the two children are started with."""
    python = [sys.executable, "-P", "-m"]
    return {
        "store": [*python, "ovsnet.store", *arguments],
        "agent": [*python, "ovsnet.agent", *arguments, "--listen-fd", str(listener.fileno())],
    }


@contextmanager
def alone(settings: Settings) -> Iterator[TextIO]:
    """Be the only ovsnet process of this run_dir while the block runs; Conflict when another one is."""
    run_dir = Path(settings.run_dir)
    run_dir.mkdir(mode=0o755, parents=True, exist_ok=True)
    with _lock(run_dir / "agent.lock") as lock:
        yield lock


def listen(path: Path) -> socket.socket:
    """The plugin socket, for root only. A stale file is replaced; Conflict when somebody answers on it."""
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    if path.exists() and _answers(path):
        raise Conflict(f"{path} is served by another process; stop that agent first (is ovsnet.service active?)")
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    mask = os.umask(0o177)
    try:
        listener.bind(str(path))
    finally:
        os.umask(mask)
    listener.listen(BACKLOG)
    return listener


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(str(path))
        except OSError:
            return False
        return True


def _lock(path: Path) -> TextIO:
    """An open file under flock: the agent inherits it, so that it is held until the last of us is gone."""
    handle = path.open("a+")
    deadline = time.monotonic() + LOCK_PATIENCE
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = path.read_text().strip()
            if holder and _lives(holder):
                raise Conflict(f"an ovsnet agent runs already (process {holder}); stop it first") from None
            if time.monotonic() > deadline:
                raise Unavailable("the lock", f"{path} is still held by the processes of an earlier agent") from None
            select.select([], [], [], 0.05)  # flock has no timeout of its own
            continue
        handle.truncate(0)
        handle.write(str(os.getpid()))
        handle.flush()
        return handle


def _lives(pid: str) -> bool:
    """False also for a killed process whose parent has not looked yet (state Z, proc(5))."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _tend(children: Sequence[Child]) -> None:
    """Wait for signals only: SIGCHLD says that somebody died, SIGTERM and SIGINT that we shall stop."""
    watched = {signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP}
    signal.pthread_sigmask(signal.SIG_BLOCK, watched)
    while True:
        for child in children:
            child.tend()
        due = min(child.due() for child in children)
        caught = signal.sigtimedwait(watched, min(due, 3600.0))
        if caught is None or caught.si_signo == signal.SIGCHLD:
            continue
        if caught.si_signo == signal.SIGHUP:
            for child in children:
                child.signal(signal.SIGHUP)
            continue
        return


def _die_with_parent() -> None:
    """Children must not outlive a killed keeper: a second one could not tell them from strangers."""
    signal.pthread_sigmask(signal.SIG_SETMASK, set())
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def _say(text: str) -> None:
    print(f"ovsnet keeper: {text}", file=sys.stderr, flush=True)
