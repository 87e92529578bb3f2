"""Row 65: networks of all hosts without a tunnel, as VLANs of the hosts' trunks."""

from collections.abc import Iterator

import pytest
from tests.rig.cluster import QUICK, Cluster, await_network, networks_of
from tests.rig.container import Container
from tests.rig.fixtures import with_agent
from tests.rig.namespace_host import NamespaceHost
from tests.rig.process import wait_until
from tests.rig.rig import Rig, Shape
from tests.rig.traffic import Flood
from tests.rows import Figures
from tests.system import networks
from tests.system.networks import BRIDGE, ask, tag_of
from tests.system.parties import copies, heard, party, to_all
from tests.system.reach import answered_again, answers
from tests.system.test_row_79_names import SERVICE, learns
from tests.system.traces import clean, left_as, traces
from tests.system.transfer import exchange, refuses_more_than
from tests.system.underlay import Underlay

pytestmark = pytest.mark.row(65)

TRUNK = ("--set", "trunk=eth2")
LAN = ("--ipv6", "--subnet", "fd00:65::/64", "-o", "mode=underlay", "-o", "vlan=65")
OTHER = ("--ipv6", "--subnet", "fd00:66::/64", "-o", "mode=underlay", "-o", "vlan=66")
EXPECTED_WITHIN = 15.0


@pytest.fixture(scope="module")
def trunked(rig: Rig) -> Iterator[Cluster]:
    cluster = Cluster.of(rig, 3, *TRUNK, shape=Shape(trunk=True, dockerd_args=f"--dns {SERVICE}"))
    yield cluster
    cluster.down()


@pytest.fixture
def lan(trunked: Cluster) -> Iterator[Cluster]:
    for host in trunked.hosts:
        with_agent(host, *QUICK, *TRUNK)
    trunked.settle()
    trunked.network("lan", "10.65.0.0/24", *LAN)
    yield trunked
    for host in trunked.hosts:
        with_agent(host, *QUICK, *TRUNK)
    trunked.tidy_up()


def everywhere(cluster: Cluster, network: str, name: str = "c") -> list[Container]:
    return [it.start_container(f"{name}{it.name}", network=network) for it in cluster.hosts]


def ports(host: NamespaceHost) -> list[str]:
    return host.ovs_vsctl("list-ports", BRIDGE).stdout.split()


# ---------------------------------------------------------------- what it carries


def test_containers_of_all_hosts_reach_each_other_with_a_tag_and_without_a_tunnel(lan: Cluster, rig: Rig) -> None:
    c1, c2, c3 = everywhere(lan, "lan")
    with Underlay(rig) as underlay:
        for one, other in ((c1, c2), (c2, c3), (c3, c1)):
            answers(one, other.address("lan"), other.address6("lan"))
        small = exchange(c1, c3, c3.address("lan"), 1)

    crossed = underlay.tagged()
    assert {it.vlan for it in crossed} == {65}
    assert {it.host for it in crossed} == {it.name for it in lan.hosts}
    assert list(underlay.tunnelled()) == []
    assert small.checksum_errors == 0
    assert tag_of(c1, "lan") == "65"
    for host in lan.hosts:
        assert not [it for it in ports(host) if it.startswith("ovx")], "no tunnel, and nothing that watches one"
        clean(host)


def test_names_of_all_hosts_resolve(lan: Cluster) -> None:
    c1, c2, c3 = everywhere(lan, "lan")
    for asking, other in ((c1, c2), (c3, c1)):
        learns(asking, other.name, other.address("lan"))
        assert asking.exec("ping", "-c", "1", "-W", "5", other.name).ok


def test_the_mtu_is_that_of_the_trunk_and_data_arrives_as_it_was_sent(lan: Cluster, figures: Figures) -> None:
    c1, c2, _ = everywhere(lan, "lan")
    refuses_more_than(1500, c1, c2.address("lan"), c2.address6("lan"))
    refused = networks.create(lan.hosts[0], "big", "10.67.0.0/24", *OTHER, "-o", "mtu=1501", check=False)
    assert "mtu=1501 does not fit: the trunk of host h" in refused.stderr
    large = exchange(c1, c2, c2.address("lan"), 50)
    assert large.checksum_errors == 0
    figures["TCP over a VLAN of the trunks, both ways together, Mbit/s"] = round(large.megabits)
    lan.network("web", "10.20.0.0/24")
    w1, w2, _ = everywhere(lan, "web", "w")
    figures["TCP through tunnels beside it"] = round(exchange(w1, w2, w2.address("web"), 50).megabits)


def test_two_networks_on_one_trunk_and_one_in_tunnels_do_not_meet(lan: Cluster, rig: Rig) -> None:
    lan.network("lab", "10.66.0.0/24", *OTHER)
    lan.network("web", "10.20.0.0/24", "--ipv6", "--subnet", "fd00:20::/64")
    parties = {name: [party(it, name) for it in everywhere(lan, name, name)] for name in ("lan", "lab", "web")}
    vlans = {"lan": {65}, "lab": {66}, "web": set()}

    for name, (first, *others) in parties.items():
        frames = to_all(first)
        with Underlay(rig) as underlay:
            assert copies(first, others, frames) == {it.container.name: dict.fromkeys(frames, 1) for it in others}
        mac = bytes.fromhex(first.mac.replace(":", ""))
        assert {it.vlan for it in underlay.tagged() if it.untagged[6:12] == mac} == vlans[name]
        assert any(it.frame[6:12] == mac for it in underlay.tunnelled()) is (name == "web")
        for friend, victim, _ in (them for other, them in parties.items() if other != name):
            assert heard(first, victim, friend, frames) == set()


def test_a_container_that_moves_takes_its_address_along(lan: Cluster, figures: Figures) -> None:
    h1, h2, h3 = lan.hosts
    moving = h2.start_container("moving", "--ip", "10.65.0.77", network="lan")  # before others may get the address
    asks = h1.start_container("asks", network="lan")
    answers(asks, "10.65.0.77")
    moving.remove()
    h3.start_container("moved", "--ip", "10.65.0.77", network="lan")
    figures["seconds until a moved container answers"] = answered_again(asks, ("10.65.0.77",), "its move", 5)


# ---------------------------------------------------------------- what fails


def test_a_killed_agent_costs_no_packet(lan: Cluster) -> None:
    c1, c2, _ = everywhere(lan, "lan")
    with Flood(c1, c2, c2.address("lan")) as one, Flood(c2, c1, c1.address6("lan")) as other:
        for host in lan.hosts[:2]:
            host.agent.kill()
            host.agent.wait_ready()
    assert (one.result.lost, other.result.lost) == (0, 0)


def test_what_cannot_be_is_refused_in_words_and_nothing_is_left(lan: Cluster) -> None:
    host = lan.hosts[0]
    for options, words in (
        (("-o", "mode=underlay"), "mode=underlay needs the VLAN"),
        (LAN[3:], "vlan=65 is that of network lan, made on host h"),
        (("-o", "vlan=7"), "vlan=7 does not go with mode=overlay"),
    ):
        refused = networks.create(host, "no", "10.99.77.0/24", *options, check=False)
        assert words in refused.stderr
    assert [networks_of(it) for it in lan.hosts] == [["lan"]] * 3


def test_a_host_without_a_trunk_says_what_to_set_and_gets_its_part_with_one(trunked: Cluster) -> None:
    h1, h2, h3 = trunked.hosts
    h3.agent.stop()
    h3.agent.start(*QUICK)
    trunked.settle()
    refused = networks.create(h3, "lan", "10.65.0.0/24", *LAN, check=False)
    assert "mode=underlay, which needs a trunk on every host, and this host has none: name a NIC" in refused.stderr
    networks.create(h1, "lan", "10.65.0.0/24", *LAN)
    await_network(h2, "lan")

    def told(host: NamespaceHost, words: str) -> bool:
        said = ask(host, "status")
        return any(words in it for it in (*said["problems"], *said["warnings"]))

    wait_until(
        lambda: told(h3, "network lan of the cluster has mode=underlay"), EXPECTED_WITHIN, "it says what it lacks"
    )
    wait_until(
        lambda: told(h1, f"Host {h3.name} has no trunk"), EXPECTED_WITHIN, "h1 says so of h3"
    ) if h3.name == "h3" else None
    assert networks_of(h3) == []
    h3.agent.stop()
    h3.run("ip", "link", "set", "eth2", "down")
    h3.agent.start(*QUICK, *TRUNK, ready=False)
    await_network(h3, "lan", 30)
    h3.agent.wait_ready()
    c1, c3 = (it.start_container(f"c{it.name}", network="lan") for it in (h1, h3))
    answers(c1, c3.address("lan"))
    trunked.tidy_up()


def addresses(host: NamespaceHost) -> str:
    """All of a host, and its interfaces; whether the kernel still looks for another owner of one changes by itself."""
    return host.run("ip", "-d", "-o", "address", "show").stdout.replace(" tentative", "")


def test_a_nic_in_use_is_refused_and_stays_as_it_is(trunked: Cluster) -> None:
    host = trunked.hosts[2]
    for nic, words in (
        ("eth1", "interface 'eth1' has the address 10.99.0."),
        ("eth9", "this host has no interface 'eth9'"),
    ):
        before = addresses(host)
        host.agent.stop()
        host.agent.start(*QUICK, "--set", f"trunk={nic}")
        trunked.settle()
        refused = networks.create(host, "lan", "10.65.0.0/24", *LAN, check=False)
        assert words in refused.stderr
        assert addresses(host) == before
    host.agent.stop()
    host.agent.start(*QUICK, *TRUNK)


# ---------------------------------------------------------------- what is left


def test_the_trunk_is_given_back_with_the_last_network(trunked: Cluster) -> None:
    for host in trunked.hosts:
        with_agent(host, *QUICK, *TRUNK)
    trunked.settle()
    before = {it.name: traces(it) for it in trunked.hosts}
    trunked.network("lan", "10.65.0.0/24", *LAN)
    c1, c2, _ = everywhere(trunked, "lan")
    answers(c1, c2.address("lan"))
    for host in trunked.hosts:
        assert "eth2" in ports(host)
        marks = host.ovs_vsctl("get", "port", "eth2", "external_ids").stdout
        assert "ovsnet-owner=ovsnet" in marks
        assert [it["port"] for it in ask(host, "endpoints")] != ["eth2"]
        assert "promiscuity 1" in host.run("ip", "-d", "link", "show", "eth2").stdout
    trunked.tidy_up()
    for host in trunked.hosts:
        left_as(host, before[host.name])
        shown = host.run("ip", "-d", "link", "show", "eth2").stdout
        assert "promiscuity 0" in shown
        assert "master" not in shown


def test_a_setting_that_is_gone_gives_the_nic_back(lan: Cluster) -> None:
    host = lan.hosts[2]
    c1, _, c3 = everywhere(lan, "lan")
    answers(c1, c3.address("lan"))
    host.agent.stop()
    host.agent.start(*QUICK, ready=False)
    wait_until(lambda: "eth2" not in ports(host), EXPECTED_WITHIN, "the trunk given back")

    def told() -> bool:
        return any(
            "Containers here on the networks lan reach no other host" in it for it in ask(host, "status")["problems"]
        )

    wait_until(told, EXPECTED_WITHIN, "status says what is missing")
    host.agent.stop()
    host.agent.start(*QUICK, *TRUNK)
    answered_again(c1, (c3.address("lan"),), "the setting is back", 15)


def test_uninstall_gives_the_nic_back(rig: Rig) -> None:
    cluster = Cluster.of(rig, 1, *TRUNK, shape=Shape(trunk=True))
    (host,) = cluster.hosts
    cluster.network("lan", "10.65.0.0/24", *LAN)
    host.start_container("c1", network="lan")
    assert "eth2" in ports(host)
    host.agent.stop()
    host.ovsnet("uninstall", "--yes", check=False)
    assert host.ovs_vsctl("--bare", "--columns=name", "find", "port", "name=eth2").stdout.split() == []
    assert host.ovs_vsctl("list-br").stdout.split() == []
    assert "promiscuity 0" in host.run("ip", "-d", "link", "show", "eth2").stdout
    cluster.down()


BRIDGE_OF_OTHERS = """
set -e
ovs-vsctl add-br br-phys -- set bridge br-phys datapath_type=netdev external_ids:whose=theirs
ovs-vsctl add-port br-phys eth2
ip addr add 192.0.2.HOST/24 dev br-phys; ip link set br-phys up
"""
SHOWN = """
ovs-vsctl --columns=_uuid,name,fail_mode,datapath_type,external_ids,other_config list bridge br-phys
ovs-vsctl list-ports br-phys
ip -o address show br-phys
"""


@pytest.mark.long
def test_by_a_bridge_of_its_owners_the_same_and_that_stays_as_it_was(rig: Rig) -> None:
    """Its owner goes on to use it: the host has an address there."""
    cluster = Cluster(rig, [rig.host(Shape(trunk=True)) for _ in range(2)])
    for host in cluster.hosts:
        host.shell(BRIDGE_OF_OTHERS.replace("HOST", host.name.removeprefix("h")))
        host.agent.start(*QUICK, "--set", "trunk=br-phys")
    cluster.form()
    before = [it.shell(SHOWN).stdout for it in cluster.hosts]
    cluster.network("lan", "10.65.0.0/24", *LAN)
    c1, c2 = everywhere(cluster, "lan")
    with Underlay(rig) as underlay:
        answers(c1, c2.address("lan"), c2.address6("lan"))
        assert exchange(c1, c2, c2.address("lan"), 2).checksum_errors == 0
        cluster.hosts[0].run("ping", "-c", "1", "-W", "5", f"192.0.2.{cluster.hosts[1].name.removeprefix('h')}")
    assert {it.vlan for it in underlay.tagged()} == {65}
    assert list(underlay.tunnelled()) == []
    for host in cluster.hosts:
        assert host.ovs_vsctl("list-ports", "br-phys").stdout.split() == ["eth2", "ovtrunkp"]
        clean(host)
    cluster.tidy_up()
    assert [it.shell(SHOWN).stdout for it in cluster.hosts] == before
    cluster.down()
