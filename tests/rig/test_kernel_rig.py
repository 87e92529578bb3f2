"""The kernel machine: what the kernel tier takes for granted."""

import os
from pathlib import Path

import pytest

from tests.rig.host import HERE, PROJECT
from tests.rig.kernel_host import KernelHost
from tests.rig.process import CommandFailed, run
from tests.rig.rig import BASE, Rig

pytestmark = pytest.mark.kernel


def test_the_kernel_datapath_switches_packets(session_kernel_host: KernelHost) -> None:
    """A ping between two namespaces over a bridge; the kernel counts the packets and loses none."""
    session_kernel_host.shell("""
        set -e
        ovs-vsctl add-br br-self
        for n in 1 2; do
            ip netns add self$n
            ip link add veth$n type veth peer name eth0 netns self$n
            ip -n self$n addr add 10.88.0.$n/24 dev eth0; ip -n self$n link set eth0 up; ip link set veth$n up
            ovs-vsctl add-port br-self veth$n
        done
        ip netns exec self1 ping -n -c 5 -i 0.2 10.88.0.2
    """)
    datapath = session_kernel_host.run("ovs-dpctl", "show").stdout
    session_kernel_host.shell("ovs-vsctl del-br br-self; ip netns del self1; ip netns del self2")

    assert datapath.startswith("system@ovs-system")
    assert "lost:0" in datapath


def test_a_container_runs(session_kernel_host: KernelHost) -> None:
    answer = session_kernel_host.docker("run", "--rm", "busybox:local", "ip", "-4", "-o", "addr", "show", "eth0")

    assert "inet 172.17.0." in answer.stdout


def test_the_projects_environment_works_in_a_machine(session_kernel_host: KernelHost) -> None:
    answer = session_kernel_host.run(str(PROJECT / ".venv/bin/python"), "-c", "import ovsnet; print(ovsnet.__file__)")

    assert answer.stdout.strip() == str(PROJECT / "src/ovsnet/__init__.py")


def test_commands_tell_their_story(session_kernel_host: KernelHost) -> None:
    with pytest.raises(CommandFailed, match="ended with 3"):
        session_kernel_host.shell("exit 3")
    with session_kernel_host.spawn("sh", "-c", "cat; echo ready; exec sleep 1000") as it:
        it.wait_for_output("ready")
        assert it.stop("TERM").returncode == -15


def test_taking_a_rig_down_ends_its_machines(rig: Rig) -> None:
    """Also by ./hosts, which alone would only forget them: they would run on as orphans."""
    name = f"{rig.name}k"
    env = {"PATH": os.environ["PATH"], "OVSNET_RIG_NAME": name}
    run(str(HERE / "uml"), "up", "1", "--no-docker", "--no-ovs", env=env, timeout=120)
    pid = int((BASE / name / "u1" / "pid").read_text().split()[0])
    assert Path(f"/proc/{pid}").exists()

    run(str(HERE / "hosts"), "down", env=env)

    assert not Path(f"/proc/{pid}").exists()
    assert not (BASE / name).exists()
