"""Real packets between hosts without a tunnel: three switches, joined by their trunks, and an ear on these."""

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace

import pytest
from tests.functional.overlay_hosts import Fabric, fabric, joined
from tests.functional.pipeline_frames import (
    ALL_NODES,
    ARP,
    BROADCAST,
    ICMPV6,
    IPV4,
    IPV6,
    advertisement,
    arp,
    ethernet,
    icmpv6,
    ipv4,
    ipv6,
    tagged,
    udp,
)
from tests.functional.pipeline_switch import BRIDGE, DATAPATH, Container
from tests.functional.switch import Switch
from tests.functional.test_pipeline_overlay import datagram, to_all
from tests.states import endpoint, state
from tests.unit.pipeline.scenarios import ON_TRUNK, TRUNK, A, B, C, overlay, remote

from ovsnet.model.ids import HostName, NetworkId, SharedId, Vlan, Vni
from ovsnet.model.overlay import TunnelKind
from ovsnet.pipeline.cookies import Feature, feature_of
from ovsnet.pipeline.gateway import GATEWAY_MAC

pytestmark = [pytest.mark.functional, pytest.mark.row(65)]

VLAN = 65
OTHER_VLAN = replace(
    ON_TRUNK,
    id=NetworkId("d4" * 32),
    shared=SharedId("d4" * 32),
    vni=Vni(0xABCDEF),
    options=replace(ON_TRUNK.options, vlan=Vlan(66)),
)
"""Another network of the trunks, with the same addresses."""
TRUNK_PORT = 998
STRANGER = "0e:00:00:00:00:99"
WHERE = {A: (1, 2), B: (3,), C: (4,)}


@pytest.fixture(scope="module")
def hosts() -> Iterator[Fabric]:
    """Endpoints 1 and 2 on host a, 3 on b, 4 on c."""
    with fabric((A, B, C), TunnelKind.OVS) as it:
        it.carry(WHERE, ON_TRUNK)
        it.meet()
        yield it


def crossed(of: Fabric, frame: bytes) -> list[bytes]:
    """The copies of a container's frame that were on the trunks, with their tags."""
    return [it for it in of.trunks.frames() if frame in (it, it[:12] + it[16:])]


def copies(of: Fabric, sender: Container, frame: bytes) -> dict[int, int]:
    """How often a frame arrives where; the trunks are listened to from now on."""
    of.trunks.forget()
    return of.copies(sender, frame)


def injected(of: Fabric, towards: HostName, frame: bytes) -> dict[int, int]:
    """How often a frame without its tag arrives where, when it comes by the trunk with this network's."""
    return put_on_trunk(of, towards, tagged(frame, VLAN), frame)


def put_on_trunk(of: Fabric, towards: HostName, sent: bytes, expected: bytes) -> dict[int, int]:
    there = [it for number, it in of.hosts[towards].containers.items() if number in of.hosts[towards].carried]
    witness = of[3] if towards is not B else of[4]
    of.forget_caches()
    for it in there:
        it.forget_arrivals()
    of.trunks.inject(towards, sent)
    for it in there:
        it.is_marked_by(witness)
    counts = {int(it.ofport): it.arrived.count(expected) for it in there}
    return {number: count for number, count in counts.items() if count}


class Machine:
    """A machine on a VLAN that is nobody's container: behind an access port of a switch that is on the trunks too."""

    def __init__(self, switch: Switch) -> None:
        self.namespace = f"{switch.namespace}-m"
        self._switch = switch

    def plug(self, vlan: int, *addresses: str) -> None:
        """Join it to the VLAN, with these addresses."""
        name, call = self.namespace, self._switch.call
        call("ip", "link", "add", "access", "type", "veth", "peer", "name", "eth0", "netns", name)
        call("ethtool", "-K", "access", "tx", "off")
        call("ip", "link", "set", "access", "up")
        for command in (("ethtool", "-K", "eth0", "tx", "off"), ("ip", "link", "set", "eth0", "up")):
            self.run(*command)
        for it in addresses:
            self.run("ip", "address", "add", it, "dev", "eth0", *(("nodad",) if ":" in it else ()))
        self._switch.vsctl("add-br", "lan", "--", "set", "bridge", "lan", f"datapath_type={DATAPATH}")
        self._switch.vsctl("add-port", "lan", TRUNK, "--", "add-port", "lan", "access", f"tag={vlan}")

    def run(self, *command: str) -> bool:
        """Whether a program inside succeeds."""
        whole = ["ip", "netns", "exec", self.namespace, *command]
        return subprocess.run(whole, capture_output=True, check=False).returncode == 0

    def pings(self, address: str) -> bool:
        """True as soon as a ping comes back."""
        return self.run("ping", "-n", "-c", "1", "-w", "5", address)


@contextmanager
def machine(of: Fabric, vlan: int, *addresses: str) -> Iterator[Machine]:
    """One of a VLAN, with these addresses, while the block runs."""
    with ExitStack() as cleanup:
        switch = joined(cleanup, of.trunks.namespace, HostName("m")).switch
        it = Machine(switch)
        subprocess.run(["ip", "netns", "add", it.namespace], check=True)
        cleanup.callback(subprocess.run, ["ip", "netns", "del", it.namespace], check=True)
        it.plug(vlan, *addresses)
        yield it


# ---------------------------------------------------------------- among containers


def test_endpoints_on_different_hosts_reach_each_other(hosts: Fabric) -> None:
    for one, other in ((1, 3), (3, 4), (4, 2)):
        assert hosts[one].pings(hosts[other].ipv4)
        assert hosts[one].pings(hosts[other].ipv6)
        assert hosts[one].pings(f"{hosts[other].link_local}%eth0")


def test_packets_as_large_as_the_trunks_mtu_and_larger_ones_arrive(hosts: Fabric) -> None:
    for size in ("1472", "4000"):
        assert hosts[1].pings(hosts[3].ipv4, "-s", size)
    assert hosts[1].pings(hosts[3].ipv4, "-s", "1472", "-M", "do")


def test_tcp_carries_data_both_ways(hosts: Fabric) -> None:
    for address in (hosts[3].ipv4, hosts[3].ipv6):
        assert hosts.hosts[A].echoes(hosts[1], hosts[3], address) == 300_000


def test_a_frame_crosses_once_with_the_tag_of_its_network_and_no_tunnel_is_used(hosts: Fabric) -> None:
    hosts.wire.forget()
    frame = datagram(hosts[1], hosts[3])
    assert copies(hosts, hosts[1], frame) == {3: 1}
    assert crossed(hosts, frame) == [tagged(frame, VLAN)]
    assert hosts.wire.crossed() == []
    assert "ovxlan0" not in hosts.hosts[A].switch.vsctl("list-ports", BRIDGE)


def test_a_frame_for_an_endpoint_here_does_not_cross(hosts: Fabric) -> None:
    frame = datagram(hosts[1], hosts[2])
    assert copies(hosts, hosts[1], frame) == {2: 1}
    assert crossed(hosts, frame) == []


def test_a_broadcast_arrives_exactly_once_everywhere_and_crosses_once(hosts: Fabric) -> None:
    for number, others in ((1, {2: 1, 3: 1, 4: 1}), (3, {1: 1, 2: 1, 4: 1})):
        frame = to_all(hosts[number])
        assert copies(hosts, hosts[number], frame) == others
        assert crossed(hosts, frame) == [tagged(frame, VLAN)]


def test_no_question_for_a_known_neighbour_or_the_gateway_crosses(hosts: Fabric) -> None:
    for number in (1, 3):
        hosts[number].run("ip", "neigh", "flush", "dev", "eth0")
    hosts.trunks.forget()
    assert hosts[1].pings(hosts[3].ipv4)
    assert hosts[3].pings(hosts[1].ipv6)
    assert hosts[1].pings("10.20.0.1")
    # The kernels behind the trunks' own NICs may talk there, too, without a tag: they ask for routers.
    senders = {bytes.fromhex(hosts[number].mac.replace(":", "")) for number in (1, 2, 3, 4)}
    frames = [it for it in hosts.trunks.frames() if it[6:12] in senders]
    assert frames
    assert {it[12:16] for it in frames} == {b"\x81\x00" + VLAN.to_bytes(2)}
    assert not [it for it in frames if it[16:18] == ARP.to_bytes(2)]
    assert not [it for it in frames if it[16:18] == IPV6.to_bytes(2) and it[24] == ICMPV6 and it[58] == 135]
    gateway = bytes.fromhex(GATEWAY_MAC.replace(":", ""))
    assert not [it for it in hosts.trunks.frames() if gateway in it]


# ---------------------------------------------------------------- other machines on the VLAN


def test_containers_and_machines_of_the_vlan_reach_each_other(hosts: Fabric) -> None:
    with machine(hosts, VLAN, "10.20.0.200/24", "fd00:20::200/64") as it:
        assert hosts[1].pings("10.20.0.200")
        assert hosts[1].pings("fd00:20::200")
        for number in (2, 3):
            assert it.pings(hosts[number].ipv4)
            assert it.pings(hosts[number].ipv6)
        assert not it.run("ping", "-n", "-c", "4", "-i", "0.2", "-w", "1", "10.20.0.1"), "it is of each host alone"


def test_a_machine_of_another_vlan_is_out_of_reach(hosts: Fabric) -> None:
    with machine(hosts, 66, "10.20.0.200/24"):
        assert hosts[1].never_pings("10.20.0.200")


def test_what_is_for_nobody_known_goes_out_and_comes_back_in_nowhere(hosts: Fabric) -> None:
    packet = ipv4(hosts[1].ipv4, "10.20.0.99", udp(b"who"))
    frame = ethernet("0a:00:00:00:00:63", hosts[1].mac, IPV4, packet)
    assert copies(hosts, hosts[1], frame) == {}
    assert crossed(hosts, frame) == [tagged(frame, VLAN)]


def test_a_forged_frame_does_not_go_out(hosts: Fabric) -> None:
    frame = ethernet(hosts[3].mac, hosts[2].mac, IPV4, ipv4(hosts[2].ipv4, hosts[3].ipv4, udp(b"forged")))
    own_tag = tagged(datagram(hosts[1], hosts[3]), VLAN)
    for it in (frame, own_tag):
        assert copies(hosts, hosts[1], it) == {}
        assert crossed(hosts, it) == []


# ---------------------------------------------------------------- what comes from the trunk


def unasked(to: Container, source: str = "10.20.0.250", mac: str = STRANGER) -> bytes:
    return ethernet(to.mac, mac, IPV4, ipv4(source, to.ipv4, udp(b"from outside")))


def test_what_came_from_the_trunk_goes_to_ports_of_this_host_only(hosts: Fabric) -> None:
    outside = ethernet(BROADCAST, STRANGER, IPV4, ipv4("10.20.0.250", "255.255.255.255", udp(b"all")))
    unknown = ethernet("0a:00:00:00:00:63", STRANGER, IPV4, ipv4("10.20.0.250", "10.20.0.99", udp(b"who")))
    elsewhere = unasked(hosts[3])
    for frame, arrivals in ((outside, {1: 1, 2: 1}), (unknown, {}), (elsewhere, {}), (unasked(hosts[1]), {1: 1})):
        hosts.trunks.forget()
        assert injected(hosts, A, frame) == arrivals
        assert crossed(hosts, frame) == []


@pytest.mark.parametrize("tag", [None, 66, 0, 4095])
def test_frames_of_other_vlans_and_without_a_tag_end_at_the_origin(hosts: Fabric, tag: int | None) -> None:
    frame = unasked(hosts[1])
    sent = frame if tag is None else tagged(frame, tag)
    assert put_on_trunk(hosts, A, sent, frame) == {}
    trace = hosts.hosts[A].trace(TRUNK_PORT, sent)
    assert (trace.actions, feature_of(trace.cookies[-1])) == ("drop", Feature.ORIGIN)


def test_a_second_tag_does_not_come_in(hosts: Fabric) -> None:
    frame = unasked(hosts[1])
    inner = tagged(frame, 7)
    assert put_on_trunk(hosts, A, tagged(inner, VLAN), inner) == {}
    assert hosts.hosts[A].trace(TRUNK_PORT, tagged(inner, VLAN)).actions == "drop"


def test_nobody_out_there_is_taken_for_an_endpoint_of_this_host_or_the_gateway(hosts: Fabric) -> None:
    one, two = hosts[1], hosts[2]
    every = [
        unasked(one, mac=two.mac),
        unasked(one, mac=GATEWAY_MAC),
        unasked(one, source=two.ipv4),
        ethernet(one.mac, STRANGER, IPV6, ipv6(two.ipv6, one.ipv6, udp(b"forged"))),
        ethernet(BROADCAST, STRANGER, ARP, arp(2, (STRANGER, two.ipv4), (one.mac, one.ipv4))),
        ethernet(BROADCAST, STRANGER, ARP, arp(1, (STRANGER, "10.20.0.1"), (one.mac, one.ipv4))),
        ethernet(one.mac, STRANGER, IPV6, advertisement("fd00:20::250", two.ipv6, STRANGER, one.ipv6)),
        ethernet(one.mac, STRANGER, IPV6, advertisement("fd00:20::250", "fd00:20::1", STRANGER, one.ipv6)),
    ]
    for frame in every:
        assert injected(hosts, A, frame) == {}
        trace = hosts.hosts[A].trace(TRUNK_PORT, tagged(frame, VLAN))
        assert (trace.actions, feature_of(trace.cookies[-1])) == ("drop", Feature.GUARD)


def test_no_router_and_no_dhcp_server_out_there_is_heard(hosts: Fabric) -> None:
    router = icmpv6("fe80::99", "ff02::1", 134, bytes(12))
    served = ipv4("10.20.0.250", "255.255.255.255", (67).to_bytes(2) + (68).to_bytes(2) + (12).to_bytes(2) + bytes(6))
    for frame in (ethernet(ALL_NODES, STRANGER, IPV6, router), ethernet(BROADCAST, STRANGER, IPV4, served)):
        assert injected(hosts, A, frame) == {}
        trace = hosts.hosts[A].trace(TRUNK_PORT, tagged(frame, VLAN))
        assert (trace.actions, feature_of(trace.cookies[-1])) == ("drop", Feature.GUARD)


def test_the_gateway_and_the_names_are_for_containers_only(hosts: Fabric) -> None:
    frame = ethernet(GATEWAY_MAC, STRANGER, IPV4, ipv4("10.20.0.250", "10.20.0.1", udp(b"route")))
    trace = hosts.hosts[A].trace(TRUNK_PORT, tagged(frame, VLAN))
    assert trace.actions == "drop"


# ---------------------------------------------------------------- several networks, changes


def test_two_networks_on_one_trunk_with_the_same_addresses_do_not_meet() -> None:
    ours, theirs = endpoint(1, ON_TRUNK), endpoint(3, ON_TRUNK)
    twin1 = replace(endpoint(11, OTHER_VLAN), mac=ours.mac, ipv4=ours.ipv4, ipv6=ours.ipv6)
    twin3 = replace(endpoint(13, OTHER_VLAN), mac=theirs.mac, ipv4=theirs.ipv4, ipv6=theirs.ipv6)
    with fabric((A, B), TunnelKind.OVS) as it:
        of_b = (remote(3, B, ON_TRUNK), replace(remote(3, B, OTHER_VLAN), id=twin3.id))
        of_a = (remote(1, A, ON_TRUNK), replace(remote(1, A, OTHER_VLAN), id=twin1.id))
        there = {A: overlay(*of_b, peers=(B,), trunk=TRUNK), B: overlay(*of_a, peers=(A,), here=B, trunk=TRUNK)}
        it.hosts[A].carry_all(state(ON_TRUNK, OTHER_VLAN, ours, twin1), there[A])
        it.hosts[B].carry_all(state(ON_TRUNK, OTHER_VLAN, theirs, twin3), there[B])
        it.meet()
        for sender, receiver, vlan in ((1, 3, VLAN), (11, 13, 66)):
            frame = to_all(it[sender])
            assert copies(it, it[sender], frame) == {receiver: 1}
            assert crossed(it, frame) == [tagged(frame, vlan)]


def test_an_endpoint_that_moved_here_is_reached_here_while_its_old_host_still_has_it() -> None:
    with fabric((A, B), TunnelKind.OVS) as it:
        it.carry({A: (1,), B: (3,)}, ON_TRUNK)
        it.meet()
        here = state(ON_TRUNK, endpoint(1, ON_TRUNK), endpoint(3, ON_TRUNK))
        it.hosts[A].carry_all(here, overlay(remote(3, B, ON_TRUNK), trunk=TRUNK))
        moved = it.hosts[A]
        it.trunks.forget()
        assert moved[1].pings(moved[3].ipv4)
        to_it = bytes.fromhex(moved[3].mac.replace(":", ""))
        assert [frame for frame in it.trunks.frames() if frame.startswith(to_it)] == []
