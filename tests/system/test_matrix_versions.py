"""The core of the product on other engines, switches and kernels than this machine's; docs/matrix.md shows the outcome.

Every test here is about one promise, kept short: the tests named after the rows go into the depth.
"""

import re
from collections.abc import Callable, Iterator

import pytest
from tests.rig.container import Container
from tests.rig.fixtures import tidy_up, with_agent
from tests.rig.host import PROJECT, Host
from tests.rig.kernel_host import KernelHost
from tests.rig.process import Completed, wait_until
from tests.rig.rig import Rig
from tests.rig.traffic import Flood
from tests.rows import Figures
from tests.system import networks
from tests.system.combinations import (
    EVERYWHERE,
    SID,
    SID_KERNEL,
    SINCE_28,
    TRIXIE,
    USERSPACE,
    Combination,
    described,
    on,
)
from tests.system.networks import BRIDGE
from tests.system.reach import answered_again, answers
from tests.system.test_row_40_egress import ROUTER, ROUTER6, Wire, network, own
from tests.system.test_row_41_nat import SERVES, await_server, told, who
from tests.system.traces import clean

pytestmark = pytest.mark.matrix
Figure = Callable[[str, object], None]

REPAIRED = 5.0
SOON = 10.0
# One processor, ten times slower than the machine's, and seconds for the container alone.
SLOW_SOON = 20.0
BOTH = ("10.20.0.0/24", "--ipv6", "--subnet", "fd00:20::/64")
GATEWAYS = ("10.20.0.1", "fd00:20::1")
FIRST = "ip -4 -o addr show eth0; ping -c 1 -W 1 10.20.0.2 >/dev/null && echo reached"
FLOWS = f"date +%s.%N; ovs-ofctl -O OpenFlow15 dump-flows {BRIDGE}"
FLOW = re.compile(r"duration=([\d.]+)s, (table=\d+), n_packets=(\d+), n_bytes=\d+,(?: idle_age=\d+,)? (.*)")


@pytest.fixture(scope="module")
def combination(request: pytest.FixtureRequest, rig: Rig, versions: dict[str, str]) -> Iterator[Host]:
    wanted: Combination = request.param
    host = wanted.host(rig)
    versions[wanted.name] = described(host)
    yield host
    rig.discard(host)


@pytest.fixture
def host(combination: Host) -> Iterator[Host]:
    with_agent(combination)
    yield combination
    try:
        clean(combination)
    finally:
        tidy_up(combination)


@pytest.fixture
def figure(figures: Figures, request: pytest.FixtureRequest) -> Figure:
    """Notes what was measured, with the combination's name behind it."""
    name = request.node.callspec.params["combination"].name

    def note(what: str, value: object) -> None:
        figures[f"{what} ({name})"] = value

    return note


def pair(host: Host, *options: str) -> tuple[Container, Container]:
    """Two containers on a network of both families."""
    networks.create(host, "web", *BOTH, *options)
    c1, c2 = networks.start(host, "c1", "c2", network="web")
    return c1, c2


def addresses(container: Container, network: str = "web") -> tuple[str, str]:
    return container.address(network), container.address6(network)


def major(host: Host) -> int:
    """The first number of its engine's version."""
    return int(host.versions.engine.partition(".")[0])


@pytest.mark.row(2)
@on(*EVERYWHERE)
def test_the_first_process_sees_its_address_and_reaches_its_neighbour(host: Host) -> None:
    networks.create(host, "web", "10.20.0.0/24")
    with host.container("neighbour", "--ip", "10.20.0.2", network="web"):
        said = host.docker("run", "--rm", "--network", "web", "busybox:local", "sh", "-c", FIRST).stdout

    assert "inet 10.20.0." in said
    assert "reached" in said


@pytest.mark.row(1)
@on(*EVERYWHERE)
def test_members_of_a_network_reach_each_other_by_both_families(host: Host) -> None:
    c1, c2 = pair(host)

    answers(c1, *addresses(c2))
    answers(c2, *addresses(c1))


@pytest.mark.row(1)
@on(*USERSPACE)
def test_members_of_a_network_find_each_other_by_name(host: Host) -> None:
    """By the engine's resolver, which needs address translation; the machines' kernel 7.2 has none."""
    c1, c2 = pair(host)

    assert f"Address: {c2.address('web')}" in c1.exec("nslookup", "c2").stdout


@pytest.mark.row(1)
@on(*EVERYWHERE)
def test_the_gateway_answers(host: Host) -> None:
    c1, _ = pair(host)

    answers(c1, *GATEWAYS)


@pytest.mark.row(3)
@on(*EVERYWHERE)
def test_across_networks_nothing_arrives(host: Host) -> None:
    c1, _ = pair(host, "-o", "egress=none")
    networks.create(host, "db", "10.30.0.0/24", "--ipv6", "--subnet", "fd00:30::/64", "-o", "egress=none")
    d1 = host.start_container("d1", network="db")
    # It knows the other's addresses and MAC, and has a route: only the switch keeps them apart.
    for family, address in zip(("-4", "-6"), addresses(d1, "db"), strict=True):
        c1.inside("ip", family, "route", "add", address, "dev", "eth0")
        c1.inside("ip", "neigh", "replace", address, "lladdr", d1.mac("db"), "dev", "eth0")

        assert not c1.pings(address, count=3)


@pytest.mark.row(4)
@on(*EVERYWHERE)
def test_connect_brings_an_interface_and_disconnect_takes_it_away(host: Host) -> None:
    c1, _ = pair(host, "-o", "egress=none")
    networks.create(host, "db", "10.30.0.0/24", "-o", "egress=none")
    d1 = host.start_container("d1", network="db")
    before = networks.interfaces(c1)

    host.docker("network", "connect", "db", "c1")
    assert networks.interfaces(c1).keys() - before.keys() == {"eth1"}
    answers(c1, d1.address("db"))
    port = networks.port_of(c1, "db")

    host.docker("network", "disconnect", "db", "c1")
    assert networks.interfaces(c1) == before
    assert port not in host.ovs_vsctl("list-ports", BRIDGE).stdout.split()


@pytest.mark.row(6)
@on(*EVERYWHERE)
def test_a_network_in_use_is_not_deleted_and_a_deleted_one_is_gone(host: Host) -> None:
    c1, c2 = pair(host)
    refused = host.docker("network", "rm", "web", check=False)
    assert "active endpoints" in refused.stderr
    answers(c1, c2.address("web"))

    host.remove_containers()
    host.docker("network", "rm", "web")

    assert networks.ask(host, "networks") == []
    wait_until(lambda: host.ovs_vsctl("list-ports", BRIDGE).stdout == "", REPAIRED, "no port left on the bridge")


@pytest.mark.row(7)
@on(*EVERYWHERE)
def test_an_internal_network_has_no_default_route(host: Host) -> None:
    c1, c2 = pair(host, "--internal")

    assert networks.interfaces(c1).keys() == {"eth0"}
    assert networks.default_routes(c1) == []
    assert c1.inside("ip", "-6", "route", "show", "default").stdout == ""
    answers(c1, *addresses(c2))


@pytest.mark.row(5, 15)
@on(*EVERYWHERE)
def test_egress_gives_one_way_out_or_none(host: Host) -> None:
    outside = host.run("ip", "-j", "-4", "addr", "show", "eth0").json()[0]["addr_info"][0]["local"]
    networks.create(host, "open", "10.30.0.0/24")
    networks.create(host, "closed", "10.40.0.0/24", "-o", "egress=none")
    c1 = host.start_container("c1", network="open")
    c2 = host.start_container("c2", network="closed")

    assert len(networks.default_routes(c1)) == 1
    answers(c1, outside)
    assert networks.interfaces(c2).keys() == {"eth0"}
    assert networks.default_routes(c2) == []


def run_once(host: Host) -> Completed:
    return host.docker("run", "--rm", "--network", "web", "busybox:local", "true", check=False)


@pytest.mark.row(8)
@on(*EVERYWHERE)
def test_with_the_switch_stopped_a_run_fails_soon_and_says_so(host: Host, figure: Figure) -> None:
    networks.create(host, "web", *BOTH)
    assert run_once(host).ok
    host.ovs_stop()

    failed = run_once(host)

    host.ovs_start()
    host.agent.wait_ready()
    figure("seconds until `docker run` fails with the switch stopped", round(failed.seconds, 1))
    assert not failed.ok
    assert "Open vSwitch" in failed.stderr
    assert "is not available" in failed.stderr
    assert failed.seconds < (SLOW_SOON if isinstance(host, KernelHost) else SOON)
    assert run_once(host).ok


@pytest.mark.row(10)
@on(*EVERYWHERE)
def test_a_killed_agent_costs_no_packet(host: Host) -> None:
    c1, c2 = pair(host)

    with Flood(c1, c2, c2.address("web"), rate=200) as v4, Flood(c2, c1, c1.address6("web"), rate=200) as v6:
        host.agent.kill()
        host.agent.wait_ready()
        clean(host)

    assert v4.result.sent > 100
    assert (v4.result.lost, v6.result.lost) == (0, 0)


def flows(host: Host) -> dict[str, tuple[float, int]]:
    """Each flow of the bridge: when it was put there, by the host's clock, and how many packets it has seen."""
    now, *lines = host.shell(f"set -e; {FLOWS}").stdout.splitlines()
    found = [it.groups() for line in lines if (it := FLOW.search(line))]
    assert len(found) == sum("n_packets" in line for line in lines)
    return {f"{table} {rest}": (float(now) - float(age), int(packets)) for age, table, packets, rest in found}


@pytest.mark.row(9, 94)
@on(*EVERYWHERE)
def test_a_restarted_agent_finds_its_flows_as_it_would_write_them_and_writes_none(host: Host, figure: Figure) -> None:
    """The text we write comes back from the switch in its own words, which differ by version."""
    c1, c2 = pair(host, "-o", "vlan=20")
    networks.create(host, "cells", "10.30.0.0/24", "--ipv6", "--subnet", "fd00:30::/64", "-o", "icc=false")
    networks.create(host, "vault", "10.40.0.0/24", "--internal")
    networks.start(host, "d1", "d2", network="cells")
    networks.start(host, "e1", "e2", network="vault")
    answers(c1, *addresses(c2), *GATEWAYS)
    before = flows(host)

    host.agent.kill()
    host.agent.wait_ready()
    clean(host)

    after = flows(host)
    figure("flows found again", len(after))
    assert after.keys() == before.keys()
    moved = {it: after[it][0] - put for it, (put, _) in before.items() if abs(after[it][0] - put) > 1}
    assert moved == {}
    assert [it for it, (_, packets) in before.items() if after[it][1] < packets] == []


def delete_port(container: Container, port: str) -> None:
    container.host.ovs_vsctl("del-port", port)


def delete_link(container: Container, port: str) -> None:
    container.host.run("ip", "link", "delete", port)


@pytest.mark.row(94)
@pytest.mark.parametrize("damage", [delete_port, delete_link])
@on(*EVERYWHERE)
def test_a_deleted_port_is_back(host: Host, figure: Figure, damage: Callable[[Container, str], None]) -> None:
    c1, c2 = pair(host)
    wanted = addresses(c2)
    answers(c1, *wanted)
    port = wait_until(lambda: networks.port_of(c2, "web"), REPAIRED, "the port of c2")
    name = damage.__name__.replace("_", " ")

    damage(c2, port)

    figure(f"seconds until both families answer after {name}", answered_again(c1, wanted, name, REPAIRED))


@pytest.mark.row(9)
@on(*EVERYWHERE)
def test_a_restarted_engine_brings_its_containers_back(host: Host) -> None:
    networks.create(host, "web", *BOTH)
    c1, c2 = (
        host.start_container(name, "--restart", "always", "--ip", f"10.20.0.{number}", network="web")
        for name, number in (("c1", 71), ("c2", 72))
    )

    host.dockerd_restart()

    wait_until(lambda: c1.inspect()["State"]["Running"] and c2.inspect()["State"]["Running"], 30, "both run again")
    assert (c1.address("web"), c2.address("web")) == ("10.20.0.71", "10.20.0.72")
    answers(c1, *addresses(c2))
    wait_until(lambda: len(networks.ask(host, "endpoints")) == 2, REPAIRED, "one endpoint for each container")


@pytest.mark.row(9)
@on(*EVERYWHERE)
def test_a_restarted_switch_has_its_ports_and_flows_back(host: Host, figure: Figure) -> None:
    c1, c2 = pair(host)
    wanted = addresses(c2)
    host.vswitchd_restart()

    took = answered_again(c1, wanted, "a restart of vswitchd", 2 * REPAIRED)
    figure("seconds until both families answer after a restart of vswitchd", took)
    assert "No such device" not in host.ovs_vsctl("show").stdout


@pytest.mark.row(31)
@on(*EVERYWHERE)
def test_a_new_container_is_announced_to_its_neighbours(host: Host, figure: Figure) -> None:
    """By the agent on every engine. From 28 on the engine says it again, and our guards let what is true pass.

    28.5 announces `0.0.0.0` for every IPv4 address of a remote address driver. That must reach nobody.
    """
    networks.create(host, "web", *BOTH)
    ear = host.start_container("ear", network="web")
    with ear.spawn_inside("tcpdump", "-l", "-n", "-Q", "in", "-i", "eth0", "arp or icmp6", label="tcpdump") as heard:
        wait_until(lambda: "listening on" in heard.stderr, 10, "tcpdump listens")
        host.start_container("c1", "--ip", "10.20.0.77", "--ip6", "fd00:20::77", network="web")
        wait_until(lambda: "who-has 10.20.0.77 tell 10.20.0.77" in heard.stdout, REPAIRED, "IPv4 announced")
        times = 2 if major(host) >= 28 else 1
        told = "neighbor advertisement, tgt is fd00:20::77"
        wait_until(lambda: heard.stdout.count(told) >= times, REPAIRED, f"IPv6 announced {times} times")
        figure("announcements of an IPv6 address, at least", heard.stdout.count(told))
    assert "tell 0.0.0.0" not in heard.stdout


@pytest.mark.row(76)
@on(*SINCE_28)
def test_a_network_may_have_ipv6_alone(host: Host) -> None:
    networks.create(host, "six", "", "--ipv4=false", "--ipv6", "--subnet", "fd00:60::/64")
    c1, c2 = networks.start(host, "c1", "c2", network="six")

    assert c1.address("six") == ""
    answers(c1, c2.address6("six"), "fd00:60::1")


@pytest.mark.row(5)
@on(*SINCE_28)
def test_gateway_priority_chooses_among_networks_that_have_a_way_out(host: Host) -> None:
    networks.create(host, "web", *BOTH)
    for name, subnet in (("one", "10.31.0.0/24"), ("two", "10.32.0.0/24")):
        host.docker("network", "create", "--subnet", subnet, name)
    wishes = ("name=one,gw-priority=1", "name=two,gw-priority=2", "name=web,gw-priority=3")
    c1 = host.start_container("c1", *(word for it in wishes for word in ("--network", it)))

    route = c1.inside("ip", "-4", "route", "show", "default").stdout

    # Ours has no gateway: its priority takes the way out from nobody.
    assert "via 10.32.0.1 " in route
    assert route.count("default") == 1
    answers(c1, "10.20.0.1", "10.31.0.1", "10.32.0.1")

    for name, subnet in (("nat", "10.33.0.0/24"), ("routed", "10.34.0.0/24")):
        networks.create(host, name, subnet, "-o", f"egress={name}")
    wishes = ("name=nat,gw-priority=1", "name=routed,gw-priority=2", "name=web,gw-priority=3")
    c2 = host.start_container("c2", "-p", "8080:80", *(word for it in wishes for word in ("--network", it)))

    def leads_by(gateway: str) -> None:
        assert c2.inside("ip", "-4", "route", "show", "default").stdout.split()[1:3] == ["via", gateway]
        assert len(networks.default_routes(c2)) == 1
        assert [it["network"] for it in networks.ask(host, "ports")] == [{"33": "nat", "34": "routed"}[gateway[3:5]]]

    leads_by("10.34.0.1")
    assert len(networks.interfaces(c2)) == 3, "Docker's gateway bridge is not beside"
    host.docker("network", "disconnect", "routed", "c2")
    leads_by("10.33.0.1")


@pytest.mark.row(103)
@on(SID_KERNEL)
def test_internal_ports_survive_restarts_of_everything(host: Host) -> None:
    c1, c2 = pair(host, "-o", "port=internal")
    assert host.ovs_vsctl("get", "interface", networks.port_of(c1, "web"), "type").stdout.strip() == "internal"
    answers(c1, *addresses(c2))
    for restart in (host.agent.kill, host.vswitchd_restart, c2.restart):
        restart()
        host.agent.wait_ready()
        answered_again(c1, addresses(c2), restart.__name__, REPAIRED)
        clean(host)


@on(TRIXIE, SID)
def test_the_unit_tests_pass_on_that_suites_python(host: Host) -> None:
    pytest_there = (str(PROJECT / ".venv/bin/python"), "-m", "pytest", "-q", "-p", "no:cacheprovider")

    host.run("env", "-C", str(PROJECT), *pytest_there, "tests/unit", timeout=600)


@on(*USERSPACE)
@pytest.mark.row(40, 41, 42)
def test_out_by_nat_in_by_published_ports_and_between_host_and_containers(rig: Rig, host: Host) -> None:
    wire = Wire(host, f"{rig.name}-net")
    network(host, "out", "nat")
    four, six = own(host)[4], own(host)[6]
    c1 = host.start_container("c1", "-p", "8080:80", network="out", command=SERVES)
    assert networks.default_routes(c1) == ["eth0"]
    assert wire.seen_as(c1, ROUTER) == four
    assert wire.seen_as(c1, ROUTER6) == six
    await_server(wire, four)
    assert told(wire.from_router(*who(four))) == ROUTER, "it sees who asks"
    assert told(wire.from_router(*who(six))) == ROUTER6
    assert told(host.run(*who(four))) == four
    assert c1.inside(*who(four)).ok, "itself"
    assert {it["host_port"] for it in networks.ask(host, "ports")} == {8080}

    def hears_host() -> bool:
        return host.run("ping", "-n", "-c1", "-W1", c1.address("out"), check=False).ok

    assert not hears_host()
    host.ovsnet("expose", "out")
    assert hears_host()
    host.dockerd_restart()
    c1.start()
    await_server(wire, six)
    assert hears_host()
