"""Row 101: the userspace datapath carries TCP with right checksums, UDP, large packets, IPv6; with TSO and without."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from tests.rig.container import Container
from tests.rig.host import Host
from tests.rig.namespace_host import NamespaceHost
from tests.rig.process import wait_until
from tests.rig.rig import Rig, Shape
from tests.rig.traffic import Flood
from tests.rows import Figures
from tests.system import networks
from tests.system.traces import clean
from tests.system.transfer import checksum_errors

SUBNETS = ("10.20.0.0/24", "--ipv6", "--subnet", "fd00:20::/64")
SECONDS = "1"
SLOWEST = 10.0
"""Mbit/s. A datapath that corrupts or drops what is offloaded stays below 1 on any machine."""


@dataclass(frozen=True, slots=True)
class Parties:
    """Two containers of one network."""

    host: Host
    c1: Container
    c2: Container


@pytest.fixture(scope="module", params=[False, True], ids=["plain", "tso"])
def parties(request: pytest.FixtureRequest, rig: Rig) -> Iterator[Parties]:
    host = rig.host(Shape(tso=request.param))
    try:
        host.agent.start()
        networks.create(host, "web", *SUBNETS)
        c1, c2 = networks.start(host, "c1", "c2", network="web")
        yield Parties(host, c1, c2)
        clean(host)
        host.agent.stop()
    finally:
        rig.discard(host)


def megabits(server: Container, client: Container, address: str, *options: str) -> float:
    """What iperf3 measures at the receiver of a TCP stream."""
    with server.spawn_inside("iperf3", "-s", "-1", "--forceflush", label="iperf3") as it:
        it.wait_for_output("Server listening")
        said = client.inside("iperf3", "-J", "-t", SECONDS, "-c", address, *options).json()
        it.wait()
    return float(said["end"]["sum_received"]["bits_per_second"]) / 1e6


@pytest.mark.row(101)
@pytest.mark.parametrize("family", [4, 6])
def test_tcp_flows_both_ways_and_no_checksum_is_wrong(parties: Parties, family: int, figures: Figures) -> None:
    c1, c2 = parties.c1, parties.c2
    address = c2.address("web") if family == 4 else c2.address6("web")
    before = checksum_errors(c1) + checksum_errors(c2)

    there = megabits(c2, c1, address)
    back = megabits(c2, c1, address, "-R")

    figures["TCP there and back, Mbit/s"] = f"{there:.0f}, {back:.0f}"
    assert min(there, back) > SLOWEST
    assert checksum_errors(c1) + checksum_errors(c2) == before


@pytest.mark.row(101)
def test_status_says_which_datapath_it_is_and_whether_tso_is_on(parties: Parties) -> None:
    status = networks.ask(parties.host, "status")["switch"]
    configured = parties.host.ovs_vsctl("get", "open_vswitch", ".", "other_config").stdout

    assert status["datapath"] == "userspace"
    assert status["tso"] is ("userspace-tso-enable" in configured)


@pytest.mark.row(101)
def test_checksums_are_left_to_the_receiver_only_where_tso_is_on(parties: Parties) -> None:
    tso = networks.ask(parties.host, "status")["switch"]["tso"]

    for shown in (
        parties.c2.inside("ethtool", "-k", "eth0").stdout,
        parties.host.run("ethtool", "-k", networks.port_of(parties.c2, "web")).stdout,
    ):
        assert f"tx-checksumming: {'on' if tso else 'off'}" in shown


@pytest.mark.row(101)
def test_without_tso_every_segment_on_the_wire_has_a_right_checksum(host: NamespaceHost) -> None:
    networks.create(host, "web", *SUBNETS)
    c1, c2 = networks.start(host, "c1", "c2", network="web")
    with c2.spawn_inside("tcpdump", "-i", "eth0", "-lnvv", "-c", "40", "tcp", label="tcpdump") as capture:
        wait_until(lambda: "listening" in capture.stderr, 10, "tcpdump listens")
        megabits(c2, c1, c2.address("web"))
        said = capture.wait().stdout

    assert said.count("(correct)") == 40
    assert "incorrect" not in said


@pytest.mark.row(101)
def test_udp_arrives_in_full(parties: Parties) -> None:
    c1, c2 = parties.c1, parties.c2
    with Flood(c1, c2, c2.address("web"), rate=2000) as first, Flood(c2, c1, c1.address6("web"), rate=2000) as second:
        assert c1.pings(c2.address("web"), count=3)

    assert (first.result.lost, second.result.lost) == (0, 0)
    assert (first.result.duplicates, second.result.duplicates) == (0, 0)


@pytest.mark.row(101)
def test_the_largest_packets_pass_whole_and_larger_ones_in_fragments(parties: Parties) -> None:
    c1 = parties.c1
    for address, header in ((parties.c2.address("web"), 28), (parties.c2.address6("web"), 48)):
        ping = ("ping", "-n", "-c", "2", "-W", "2", "-i", "0.2")
        assert c1.inside(*ping, "-M", "do", "-s", str(1500 - header), address).ok
        assert not c1.inside(*ping, "-M", "do", "-s", str(1501 - header), address, check=False).ok
        assert c1.inside(*ping, "-s", "60000", address).ok
