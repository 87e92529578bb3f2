"""Row 98, with a cluster: what the units of two hosts under systemd are allowed, begin and end. They boot in row 55."""

from collections.abc import Iterator

import pytest
from tests.rig.cluster import Cluster
from tests.rig.installed import install, property_of
from tests.rig.namespace_host import NamespaceHost
from tests.rig.process import wait_until
from tests.rig.rig import Rig, Shape

pytestmark = pytest.mark.row(98)

UNITS = ("ovsnet.socket", "ovsnet-store.service", "ovsnet-cluster.path", "ovsnet-cluster.service", "ovsnet.service")
OF_ANY_HOST = ("ovsnet.socket", "ovsnet-store.service", "ovsnet-cluster.path", "ovsnet.service")
SETTINGS = "heartbeat_period = 1\ndead_after = 5\n"
ALWAYS = ("--restart", "always")
SERVER = "169.254.83.83"


@pytest.fixture(scope="module")
def pair(rig: Rig) -> Iterator[Cluster]:
    """Two hosts with ovsnet installed, one cluster, a network with a container on each that is always restarted."""
    hosts = [rig.host(Shape(systemd=True)) for _ in range(2)]
    cluster = Cluster(rig, hosts)
    try:
        for host in hosts:
            host.write_file("/etc/ovsnet/ovsnet.toml", SETTINGS)
            install(host)
            wait_until(lambda it=host: it.ovsnet("status", check=False).ok, 60, f"the agent of {host.name}")  # type: ignore[misc]
        cluster.form()
        cluster.network("web", "10.98.0.0/24")
        for host in hosts:
            host.start_container(f"c-{host.name}", *ALWAYS, network="web")
        yield cluster
    finally:
        cluster.down()


def states(host: NamespaceHost) -> dict[str, str]:
    return {it: property_of(host, it, "ActiveState") for it in UNITS}


def reaches(cluster: Cluster) -> bool:
    """Each container the other one, by its name."""
    one, other = cluster.hosts
    ping = ("ping", "-c", "1", "-W", "1")
    return all(
        here.docker("exec", f"c-{here.name}", *ping, f"c-{there.name}.ovsnet.internal", check=False).ok
        for here, there in ((one, other), (other, one))
    )


def complaints(host: NamespaceHost) -> list[str]:
    """What the kernel or systemd denied one of our units, as they tell it."""
    journal = host.run("journalctl", "-b", "--no-pager", "-o", "cat", "-u", "ovsnet*").stdout.splitlines()
    denied = ("Operation not permitted", "Permission denied", "Read-only file system", "Traceback")
    return [line for line in journal if any(it in line for it in denied)]


def test_every_unit_runs_and_may_do_what_the_cluster_needs(pair: Cluster) -> None:
    """Ports over TCP, certificates, vxlan devices, the namespace of the name service, the engine's settings."""
    for host in pair.hosts:
        assert host.ovsnet("dns", "enable").ok
        host.run("systemctl", "restart", "docker.service")
    wait_until(lambda: reaches(pair), 60, "containers reach each other by name")

    for host in pair.hosts:
        assert states(host) == dict.fromkeys(UNITS, "active")
        assert SERVER in host.read_file("/etc/docker/daemon.json")
        assert host.exists("/run/netns/ovsnet-dns")
        assert complaints(host) == []


def test_a_killed_database_server_is_started_again(pair: Cluster) -> None:
    for host in pair.hosts:
        victim = property_of(host, "ovsnet-cluster.service", "MainPID")
        host.run("kill", "-KILL", victim)
        wait_until(
            lambda it=host, pid=victim: property_of(it, "ovsnet-cluster.service", "MainPID") not in (pid, "0"),  # type: ignore[misc]
            30,
            "another server",
        )
    pair.settle()


def test_who_leaves_has_no_database_server_any_more_and_gets_one_when_it_joins_again(pair: Cluster) -> None:
    first, second = pair.hosts
    second.docker("rm", "-f", f"c-{second.name}")
    second.ovsnet("cluster", "leave", timeout=90)

    assert states(second)["ovsnet-cluster.service"] == "inactive"
    assert [states(second)[it] for it in OF_ANY_HOST] == ["active"] * len(OF_ANY_HOST)

    token = first.ovsnet("cluster", "token").stdout.split("--token ")[1].split()[0]
    address = pair.address(first)
    second.ovsnet("cluster", "join", address, "--token", token, "--advertise", pair.address(second), timeout=90)
    pair.settle()
    assert states(second) == dict.fromkeys(UNITS, "active")


def test_uninstalling_takes_all_of_it_away_and_says_who_must_be_told(pair: Cluster) -> None:
    _, second = pair.hosts
    second.ovsnet("dns", "enable")
    second.run("systemctl", "disable", "--now", *UNITS)

    said = second.ovsnet("uninstall", "--yes").stdout

    assert f"ovsnet cluster forget {second.name}" in said
    assert "restart it once" in said
    assert SERVER not in second.shell("cat /etc/docker/daemon.json 2>/dev/null || true").stdout
    left = second.shell("ls -d /var/lib/ovsnet /run/ovsnet /run/netns/ovsnet-dns 2>/dev/null || true").stdout
    assert left == ""
    links = second.shell("ip -o link | grep -E 'vxlan|ovdns' || true").stdout
    assert links == ""
