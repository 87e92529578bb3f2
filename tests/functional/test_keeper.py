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
settings = Settings(run_dir=str(run), state_dir=str(run / "state"), plugin_socket=str(run / "plugins" / "test.sock"))
keeper.commands = lambda settings, arguments, listener: {{
    **{{name: [sys.executable, "-c", {sleeper!r}, str(run / name)] for name in ("store", "agent", "cluster")}},
    "end cluster": ["sh", "-c", 'kill -USR1 "$(tail -n 1 "$0")" && touch "$0.farewell"', str(run / "cluster")],
}}
sys.exit(keeper.run(settings, []))
"""
# SIGUSR1 is what ends it in order; it writes down when it was started, and by whom.
SLEEPER = """
import os, signal, sys, time
signal.signal(signal.SIGUSR1, lambda *_: sys.exit(0))
open(sys.argv[1] + ".keeper", "w").write(os.environ["OVSNET_KEEPER"])
open(sys.argv[1], "a").write(f"{os.getpid()}\\n")
time.sleep(1000)
"""


def until(condition: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < end, f"{what} did not happen within {DEADLINE} s"
        time.sleep(0.02)


@contextmanager
def keeper(run_dir: Path) -> Iterator[subprocess.Popen[bytes]]:
    source = str(Path(__file__).parents[2] / "src")
    script = CHILD.format(source=source, run=str(run_dir), sleeper=SLEEPER)
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


def become_member(run_dir: Path) -> None:
    member = run_dir / "state" / "cluster" / "member.json"
    member.parent.mkdir(parents=True, exist_ok=True)
    member.touch()


def leave(run_dir: Path) -> None:
    (run_dir / "state" / "cluster" / "member.json").unlink()


def test_a_member_has_the_clusters_database_from_the_start(run_dir: Path) -> None:
    become_member(run_dir)
    with keeper(run_dir):
        wait_for(run_dir, "cluster", 1)


def test_a_host_that_becomes_a_member_gets_the_clusters_database_when_the_keeper_is_told(run_dir: Path) -> None:
    with keeper(run_dir) as process:
        agent, store = wait_for(run_dir, "agent", 1), wait_for(run_dir, "store", 1)
        process.send_signal(signal.SIGHUP)
        assert process.poll() is None
        assert started(run_dir, "cluster") == []

        become_member(run_dir)
        assert (run_dir / "agent.keeper").read_text() == str(process.pid)
        process.send_signal(signal.SIGHUP)

        wait_for(run_dir, "cluster", 1)
        # They have heard nothing of it.
        assert lives(agent)
        assert lives(store)
        assert (started(run_dir, "agent"), started(run_dir, "store")) == ([agent], [store])


def test_a_host_that_leaves_has_no_such_process_and_gets_one_when_it_joins_again(run_dir: Path) -> None:
    become_member(run_dir)
    with keeper(run_dir) as process:
        first = wait_for(run_dir, "cluster", 1)
        leave(run_dir)
        process.send_signal(signal.SIGHUP)
        until(lambda: not lives(first), "its end")

        become_member(run_dir)
        process.send_signal(signal.SIGHUP)

        assert wait_for(run_dir, "cluster", 2) != first


def test_who_ends_in_order_is_started_again_at_once(run_dir: Path) -> None:
    """Each change of role ends it; after a few of them, a pause that doubles would be seconds."""
    become_member(run_dir)
    with keeper(run_dir):
        began = time.monotonic()
        for times in range(1, 9):
            os.kill(wait_for(run_dir, "cluster", times), signal.SIGUSR1)
        wait_for(run_dir, "cluster", 9)
        assert time.monotonic() - began < sum(0.05 * 2**it for it in range(8))


def test_told_to_stop_it_lets_the_clusters_database_end_in_order(run_dir: Path) -> None:
    become_member(run_dir)
    with keeper(run_dir) as process:
        cluster = wait_for(run_dir, "cluster", 1)
        process.terminate()
        assert process.wait(DEADLINE) == 0
        assert not lives(cluster)
        assert (run_dir / "cluster.farewell").exists()
