"""Row 98: a configuration file, and systemd units that come before the engine, on a host that really boots."""

from collections.abc import Iterator

import pytest
from tests.rig.host import Host
from tests.rig.installed import install, property_of
from tests.rig.namespace_host import NamespaceHost
from tests.rig.process import wait_until
from tests.rig.rig import Rig, Shape
from tests.rig.traffic import Flood
from tests.system import networks
from tests.system.dhcp_lan import ACKNOWLEDGED, GIVEN_BACK, RESERVED, on_lan

pytestmark = pytest.mark.row(98)

PINNED = "10.98.0.7"
ALWAYS = ("--restart", "always", "--ip", PINNED)
UNITS = ("ovsnet.socket", "ovsnet-store.service", "ovsnet.service")


@pytest.fixture(scope="module")
def booted(rig: Rig) -> Iterator[NamespaceHost]:
    """A host under systemd with ovsnet installed and one network, `web`."""
    host = rig.host(Shape(systemd=True))
    try:
        install(host)
        wait_until(lambda: host.ovsnet("status", check=False).ok, 30, "the installed agent is ready")
        networks.create(host, "web", "10.98.0.0/24")
        yield host
    finally:
        rig.discard(host)


def started_at(host: Host, unit: str) -> int:
    """Microseconds of the machine's clock."""
    return int(property_of(host, unit, "ActiveEnterTimestampMonotonic"))


def test_containers_that_always_restart_are_up_after_a_boot(booted: NamespaceHost) -> None:
    always = booted.start_container("always", *ALWAYS, network="web")

    booted.reboot()
    wait_until(lambda: always.inspect()["State"]["Running"], 60, "the container is back after the boot")

    assert always.address("web") == PINNED
    with booted.container("other", network="web") as other:
        assert other.pings(PINNED, count=5)
    check = booted.ovsnet("check", check=False)
    assert check.ok, check.stdout
    always.remove()


def test_the_agent_is_ready_before_the_engine_starts(booted: NamespaceHost) -> None:
    """As of the last boot."""
    booted.reboot()

    engine = int(property_of(booted, "docker.service", "ExecMainStartTimestampMonotonic"))

    assert [property_of(booted, unit, "ActiveState") for unit in UNITS] == ["active"] * len(UNITS)
    assert started_at(booted, "ovsnet.socket") <= started_at(booted, "ovsnet.service") <= engine
    assert started_at(booted, "ovsnet-store.service") <= engine


def test_a_killed_agent_comes_back_and_costs_no_packet(booted: NamespaceHost) -> None:
    """The socket is systemd's: a call in between waits instead of failing."""
    with booted.container("from", network="web") as sender, booted.container("to", network="web") as receiver:
        victim = property_of(booted, "ovsnet.service", "MainPID")
        with Flood(sender, receiver, receiver.address("web")) as flood:
            booted.run("systemctl", "kill", "--kill-who=main", "--signal=KILL", "ovsnet.service")
            booted.docker("run", "--rm", "--network", "web", "busybox:local", "true")
            wait_until(lambda: booted.ovsnet("status", check=False).ok, 30, "the agent is ready again")

    assert property_of(booted, "ovsnet.service", "MainPID") not in (victim, "0")
    assert flood.result.lost == 0


def test_the_engine_and_the_agent_can_be_restarted_in_any_order(booted: NamespaceHost) -> None:
    with booted.container("stays", *ALWAYS, network="web") as container:
        for unit in ("ovsnet.service", "docker.service", "ovsnet-store.service", "openvswitch-switch.service"):
            booted.run("systemctl", "restart", unit)
        wait_until(lambda: container.inspect()["State"]["Running"], 60, "the container runs")
        wait_until(lambda: booted.ovsnet("status", check=False).ok, 30, "the agent is ready")

        with booted.container("asks", network="web") as asker:
            wait_until(lambda: asker.pings(PINNED), 20, "the network works again")


def test_the_configuration_file_is_obeyed_and_a_bad_one_is_explained(booted: NamespaceHost) -> None:
    booted.write_file("/etc/ovsnet/ovsnet.toml", 'log_level = "debug"\n')
    booted.run("systemctl", "restart", "ovsnet.service")
    wait_until(lambda: booted.ovsnet("status", check=False).ok, 30, "the agent is ready")
    assert "debug" in booted.ovsnet("config").stdout

    booted.write_file("/etc/ovsnet/ovsnet.toml", "log_levle = 1\n")
    booted.run("systemctl", "restart", "ovsnet.service", check=False)
    journal = wait_until(lambda: _complaint(booted), 20, "the journal names the bad option")
    booted.run("rm", "/etc/ovsnet/ovsnet.toml")
    booted.run("systemctl", "restart", "ovsnet.service")

    assert "/etc/ovsnet/ovsnet.toml" in journal


def _complaint(host: Host) -> str:
    lines = host.run("journalctl", "-u", "ovsnet.service", "--no-pager", "-o", "cat").stdout.splitlines()
    return next((line for line in lines if "log_levle" in line), "")


@pytest.mark.row(75)
def test_leases_are_kept_by_units_of_their_own(booted: NamespaceHost) -> None:
    """The agent's unit ends all that is in it, and may do less than a DHCP client must."""
    with on_lan(booted) as lan:
        lan.attach("--dhcp --mac auto:web1")
        lan.has(RESERVED)
        (unit,) = booted.run("systemctl", "list-units", "--plain", "--no-legend", "ovsnet-dhcp-*").stdout.splitlines()
        name = unit.split()[0]
        client = property_of(booted, name, "MainPID")

        booted.run("systemctl", "restart", "ovsnet.service")
        wait_until(lambda: booted.ovsnet("status", check=False).ok, 30, "the agent is ready again")
        assert property_of(booted, name, "MainPID") == client
        booted.run("systemctl", "stop", "ovsnet.service")
        lan.says(ACKNOWLEDGED, lan.said(ACKNOWLEDGED) + 2)
        booted.run("systemctl", "start", "ovsnet.service")
        wait_until(lambda: booted.ovsnet("status", check=False).ok, 30, "the agent is ready again")

        lan.c1.remove()
        lan.says(GIVEN_BACK)
        wait_until(lambda: property_of(booted, name, "ActiveState") == "inactive", 5, "the client's unit to be over")
