"""The keeper: who is restarted, who is stopped, and what happens to a socket in between."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

DEADLINE = 20.0
CHILD = """
import os, sys, time
sys.path.insert(0, {source!r})
from pathlib import Path
from ovsnet.agent import keeper
from ovsnet.settings import Settings
run = Path({run!r})
settings = Settings(run_dir=str(run), plugin_socket=str(run / "plugins" / "test.sock"))
sleeper = "import os,sys,time; open(sys.argv[1], 'a').write(f'{{os.getpid()}}\\\\n'); time.sleep(1000)"
keeper.commands = lambda arguments, listener: {{
    name: [sys.executable, "-c", sleeper, str(run / name)] for name in ("store", "agent")
}}
sys.exit(keeper.run(settings, []))
"""


def until(condition: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < end, f"{what} did not happen within {DEADLINE} s"
        time.sleep(0.02)


@contextmanager
def keeper(run_dir: Path) -> Iterator[subprocess.Popen[bytes]]:
    source = str(Path(__file__).parents[2] / "src")
    script = CHILD.format(source=source, run=str(run_dir))
    process = subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.PIPE)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def started(run_dir: Path, name: str) -> list[int]:
    file = run_dir / name
    return [int(it) for it in file.read_text().split()] if file.exists() else []


def wait_for(run_dir: Path, name: str, times: int) -> int:
    until(lambda: len(started(run_dir, name)) == times, f"start {times} of {name}")
    return started(run_dir, name)[-1]


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    return tmp_path


def test_a_dead_child_is_started_again_and_the_other_is_left_alone(run_dir: Path) -> None:
    with keeper(run_dir):
        agent, store = wait_for(run_dir, "agent", 1), wait_for(run_dir, "store", 1)
        os.kill(agent, signal.SIGKILL)
        assert wait_for(run_dir, "agent", 2) != agent
        assert started(run_dir, "store") == [store]


def test_the_socket_accepts_while_no_agent_runs_and_is_for_root_only(run_dir: Path) -> None:
    with keeper(run_dir):
        os.kill(wait_for(run_dir, "agent", 1), signal.SIGKILL)
        path = run_dir / "plugins" / "test.sock"
        assert path.stat().st_mode & 0o777 == 0o600
        with socket.socket(socket.AF_UNIX) as caller:
            caller.connect(str(path))


def test_told_to_stop_it_leaves_no_process_and_no_socket(run_dir: Path) -> None:
    with keeper(run_dir) as process:
        children = [wait_for(run_dir, name, 1) for name in ("agent", "store")]
        process.terminate()
        assert process.wait(DEADLINE) == 0
        assert not any(lives(it) for it in children)
        assert not (run_dir / "plugins" / "test.sock").exists()


def test_killed_it_takes_its_children_along_and_the_next_one_starts(run_dir: Path) -> None:
    with keeper(run_dir) as first:
        children = [wait_for(run_dir, name, 1) for name in ("agent", "store")]
        first.kill()
        until(lambda: not any(lives(it) for it in children), "the end of the children")
    with keeper(run_dir):
        wait_for(run_dir, "agent", 2)


def test_a_second_keeper_is_refused_and_says_who_runs(run_dir: Path) -> None:
    with keeper(run_dir) as first:
        wait_for(run_dir, "agent", 1)
        with keeper(run_dir) as second:
            assert second.wait(DEADLINE) != 0
            assert second.stderr is not None
            assert f"process {first.pid}".encode() in second.stderr.read()
        assert first.poll() is None
