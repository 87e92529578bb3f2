"""A host of the cluster loses its power, the leader of the database at that, and comes back."""

import time
from collections.abc import Iterator

import pytest
from tests.rig.cluster import QUICK, Cluster, await_network
from tests.rig.namespace_host import NamespaceHost
from tests.rig.process import wait_until
from tests.rig.rig import Rig
from tests.rows import Figures
from tests.system.faults import HEALED, Crossing, lossless, powered_off
from tests.system.networks import BRIDGE, create

# What the engine lost with its power is collected after; by default it takes minutes.
SOON = ("--set", "orphan_age=8", "--set", "orphan_period=1")
OPTIONS = (*QUICK, *SOON)


@pytest.fixture(scope="module")
def crossing(rig: Rig) -> Iterator[Crossing]:
    cluster = Cluster.of(rig, 3, *SOON)
    yield Crossing(cluster)
    cluster.down()


def sent_to(host: NamespaceHost, there: str) -> list[str]:
    """What in this host's switch and kernel still names an address, or a host by its VTEP."""
    ofctl = "ovs-ofctl -O OpenFlow15"
    look = f"{ofctl} --no-stats dump-flows {BRIDGE}; {ofctl} dump-groups {BRIDGE}; bridge fdb show"
    return [line for line in host.shell(look).stdout.splitlines() if there in line.replace(",", " ").split()]


@pytest.mark.row(60, 55)
def test_a_host_without_power_is_withdrawn_everywhere_and_joins_in_again_by_itself(
    crossing: Crossing, figures: Figures
) -> None:
    cluster = crossing.cluster
    victim = cluster.leader()
    one, other = (it for it in cluster.hosts if it is not victim)
    crossing.well()
    assert sent_to(one, f"nw_dst={crossing.of(victim).address('web')}") + sent_to(one, cluster.address(victim)) != []

    with crossing.traffic(one, other) as floods:
        with powered_off(victim, options=OPTIONS):
            began = time.monotonic()
            _, started = crossing.starts(other, "meanwhile")
            wait_until(lambda: create(one, "made", check=False).ok, 20, "a network made without the leader")
            blocked = time.monotonic() - began
            for host in (one, other):
                wait_until(lambda it=host: cluster.status(it)["dead"] == [victim.name], HEALED, "it is dead")  # type: ignore[misc]
                wait_until(lambda it=host: sent_to(it, cluster.address(victim)) == [], HEALED, "it gets nothing")  # type: ignore[misc]
            withdrawn = time.monotonic() - began
            members = one.ovsnet("cluster", "members", check=False)
        began = time.monotonic()
        crossing.of(victim).start()
        await_network(victim, "made", HEALED)
        crossing.well(2 * HEALED)
        healed = time.monotonic() - began
    reached = crossing.all_reach_all()

    figures["datagrams lost between the others while the leader's host had no power"] = f"0 of {lossless(floods)}"
    figures["docker run on another host meanwhile, s"] = started
    figures["docker network create without the leader's host, s"] = round(blocked, 1)
    figures["nothing is sent any more to a host without power after, s (dead_after=5)"] = round(withdrawn, 1)
    figures["all as before after its boot, s (orphan_age=8)"] = [round(healed, 1), reached]
    assert members.returncode == 1
    assert f"{victim.name} " in members.stdout
    assert " dead " in members.stdout


@pytest.mark.row(55)
def test_after_the_power_of_all_hosts_was_away_the_cluster_is_back_without_a_command(
    crossing: Crossing, figures: Figures
) -> None:
    hosts = crossing.cluster.hosts
    with powered_off(*hosts, options=OPTIONS):
        began = time.monotonic()
    for host in hosts:
        crossing.of(host).start()
    crossing.well(2 * HEALED)
    figures["all as before after the power of all hosts was away, s"] = [
        round(time.monotonic() - began, 1),
        crossing.all_reach_all(),
    ]
