"""Row 56: hosts leave by themselves, or are taken out when they are gone; nothing of them stays."""

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from tests.rig.cluster import Cluster, await_network, await_no_networks, networks_of
from tests.rig.container import Container
from tests.rig.host import Host
from tests.rig.process import wait_until
from tests.rig.rig import Rig
from tests.system.networks import ask
from tests.system.reach import answers
from tests.system.traces import clean

pytestmark = pytest.mark.row(56)

FOLDER = "/var/lib/ovsnet/cluster"
SOON = 15.0


@pytest.fixture(scope="module")
def pair(rig: Rig) -> Iterator[Cluster]:
    """Two hosts, of which the first has the only vote; its tests follow each other."""
    cluster = Cluster.of(rig, 2)
    yield cluster
    cluster.down()


def members(host: Host) -> set[str]:
    return {it["name"] for it in ask(host, "cluster/members")}


def tunnels_to(host: Host, address: str) -> Sequence[str]:
    """Everything that would send a packet to another host's tunnel: of the kernel's devices, and of the switch."""
    said = host.shell(
        "bridge fdb show; ovs-ofctl -O OpenFlow15 --no-stats dump-flows br-ovsnet; "
        "ovs-ofctl -O OpenFlow15 dump-groups br-ovsnet",
        check=False,
    ).stdout
    number = "0x" + "".join(f"{int(it):02x}" for it in address.split("."))
    return [line for line in said.splitlines() if f"dst {address} " in line or f"{address}->" in line or number in line]


def no_member(host: Host) -> None:
    """Neither a file nor a process nor a tunnel of a cluster; and the host is content."""
    found = host.shell(f"ls -A {FOLDER}", check=False).stdout.split()
    assert {"member.json", "ca.pem", "ca.key", "host.pem", "host.key", "cluster.db"}.isdisjoint(found), found
    assert members(host) == set()
    assert not [it for _, it in host.processes().values() if "cluster.sock" in it]
    assert host.run("ip", "-j", "link", "show", "type", "vxlan").json() in ([], [{}])
    assert host.ovsnet("status", check=False).ok
    clean(host)


def leased(host: Host) -> Any:
    """Member → how many addresses it has."""
    return {it["name"]: it["leases"] for it in ask(host, "cluster/members")}


def test_a_host_with_containers_on_shared_networks_does_not_leave_unasked(pair: Cluster) -> None:
    founder, other = pair.hosts
    pair.network("web", "10.56.0.0/24")
    stays, goes = other.start_container("stays", network="web"), founder.start_container("goes", network="web")
    answers(goes, stays.address("web"))
    assert tunnels_to(other, pair.address(founder))
    assert tunnels_to(founder, pair.address(other))

    refused = founder.ovsnet("cluster", "leave", check=False)

    assert not refused.ok
    assert "goes" in refused.stderr
    assert "--force" in refused.stderr
    assert members(other) == {founder.name, other.name}
    goes.remove()


@pytest.mark.fault("leaving-does-nothing")
def test_the_founder_leaves_and_the_other_host_goes_on_with_everything(pair: Cluster) -> None:
    """It has the only vote: that is handed over first."""
    founder, other = pair.hosts
    founder.ovsnet("cluster", "leave", timeout=120)

    no_member(founder)
    assert networks_of(founder) == []
    status = wait_until(
        lambda: (it := ask(other, "cluster"))["available"] and it["role"] == "voter" and it["members"] == 1 and it,
        SOON,
        "the other host is all of the cluster",
    )
    assert (status["leader"], status["networks"], status["endpoints"]) == (True, 1, 1)
    assert tunnels_to(other, pair.address(founder)) == []
    pair.hosts = [other]
    assert pair.raft_servers() == 1
    pair.network("more", "10.56.1.0/24")
    more = other.start_container("more", network="web")
    answers(more, Container(other, "stays").address("web"))
    more.remove()
    clean(other)
    pair.hosts = [founder, other]


def test_a_host_that_left_joins_again(pair: Cluster) -> None:
    founder, other = pair.hosts

    pair.admit(founder, by=other)

    for name in ("web", "more"):
        await_network(founder, name)
    back = founder.start_container("back", network="web")
    answers(back, Container(other, "stays").address("web"))
    back.remove()


def test_by_force_a_host_leaves_its_containers_behind_and_the_others_lose_them(pair: Cluster) -> None:
    founder, other = pair.hosts
    one = founder.start_container("one", network="web")
    answers(one, Container(other, "stays").address("web"))
    assert tunnels_to(founder, pair.address(other))

    said = other.ovsnet("cluster", "leave", "--force", timeout=120).stdout

    assert "web" in said, "the network its container is on stays in its engine"
    assert list(networks_of(other)) == ["web"]
    wait_until(lambda: members(founder) == {founder.name}, SOON, "one member")
    assert ask(founder, "cluster")["endpoints"] == 1
    assert tunnels_to(founder, pair.address(other)) == []
    # What it had is free: this is nobody's address any more.
    address = Container(other, "stays").address("web")
    heir = founder.start_container("heir", "--ip", address, network="web")
    heir.remove()
    one.remove()
    other.remove_containers()
    for name in networks_of(other):
        other.docker("network", "rm", name)
    no_member(other)


def test_the_last_member_leaves_and_can_begin_anew(pair: Cluster) -> None:
    founder, other = pair.hosts

    founder.ovsnet("cluster", "leave", timeout=120)

    no_member(founder)
    await_no_networks(founder)
    pair.hosts = [other, founder]
    pair.form()
    pair.network("anew", "10.56.2.0/24")
    one, two = (it.start_container(f"c-{it.name}", network="anew") for it in pair.hosts)
    answers(one, two.address("anew"))


@pytest.mark.fault("leaving-does-nothing")
def test_a_client_leaves_and_one_of_three_voters_does(own_cluster: Cluster) -> None:
    """Three votes of three: who leaves takes one with it, and the two that stay need one only."""
    a, b, c = own_cluster.hosts
    own_cluster.network("web", "10.56.0.0/24")
    one, two = a.start_container("one", network="web"), b.start_container("two", network="web")
    leaver = own_cluster.leader()
    if leaver is not c:
        leaver.remove_containers()
    stay = [it for it in own_cluster.hosts if it is not leaver]

    leaver.ovsnet("cluster", "leave", timeout=120)

    no_member(leaver)
    own_cluster.hosts = stay
    own_cluster.settle()
    for host in stay:
        assert tunnels_to(host, own_cluster.address(leaver)) == []
        assert leaver.name not in leased(host)
    if leaver is c:
        answers(one, two.address("web"))
    own_cluster.admit(leaver, by=stay[1])
    own_cluster.hosts = [a, b, c]


@pytest.mark.fault("reclaimed-twice")
def test_a_host_that_lives_is_not_forgotten_and_one_that_is_dead_is_from_any_member_twice_too(
    own_cluster: Cluster,
) -> None:
    a, b, _ = own_cluster.hosts
    for host in own_cluster.hosts:
        host.remove_containers()
    refused = a.ovsnet("cluster", "forget", b.name, check=False)
    assert not refused.ok
    assert "gives signs of life" in refused.stderr
    itself = a.ovsnet("cluster", "forget", a.name, "--force", check=False)
    assert "ovsnet cluster leave" in itself.stderr
    victim = own_cluster.leader()
    teller, witness = (it for it in own_cluster.hosts if it is not victim)
    remote = victim.start_container("remote", network="web")
    one = witness.start_container("witness", network="web")
    answers(one, remote.address("web"))

    victim.agent.kill_all()
    wait_until(lambda: victim.name in ask(teller, "cluster")["dead"], 30, "the host is dead")
    said = [teller.ovsnet("cluster", "forget", victim.name, timeout=90).stdout for _ in range(2)]
    again = witness.ovsnet("cluster", "forget", victim.name, timeout=90).stdout

    assert "is forgotten" in said[0]
    assert "nothing was to be done" in said[1]
    assert "nothing was to be done" in again
    own_cluster.hosts = [teller, witness]
    own_cluster.settle()
    for host in (teller, witness):
        assert members(host) == {teller.name, witness.name}
        assert ask(host, "cluster")["endpoints"] == 1
        assert tunnels_to(host, own_cluster.address(victim)) == []
        assert host.ovsnet("cluster", "members", check=False).ok
