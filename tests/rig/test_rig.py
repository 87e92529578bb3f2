"""The rig itself: what the other tests take for granted."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.rig.host import PROJECT
from tests.rig.namespace_host import NamespaceHost
from tests.rig.process import CommandFailed, NotReached, run, wait_until
from tests.rig.rig import BASE, Rig, Shape


def traces_of(name: str) -> list[str]:
    """What a rig of this name has on the machine: namespaces, mounts, control groups, files, processes."""
    namespaces = [word for word in run("ip", "netns", "list").stdout.split() if word.startswith(f"{name}-")]
    mounts = [line for line in Path("/proc/self/mounts").read_text().splitlines() if f"/{name}/" in line]
    groups = run("find", "/sys/fs/cgroup", "-type", "d", "-name", name, check=False).stdout.split()
    files = [str(BASE / name)] if (BASE / name).exists() else []
    processes = [str(pid) for pid in _pids() if f"/{name}/" in _command(pid)]
    return namespaces + mounts + groups + files + processes


def _pids() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal()]


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def test_a_container_runs_on_dockers_own_bridge(bare_host: NamespaceHost) -> None:
    answer = bare_host.docker("run", "--rm", "busybox:local", "ip", "-4", "-o", "addr", "show", "eth0")

    assert "inet 172.17.0." in answer.stdout


def test_the_switch_answers(bare_host: NamespaceHost) -> None:
    bare_host.ovs_vsctl("add-br", "br-self", "--", "set", "bridge", "br-self", "datapath_type=netdev")

    assert bare_host.bridges() == ["br-self"]
    assert bare_host.exists("/sys/class/net/br-self")

    bare_host.ovs_vsctl("del-br", "br-self")


def test_the_projects_environment_works_in_a_host(bare_host: NamespaceHost) -> None:
    answer = bare_host.run(str(PROJECT / ".venv/bin/python"), "-c", "import ovsnet, sys; print(ovsnet.__file__)")

    assert answer.stdout.strip() == str(PROJECT / "src/ovsnet/__init__.py")


def test_hosts_see_each_other_and_not_the_machine(rig: Rig, bare_host: NamespaceHost) -> None:
    other = rig.host(Shape(docker=False, ovs=False))

    assert bare_host.run("ping", "-c", "1", "-W", "2", other.name).ok
    assert other.run("ps", "-eo", "args=").stdout.count("dockerd") == 0

    rig.discard(other)


def test_a_failing_command_shows_what_it_said(bare_host: NamespaceHost) -> None:
    with pytest.raises(CommandFailed, match=r"ended with 3[\s\S]*stderr: out of paint"):
        bare_host.shell("echo out of paint >&2; exit 3")


def test_a_command_that_hangs_is_killed_with_its_children(bare_host: NamespaceHost) -> None:
    with pytest.raises(CommandFailed, match=r"still running after 0\.3 s"):
        bare_host.shell("sleep 4321 & sleep 4321", timeout=0.3)

    wait_until(
        lambda: "sleep 4321" not in bare_host.run("ps", "-eo", "args=").stdout,
        5,
        "the sleeping children are gone",
    )


def test_waiting_says_what_was_not_reached() -> None:
    with pytest.raises(NotReached, match=r"the moon: not so after 0.05 s \(last seen: \[\]\)"):
        wait_until(list, 0.05, "the moon")


def test_a_spawned_command_tells_its_story(bare_host: NamespaceHost) -> None:
    with bare_host.spawn("sh", "-c", "echo ready; trap 'echo bye; exit 7' TERM; while :; do sleep 0.1; done") as it:
        it.wait_for_output("ready")
        assert it.running
        ended = it.stop("TERM")

    assert (ended.returncode, ended.stdout) == (7, "ready\nbye")


def test_services_stop_start_and_die(rig: Rig) -> None:
    host = rig.host()

    host.ovs_stop()
    assert [command for _, command in host.processes().values() if command.startswith("ovs")] == []
    host.ovs_start()
    assert host.ovs_vsctl("show").ok

    host.services("docker", "kill")
    assert not host.docker("ps", check=False).ok
    host.services("docker", "start")
    assert host.docker("ps").ok

    rig.discard(host)


def test_a_rebooted_host_keeps_its_disk_and_nothing_else(rig: Rig) -> None:
    host = rig.host()
    host.write_file("/etc/kept", "yes")
    host.write_file("/run/not-kept", "yes")
    host.ovs_vsctl("set", "open", ".", "external_ids:kept=yes")
    host.on_boot("echo booted >/run/boot-ran")

    host.reboot()

    assert host.read_file("/etc/kept") == "yes"
    assert not host.exists("/run/not-kept")
    assert host.ovs_vsctl("get", "open", ".", "external_ids:kept").stdout.strip() == "yes"
    assert host.read_file("/run/boot-ran").strip() == "booted"
    assert host.docker("images", "-q", "busybox:local").stdout.strip()

    rig.discard(host)


SESSION = """
import sys
from tests.rig.rig import Rig
rig = Rig()
host = rig.host()
host.docker("run", "-d", "busybox:local", "sleep", "1000")
print(rig.name, flush=True)
sys.stdin.read()
rig.close()
"""


def _session() -> subprocess.Popen[str]:
    """Another test session, as a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-c", SESSION],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
    )


def test_a_session_that_ends_leaves_nothing() -> None:
    with _session() as session:
        assert session.stdout is not None
        name = session.stdout.readline().strip()
        assert traces_of(name) != []
        session.communicate("", timeout=60)

    assert session.returncode == 0
    assert traces_of(name) == []


def test_what_a_killed_session_left_is_gone_with_the_next() -> None:
    with _session() as session:
        assert session.stdout is not None
        name = session.stdout.readline().strip()
        session.kill()
    assert traces_of(name) != []

    run(str(PROJECT / "tests/rig/hosts"), "reap")

    assert traces_of(name) == []
