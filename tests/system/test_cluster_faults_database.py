"""The database of the cluster fails in every way and no packet is lost: servers killed, slow, all away for a while."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from tests.rig.cluster import Cluster
from tests.rig.process import wait_until
from tests.rows import Figures
from tests.system.faults import HEALED, Crossing, database_pid, lossless, roles, stopped
from tests.system.networks import create

SERVER = "/usr/sbin/ovsdb-server"
DEAD_AFTER = 5.0  # as in rig.cluster.QUICK


@pytest.fixture(scope="module")
def crossing(session_cluster: Cluster) -> Iterator[Crossing]:
    session_cluster.settle()
    yield Crossing(session_cluster)
    session_cluster.tidy_up()


@pytest.mark.row(60)
@pytest.mark.parametrize("role", ["leader", "follower"])
def test_a_killed_database_server_costs_no_packet_and_no_start(role: str, crossing: Crossing, figures: Figures) -> None:
    cluster = crossing.cluster
    victim, other = roles(cluster, role)

    with crossing.traffic(*cluster.hosts) as floods:
        victim.run("kill", "-KILL", database_pid(victim))
        began = time.monotonic()
        # Who is refused meanwhile is told so, and may ask again.
        wait_until(lambda: create(other, f"after-{role}", check=False).ok, 20, "a network made on another host")
        blocked = time.monotonic() - began
        _, started = crossing.starts(victim, f"new-{role}")
        cluster.settle()
        crossing.well()
        whole = time.monotonic() - began

    figures[f"datagrams lost while the {role} of the database was killed"] = f"0 of {lossless(floods)}"
    figures[f"docker network create right after the {role} was killed, s"] = round(blocked, 1)
    figures[f"docker run there right after the {role} was killed, s"] = started
    figures[f"all as before after the {role} was killed, s"] = round(whole, 1)
    crossing.all_reach_all()


@pytest.mark.row(60, 10)
def test_with_no_database_at_all_traffic_and_starts_go_on_and_a_restarted_agent_forwards(
    crossing: Crossing, figures: Figures
) -> None:
    cluster = crossing.cluster
    one, other, _ = cluster.hosts

    with crossing.traffic(*cluster.hosts) as floods:
        with no_database(cluster):
            fresh, started = crossing.starts(one, "dark")
            for host in cluster.hosts:
                host.agent.kill()
            for host in cluster.hosts:
                wait_until(lambda it=host: cluster.status(it)["members"] == 3, 60, "what was seen last")  # type: ignore[misc]
            later, after_restart = crossing.starts(other, "dark-too")
            assert later.pings(crossing.of(other).address("web"))
            said = other.ovsnet("status", check=False).stdout
        began = time.monotonic()
        crossing.well(2 * HEALED)
        healed = time.monotonic() - began
    reached = crossing.all_reach_all()

    figures["datagrams lost while there was no database and all agents were killed"] = f"0 of {lossless(floods)}"
    figures["docker run without a database, before and after a restart of the agent, s"] = [started, after_restart]
    figures["all as before after the database came back, s"] = [round(healed, 1), reached]
    assert "The cluster's database takes no changes" in said
    assert fresh.pings(later.address("web"))


@contextmanager
def no_database(cluster: Cluster) -> Iterator[None]:
    """Every server of it killed, and no other can be started meanwhile."""
    for host in cluster.hosts:
        host.shell(f"mv {SERVER} {SERVER}.away; kill -KILL {database_pid(host)}")
    try:
        for host in cluster.hosts:
            wait_until(lambda it=host: not cluster.status(it)["available"], 30, "a database that is away")  # type: ignore[misc]
        yield
    finally:
        for host in cluster.hosts:
            host.run("mv", f"{SERVER}.away", SERVER)


@pytest.mark.row(60)
@pytest.mark.long
def test_a_host_whose_database_hangs_for_long_declares_nobody_dead(crossing: Crossing, figures: Figures) -> None:
    cluster = crossing.cluster
    victim, other = roles(cluster, "follower")
    third = next(it for it in cluster.hosts if it not in (victim, other))

    with crossing.traffic(other, third) as floods:
        began = time.monotonic()
        with stopped(victim, database_pid(victim)):
            wait_until(lambda: cluster.status(other)["dead"] == [victim.name], 30, "the others hear nothing of it")
            wait_until(lambda: time.monotonic() - began > 2 * DEAD_AFTER, 30, "time for a wrong verdict")
            dead = cluster.status(victim)["dead"]
        crossing.well()

    figures["datagrams lost between the others while one host's database hung"] = f"0 of {lossless(floods)}"
    assert dead == []
    crossing.all_reach_all()
