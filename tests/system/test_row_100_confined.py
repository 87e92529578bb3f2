"""Row 100: with AppArmor on and enforcing everything works, nothing is denied, and a denial would be told of."""

from collections.abc import Iterator
from typing import Any

import pytest
from tests.rig.additions import add
from tests.rig.container import Container
from tests.rig.kernel_host import KernelHost
from tests.rig.process import wait_until
from tests.rig.rig import Rig, Shape
from tests.system import networks
from tests.system.attached import detach_all, in_force

pytestmark = [pytest.mark.kernel, pytest.mark.long]

INSIDE = ("--route", "default@192.168.1.2 table 100", "--rule", "from 10.1.0.0/24 table 100", "--rate", "50mbit")
DEADLINE = 60.0
FORBIDS_ALL = "profile ovsnet-forbidden { }\n"


@pytest.fixture(scope="module")
def host(rig: Rig) -> Iterator[KernelHost]:
    """A machine with AppArmor, an engine that uses it, and an agent."""
    host = rig.kernel_host(Shape(kernel_args="lsm=yama,apparmor"))
    add(host, "apparmor")
    host.run("mount", "-t", "securityfs", "securityfs", "/sys/kernel/security")
    # It looks for a parser when it starts, and then gives the kernel its profile.
    host.dockerd_restart()
    host.agent.start()
    yield host
    rig.discard(host)


def busy(host: KernelHost) -> tuple[Container, Container]:
    """Two containers that were put on networks, attached, given something inside, and that live through restarts."""
    networks.create(host, "web", "10.20.0.0/24")
    networks.create(host, "shut", "10.21.0.0/24", "-o", "egress=none")
    c1, c2 = networks.start(host, "c1", "c2", network="web")
    host.docker("network", "connect", "shut", "c1")
    host.ovsnet("attach", "c1", "--bridge", "lan", "--ip", "192.168.1.1/24", *INSIDE)
    host.ovsnet("attach", "c2", "--bridge", "lan", "--ip", "192.168.1.2/24")
    c1.restart()
    host.agent.kill()
    host.agent.wait_ready()
    wait_until(lambda: c1.pings("192.168.1.2"), DEADLINE, "c1 to reach c2 where both are attached")
    assert c1.pings(c2.address("web"), wait=5)
    in_force(host)
    return c1, c2


def denied(host: KernelHost) -> list[str]:
    """What the kernel has denied to anybody since it booted."""
    return [it for it in host.run("dmesg").stdout.splitlines() if 'apparmor="DENIED"' in it]


def told(host: KernelHost) -> Any:
    """What the doctor says of it."""
    findings = host.ovsnet("doctor", "--json", check=False).json()
    return next(it for it in findings if it["subject"] == "confinement")


@pytest.mark.row(100)
def test_containers_stay_in_their_profile_and_nothing_is_denied(host: KernelHost) -> None:
    for it in busy(host):
        assert host.read_file(f"/proc/{it.pid}/attr/current") == "docker-default (enforce)\n"
    detach_all(host, "c1", "c2")
    assert denied(host) == []
    nothing = "nothing of ours was denied since this host booted"
    assert told(host)["says"] == f"AppArmor is on and enforces 1 of 1 profiles; {nothing}"


@pytest.mark.row(88, 100)
def test_the_doctor_tells_of_a_denial_and_what_to_do(host: KernelHost) -> None:
    host.write_file("/tmp/forbidden", FORBIDS_ALL)
    host.run("apparmor_parser", "--replace", "--skip-cache", "/tmp/forbidden")
    host.run("aa-exec", "-p", "ovsnet-forbidden", "--", "cat", "/etc/hostname", check=False)
    assert denied(host), "the profile forbids that"
    finding = told(host)
    assert finding["level"] == "warning"
    assert 'profile="ovsnet-forbidden"' in finding["says"]
    assert "/etc/apparmor.d/local" in finding["remedy"]
