"""The keeper: a small parent that holds what must outlive the agent process where there is no systemd.

    ovsnet agent ──► keeper ──┬── ovsdb-server   (the store)
                              ├── ovsdb-server   (the cluster's database, while this host is a member)
                              └── agent          (restarted when it dies)

It owns the listening plugin socket: while no agent runs, the engine's calls wait in the socket's queue instead of
failing. Whether this host is a member is looked up at every start of a child and at SIGHUP, which the agent sends. It
imports nothing heavy and does nothing else. Under systemd the units take its place.
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
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

from ovsnet.cluster.identity import identity_files
from ovsnet.model.errors import Conflict, Unavailable
from ovsnet.settings import Settings

BACKLOG = 1024
"""Calls that may wait while the agent restarts; the kernel caps it at net.core.somaxconn."""
LOCK_PATIENCE = 15.0
"""Seconds a new keeper waits for the last processes of an old one to go."""
STOP_PATIENCE = 10.0
"""Seconds a child gets between SIGTERM and SIGKILL."""
FIRST_PAUSE, LONGEST_PAUSE = 0.05, 5.0
"""Seconds before a dead child is started again: doubles at each death, back to the first after a quiet minute, and
after an end in order (code 0).
"""
FAREWELL_PATIENCE = 2.0
"""Seconds the command may take that ends a child in order."""
KEEPER = "OVSNET_KEEPER"
"""In the children's environment: the keeper's process id, for who wants it to look again (SIGHUP)."""
PR_SET_PDEATHSIG = 1
"""prctl(2)."""


def _always() -> bool:
    return True


class Child:
    """One process that must be running while it is `wanted`, and when it may be started again.

    `farewell` is a command that ends it in order, for a process that has more to do then than SIGTERM lets it.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        keep_fds: Sequence[int] = (),
        wanted: Callable[[], bool] = _always,
        farewell: Sequence[str] = (),
    ) -> None:
        self.name = name
        self._command = command
        self._keep_fds = tuple(keep_fds)
        self._wanted = wanted
        self._farewell = tuple(farewell)
        self._process: subprocess.Popen[bytes] | None = None
        self._pause = FIRST_PAUSE
        self._started = 0.0
        self._not_before = 0.0
        self._idle = False

    def tend(self) -> None:
        """Start it when it is not running and its pause is over; end it when it is wanted no longer."""
        self._idle = not self._wanted()
        if self._process is not None and self._process.poll() is None:
            if self._idle:
                self._process.terminate()
            return
        now = time.monotonic()
        if self._process is not None:
            self._mourn(self._process.returncode, now)
            self._process = None
        if not self._idle and now >= self._not_before:
            self._start(now)

    def due(self) -> float:
        """Seconds until `tend` has something to do; infinite while it runs or is not wanted."""
        waiting = self._process is None and not self._idle
        return max(0.0, self._not_before - time.monotonic()) if waiting else float("inf")

    def stop(self) -> None:
        """The farewell, SIGTERM when there is none or it failed, and SIGKILL when that was not heard."""
        if self._process is None or self._process.poll() is not None:
            return
        if not self._told_to_end():
            self._process.terminate()
        try:
            self._process.wait(STOP_PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _mourn(self, code: int, now: float) -> None:
        quiet = code == 0 or now - self._started > 60
        pause = FIRST_PAUSE if quiet else self._pause
        again = "" if self._idle else f"; starting it again in {pause:g} s"
        _say(f"{self.name} ended with code {code}{again}")
        self._not_before = now + pause
        self._pause = FIRST_PAUSE if quiet else min(LONGEST_PAUSE, pause * 2)

    def _told_to_end(self) -> bool:
        if not self._farewell:
            return False
        with suppress(OSError, subprocess.TimeoutExpired):
            done = subprocess.run(self._farewell, capture_output=True, timeout=FAREWELL_PATIENCE, check=False)
            return done.returncode == 0
        return False

    def _start(self, now: float) -> None:
        self._started = now
        self._process = subprocess.Popen(
            self._command,
            pass_fds=self._keep_fds,
            stdin=subprocess.DEVNULL,
            env={**os.environ, KEEPER: str(os.getpid())},
            preexec_fn=_die_with_parent,  # noqa: PLW1509 - this process has one thread
        )


def run(settings: Settings, agent_arguments: Sequence[str]) -> int:
    """Until SIGTERM or SIGINT; returns the exit code. Conflict when another keeper runs on the same run_dir."""
    with alone(settings) as lock:
        listener = listen(Path(settings.plugin_socket))
        lines = commands(settings, agent_arguments, listener)
        store = Child("store", lines["store"])
        cluster = Child(
            "cluster",
            lines["cluster"],
            wanted=identity_files(settings).membership.exists,
            farewell=lines["end cluster"],
        )
        agent = Child("agent", lines["agent"], keep_fds=(listener.fileno(), lock.fileno()))
        try:
            _tend([store, cluster, agent])
        finally:
            agent.stop()
            cluster.stop()
            store.stop()
            Path(settings.plugin_socket).unlink(missing_ok=True)
    return 0


def commands(settings: Settings, arguments: Sequence[str], listener: socket.socket) -> dict[str, list[str]]:
    """What the children are started with, and what ends the cluster's database: a leader hands over first."""
    python = [sys.executable, "-P", "-m"]
    control = Path(settings.run_dir).absolute() / "cluster.ctl"
    return {
        "store": [*python, "ovsnet.store", *arguments],
        "cluster": [*python, "ovsnet.cluster", *arguments],
        "end cluster": ["ovs-appctl", f"--timeout={FAREWELL_PATIENCE:.0f}", f"--target={control}", "exit"],
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
    """Wait for signals only: SIGCHLD says that somebody died, SIGHUP that something has changed, SIGTERM and SIGINT
    that we shall stop.
    """
    watched = {signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP}
    signal.pthread_sigmask(signal.SIG_BLOCK, watched)
    while True:
        for child in children:
            child.tend()
        due = min(child.due() for child in children)
        caught = signal.sigtimedwait(watched, min(due, 3600.0))
        if caught is not None and caught.si_signo in {signal.SIGTERM, signal.SIGINT}:
            return


def _die_with_parent() -> None:
    """Children must not outlive a killed keeper: a second one could not tell them from strangers."""
    signal.pthread_sigmask(signal.SIG_SETMASK, set())
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def _say(text: str) -> None:
    print(f"ovsnet keeper: {text}", file=sys.stderr, flush=True)
