"""Real packets between hosts: three switches, joined by tunnels of either kind, and an ear on the wire."""

import re
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import IPv4Address

import pytest
from tests.functional.groups import to_group
from tests.functional.overlay_hosts import Fabric, Tunnelled, fabric
from tests.functional.pipeline_frames import ARP, BROADCAST, ICMPV6, IPV4, IPV6, ethernet, ipv4, ipv6, udp
from tests.functional.pipeline_switch import Container
from tests.states import endpoint, state
from tests.unit.pipeline.scenarios import GROUP, GROUP6, SHARED_LONELY, SHARED_WEB, A, B, C, overlay, remote, vtep

from ovsnet.model.ids import EndpointId, HostName, IpAddress, NetworkId, SharedId, Vni
from ovsnet.model.listening import NOTHING, to_groups
from ovsnet.model.overlay import TunnelKind
from ovsnet.pipeline.cookies import Feature, feature_of
from ovsnet.pipeline.gateway import GATEWAY_MAC

pytestmark = pytest.mark.functional

TWIN = replace(SHARED_WEB, id=NetworkId("d4" * 32), shared=SharedId("d4" * 32), vni=Vni(0xABCDEF))
"""Another network of the cluster with the addresses of WEB."""
LISTENING = {1: NOTHING, 2: to_groups([GROUP, GROUP6]), 3: to_groups([GROUP, GROUP6]), 4: NOTHING}
STRANGER = HostName("z")
"""A host that is in no cluster."""
MULTICAST = "33:33:00:00:00:fb"
OVS_TUNNEL = 1000
"""The OpenFlow port of Open vSwitch's own tunnels."""


@pytest.fixture(
    scope="module",
    params=[(kind, family) for kind in TunnelKind for family in (4, 6)],
    ids=lambda it: f"{it[0]}-IPv{it[1]}",
)
def hosts(request: pytest.FixtureRequest) -> Iterator[Fabric]:
    """WEB with endpoints 1 and 2 on host a, 3 on b, 4 on c."""
    with fabric((A, B, C), *request.param) as it:
        it.carry({A: (1, 2), B: (3,), C: (4,)})
        it.meet()
        yield it


@pytest.fixture(scope="module", params=TunnelKind)
def listeners(request: pytest.FixtureRequest) -> Iterator[Fabric]:
    """WEB with endpoints 1 and 2 on host a, 3 on b, 4 on c, of which 2 and 3 listen to groups."""
    with fabric((A, B, C), request.param) as it:
        it.carry({A: (1, 2), B: (3,), C: (4,)}, listens=LISTENING)
        it.meet()
        yield it


@pytest.fixture
def changing() -> Iterator[Fabric]:
    """Three hosts, and nothing on them yet."""
    with fabric((A, B, C), TunnelKind.OVS) as it:
        yield it


def datagram(sender: Container, receiver: Container) -> bytes:
    return ethernet(receiver.mac, sender.mac, IPV4, ipv4(sender.ipv4, receiver.ipv4, udp(b"hello")))


def to_all(sender: Container) -> bytes:
    return ethernet(BROADCAST, sender.mac, IPV4, ipv4(sender.ipv4, "255.255.255.255", udp(b"to all")))


def at(family: int, host: str) -> str:
    """The VTEP of a host as text."""
    return str(vtep(HostName(host), family))


# ---------------------------------------------------------------- who reaches whom


def test_endpoints_on_different_hosts_reach_each_other(hosts: Fabric) -> None:
    for one, other in ((1, 3), (3, 4), (4, 2)):
        assert hosts[one].pings(hosts[other].ipv4)
        assert hosts[one].pings(hosts[other].ipv6)
        assert hosts[one].pings(f"{hosts[other].link_local}%eth0")


def test_packets_larger_than_the_mtu_arrive(hosts: Fabric) -> None:
    assert hosts[1].pings(hosts[3].ipv4, "-s", "4000")
    assert hosts[1].pings(hosts[3].ipv6, "-s", "4000")


def test_tcp_carries_data_both_ways(hosts: Fabric) -> None:
    for address in (hosts[3].ipv4, hosts[3].ipv6):
        wire = hosts.hosts[A]
        assert wire.echoes(hosts[1], hosts[3], address) == 300_000


def test_the_gateway_answers_on_every_host_and_no_question_for_it_leaves(hosts: Fabric) -> None:
    hosts.wire.forget()
    for number in (1, 3, 4):
        assert hosts[number].pings("10.20.0.1")
    gateway = bytes.fromhex(GATEWAY_MAC.replace(":", ""))
    assert not [it for it in hosts.wire.crossed() if it.frame.startswith((gateway, b"\xff")) or gateway in it.frame]


# ---------------------------------------------------------------- what is on the wire


def test_a_frame_crosses_once_to_its_host_with_the_vni_of_its_network(hosts: Fabric) -> None:
    frame = datagram(hosts[1], hosts[3])
    assert hosts.copies(hosts[1], frame) == {3: 1}
    crossed = [it for it in hosts.wire.crossed() if it.frame == frame]
    assert crossed == [Tunnelled(at(hosts.family, "a"), at(hosts.family, "b"), SHARED_WEB.vni, frame)]


def test_a_frame_for_an_endpoint_here_does_not_cross(hosts: Fabric) -> None:
    frame = datagram(hosts[1], hosts[2])
    assert hosts.copies(hosts[1], frame) == {2: 1}
    assert frame not in [it.frame for it in hosts.wire.crossed()]


def test_a_broadcast_arrives_exactly_once_everywhere_and_crosses_once_to_each_host(hosts: Fabric) -> None:
    for number, others in ((1, {2: 1, 3: 1, 4: 1}), (3, {1: 1, 2: 1, 4: 1})):
        sender = hosts[number]
        some = ethernet(MULTICAST, sender.mac, IPV6, ipv6(sender.ipv6, "ff02::fb", udp(b"to some")))
        for frame in (to_all(sender), some):
            assert hosts.copies(sender, frame) == others
            crossed = [it.target for it in hosts.wire.crossed() if it.frame == frame]
            assert sorted(crossed) == [at(hosts.family, it) for it in "abc" if it != ("a" if number == 1 else "b")]


@pytest.mark.row(67)
@pytest.mark.parametrize("group", [GROUP, GROUP6], ids=["to-IPv4", "to-IPv6"])
def test_a_group_crosses_to_hosts_with_listeners_and_reaches_these(listeners: Fabric, group: IpAddress) -> None:
    """Number 3 on b listens, and so does 2 on a; nobody on c does."""
    for sender, reached, hosts in ((1, {2: 1, 3: 1}, ["b"]), (3, {2: 1}, ["a"]), (4, {2: 1, 3: 1}, ["a", "b"])):
        frame = to_group(listeners[sender], group)
        assert listeners.copies(listeners[sender], frame) == reached
        crossed = {it.target for it in listeners.wire.crossed() if it.frame == frame}
        if listeners.kinds[A] is TunnelKind.OVS:
            assert crossed == {at(listeners.family, it) for it in hosts}
        else:  # a device of the kernel copies to all; each host hands on to its listeners
            assert len(crossed) == 2


@pytest.mark.row(67)
def test_a_host_that_tells_nothing_of_groups_gets_them_all(listeners: Fabric) -> None:
    silent = {it: listens for it, listens in LISTENING.items() if it != 4}
    listeners.carry({A: (1, 2), B: (3,), C: (4,)}, listens=silent)
    listeners.forget_datapath_flows()
    frame = to_group(listeners[1], GROUP)
    assert listeners.copies(listeners[1], frame) == {2: 1, 3: 1, 4: 1}
    listeners.carry({A: (1, 2), B: (3,), C: (4,)}, listens=LISTENING)
    listeners.forget_datapath_flows()


def test_a_broadcast_is_sent_to_each_of_hundreds_of_hosts(changing: Fabric) -> None:
    peers = {HostName(f"h{it}"): IPv4Address("10.99.0.10") + it for it in range(240)}
    there = [replace(remote(3, host, SHARED_WEB), id=EndpointId(host)) for host in peers]
    changing.carry({A: (1,), B: (3,)})
    changing.meet()
    crowd = replace(overlay(*there, peers=()), peers=peers)
    changing.hosts[A].carry_all(state(SHARED_WEB, endpoint(1, SHARED_WEB)), crowd)
    told = changing.hosts[A].switch.call("ovs-appctl", "ofproto/trace", "b", "in_port=1", to_all(changing[1]).hex())
    assert set(re.findall(r"-> tunneling to (\S+) via", told)) == {str(it) for it in peers.values()}


def test_unknown_unicast_does_not_cross(hosts: Fabric) -> None:
    packet = ipv4(hosts[1].ipv4, "10.20.0.99", udp(b"who"))
    frame = ethernet("0a:00:00:00:00:63", hosts[1].mac, IPV4, packet)
    assert hosts.copies(hosts[1], frame) == {}
    assert frame not in [it.frame for it in hosts.wire.crossed()]


def test_a_forged_frame_does_not_cross(hosts: Fabric) -> None:
    frame = ethernet(hosts[3].mac, hosts[2].mac, IPV4, ipv4(hosts[2].ipv4, hosts[3].ipv4, udp(b"forged")))
    assert hosts.copies(hosts[1], frame) == {}
    assert frame not in [it.frame for it in hosts.wire.crossed()]


def test_no_question_for_a_neighbour_crosses(hosts: Fabric) -> None:
    for number in (1, 3, 4):
        hosts[number].run("ip", "neigh", "flush", "dev", "eth0")
    hosts.wire.forget()
    for one, other in ((1, 3), (3, 4), (4, 1)):
        assert hosts[one].pings(hosts[other].ipv4)
        assert hosts[one].pings(hosts[other].ipv6)
        assert hosts[one].neighbour(hosts[other].ipv4) == hosts[other].mac
        assert hosts[one].neighbour(hosts[other].ipv6) == hosts[other].mac
    crossed = [it.frame for it in hosts.wire.crossed()]
    assert crossed
    assert not [it for it in crossed if it[12:14] == ARP.to_bytes(2)]
    assert not [it for it in crossed if it[12:14] == IPV6.to_bytes(2) and it[20] == ICMPV6 and it[54] == 135]


# ---------------------------------------------------------------- what comes from the wire


def test_a_packet_of_a_network_that_is_not_here_is_dropped(hosts: Fabric) -> None:
    frame = datagram(hosts[3], hosts[1])
    assert hosts.injected(B, A, SHARED_WEB.vni, frame, hosts[3]) == {1: 1}, "else nothing is shown below"
    assert hosts.injected(B, A, SHARED_WEB.vni + 1, frame, hosts[3]) == {}


def test_what_came_from_a_host_goes_to_no_other(hosts: Fabric) -> None:
    for frame, arrivals in ((datagram(hosts[3], hosts[4]), {}), (to_all(hosts[3]), {1: 1, 2: 1})):
        assert hosts.injected(B, A, SHARED_WEB.vni, frame, hosts[3]) == arrivals
        assert [it for it in hosts.wire.crossed() if it.frame == frame] == []


def test_only_hosts_of_the_cluster_are_heard_where_the_switch_can_tell(hosts: Fabric) -> None:
    frame = datagram(hosts[3], hosts[1])
    heard = hosts.injected(STRANGER, A, SHARED_WEB.vni, frame, hosts[3])
    # The kernel's device asks nobody who he is: see decision 27.
    assert heard == ({} if hosts.kinds[A] is TunnelKind.OVS else {1: 1})


@pytest.mark.parametrize(
    ("sender", "vni", "feature"), [("z", SHARED_WEB.vni, Feature.ORIGIN), ("b", SHARED_WEB.vni + 1, Feature.TUNNEL)]
)
def test_the_switch_says_why_it_drops(changing: Fabric, sender: str, vni: int, feature: Feature) -> None:
    changing.carry({A: (1,), B: (3,)})
    frame = datagram(changing[3], changing[1])
    wire = f"tun_src={at(4, sender)},tun_dst={at(4, 'a')},tun_id={vni}"
    trace = changing.hosts[A].trace(OVS_TUNNEL, frame, wire)
    assert trace.actions == "drop"
    assert feature_of(trace.cookies[-1]) is feature


# ---------------------------------------------------------------- what changes


def test_what_a_dead_host_has_is_not_reached_and_what_it_sends_not_heard(changing: Fabric) -> None:
    where = {A: (1,), B: (3,), C: (4,)}
    changing.carry(where)
    changing.meet()
    changing.carry(where, dead=(C,))
    trace = changing.hosts[A].trace(1, datagram(changing[1], changing[4]))
    assert trace.actions == "drop"
    assert feature_of(trace.cookies[-1]) is Feature.FORWARD
    assert changing.hosts[A].trace(1, to_all(changing[1])).actions.count("tnl_push") == 1
    assert changing.injected(C, A, SHARED_WEB.vni, datagram(changing[4], changing[1]), changing[3]) == {}
    changing.carry(where)
    assert changing[1].pings(changing[4].ipv4)


def test_an_endpoint_that_moved_here_is_reached_here_while_its_old_host_still_has_it(changing: Fabric) -> None:
    changing.carry({A: (1,), B: (3,)})
    changing.meet()
    here = state(SHARED_WEB, endpoint(1, SHARED_WEB), endpoint(3, SHARED_WEB))
    changing.hosts[A].carry_all(here, overlay(remote(3, B, SHARED_WEB)))
    moved = changing.hosts[A]
    # What the switch remembers of the old place is used until it has looked at it again.
    moved.forget_datapath_flows()
    changing.wire.forget()
    assert moved[1].pings(moved[3].ipv4)
    assert moved[1].pings(moved[3].ipv6)
    to_it = bytes.fromhex(moved[3].mac.replace(":", ""))
    assert [it for it in changing.wire.crossed() if it.frame.startswith(to_it)] == []


def test_without_icc_nothing_crosses(changing: Fabric) -> None:
    changing.carry({A: (1, 2), B: (3,)}, SHARED_LONELY)
    for frame in (datagram(changing[1], changing[3]), to_all(changing[1])):
        trace = changing.hosts[A].trace(1, frame)
        assert trace.actions == "drop"
        assert feature_of(trace.cookies[-1]) is Feature.ISOLATE
    assert changing[1].pings("10.20.0.1")
    assert "ovxlan0" not in changing.hosts[A].switch.vsctl("list-ports", "b")


@pytest.mark.parametrize("kind", TunnelKind)
def test_networks_with_the_same_addresses_do_not_meet(kind: TunnelKind) -> None:
    ours, theirs = endpoint(1, SHARED_WEB), endpoint(3, SHARED_WEB)
    twin1 = replace(endpoint(11, TWIN), mac=ours.mac, ipv4=ours.ipv4, ipv6=ours.ipv6)
    twin3 = replace(endpoint(13, TWIN), mac=theirs.mac, ipv4=theirs.ipv4, ipv6=theirs.ipv6)
    with fabric((A, B), kind) as it:
        of_b = (remote(3, B, SHARED_WEB), replace(remote(3, B, TWIN), id=twin3.id))
        of_a = (remote(1, A, SHARED_WEB), replace(remote(1, A, TWIN), id=twin1.id))
        it.hosts[A].carry_all(state(SHARED_WEB, TWIN, ours, twin1), overlay(*of_b, peers=(B,), kind=kind))
        it.hosts[B].carry_all(state(SHARED_WEB, TWIN, theirs, twin3), overlay(*of_a, peers=(A,), kind=kind, here=B))
        it.meet()
        frame = to_all(it[1])
        assert it.copies(it[1], frame) == {3: 1}
        assert {crossed.vni for crossed in it.wire.crossed() if crossed.frame == frame} == {SHARED_WEB.vni}
        assert it.copies(it[11], frame) == {13: 1}
        assert {crossed.vni for crossed in it.wire.crossed() if crossed.frame == frame} == {TWIN.vni}


def test_hosts_with_tunnels_of_different_kinds_reach_each_other() -> None:
    with fabric((A, B), {A: TunnelKind.OVS, B: TunnelKind.KERNEL}) as it:
        it.carry({A: (1,), B: (3,)})
        it.meet()
        assert it[1].pings(it[3].ipv6, "-s", "4000")
        assert it.hosts[A].echoes(it[1], it[3], it[3].ipv4) == 300_000
