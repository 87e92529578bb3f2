"""Row 59: who has which address is known before anybody asks, and forgotten with the container."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pytest
from tests.functional.pipeline_frames import ALL_NODES, ARP, ICMPV6, IPV6
from tests.rig.cluster import Cluster
from tests.rig.container import Container
from tests.rig.host import Host
from tests.rig.process import wait_until
from tests.rig.rig import Rig
from tests.rows import Figures
from tests.system.networks import BRIDGE
from tests.system.underlay import Tunnelled, Underlay

SLOW_PING = 200.0
"""Milliseconds. A question that has to be asked again takes a second; a busy machine some ten milliseconds."""
RECREATIONS = 40
LOOKS = 8
ALL_NODES_MAC = bytes.fromhex(ALL_NODES.replace(":", ""))
MOVING = "10.20.77.77"
SOLICITATIONS, ADVERTISEMENT = (133, 135), 136


@dataclass(frozen=True, slots=True)
class Ways:
    """What a host knows of where others are."""

    flows: frozenset[str]
    groups: frozenset[str]
    devices: frozenset[str]


def ways(host: Host) -> Ways:
    flows = host.run("ovs-ofctl", "-O", "OpenFlow15", "--no-stats", "dump-flows", BRIDGE).stdout
    groups = host.run("ovs-ofctl", "-O", "OpenFlow15", "dump-groups", BRIDGE).stdout.splitlines()[1:]
    devices = host.shell("for it in /sys/class/net/ov*; do bridge fdb show dev ${it##*/}; done", check=False).stdout
    return Ways(*(frozenset(it) for it in (flows.splitlines(), groups, devices.splitlines())))


@pytest.fixture(scope="module")
def web(session_cluster: Cluster) -> Iterator[Mapping[str, Container]]:
    session_cluster.settle()
    session_cluster.network("web", "10.20.0.0/16", "--ipv6", "--subnet", "fd00:20::/64")
    yield {host.name: host.start_container(f"w-{host.name}", network="web") for host in session_cluster.hosts}
    session_cluster.tidy_up()


def asks_or_answers(it: Tunnelled) -> bool:
    """ARP, or IPv6 neighbour discovery; not the word of a new container to all that an address is its own."""
    if it.kind == ARP:
        return it.frame[28:32] != it.frame[38:42]
    if it.kind != IPV6 or it.frame[20] != ICMPV6:
        return False
    return it.frame[54] in SOLICITATIONS or (it.frame[54] == ADVERTISEMENT and it.frame[:6] != ALL_NODES_MAC)


def ping(container: Container, address: str) -> float:
    """Milliseconds one ping takes; fails when it is lost."""
    said = container.inside("ping", "-n", "-c", "1", "-W", "2", address).stdout
    return float(said.partition("time=")[2].split()[0])


@pytest.mark.row(59)
def test_the_first_ping_is_quick_and_no_question_for_a_neighbour_crosses(
    web: Mapping[str, Container], session_cluster: Cluster, rig: Rig, figures: Figures
) -> None:
    first, last = session_cluster.hosts[0], session_cluster.hosts[-1]
    one, other = web[first.name], web[last.name]
    with Underlay(rig) as underlay, last.container("fresh", network="web") as fresh:
        there = [ping(fresh, one.address("web")), ping(fresh, one.address6("web"))]
        back = [ping(one, fresh.address("web")), ping(one, fresh.address6("web"))]
        here = [ping(other, fresh.address("web")), ping(other, fresh.address6("web"))]
        crossed = underlay.tunnelled()

    figures["first ping of a fresh container to another host, IPv4 and IPv6, ms"] = there
    figures["first ping to it from another host, ms"] = back
    assert max(*there, *back, *here) < SLOW_PING
    assert len(crossed) >= 8
    assert [it for it in crossed if asks_or_answers(it)] == []


@pytest.mark.row(59)
def test_a_containers_first_program_reaches_another_host_at_once(
    web: Mapping[str, Container], session_cluster: Cluster, figures: Figures
) -> None:
    """Nobody waits between the start and the first packet; what is lost is lost before the others know of it."""
    first, last = session_cluster.hosts[0], session_cluster.hosts[-1]
    target = web[first.name].address("web")
    lost = []
    for number in range(3):
        script = f"ping -c 40 -i 0.05 -W 1 {target}"
        said = last.docker("run", "--rm", "--network", "web", "busybox:local", "sh", "-c", script, check=False).stdout
        answered = [int(line.partition("seq=")[2].split()[0]) for line in said.splitlines() if "seq=" in line]
        assert answered, f"attempt {number}: {said}"
        lost.append(min(answered))
    figures["pings of the first program, 50 ms apart, until the first answer"] = lost
    assert max(lost) * 0.05 < 1


@pytest.mark.long
@pytest.mark.row(59)
def test_no_entry_is_stale_after_many_re_creations(
    web: Mapping[str, Container], session_cluster: Cluster, figures: Figures
) -> None:
    """The same address, and another MAC, each time; on one host and on another in turn."""
    first, *others = session_cluster.hosts
    before = [ways(it) for it in session_cluster.hosts]
    for host in others:
        host.start_container("moving", network="bridge")
    gone = 0
    for number in range(RECREATIONS):
        host = others[number % len(others)]
        host.docker("network", "connect", "--ip", MOVING, "web", "moving")
        if number % (RECREATIONS // LOOKS) == 0:
            wait_until(lambda: web[first.name].pings(MOVING), 10, f"attempt {number} answers")
        host.docker("network", "disconnect", "web", "moving")
        gone += 1

    wait_until(lambda: [ways(it) for it in session_cluster.hosts] == before, 10, "ways as before")
    figures["entries that stayed after so many re-creations of a container"] = f"0 after {gone}"
