"""Row 48: the NIC by which a host is reached moves into a bridge and back, on a host with an engine and an agent."""

import json
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise

import pytest
from tests.rig.container import Container
from tests.rig.fixtures import with_agent
from tests.rig.host import PROJECT, Host
from tests.rig.installed import install
from tests.rig.namespace_host import NamespaceHost
from tests.rig.process import NotReached, run, wait_until
from tests.rig.rig import Rig, Shape
from tests.rows import Figures
from tests.system import networks
from tests.system.faults import powered_off, stopped
from tests.system.traces import clean

pytestmark = pytest.mark.row(48)

GATEWAY, GATEWAY6 = "172.31.0.254", "fd31::fe"
OTHER, THIRD = "172.31.0.253", "172.31.0.252"
"""More addresses of the router's."""
BACK = 30.0
"""Seconds until a host is reached again, unasked."""
SHOWN = ("addr show dev eth0", "-4 route show table all dev eth0", "-6 route show table all dev eth0")
STREAM = """
import socket, sys, time
server = socket.create_server(("0.0.0.0", 4848))
print("listening", flush=True)
peer, _ = server.accept()
while data := peer.recv(64):
    peer.sendall(data)
"""
ASKING = """
import socket, sys, time
peer = socket.create_connection((sys.argv[1], 4848), timeout=20)
longest, count = 0.0, 0
while True:
    began = time.monotonic()
    peer.sendall(b"%08d" % count)
    got = b""
    while len(got) < 8:
        got += peer.recv(8 - len(got))
    count += 1
    longest = max(longest, time.monotonic() - began)
    print(count, round(longest * 1000), flush=True)
    time.sleep(0.01)
"""


@dataclass(frozen=True)
class AnyLan:
    """A host of any kind, and the router that is the way to it."""

    host: Host
    router: str

    def from_router(self, *command: str, check: bool = True) -> str:
        return run("ip", "netns", "exec", self.router, *command, check=check).stdout

    def address(self) -> str:
        return f"172.31.0.{self.host.name[1:]}"

    def reached(self) -> bool:
        six = f"fd31::{self.host.name[1:]}"
        asked = (("ping", "-n", "-q", "-c", "1", "-W", "2", it) for it in (self.address(), six))
        return all(" 0% packet loss" in self.from_router(*it, check=False) for it in asked)

    def reaches(self) -> bool:
        pings = (self.host.run("ping", "-n", "-q", "-c", "1", "-W", "2", it, check=False) for it in (GATEWAY, GATEWAY6))
        return all(it.ok for it in pings)

    def shown(self) -> str:
        return "".join(self.host.run("ip", *it.split()).stdout for it in SHOWN)

    @contextmanager
    def pinged(self, interval: float = 0.005, address: str = "") -> Iterator[dict[str, float]]:
        """The router pings the host, or this address, all the while; what became of it is in the value afterwards."""
        whom = address or self.address()
        words = ("ip", "netns", "exec", self.router, "ping", "-n", "-D", "-i", str(interval), whom)
        seen: dict[str, float] = {}
        with _pinging(words) as told:
            yield seen
        seen.update(_judged(told))


@dataclass(frozen=True)
class Lan(AnyLan):
    """A host made of namespaces."""

    host: NamespaceHost


@contextmanager
def _pinging(words: tuple[str, ...]) -> Iterator[list[str]]:
    told: list[str] = []
    # Who runs the tests in the background has them ignore SIGINT, and what they start as well, unless told otherwise.
    command = ("env", "--default-signal=INT", *words)
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        yield told
    finally:
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=20)
        told += out.splitlines()


def _judged(told: list[str]) -> dict[str, float]:
    """How many got no answer, how many got two, and the longest time without any. The last one's may be on its way."""
    times = [float(it[1:].partition("]")[0]) for it in told if it.startswith("[") and "icmp_seq" in it]
    gaps = [later - earlier for earlier, later in pairwise(times)]
    summary = next(it for it in told if "packets transmitted" in it)
    sent, received = (int(it.split()[0]) for it in summary.split(", ")[:2])
    on_its_way = not any(f"icmp_seq={sent} " in it for it in told)
    return {
        "sent": sent,
        "lost": sent - received - on_its_way,
        "twice": sum("(DUP!)" in it for it in told),
        "longest gap, ms": round(max(gaps, default=0.0) * 1000),
    }


@pytest.fixture(scope="module")
def lan(rig: Rig, module_host: NamespaceHost) -> Iterator[Lan]:
    it = Lan(module_host, f"{rig.name}-net")
    cables(it)
    it.from_router("ip", "addr", "add", f"{OTHER}/24", "dev", "mgmt")
    wait_until(lambda: "tentative" not in it.shown(), 5, "the addresses of the NIC are usable")
    yield it
    it.from_router("ip", "addr", "del", f"{OTHER}/24", "dev", "mgmt", check=False)


def cables(lan: Lan) -> None:
    """A wire fills in checksums; a veth leaves them to whoever has the packet in the end."""
    for name in (f"m{lan.host.name.removeprefix('h')}", "mgmt"):
        lan.from_router("ethtool", "-K", name, "tx", "off")
    lan.host.run("ethtool", "-K", "eth0", "tx", "off")


def settled(lan: Lan) -> None:
    try:
        wait_until(lambda: lan.reached() and lan.reaches(), BACK, "the host is reached")
    except NotReached as error:
        there = lan.host.shell("ip addr; ip route; ip -6 route; ip neigh; ip -6 neigh").stdout
        raise AssertionError(f"{error}\n{there}\nthe router's:\n{lan.from_router('ip', 'neigh')}") from error
    wait_until(lambda: lan.host.ovsnet("check", check=False).ok, BACK, "a clean check")


def uplinks(host: Host) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(host.ovsnet("uplink", "ls", "--json").stdout)
    return found


def test_the_nic_of_the_host_moves_while_its_connections_go_on(lan: Lan, figures: Figures) -> None:
    host = lan.host
    before = lan.shown()
    with host.spawn("python3", "-c", STREAM, label="stream") as stream:
        stream.wait_for_output("listening")
        with _pinging(("ip", "netns", "exec", lan.router, "python3", "-c", ASKING, lan.address())) as asked:
            with lan.pinged() as there:
                began = time.monotonic()
                said = host.ovsnet("uplink", "add", "eth0").stdout
                took = time.monotonic() - began
            settled(lan)
            with lan.pinged() as back:
                assert "has its addresses and routes back" in host.ovsnet("uplink", "rm", "eth0").stdout
            settled(lan)
    assert "eth0 is the uplink of br-eth0" in said
    assert "172.31.0.254" in said
    count, longest = map(int, asked[-1].split())
    assert count > 20, "one TCP connection to the host survived both"
    assert lan.shown() == before
    assert host.bridges() == [networks.BRIDGE]
    figures["uplink add eth0, s"] = round(took, 2)
    figures["uplink add: pings of 200 a second lost"] = there["lost"]
    figures["uplink add: longest gap, ms"] = there["longest gap, ms"]
    figures["uplink rm: pings of 200 a second lost"] = back["lost"]
    figures["longest answer in one TCP connection meanwhile, ms"] = longest
    assert there["lost"] <= 20, there
    assert back["lost"] <= 20, back


def test_containers_and_the_host_go_on_beside_it(lan: Lan) -> None:
    host = lan.host
    networks.create(host, "web", "10.48.0.0/24")
    host.ovsnet("uplink", "add", "eth0")
    with host.container("c1", network="web") as c1, host.container("c2", network="web") as c2:
        assert c1.pings(c2.address("web"))
        assert outside(c1), "by Docker's own way out, which is the bridge's port now"
    (shown,) = uplinks(host)
    assert (shown["nic"], shown["bridge"], shown["held"], shown["state"]) == ("eth0", "br-eth0", "own", "in force")
    assert shown["gateways"] == [GATEWAY, GATEWAY6]
    assert host.ovsnet("status").ok
    clean(host)


@pytest.mark.row(47)
def test_a_container_on_the_lan_behind_the_nic_and_its_host_reach_each_other(lan: Lan) -> None:
    host = lan.host
    with host.container("c3", network="none") as c3:
        own = f"172.31.0.{100 + int(host.name.removeprefix('h')) % 100}"
        host.ovsnet("attach", "c3", "--uplink", "eth0", "--ip", f"{own}/24@{GATEWAY}")
        assert c3.pings(GATEWAY)
        assert c3.pings(lan.address()), "the host, which a container of macvlan does not reach"
        assert host.run("ping", "-n", "-q", "-c", "1", "-W", "2", own, check=False).ok
        assert " 0% packet loss" in lan.from_router("ping", "-n", "-q", "-c", "1", "-W", "2", own, check=False)
        refused = host.ovsnet("uplink", "rm", "eth0", check=False)
        assert "has other ports, which would be cut off" in refused.stderr
        host.ovsnet("detach", "c3", "eth1")
    clean(host)


def outside(container: Container) -> bool:
    return container.exec("ping", "-c", "1", "-W", "5", GATEWAY, check=False).ok


def test_a_killed_agent_costs_nothing(lan: Lan) -> None:
    with lan.pinged() as seen:
        lan.host.agent.kill()
        lan.host.agent.wait_ready()
    assert seen["lost"] == 0
    settled(lan)


def test_a_restarted_switch_is_ridden_out(lan: Lan, figures: Figures) -> None:
    with lan.pinged() as seen:
        lan.host.vswitchd_restart()
        wait_until(lan.reached, BACK, "the host is reached again, unasked")
    figures["ovs-vswitchd restarted: longest gap of the host, ms"] = seen["longest gap, ms"]
    settled(lan)


def test_after_a_boot_the_addresses_move_again(lan: Lan) -> None:
    with powered_off(lan.host):
        pass
    cables(lan)
    moved(lan)
    assert mac(lan, "br-eth0") == mac(lan, "eth0"), "a cable of the rig is another one after each boot"
    settled(lan)
    lan.host.ovsnet("uplink", "rm", "eth0")
    settled(lan)
    assert "inet 172.31.0." in lan.shown()


def mac(lan: Lan, name: str) -> str:
    return lan.host.run("ip", "-br", "link", "show", name).stdout.split()[2]


def moved(lan: Lan) -> None:
    wait_until(lambda: "inet " not in lan.host.run("ip", "addr", "show", "dev", "eth0").stdout, BACK, "addresses moved")


@pytest.mark.parametrize("agent", ["lives", "is killed", "is gone, and so is the store"])
def test_who_does_not_answer_afterwards_ends_the_trial(lan: Lan, agent: str) -> None:
    host = lan.host
    before = lan.shown()
    with stopped(host, host.run("cat", "/run/openvswitch/ovs-vswitchd.pid").stdout.strip()):
        # It has asked, and goes on when the switch does.
        adding = host.spawn(*ovsnet("uplink", "add", "eth0", "--probe", OTHER, "--commit-within", "10"), label="add")
        host.run("ovs-vsctl", "--timeout=20", "wait-until", "bridge", "br-eth0")
        lan.from_router("ip", "addr", "del", f"{OTHER}/24", "dev", "mgmt")
    try:
        if agent != "lives":
            moved(lan)
            (host.agent.kill if agent == "is killed" else host.agent.kill_all)()
        ended = adding.wait(60)
        assert not ended.ok
        if agent == "lives":
            assert "was not moved to br-eth0, and is as it was" in ended.stderr
        if agent.startswith("is gone"):
            wait_until(lambda: lan.shown() == before, 30, "the guard has put it back, alone")
        with_agent(host)
        wait_until(lambda: lan.shown() == before and not uplinks(host), 30, "everything as it was")
        assert "br-eth0" not in host.bridges()
        settled(lan)
    finally:
        lan.from_router("ip", "addr", "add", f"{OTHER}/24", "dev", "mgmt")


@pytest.mark.long
def test_under_systemd_the_guard_outlives_the_agents_unit(rig: Rig) -> None:
    host = rig.host(Shape(systemd=True))
    install(host)
    wait_until(lambda: host.ovsnet("status", check=False).ok, 30, "the installed agent is ready")
    lan = Lan(host, f"{rig.name}-net")
    cables(lan)
    lan.from_router("ip", "addr", "add", f"{THIRD}/24", "dev", "mgmt")
    wait_until(lambda: "tentative" not in lan.shown(), 5, "the addresses of the NIC are usable")
    before = lan.shown()
    host.spawn(*ovsnet("uplink", "add", "eth0", "--probe", THIRD), label="add")
    host.run("ovs-vsctl", "--timeout=20", "wait-until", "bridge", "br-eth0")
    lan.from_router("ip", "addr", "del", f"{THIRD}/24", "dev", "mgmt")
    moved(lan)

    host.run("systemctl", "stop", "ovsnet.service")

    wait_until(lambda: lan.shown() == before, 20, "the guard has put it back, alone")
    assert "br-eth0" not in host.bridges()
    host.run("systemctl", "start", "ovsnet.service")
    wait_until(lambda: host.ovsnet("status", check=False).ok and not uplinks(host), 30, "nothing is left of it")
    rig.discard(host)


def test_nothing_is_done_for_a_neighbour_that_does_not_answer(lan: Lan) -> None:
    before = lan.shown()
    refused = lan.host.ovsnet("uplink", "add", "eth0", "--probe", "172.31.0.199", check=False)
    assert "172.31.0.199 does not answer on eth0 now" in refused.stderr
    for nic, words in (("lo", "loopback"), ("nix", "no interface 'nix'"), ("docker0", "is a bridge")):
        assert words in lan.host.ovsnet("uplink", "add", nic, check=False).stderr
    for which in (["eth0"], []):
        with lan.host.spawn("dhcpcd", "--nobackground", "--noconfigure", *which):
            assert "dhcpcd gives eth0 its addresses" in lan.host.ovsnet("uplink", "add", "eth0", check=False).stderr
    assert lan.shown() == before
    assert uplinks(lan.host) == []


@pytest.mark.row(16)
def test_a_bridge_of_the_administrator_is_noted_and_never_changed(lan: Lan) -> None:
    host = lan.host
    host.shell(
        "ovs-vsctl add-br br-lan -- set bridge br-lan datapath_type=netdev external_ids:whose=theirs "
        "-- add-port br-lan eth1 tag=7 && ovs-ofctl add-flow br-lan cookie=0x77,priority=7,actions=normal"
    )
    before = look(host)
    assert "nothing was changed" in host.ovsnet("uplink", "add", "eth1").stdout
    assert [(it["nic"], it["held"]) for it in uplinks(host)] == [("eth1", "noted")]
    assert look(host) == before
    host.ovsnet("uplink", "rm", "eth1")
    assert look(host) == before
    host.ovs_vsctl("del-br", "br-lan")


def look(host: NamespaceHost) -> str:
    return host.shell(
        "ovs-vsctl --columns=_uuid,name,ports,fail_mode,external_ids,other_config list bridge br-lan;"
        "ovs-vsctl --columns=_uuid,name,tag,external_ids list port eth1; ovs-ofctl --no-stats dump-flows br-lan"
    ).stdout


def ovsnet(*words: str) -> tuple[str, ...]:
    return (str(PROJECT / ".venv/bin/ovsnet"), *words)
