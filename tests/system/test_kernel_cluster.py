"""The cluster on the kernel datapath, beside a host on the userspace one (see `mixed`). Rows 1, 46, 49, 54, 58 to 61,
66 and 79.
"""

import re
from collections.abc import Iterator

import pytest
from tests.rig.process import wait_until
from tests.rig.rig import Rig
from tests.rig.traffic import Flood
from tests.rows import Figures
from tests.system.mixed import DEAD_AFTER, PATIENCE, SLOW, WEB_VNI, Mixed, Settled, address_of, lost, mixed_cluster
from tests.system.networks import BRIDGE, ask
from tests.system.parties import copies, to_all
from tests.system.reach import answered_again
from tests.system.traces import clean
from tests.system.transfer import exchange, refuses_more_than
from tests.system.underlay import VXLAN, Underlay
from tests.system.ways import path_to, told_of_a_cut

pytestmark = [pytest.mark.kernel, pytest.mark.long]

MEGABYTES = 20
CHOOSABLE = tuple(f"10.20.0.{it}" for it in range(77, 81))
NONE_LOST = "0% packet loss"


@pytest.fixture(scope="module")
def mixed(rig: Rig, versions: dict[str, str]) -> Iterator[Mixed]:
    with mixed_cluster(rig) as it:
        versions["Open vSwitch"] = it.one.versions.ovs
        yield it


def all_clean(mixed: Mixed) -> None:
    for host in mixed.hosts:
        clean(host)


@pytest.mark.row(1, 49, 76)
def test_machines_and_a_host_with_another_kind_of_tunnel_reach_each_other_by_both_families(mixed: Mixed) -> None:
    for party in mixed.web:
        others = [it for it in mixed.web if it is not party]
        addresses = [address for it in others for address in (it.ipv4, it.ipv6)]
        assert lost(party, *addresses) == dict.fromkeys(addresses, NONE_LOST)

    shown = mixed.one.ovs_vsctl("--columns=name,type,options", "list", "interface").stdout
    assert re.search(r"name +: ovxlan0\ntype +: vxlan\noptions +: \{.*key=flow.*remote_ip=flow", shown), shown
    assert "ovxlan0" not in mixed.third.ovs_vsctl("list-ports", BRIDGE).stdout
    # Also in the switch's own words for what is in tunnels: tun_src, tun_dst and tun_id.
    all_clean(mixed)


@pytest.mark.row(49, 59)
def test_what_crosses_is_whole_and_on_the_wire_is_nothing_but_vxlan_of_the_network(
    mixed: Mixed, rig: Rig, figures: Figures
) -> None:
    one, other, third = mixed.web
    with Underlay(rig) as underlay:
        among = exchange(one.container, other.container, other.ipv4, MEGABYTES)
        between = exchange(third.container, one.container, one.ipv6, MEGABYTES)
        with Flood(other.container, third.container, third.ipv4, rate=200) as flood:
            one.container.inside("ip", "neigh", "flush", "all")
            assert lost(one, other.ipv4, third.ipv6) == {other.ipv4: NONE_LOST, third.ipv6: NONE_LOST}

    figures["TCP between machines with the kernel datapath, both ways together, Mbit/s"] = round(among.megabits)
    figures["TCP between kernel and userspace datapath, both ways together, Mbit/s"] = round(between.megabits)
    figures["packets lost"] = f"{flood.result.lost} of {flood.result.sent}"
    assert (flood.result.lost, flood.result.duplicates) == (0, 0)
    assert among.checksum_errors == between.checksum_errors == 0
    crossed = underlay.tunnelled()
    assert {it.vni for it in crossed} == {WEB_VNI}
    assert {it.source for it in crossed} == {it.target for it in crossed} == set(map(address_of, mixed.hosts))
    assert {it.packet.segment for it in crossed} == {"tunnels"}
    # Neighbours are told by the switch of the one who asks.
    assert [it for it in crossed if it.kind == 0x0806] == []
    theirs = [bytes.fromhex(it.mac.replace(":", "")) for it in mixed.parties.values()]
    bare = [it.frame for it in underlay.packets() if it.datagram is None or it.datagram.port != VXLAN]
    assert [it for it in bare if any(mac in it[:14] for mac in theirs)] == []


@pytest.mark.row(58)
def test_what_is_sent_to_all_arrives_exactly_once_everywhere(mixed: Mixed) -> None:
    for sender in (mixed.web[0], mixed.web[2]):
        frames = to_all(sender)
        listeners = [it for it in mixed.web if it is not sender]
        assert copies(sender, listeners, frames) == {it.container.name: dict.fromkeys(frames, 1) for it in listeners}


@pytest.mark.row(61)
def test_the_mtu_is_what_fits_and_not_a_byte_less(mixed: Mixed) -> None:
    one, other, _ = mixed.web
    refuses_more_than(1450, one.container, other.ipv4)


@pytest.mark.row(79)
def test_names_of_containers_on_other_hosts(mixed: Mixed) -> None:
    one, other, third = mixed.web
    said = one.container.exec("sh", "-c", "nslookup web-other.; nslookup web-third.", check=False).stdout
    assert f"Address: {other.ipv4}" in said
    assert f"Address: {third.ipv4}" in said
    assert f"Address: {one.ipv4}" in third.container.exec("nslookup", "web-one.", check=False).stdout


@pytest.mark.row(46)
def test_without_icc_they_reach_the_gateway_and_nobody_on_another_host(mixed: Mixed) -> None:
    one, other = mixed.parties["lone-one"], mixed.parties["lone-other"]
    assert lost(one, "10.21.0.1", other.ipv4, other.ipv6, count=2) == {
        "10.21.0.1": NONE_LOST,
        other.ipv4: "100% packet loss",
        other.ipv6: "100% packet loss",
    }


@pytest.mark.row(60)
def test_a_path_that_is_cut_is_told_and_nothing_is_withdrawn_for_it(mixed: Mixed, rig: Rig, figures: Figures) -> None:
    """Both directions at once; signs of life go on, and they decide who lives."""
    # One kind of tunnel answers nothing to what watches the other kind.
    assert path_to(mixed.one, mixed.third) == "unknown"

    down, up = told_of_a_cut(rig, mixed.one, mixed.other)

    figures["seconds until a cut path is shown, and one that is back"] = [down, up]
    there = mixed.web[1]
    assert lost(mixed.web[0], there.ipv4, there.ipv6) == {there.ipv4: NONE_LOST, there.ipv6: NONE_LOST}
    clean(mixed.one)


@pytest.mark.row(54)
def test_a_restarted_switch_gets_its_tunnels_back_also_when_somebody_took_their_port_meanwhile(
    mixed: Mixed, figures: Figures
) -> None:
    """The kernel gives a UDP port to tunnels of Open vSwitch or to vxlan devices, like those of Docker's overlay."""
    one, other, third = mixed.web
    theirs = f"ip link add theirs type vxlan id 4096 dstport 4789 local {address_of(mixed.other)} nolearning"
    late = mixed.other.shell(f"{theirs}; ip link set theirs up; ip link del theirs", check=False)
    assert "Address already in use" in late.stderr
    mixed.other.services("vswitchd", "stop")
    mixed.other.shell(f"ip link del vxlan_sys_4789; {theirs}; ip link set theirs up")
    mixed.other.services("vswitchd", "start")

    def told() -> str:
        return " ".join(it for it in ask(mixed.other, "status")["problems"] if "ovxlan0" in it)

    said = wait_until(told, PATIENCE, "the refused tunnel is told")
    assert "Address already in use" in said
    assert "'ip -d link show type vxlan'" in said
    mixed.other.shell("ip link del theirs")
    figures["reached again after the port was given back, s"] = answered_again(
        one.container, (other.ipv4, other.ipv6), "ovs-vswitchd was restarted", PATIENCE
    )
    assert lost(third, other.ipv4, other.ipv6) == {other.ipv4: NONE_LOST, other.ipv6: NONE_LOST}
    wait_until(lambda: ask(mixed.other, "check")["clean"], PATIENCE, "nothing left to repair")
    all_clean(mixed)


@pytest.mark.row(60)
def test_a_killed_agent_costs_no_packet_between_machines(mixed: Mixed, figures: Figures) -> None:
    one, other, third = mixed.web
    with (
        Flood(one.container, other.container, other.ipv4, rate=100) as among,
        Flood(third.container, one.container, one.ipv6, rate=100) as across,
    ):
        mixed.one.agent.kill()
        mixed.one.agent.wait_ready()

    floods = [among.result, across.result]
    figures["packets lost"] = f"{sum(it.lost for it in floods)} of {sum(it.sent for it in floods)}"
    assert [it.lost for it in floods] == [0, 0]


@pytest.mark.row(60)
@pytest.mark.parametrize("step", [3600, -7200], ids=["an hour ahead", "then one back"])
def test_a_clock_that_is_set_costs_no_packet_and_nobody_is_taken_for_dead(
    mixed: Mixed, figures: Figures, step: int
) -> None:
    """A machine has a clock of its own. It goes on giving signs of life, starts containers, and takes others' signs."""
    _, other, third = mixed.web
    with Flood(third.container, other.container, other.ipv4, rate=100) as flood:
        mixed.other.shell(f"date -s @$(($(date +%s) + {step}))")
        start = "docker run -d --init --name late --network web busybox:local sleep 1000000"
        mixed.other.shell(start, timeout=SLOW)
        late = Settled(mixed.other, "late").address("web")
        answered_again(third.container, (late,), "it was started", PATIENCE)
        mixed.other.docker("rm", "-f", "late", timeout=SLOW)
        for host in (mixed.other, third.container.host):
            assert [it["state"] for it in ask(host, "cluster/members")] == ["alive"] * 3
            # To start a container there takes longer: so signs of life have come since.
            assert max(it["silence"] or 0.0 for it in ask(host, "cluster/members")) < DEAD_AFTER / 2

    figures[f"packets lost while a clock was set by {step} s"] = f"{flood.result.lost} of {flood.result.sent}"
    assert flood.result.lost == 0
    wait_until(lambda: ask(mixed.other, "check")["clean"], PATIENCE, "nothing to repair")


@pytest.mark.row(66)
def test_a_container_that_moves_between_machines_is_reached_where_it_is(mixed: Mixed, figures: Figures) -> None:
    one, _, third = mixed.web
    taken = {it.ipv4 for it in mixed.web}
    pinned = next(it for it in CHOOSABLE if it not in taken)
    start = f"docker run -d --init --name moved --ip {pinned} --network web busybox:local sleep 1000000"
    mixed.one.shell(start, timeout=SLOW)
    for asker in (one, third):
        answered_again(asker.container, (pinned,), "it was started", PATIENCE)

    mixed.one.docker("rm", "-f", "moved", timeout=SLOW)
    mixed.other.shell(start, timeout=SLOW)

    took = [answered_again(it.container, (pinned,), "it moved", PATIENCE) for it in (one, third)]
    figures["reached at its new place after its start, s"] = max(took)
    mac = Settled(mixed.other, "moved").mac("web")
    for asker in (one, third):
        neighbour = asker.container.inside("ip", "-j", "neigh", "show", pinned).json()
        assert [it["lladdr"] for it in neighbour] == [mac]
