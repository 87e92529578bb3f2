"""The kernel datapath: both kinds of port, and what they live through. Rows 1, 3, 9 and 103.

    web    port=veth         w1, w2
    fast   port=internal     f1, f2

A command in a kernel machine takes long: each question is one script, and the four containers serve all tests.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from tests.rig.container import Container
from tests.rig.fixtures import tidy_up, with_agent
from tests.rig.kernel_host import KernelHost
from tests.rig.process import wait_until
from tests.rig.traffic import FLOOD, Flood
from tests.rows import Figures
from tests.system import networks
from tests.system.networks import BRIDGE
from tests.system.parties import Party, frames_as, heard
from tests.system.traces import clean

pytestmark = pytest.mark.kernel

NETWORKS = {"web": ("veth", 20), "fast": ("internal", 30)}
MEMBERS = {"w1": "web", "w2": "web", "f1": "fast", "f2": "fast"}
DEADLINE = 60
"""Seconds for what takes one or two: the machine has one processor and shares it with others."""
REACH = f"""
reach() {{ # container, its pid, address: says so when no answer came in time
    until nsenter -t $2 -n ping -n -c 1 -W 1 $3 >/dev/null 2>&1; do
        [ $SECONDS -lt {DEADLINE} ] || {{ echo "$1 does not reach $3"; return; }}
    done
}}
"""
LOOK = f"""
set -e
docker inspect {" ".join(MEMBERS)}
for pid in $(docker inspect -f '{{{{.State.Pid}}}}' {" ".join(MEMBERS)}); do
    printf '\\f'; nsenter -t $pid -n ip -j addr show
done
"""
SLOW = 300.0


@dataclass(frozen=True, slots=True)
class Seen:
    """A container on its network, as the engine tells, and its interface, as it has it itself ("" without one)."""

    name: str
    network: str
    pid: int
    endpoint: str
    mac: str
    ipv4: str
    ipv6: str
    interface: str
    inside: frozenset[str]

    def party(self, host: KernelHost) -> Party:
        return Party(Container(host, self.name), self.mac, self.ipv4, self.ipv6, self.interface)


def look(host: KernelHost) -> dict[str, Seen]:
    """The four containers as they are now."""
    told, *inside = map(json.loads, host.shell(LOOK, timeout=SLOW).stdout.split("\f"))
    return {it.name: it for it in map(_seen, told, inside)}


def _seen(told: Any, links: list[Any]) -> Seen:
    ((network, endpoint),) = told["NetworkSettings"]["Networks"].items()
    nothing: dict[str, Any] = {"ifname": "", "addr_info": []}
    link = next((it for it in links if it["address"] == endpoint["MacAddress"]), nothing)
    return Seen(
        name=told["Name"].removeprefix("/"),
        network=network,
        pid=told["State"]["Pid"],
        endpoint=endpoint["EndpointID"],
        mac=endpoint["MacAddress"],
        ipv4=endpoint["IPAddress"],
        ipv6=endpoint["GlobalIPv6Address"],
        interface=link["ifname"],
        inside=frozenset(f"{it['local']}/{it['prefixlen']}" for it in link["addr_info"]),
    )


def unreached(host: KernelHost, seen: Mapping[str, Seen]) -> str:
    """Who does not reach its peer or its gateway, by IPv4 or IPv6; "" when all do."""
    calls = (f"reach {it.name} {it.pid} {address} &" for it, address in _paths(seen))
    return host.shell("\n".join((REACH, *calls, "wait")), timeout=SLOW).stdout


def _paths(seen: Mapping[str, Seen]) -> Iterator[tuple[Seen, str]]:
    for it in seen.values():
        number = NETWORKS[it.network][1]
        yield from ((it, f"10.{number}.0.1"), (it, f"fd00:{number}::1"))
        for peer in seen.values():
            if peer.network == it.network and peer is not it:
                yield from ((it, peer.ipv4), (it, peer.ipv6))


def faults(host: KernelHost) -> dict[str, str]:
    """Interfaces of the switch that it reports an error for: "No such device", above all."""
    rows = json.loads(host.ovs_vsctl("--format=json", "--columns=name,error", "list", "interface").stdout)["data"]
    return {name: error for name, error in rows if error != ["set", []]}


def ports(host: KernelHost) -> dict[str, str]:
    """Endpoint → port, for each port on our bridge; fails when an endpoint has two."""
    columns = ("--format=json", "--columns=name,external_ids", "list", "port")
    rows = json.loads(host.ovs_vsctl(*columns).stdout)["data"]
    marked = [(dict(ids[1])["ovsnet-endpoint"], name) for name, ids in rows if dict(ids[1]).get("ovsnet-endpoint")]
    assert len(dict(marked)) == len(marked), marked
    return dict(marked)


@pytest.fixture(scope="module")
def host(session_kernel_host: KernelHost) -> Iterator[KernelHost]:
    """The kernel machine with two networks and four containers."""
    with_agent(session_kernel_host)
    for name, (kind, number) in NETWORKS.items():
        subnets = (f"10.{number}.0.0/24", "--ipv6", "--subnet", f"fd00:{number}::/64")
        networks.create(session_kernel_host, name, *subnets, "-o", f"port={kind}", "-o", "egress=none")
    session_kernel_host.shell("\n".join((*map(_run, MEMBERS), "wait")), timeout=SLOW)
    yield session_kernel_host
    tidy_up(session_kernel_host)


@pytest.fixture(scope="module", autouse=True)
def quiet_switch(host: KernelHost) -> Iterator[None]:
    """What we ask of the switch it can do: it has complained of no device of ours when all is over."""
    yield
    complaints = host.shell("grep '|ERR|' /var/log/openvswitch/ovs-vswitchd.log || true").stdout
    assert "|interface o" not in complaints, complaints


def _run(name: str) -> str:
    return f"docker run -d --init --name {name} --network {MEMBERS[name]} busybox:local sleep 1000000 &"


@pytest.mark.row(1)
def test_status_and_switch_say_kernel_datapath(host: KernelHost) -> None:
    switch = host.ovsnet("status", "--json").json()["switch"]

    assert switch["available"]
    assert switch["datapath"] == "kernel"
    assert "kernel datapath" in host.ovsnet("status").stdout
    assert host.ovs_vsctl("get", "bridge", BRIDGE, "datapath_type").stdout.strip() == "system"
    shown = host.run("ovs-dpctl", "show").stdout
    assert shown.startswith("system@ovs-system")
    assert all(name in shown for name in ports(host).values())


@pytest.mark.row(1, 103)
def test_each_kind_of_port_is_what_it_says_and_reaches_peer_and_gateway_by_both_families(host: KernelHost) -> None:
    seen, port_of = look(host), ports(host)
    assert unreached(host, seen) == ""

    kinds = {name: host.ovs_vsctl("get", "interface", name, "type").stdout.strip() for name in port_of.values()}
    assert [kinds[port_of[seen[name].endpoint]] for name in MEMBERS] == ['""', '""', "internal", "internal"]
    assert [seen[name].interface for name in ("w1", "w2")] == ["eth0", "eth0"]
    # Not eth0: the rename would make the switch lose the port.
    assert [seen[name].interface for name in ("f1", "f2")] == [port_of[seen[name].endpoint] for name in ("f1", "f2")]
    for it in seen.values():
        assert it.inside >= {f"{it.ipv4}/24", f"{it.ipv6}/64"}
    clean(host)


@pytest.mark.row(1, 103)
def test_neighbours_are_told_by_the_switch(host: KernelHost) -> None:
    seen = look(host)
    flushed = "; ".join(f"nsenter -t {it.pid} -n ip neigh flush all" for it in seen.values())
    host.shell(flushed, timeout=SLOW)
    assert unreached(host, seen) == ""

    for asker, asked in (("w1", "w2"), ("f1", "f2")):
        shown = host.shell(f"nsenter -t {seen[asker].pid} -n ip -j neigh show", timeout=SLOW).json()
        known = {it["dst"]: it.get("lladdr") for it in shown}
        assert known[seen[asked].ipv4] == known[seen[asked].ipv6] == seen[asked].mac
        number = NETWORKS[seen[asked].network][1]
        assert known[f"10.{number}.0.1"] == known[f"fd00:{number}::1"]


@pytest.mark.row(3)
def test_networks_are_isolated_also_from_one_who_forges(host: KernelHost) -> None:
    seen = look(host)
    cheat, victim, friend = (seen[name] for name in ("w1", "f1", "f2"))
    enter = f"nsenter -t {cheat.pid} -n"
    tried = host.shell(
        f"""
        set -e
        {enter} ip addr add 10.30.0.99/24 dev eth0
        {enter} ip -6 addr add fd00:30::99/64 dev eth0 nodad
        {enter} ip neigh replace {victim.ipv4} lladdr {victim.mac} dev eth0
        {enter} ip neigh replace {victim.ipv6} lladdr {victim.mac} dev eth0
        {enter} ping -n -c 3 -i 0.2 -W 1 {victim.ipv4} || true
        {enter} ping -n -c 3 -i 0.2 -W 1 {victim.ipv6} || true
        {enter} ip addr del 10.30.0.99/24 dev eth0
        {enter} ip -6 addr del fd00:30::99/64 dev eth0
        """,
        timeout=SLOW,
    )
    assert tried.stdout.count(" 0 received") == 2, tried.stdout

    liar, listener, honest = (it.party(host) for it in (cheat, victim, friend))
    for mac, v4, v6 in ((cheat.mac, cheat.ipv4, cheat.ipv6), (friend.mac, friend.ipv4, friend.ipv6)):
        assert heard(liar, listener, honest, frames_as(mac, v4, v6, listener)) == set()


def another_bridge_and_other_containers_come_and_go(host: KernelHost) -> None:
    host.shell(
        """
        set -e
        ovs-vsctl add-br br-other -- add-port br-other other0 -- set interface other0 type=internal
        docker run --rm --network web busybox:local true & docker run --rm --network fast busybox:local true & wait
        ovs-vsctl del-br br-other
        """,
        timeout=SLOW,
    )


def the_switch_is_killed(host: KernelHost) -> None:
    host.services("vswitchd", "kill")
    host.services("vswitchd", "start")


def switch_and_database_are_restarted(host: KernelHost) -> None:
    host.services("ovs", "restart")


def the_agent_is_killed(host: KernelHost) -> None:
    host.agent.kill()
    host.agent.wait_ready()


def agent_switch_and_database_are_killed_together(host: KernelHost) -> None:
    host.run("kill", "-KILL", str(host.agent.pid))
    host.services("ovs", "kill")
    host.services("ovs", "start")
    host.agent.wait_ready()


def ports_are_deleted_by_hand(host: KernelHost) -> None:
    seen, port_of = look(host), ports(host)
    for name in ("w2", "f2"):
        host.ovs_vsctl("del-port", port_of[seen[name].endpoint])


DISTURBANCES: tuple[Callable[[KernelHost], None], ...] = (
    another_bridge_and_other_containers_come_and_go,
    the_switch_is_killed,
    switch_and_database_are_restarted,
    the_agent_is_killed,
    agent_switch_and_database_are_killed_together,
    ports_are_deleted_by_hand,
)


@pytest.mark.row(9, 103)
@pytest.mark.parametrize("disturbance", DISTURBANCES, ids=lambda it: it.__name__)
def test_veth_and_internal_ports_live_through_it(host: KernelHost, disturbance: Callable[[KernelHost], None]) -> None:
    before, port_of = look(host), ports(host)

    disturbance(host)

    assert unreached(host, before) == ""
    assert look(host) == before
    assert ports(host) == port_of
    assert faults(host) == {}
    clean(host)


@pytest.mark.row(9)
def test_no_packet_is_lost_while_the_agent_is_killed_and_comes_back(host: KernelHost, figures: Figures) -> None:
    seen = look(host)
    w1, f1 = Container(host, "w1"), Container(host, "f1")
    with (
        Flood(w1, Container(host, "w2"), seen["w2"].ipv4, rate=100) as over_veth,
        Flood(f1, Container(host, "f2"), seen["f2"].ipv6, rate=100) as over_internal,
    ):
        host.agent.kill()
        host.agent.wait_ready()

    figures["packets lost, veth"] = over_veth.result.lost
    figures["packets lost, port=internal"] = over_internal.result.lost
    assert over_veth.result.lost == over_internal.result.lost == 0


@pytest.mark.row(9, 103)
def test_restarted_containers_are_back_with_one_port_each(host: KernelHost) -> None:
    before = look(host)

    host.shell("docker restart -t 1 w2 & docker restart -t 1 f2 & wait", timeout=SLOW)

    after = look(host)
    assert unreached(host, after) == ""
    assert ports(host).keys() == {it.endpoint for it in after.values()}
    assert [after[name] for name in ("w1", "f1")] == [before[name] for name in ("w1", "f1")]
    for name in ("w2", "f2"):
        assert after[name].endpoint != before[name].endpoint
        assert after[name].mac != before[name].mac
    assert faults(host) == {}
    clean(host)


@pytest.mark.row(3)
def test_what_was_sent_to_a_removed_container_does_not_reach_the_next_one_on_another_network(
    host: KernelHost,
) -> None:
    """The kernel forwards by a cache, and a new port may get the number of the one that went."""
    sender = look(host)["w1"]
    gone = host.start_container("w3", network="web")
    mac, address = gone.mac("web"), gone.address("web")
    networks.create(host, "next", "10.40.0.0/24", "-o", "egress=none")
    enter = f"nsenter -t {sender.pid} -n"
    host.shell(f"{enter} ip neigh replace {address} lladdr {mac} dev eth0 nud permanent")
    with Container(host, "w1").spawn_inside(*FLOOD, "send", address, "7777", "200", label="to-the-gone") as flood:
        flood.wait_for_output("sending")
        wait_until(lambda: mac in forwarded(host), DEADLINE, "a forwarding entry in the kernel")

        host.shell("docker rm -f w3; docker run -d --init --name n1 --network next busybox:local sleep 1000000")
        stranger = Container(host, "n1")

        wait_until(lambda: mac not in forwarded(host), DEADLINE, "no forwarding entry for the one that went")
        counters = stranger.inside("ip", "-s", "-j", "link", "show", "eth0").json()[0]["stats64"]["rx"]
    host.shell(f"{enter} ip neigh del {address} dev eth0; docker rm -f n1; docker network rm next")
    assert counters["packets"] == 0
    clean(host)


def forwarded(host: KernelHost) -> str:
    """The entries of the kernel's cache that send a packet anywhere."""
    entries = host.run("ovs-dpctl", "dump-flows").stdout.splitlines()
    return "\n".join(it for it in entries if not it.endswith("actions:drop"))
