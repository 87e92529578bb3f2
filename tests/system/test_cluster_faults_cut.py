"""Hosts that do not reach each other for a while: one cut off from all, and one whose tunnels alone are cut."""

import time
from collections.abc import Iterator

import pytest
from tests.rig.cluster import QUICK, Cluster, await_network, networks_of
from tests.rig.process import wait_until
from tests.rows import Figures
from tests.system.faults import HEALED, Crossing, between, lossless, networks_in_cluster
from tests.system.networks import create

# What a network that came too late is collected after; by default it takes minutes.
SOON = (*QUICK, "--set", "orphan_age=8", "--set", "orphan_period=1")


@pytest.fixture(scope="module")
def crossing(session_cluster: Cluster) -> Iterator[Crossing]:
    session_cluster.settle()
    yield Crossing(session_cluster)
    for host in session_cluster.hosts:
        # The others' tests start more containers at once than start in SOON's 8 s.
        host.agent.stop()
        host.agent.start(*QUICK)
    session_cluster.settle()
    session_cluster.tidy_up()


@pytest.mark.row(60)
@pytest.mark.parametrize("role", ["leader", pytest.param("follower", marks=pytest.mark.long)])
def test_both_sides_of_a_cut_go_on_and_grow_together_again(role: str, crossing: Crossing, figures: Figures) -> None:
    cluster = crossing.cluster
    leader = cluster.leader()
    alone = leader if role == "leader" else next(it for it in cluster.hosts if it is not leader)
    one, other = (it for it in cluster.hosts if it is not alone)
    alone.agent.stop()
    alone.agent.start(*SOON)
    neighbour, _ = crossing.starts(alone, f"neighbour-{role}")
    crossing.well()

    with crossing.traffic(one, other) as majority, between(neighbour, crossing.of(alone)) as minority:
        with cluster.cut_off(alone):
            # This one is on its way when the database finds out that it has no majority.
            late = create(alone, f"late-{role}", check=False)
            wait_until(lambda: not cluster.status(alone)["available"], 30, "the minority notices")
            refused = create(alone, f"refused-{role}", check=False)
            fresh, started = crossing.starts(alone, f"lonely-{role}")
            assert fresh.pings(neighbour.address("web"))
            assert neighbour.pings(fresh.address6("web"))
            wait_until(lambda: cluster.status(one)["dead"] == [alone.name], 30, "the majority notices")
            wait_until(lambda: create(one, f"made-{role}", check=False).ok, 20, "a network made by the majority")
            await_network(other, f"made-{role}")
            crossing.starts(other, f"majority-{role}")
        began = time.monotonic()
        await_network(alone, f"made-{role}", HEALED)
        crossing.well()
        healed = time.monotonic() - began
        reached = crossing.all_reach_all()

    figures[f"datagrams lost on either side while the {role} was cut off"] = (
        f"0 of {lossless(majority) + lossless(minority)}"
    )
    figures[f"docker run on the cut-off {role}, s"] = started
    figures[f"docker network create refused on the cut-off {role} after, s"] = [
        round(it.seconds, 1) for it in (late, refused)
    ]
    figures[f"all as before after the {role} came back, s"] = round(healed, 1)
    figures["everybody reached everybody then after, s"] = reached
    for it in (late, refused):
        assert not it.ok
        assert "networks of all hosts cannot be made or removed now" in it.stderr, it.stderr
        assert it.seconds < 10
    # The database may have taken it up after all, when nobody waited for it any more.
    wait_until(lambda: networks_in_cluster(one) == set(networks_of(one)), HEALED, "what came too late is collected")
