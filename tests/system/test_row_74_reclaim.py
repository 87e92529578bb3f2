"""Row 74: what a dead host had is free once it is forgotten, and it does no harm when it returns."""

import pytest
from tests.rig.cluster import Cluster
from tests.rig.host import Host
from tests.rig.process import wait_until
from tests.rows import Figures
from tests.system.networks import ask
from tests.system.reach import answers
from tests.system.together import await_on_all, together
from tests.system.traces import clean

pytestmark = pytest.mark.row(74)

SUBNET, PINNED = "10.74.0.0/28", "10.74.0.9"
DEAD = 30.0
RECLAIMED = 10.0


def everybody(cluster: Cluster, host: Host) -> list[str]:
    """The members as one host lists them."""
    return [it["name"] for it in cluster.ask(host, "cluster/members")]


def started(host: Host, name: str, *options: str) -> str:
    """Why a container does not start on the network; "" when it runs."""
    run = ("docker", "run", "-d", "--init", "--name", name, "--network", "web", *options)
    done = host.run(*run, "busybox:local", "sleep", "1000000", check=False)
    if not done.ok:
        host.docker("rm", "-f", name, check=False)
    return "" if done.ok else done.stderr


@pytest.mark.row(56, 70, 72)
def test_a_forgotten_hosts_addresses_are_given_to_others_and_it_is_kept_apart_when_it_returns(
    own_cluster: Cluster, figures: Figures
) -> None:
    a, b, c = own_cluster.hosts
    own_cluster.network("web", SUBNET, "-o", "egress=none")
    lost = c.start_container("lost", "--ip", PINNED, "--restart", "always", network="web")  # before others may get it
    asker = b.start_container("asker", network="web")
    idle = c.start_container("idle", network="web")
    answers(asker, PINNED, idle.address("web"))

    with own_cluster.cut_off(c):
        await_on_all((a, b), lambda host: c.name in ask(host, "cluster")["dead"], DEAD, "a dead host")
        refused = started(a, "heir", "--ip", PINNED)
        assert f"belongs to host {c.name} (container lost)" in refused
        assert f"ovsnet cluster forget {c.name}" in refused

        forgotten = b.ovsnet("cluster", "forget", c.name, timeout=90)
        await_on_all((a, b), lambda host: c.name not in everybody(own_cluster, host), RECLAIMED, "two members")
        figures["seconds `ovsnet cluster forget` takes"] = round(forgotten.seconds, 1)

        # The pool holds 13: the whole of it can be had by the two that are left, the pinned one too.
        assert started(a, "heir", "--ip", PINNED) == ""
        homes = [((a, b)[number % 2], f"new{number}") for number in range(11)]
        assert together(lambda home: started(*home), homes) == [""] * 11
        assert "is full" in started(a, "more")
        answers(asker, PINNED)
        own_mac = a.docker("inspect", "-f", "{{.NetworkSettings.Networks.web.MacAddress}}", "heir").stdout.strip()

    # It is back, its containers run, and it learns that it is nobody's member any more.
    wait_until(lambda: "was forgotten" in problems(c), DEAD, "the host that was forgotten says so")
    assert lost.inspect()["State"]["Running"]
    for _ in range(3):
        answers(asker, PINNED)
    assert asker.inside("ip", "-j", "neigh", "show", PINNED).json()[0]["lladdr"] == own_mac
    assert not lost.pings(asker.address("web"))
    assert not idle.pings(asker.address("web"))
    assert "not a member of the cluster any more" in started(c, "newcomer")
    assert not lost.host.ovsnet("status", check=False).ok
    restarted = c.docker("restart", "-t", "1", "lost", check=False)
    assert "not a member of the cluster any more" in restarted.stderr
    answers(asker, PINNED)


def problems(host: Host) -> str:
    """What the agent complains of."""
    return str(ask(host, "status")["problems"])


def test_a_host_that_was_forgotten_leaves_and_joins_anew(own_cluster: Cluster) -> None:
    """As its message says."""
    a, b, c = own_cluster.hosts
    c.remove_containers()

    c.ovsnet("cluster", "leave", "--force", timeout=120)
    a.docker("rm", "-f", "new0", "new2")
    own_cluster.admit(c, by=a)

    wait_until(lambda: started(c, "again") == "", 20, "a container on the host that is back")
    address = c.docker("inspect", "-f", "{{.NetworkSettings.Networks.web.IPAddress}}", "again").stdout.strip()
    others = [
        it.partition("/")[0]
        for host in (a, b)
        for it in host.docker("network", "inspect", "-f", FORMAT, "web").stdout.split()
    ]
    assert len(others) == len(set(others)) == 11
    assert address not in others
    asker = b.docker("ps", "-q", "--filter", "name=asker").stdout.strip()
    assert b.docker("exec", asker, "ping", "-c", "3", "-W", "1", address).ok
    together(clean, own_cluster.hosts)


FORMAT = "{{range .Containers}}{{.IPv4Address}} {{end}}"
