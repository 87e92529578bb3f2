"""The database of the cluster fails in every way and no packet is lost: servers killed, slow, all away for a while."""

import time
from collections.abc import Iterator

import pytest
from tests.rig.cluster import Cluster
from tests.rig.process import wait_until
from tests.rows import Figures
from tests.system.faults import Crossing, database_pid, lossless
from tests.system.networks import create


@pytest.fixture(scope="module")
def crossing(session_cluster: Cluster) -> Iterator[Crossing]:
    session_cluster.settle()
    yield Crossing(session_cluster)
    session_cluster.tidy_up()


@pytest.mark.row(60)
@pytest.mark.parametrize("role", ["leader", "follower"])
def test_a_killed_database_server_costs_no_packet_and_no_start(role: str, crossing: Crossing, figures: Figures) -> None:
    cluster = crossing.cluster
    leader = cluster.leader()
    victim = leader if role == "leader" else next(it for it in cluster.hosts if it is not leader)
    other = next(it for it in cluster.hosts if it not in (leader, victim))

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
