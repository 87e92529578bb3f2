"""Rows 69 to 73 on several hosts: no address is given twice, none is lost, and no subnet is chosen that a host has."""

from collections.abc import Mapping
from functools import partial
from ipaddress import ip_address, ip_network

import pytest
from tests.rig.cluster import QUICK, Cluster, await_network
from tests.rig.container import Container
from tests.rig.host import Host
from tests.rig.process import wait_until
from tests.rows import Figures
from tests.system import networks
from tests.system.networks import ask
from tests.system.reach import answers
from tests.system.together import await_on_all, together
from tests.system.traces import clean

# So many `docker run` of one host at the same time; each is two processes of this machine.
AT_ONCE = 20
SOON = 5.0


def run_many(network: str, count: int, host: Host) -> float:
    """`docker run` so many times, side by side; the seconds until the last one is there."""
    run = f"docker run -d --name cN --network {network} busybox:local sleep 1000000 >/dev/null"
    return host.shell(f"seq {count} | xargs -P {AT_ONCE} -I N {run}", timeout=600).seconds


def addresses(host: Host, network: str) -> Mapping[str, str]:
    """Address → container, of both families, as the engine has it."""
    listed = host.docker("network", "inspect", network).json()[0]["Containers"].values()
    pairs = [(it[key].partition("/")[0], it["Name"]) for it in listed for key in ("IPv4Address", "IPv6Address")]
    return {address: name for address, name in pairs if address}


def held(host: Host) -> set[str]:
    """What our IPAM believes that containers here have."""
    return {it["address"] for it in ask(host, "leases") if it["state"] == "held" and it["kind"] == "endpoint"}


def published(host: Host) -> int:
    found: int = ask(host, "cluster")["endpoints"]
    return found


def started(home: tuple[Host, str], *options: str, network: str = "tiny") -> str:
    """Why a container does not start there; "" when it runs."""
    host, name = home
    where = ("--init", "--network", network, *options)
    done = host.docker("run", "-d", "--name", name, *where, "busybox:local", "sleep", "1000000", check=False)
    if not done.ok:
        host.docker("rm", "-f", name, check=False)
    return "" if done.ok else done.stderr


@pytest.mark.row(69, 72)
@pytest.mark.parametrize("count", [12, pytest.param(200, marks=pytest.mark.matrix)])
def test_containers_started_at_once_on_two_hosts_have_addresses_of_their_own(
    cluster: Cluster, figures: Figures, count: int
) -> None:
    a, b, c = cluster.hosts
    cluster.network("crowd", "10.69.0.0/22", "--ipv6", "--subnet", "fd00:69::/64", "-o", "egress=none")

    seconds = together(partial(run_many, "crowd", count), (a, b))

    here, there = addresses(a, "crowd"), addresses(b, "crowd")
    assert (len(here), len(there)) == (2 * count, 2 * count)
    assert here.keys().isdisjoint(there)
    assert {"10.69.0.1", "10.69.0.0", "10.69.3.255", "fd00:69::1"}.isdisjoint(here.keys() | there.keys())
    assert (held(a), held(b)) == (set(here), set(there))
    await_on_all(cluster.hosts, lambda host: published(host) == 2 * count, SOON, "all containers of both hosts")
    asker = c.start_container("asker", network="crowd")
    answers(asker, *sorted(here)[:2], *sorted(there)[:2])
    figures[f"{count} `docker run` on each of two hosts at once, seconds until the last one runs"] = round(max(seconds))

    together(lambda host: host.remove_containers(), cluster.hosts)

    assert [held(host) for host in cluster.hosts] == [set(), set(), set()]
    await_on_all(cluster.hosts, lambda host: published(host) == 0, SOON, "no container")
    together(clean, cluster.hosts)


@pytest.mark.row(70)
def test_a_slash_29_holds_five_containers_wherever_they_are(cluster: Cluster, figures: Figures) -> None:
    """What lies in another host's reserve is had for the asking, also when two ask each other at once."""
    a, b, c = cluster.hosts
    cluster.network("tiny", "10.70.0.0/29", "-o", "egress=none")
    homes = [(host, f"c{number}") for number in range(4) for host in (a, b)]

    said = together(started, homes)

    running = [home for home, reason in zip(homes, said, strict=True) if not reason]
    assert len(running) == 5, said
    assert all("10.70.0.0/29 is full" in it for it in said if it), said
    given = addresses(a, "tiny").keys() | addresses(b, "tiny").keys()
    assert given == {f"10.70.0.{number}" for number in range(2, 7)}
    for host in (a, b, c):
        refused = started((host, "sixth"))
        assert "10.70.0.0/29 is full" in refused
        assert "--subnet" in refused

    here = next(name for host, name in running if host is a)
    a.docker("rm", "-f", here)
    assert started((b, "heir")) == ""
    there = next(name for host, name in running if host is b)
    b.docker("rm", "-f", there)
    assert started((c, "heir")) == ""
    everything = [address for host in (a, b, c) for address in addresses(host, "tiny")]
    assert len(everything) == len(set(everything)) == 5
    together(clean, cluster.hosts)


@pytest.mark.row(71)
def test_a_chosen_address_is_refused_on_every_other_host_naming_who_has_it_and_where(cluster: Cluster) -> None:
    a, b, _ = cluster.hosts
    cluster.network("lan", "10.71.0.0/16", "--ipv6", "--subnet", "fd00:71::/64", "-o", "egress=none")
    db = a.start_container("db", "--ip", "10.71.200.7", "--ip6", "fd00:71::d", network="lan")

    def refusal(*options: str) -> str:
        return started((b, "other"), *options, network="lan")

    def refused_by_name(option: str, address: str) -> bool:
        return f"address {address} of network lan is held by container db on host {a.name}" in refusal(option, address)

    for taken in (("--ip", "10.71.200.7"), ("--ip6", "fd00:71::d")):
        # Its name comes a moment after its address, when its engine tells.
        wait_until(partial(refused_by_name, *taken), SOON, f"a refusal of {taken[1]} with its holder's name")
    assert held(b) == set()

    db.remove()
    assert refusal("--ip", "10.71.200.7", "--ip6", "fd00:71::d") == ""


@pytest.mark.row(71)
def test_one_address_asked_for_on_three_hosts_at_the_same_moment_is_given_once(cluster: Cluster) -> None:
    cluster.network("lan", "10.71.0.0/24", "-o", "egress=none")
    for attempt in range(3):
        homes = [(host, "db") for host in cluster.hosts]

        said = together(lambda home: started(home, "--ip", "10.71.0.77", network="lan"), homes)

        assert sorted(bool(it) for it in said) == [False, True, True], (attempt, said)
        assert all("10.71.0.77" in it for it in said if it)
        together(lambda host: host.remove_containers(), cluster.hosts)


@pytest.mark.row(71)
def test_a_range_and_what_is_reserved_hold_on_every_host(cluster: Cluster) -> None:
    a, b, c = cluster.hosts
    options = ("--ip-range", "10.71.4.0/29", "--gateway", "10.71.0.9", "--aux-address", "printer=10.71.4.2")
    cluster.network("lan", "10.71.0.0/16", *options, "-o", "egress=none")
    homes = [((a, b, c)[number % 3], f"c{number}") for number in range(7)]

    said = together(lambda home: started(home, network="lan"), homes)

    assert said == [""] * 7
    given = [ip_address(it) for host in cluster.hosts for it in addresses(host, "lan")]
    assert sorted(given) == sorted({*ip_network("10.71.4.0/29")} - {ip_address("10.71.4.2")})
    for host in cluster.hosts:
        assert "range 10.71.4.0/29 of subnet 10.71.0.0/16 is full" in started((host, "more"), network="lan")
        assert "gateway" in started((host, "more"), "--ip", "10.71.0.9", network="lan")
        assert "--aux-address" in started((host, "more"), "--ip", "10.71.4.2", network="lan")
    assert started((c, "outside"), "--ip", "10.71.200.1", network="lan") == ""


@pytest.mark.row(72)
def test_living_containers_keep_their_addresses_while_agents_databases_and_engines_restart(cluster: Cluster) -> None:
    """In a pool so small that an address forgotten would be given to the next one that asks."""
    a, b, _ = cluster.hosts
    cluster.network("small", "10.72.0.0/28", "-o", "egress=none")
    for host in (a, b):
        for number in range(3):
            host.start_container(f"c{number}", "--restart", "always", network="small")
    before = {**addresses(a, "small"), **addresses(b, "small")}
    assert len(before) == 6

    a.agent.kill()
    b.agent.kill_all()
    b.agent.start(*QUICK)
    a.agent.wait_ready()
    assert {**addresses(a, "small"), **addresses(b, "small")} == before
    a.dockerd_restart()
    wait_until(lambda: len(addresses(a, "small")) == 3, 30, "the containers of the restarted engine")
    cluster.settle()

    homes = [(host, f"d{number}") for number in range(5) for host in (a, b)]
    said = together(lambda home: started(home, network="small"), homes)
    assert sum(not it for it in said) == 13 - 6, said
    everything = [address for host in (a, b) for address in addresses(host, "small")]
    assert len(everything) == len(set(everything)) == 13
    answers(Container(a, "c0"), *addresses(b, "small"))
    together(clean, cluster.hosts)


BY_HAND = (
    ("ip link add lan7 type bridge && ip addr add 10.192.0.1/20 dev lan7 && ip link set lan7 up", "ip link del lan7"),
    ("ip route add blackhole 10.192.16.0/21 table 77", "ip route del blackhole 10.192.16.0/21 table 77"),
)


@pytest.mark.row(73)
def test_an_automatic_subnet_overlaps_no_route_of_any_member(cluster: Cluster) -> None:
    """Of hosts that the one where it is made knows by what they say of themselves."""
    a, b, c = cluster.hosts
    theirs = [ip_network("10.192.0.0/20"), ip_network("10.192.16.0/21"), ip_network("10.192.32.0/24")]
    try:
        for host, (make, _) in zip((b, c), BY_HAND, strict=True):
            host.shell(make)
        c.docker("network", "create", "--subnet", "10.192.32.0/24", "theirs")
        member = "ovsdb-client dump unix:/run/ovsnet/cluster.sock OVSNet_Cluster Member"
        wait_until(lambda: all(str(it) in a.shell(member).stdout for it in theirs), 15, "what b and c have, known on a")

        for number in range(3):
            networks.create(a, f"auto{number}")
        for number in range(3):
            await_network(c, f"auto{number}")
        chosen = [ip_network(subnet) for it in ask(a, "networks") for subnet in it["subnets"]]
        assert len(set(chosen)) == 3
        assert [(it, other) for it in chosen for other in theirs if it.overlaps(other)] == []
        one, two = b.start_container("one", network="auto0"), c.start_container("two", network="auto0")
        answers(one, two.address("auto0"))
    finally:
        for host, (_, undo) in zip((b, c), BY_HAND, strict=True):
            host.shell(undo, check=False)
        c.docker("network", "rm", "theirs", check=False)
