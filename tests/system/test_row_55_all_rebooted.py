"""Row 55: all hosts lose power at once, and everything is back with no command."""

import time
from collections.abc import Iterator
from functools import partial

import pytest
from tests.rig.cluster import Cluster
from tests.rig.container import Container
from tests.rig.host import Host
from tests.rig.installed import install
from tests.rig.namespace_host import NamespaceHost
from tests.rig.process import wait_until
from tests.rig.rig import Rig, Shape
from tests.rows import Figures
from tests.system.networks import ask
from tests.system.reach import answers
from tests.system.together import await_on_all, together
from tests.system.traces import clean

pytestmark = pytest.mark.row(55)

BACK = 90.0
"""Seconds for three boots of this machine's two processors at the same time."""
CONFIG = "heartbeat_period = 1.0\ndead_after = 5.0\n"


def installed(rig: Rig) -> NamespaceHost:
    """A host under systemd with our units, as an administrator would make it."""
    host = rig.host(Shape(systemd=True))
    host.write_file("/etc/ovsnet/ovsnet.toml", CONFIG)
    install(host)
    return host


@pytest.fixture(scope="module")
def cluster_under_systemd(rig: Rig) -> Iterator[Cluster]:
    hosts = [installed(rig) for _ in range(3)]
    await_on_all(hosts, ready, 60, "the installed agent")
    cluster = Cluster(rig, hosts)
    cluster.form()
    yield cluster
    cluster.down()


def ready(host: Host) -> bool:
    return host.ovsnet("status", check=False).ok


def runs(host: Host, name: str) -> bool:
    return host.docker("inspect", "-f", "{{.State.Running}}", name, check=False).stdout.strip() == "true"


@pytest.mark.row(98)
@pytest.mark.fault("nothing-is-written-down")
def test_all_hosts_reboot_at_once_and_cluster_networks_and_containers_are_back(
    cluster_under_systemd: Cluster, figures: Figures
) -> None:
    cluster = cluster_under_systemd
    automatic = ("--ip-range", "10.55.0.128/25")  # or one of them may be given what is asked for by --ip below
    cluster.network("web", "10.55.0.0/24", *automatic, "--ipv6", "--subnet", "fd00:55::/64", "--label", "a=b")
    homes = [(host, f"10.55.0.{10 + number}") for number, host in enumerate(cluster.hosts)]
    for host, address in homes:
        host.start_container("always", "--restart", "always", "--ip", address, network="web")
        host.start_container("floats", "--restart", "always", network="web")
    before = {host.name: facts(cluster, host) for host in cluster.hosts}

    began = time.monotonic()
    together(lambda host: host.reboot(), cluster.hosts)

    await_on_all(cluster.hosts, ready, BACK, "a content agent")
    await_on_all(cluster.hosts, partial(runs, name="always"), BACK, "the container that always restarts")
    await_on_all(cluster.hosts, partial(runs, name="floats"), BACK, "the container without an address of its own")
    cluster.settle()
    asker = Container(cluster.hosts[0], "always")
    for host, address in homes[1:]:
        wait_until(partial(asker.pings, address), BACK, f"{host.name} answers")
    figures["seconds from the power cut of three hosts until their containers talk again"] = round(
        time.monotonic() - began, 1
    )

    assert {host.name: facts(cluster, host) for host in cluster.hosts} == before
    everything = [Container(host, name).address("web") for host in cluster.hosts for name in ("always", "floats")]
    assert len(set(everything)) == 6
    answers(asker, *everything[1:], *(Container(host, "floats").address6("web") for host in cluster.hosts))
    await_on_all(cluster.hosts, lambda host: ask(host, "cluster")["endpoints"] == 6, 15, "all six containers")
    together(clean, cluster.hosts)


def facts(cluster: Cluster, host: Host) -> object:
    """What must be the same afterwards."""
    members = sorted((it["name"], it["address"], it["role"]) for it in cluster.ask(host, "cluster/members"))
    found = [{key: value for key, value in it.items() if key != "id"} for it in ask(host, "networks")]
    return members, found, ask(host, "cluster")["id"]


@pytest.mark.row(98)
@pytest.mark.long
def test_one_host_that_boots_while_the_others_are_off_starts_its_containers(cluster_under_systemd: Cluster) -> None:
    """It reaches no majority: what it has is enough for what it ran."""
    alone, *others = cluster_under_systemd.hosts
    with cluster_under_systemd.cut_off(*others):
        alone.reboot()
        await_on_all([alone], partial(runs, name="always"), BACK, "the pinned container")
        await_on_all([alone], partial(runs, name="floats"), BACK, "the other container")
        answers(Container(alone, "floats"), "10.55.0.10")

    cluster_under_systemd.settle()
    for number in (11, 12):
        wait_until(partial(Container(alone, "always").pings, f"10.55.0.{number}"), 30, "the other hosts' containers")
    together(clean, cluster_under_systemd.hosts)
