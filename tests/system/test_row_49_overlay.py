"""Rows 49, 58 and 67: one network on three hosts, over VXLAN with the network's own VNI.

h1: w1, w4        h2: w2        h3: w3
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest
from tests.functional.pipeline_frames import IPV4, IPV6, ethernet, ipv4, ipv6, udp
from tests.rig.cluster import Cluster
from tests.rig.process import wait_until
from tests.rig.rig import Rig
from tests.rig.traffic import Flood
from tests.rows import Figures
from tests.system import networks
from tests.system.parties import GROUP, GROUP6, Party, copies, party, to_all
from tests.system.reach import answers
from tests.system.traces import clean
from tests.system.transfer import exchange, refuses_more_than
from tests.system.underlay import Underlay

from ovsnet.model.ids import PATH_VNI

RATE = 200.0
"""Datagrams a second, of each of several: a switch that gets no processor for half a second still loses none."""
NOBODY = "0a:00:00:00:be:ef"
GROUP_TALK = ("python3", str(Path(__file__).with_name("grouptalk.py")))

Web = Mapping[str, Party]


@pytest.fixture(scope="module")
def web(session_cluster: Cluster) -> Iterator[Web]:
    session_cluster.settle()
    session_cluster.network("web", "10.20.0.0/16", "--ipv6", "--subnet", "fd00:20::/64")
    first = session_cluster.hosts[0]
    found = [host.start_container(f"w{number}", network="web") for number, host in enumerate(session_cluster.hosts, 1)]
    found.append(first.start_container("w4", network="web"))
    yield {it.name: party(it, "web") for it in found}
    for host in session_cluster.hosts:
        clean(host)
    session_cluster.tidy_up()


def others(web: Web, one: Party) -> Sequence[Party]:
    return [it for it in web.values() if it is not one]


def vni_of(cluster: Cluster, network: str) -> int:
    return int(next(it["vni"] for it in cluster.ask(cluster.hosts[0], "networks") if it["name"] == network))


# ---------------------------------------------------------------- 49


@pytest.mark.row(49, 76)
def test_containers_of_three_hosts_reach_each_other_by_both_families(web: Web) -> None:
    for one in web.values():
        answers(one.container, *(it.ipv4 for it in others(web, one)), *(it.ipv6 for it in others(web, one)))


@pytest.mark.row(49)
def test_nothing_is_lost_between_hosts(web: Web, figures: Figures) -> None:
    w1, w2, w3 = (web[it] for it in ("w1", "w2", "w3"))
    with (
        Flood(w1.container, w2.container, w2.ipv4, rate=RATE) as v4,
        Flood(w3.container, w2.container, w2.ipv6, rate=RATE) as v6,
        Flood(w2.container, w1.container, w1.ipv4, rate=RATE) as back,
    ):
        w1.container.inside("ping", "-n", "-q", "-i", "0.01", "-c", "300", w3.ipv4)

    results = [it.result for it in (v4, v6, back)]
    figures["packets lost"] = f"{sum(it.lost for it in results)} of {sum(it.sent for it in results)}"
    assert [(it.lost, it.duplicates, it.holes) for it in results] == [(0, 0, ())] * 3


@pytest.mark.row(49)
@pytest.mark.parametrize(("family", "megabytes"), [(4, 150), (6, 50)])
def test_tcp_carries_hundreds_of_megabytes_both_ways_as_they_are(
    web: Web, family: int, megabytes: int, figures: Figures
) -> None:
    w1, w2 = web["w1"], web["w2"]

    went = exchange(w1.container, w2.container, w2.ipv4 if family == 4 else w2.ipv6, megabytes)

    figures["TCP, both ways together, Mbit/s"] = round(went.megabits)
    assert (went.there, went.back) == (megabytes << 20, megabytes << 20)
    assert went.checksum_errors == 0


@pytest.mark.row(49)
def test_on_the_wire_all_is_vxlan_with_the_networks_number_and_right_checksums(
    web: Web, session_cluster: Cluster, rig: Rig
) -> None:
    vni, vteps = vni_of(session_cluster, "web"), {session_cluster.address(it) for it in session_cluster.hosts}
    w1, w2 = web["w1"], web["w2"]
    with Underlay(rig) as underlay:
        answers(w1.container, w2.ipv4, w2.ipv6)
        exchange(w1.container, w2.container, w2.ipv4, 1)
        exchange(w1.container, w2.container, w2.ipv6, 1)
        with Flood(w1.container, w2.container, w2.ipv4, rate=RATE) as flood:
            answers(w1.container, w2.ipv4)

    crossed = underlay.tunnelled()
    assert flood.result.lost == 0
    assert len(crossed) > (4 << 20) / 1450
    assert {it.vni for it in crossed} == {vni}
    assert {it.source for it in crossed} | {it.target for it in crossed} <= vteps
    assert {it.packet.segment for it in crossed} == {"tunnels"}
    assert [it for it in crossed if not it.checksum_is_right] == []
    # What is not in a tunnel says nothing of the containers: not even who they are.
    theirs = [bytes.fromhex(it.mac.replace(":", "")) for it in web.values()]
    bare = [it.frame for it in underlay.packets() if it.datagram is None or it.datagram.port != 4789]
    assert [it for it in bare if any(mac in it[:14] for mac in theirs)] == []


@pytest.mark.row(49)
def test_the_switch_shows_the_tunnel_of_the_network(web: Web, session_cluster: Cluster) -> None:
    vni = vni_of(session_cluster, "web")
    for host in session_cluster.hosts:
        ports = host.ovs_vsctl("list-ports", networks.BRIDGE).stdout.split()
        devices = host.run("ip", "-d", "-j", "link", "show", "type", "vxlan").json()
        numbers = {it["linkinfo"]["info_data"]["id"] for it in devices if it["ifname"] in ports}
        assert numbers - {PATH_VNI} == {vni}


@pytest.mark.row(61)
def test_the_mtu_is_what_fits_and_not_a_byte_less(web: Web, session_cluster: Cluster) -> None:
    w1, w2 = web["w1"], web["w2"]
    refuses_more_than(1450, w1.container, w2.ipv4, w2.ipv6)
    refused = networks.create(session_cluster.hosts[0], "big", "10.99.77.0/24", "-o", "mtu=1451", check=False)
    assert "use at most 1450, or leave mtu out" in refused.stderr


@pytest.mark.row(50)
def test_a_number_that_is_taken_or_none_is_refused_on_every_host(web: Web, session_cluster: Cluster) -> None:
    vni = vni_of(session_cluster, "web")
    for host in session_cluster.hosts:
        for number, words in ((vni, f"vni={vni} is the number of network web"), (1 << 24, "16777216")):
            refused = networks.create(host, "other", "10.99.77.0/24", "-o", f"vni={number}", check=False)
            assert not refused.ok
            assert words in refused.stderr


# ---------------------------------------------------------------- 58


@pytest.mark.row(58)
def test_what_is_sent_to_all_arrives_exactly_once_everywhere_and_crosses_once_to_each_host(
    web: Web, rig: Rig, figures: Figures
) -> None:
    for sender in (web["w1"], web["w3"]):  # one with a neighbour on its host, one without
        frames = to_all(sender)
        with Underlay(rig) as underlay:
            arrived = copies(sender, others(web, sender), frames)

        assert arrived == {it.container.name: dict.fromkeys(frames, 1) for it in others(web, sender)}
        for name in frames:
            crossed = [it for it in underlay.tunnelled() if f"forged-{name} ".encode() in it.frame]
            assert len(crossed) == len({it.target for it in crossed}) == 2
            assert {it.packet.host for it in crossed} == {sender.container.host.name}
    figures["copies of a broadcast on the wire, of a network on three hosts"] = 2


@pytest.mark.row(58)
def test_unknown_unicast_goes_nowhere(web: Web, rig: Rig) -> None:
    w1 = web["w1"]
    frames = {
        "unknown": ethernet(NOBODY, w1.mac, IPV4, ipv4(w1.ipv4, "10.20.99.99", udp(b""))),
        "unknown-six": ethernet(NOBODY, w1.mac, IPV6, ipv6(w1.ipv6, "fd00:20::99", udp(b""))),
    }
    with Underlay(rig) as underlay:
        arrived = copies(w1, others(web, w1), frames)

    assert arrived == {it.container.name: {} for it in others(web, w1)}
    assert [it for it in underlay.packets() if b"forged-unknown" in it.frame] == []


# ---------------------------------------------------------------- 67


@pytest.mark.row(67)
@pytest.mark.parametrize("group", [GROUP, GROUP6], ids=["ipv4", "ipv6"])
def test_a_group_joined_on_two_hosts_is_received_on_both(web: Web, group: str) -> None:
    w1, members = web["w1"], [web["w2"], web["w3"]]
    receivers = [it.container.spawn_inside(*GROUP_TALK, "join", group, label="group") for it in members]
    for it in receivers:
        it.wait_for_output("joined")

    heard = f"hello from {w1.ipv4 if group == GROUP else w1.ipv6}"

    def all_have_heard() -> bool:
        """Said again until every host knows of both: the first one that is known gets it first."""
        w1.container.inside(*GROUP_TALK, "say", group, "hello")
        return all(heard in it.stdout for it in receivers)

    wait_until(all_have_heard, 10, f"{heard} on both hosts")
    for it in receivers:
        it.stop()
