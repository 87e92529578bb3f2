"""The tunnel applier against the kernel, in namespaces of its own."""

import asyncio
import errno
import socket
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from ipaddress import ip_address
from typing import Any

import pytest
from tests.functional.kernel import Inside, Watch, container, ip, links, pair, private_host, settle, tunnel, underlay

from ovsnet.linux.links import LinkApplier
from ovsnet.linux.namespace import opened, run_inside
from ovsnet.linux.netlink import Netlink
from ovsnet.linux.tunnels import TunnelApplier
from ovsnet.model.delta import Delta
from ovsnet.model.host import TunnelPlan
from ovsnet.model.ids import Vni

MAC_B, MAC_C = "0a:00:00:00:00:0b", "0a:00:00:00:00:0c"
TO_B, TO_C = ("", "10.99.0.2"), ("", "10.99.0.3")
FIVE = tunnel(5, TO_B, TO_C, (MAC_B, "10.99.0.2"), (MAC_C, "10.99.0.3"))
SIX = tunnel(6, TO_B, mtu=1300)


@pytest.fixture(autouse=True)
def host() -> Iterator[None]:
    with private_host():
        underlay()
        yield


@pytest.fixture
async def applier(host: None) -> AsyncIterator[TunnelApplier]:
    async with TunnelApplier() as it:
        yield it


def said(*argv: str) -> str:
    """What a program has to say."""
    done = subprocess.run(argv, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def fdb(plan: TunnelPlan) -> set[str]:
    """Where the device sends what, as a person sees it."""
    return {it.strip() for it in said("bridge", "fdb", "show", "dev", plan.name).splitlines()}


def as_lines(plan: TunnelPlan) -> set[str]:
    """The same of what is planned."""
    return {f"{mac or '00:00:00:00:00:00'} dst {vtep} self permanent" for mac, vtep in plan.forwards}


# -------------------------------------------------------------------- devices


async def test_a_device_is_as_planned(applier: TunnelApplier) -> None:
    assert await settle(applier, FIVE) == []
    made = links()[FIVE.name]
    assert (made["mtu"], made["ifalias"], made["addr_info"]) == (1400, "ovsnet:vxlan:5", [])
    assert "UP" in made["flags"]
    vxlan = made["linkinfo"]["info_data"]
    assert (vxlan["id"], vxlan["local"], vxlan["link"], vxlan["port"]) == (5, "10.99.0.1", "under", 4789)
    assert vxlan["learning"] is False
    assert fdb(FIVE) == as_lines(FIVE)


async def test_a_device_with_an_ipv6_address_is_as_planned(applier: TunnelApplier) -> None:
    plan = tunnel(5, ("", "fd99::2"), (MAC_B, "fd99::2"), local="fd99::1")
    assert await settle(applier, plan) == []
    assert links()[plan.name]["linkinfo"]["info_data"]["local6"] == "fd99::1"
    assert fdb(plan) == as_lines(plan)
    assert applier.have() == {plan.name: plan}


async def test_the_hosts_own_protocols_are_kept_off(applier: TunnelApplier) -> None:
    await settle(applier, FIVE)
    names = ("ipv6.conf.ovx5.disable_ipv6", "ipv4.conf.ovx5.arp_ignore", "ipv4.conf.ovx5.rp_filter")
    assert said("sysctl", "-n", *(f"net.{it}" for it in names)).split() == ["1", "8", "1"]


async def test_packets_come_out_as_they_were_sent(applier: TunnelApplier) -> None:
    """Userspace datapath without TSO: ovs-vswitchd drops what is larger than the MTU."""
    await settle(applier, FIVE)
    assert "generic-receive-offload: off" in said("ethtool", "-k", FIVE.name)


async def test_have_is_what_was_written(applier: TunnelApplier) -> None:
    plans = [tunnel(number, TO_B, TO_C, (MAC_B, "10.99.0.2")) for number in range(1, 21)]
    assert await settle(applier, *plans) == []
    assert applier.have() == {it.name: it for it in plans}
    await applier.resync()
    assert applier.have() == {it.name: it for it in plans}


async def test_a_network_of_thousands_is_written_completely(applier: TunnelApplier) -> None:
    macs = ((f"0a:00:00:01:{number >> 8:02x}:{number & 255:02x}", "10.99.0.2") for number in range(3000))
    plan = tunnel(5, TO_B, *macs)
    assert await settle(applier, plan) == []
    await applier.resync()
    assert applier.have() == {plan.name: plan}


async def test_a_second_round_changes_nothing(applier: TunnelApplier) -> None:
    await settle(applier, FIVE)
    before = links()[FIVE.name], fdb(FIVE)
    assert await applier.apply(Delta({FIVE.name: FIVE}, {}, {})) == []
    assert (links()[FIVE.name], fdb(FIVE)) == before


async def test_a_new_process_recognises_its_own(applier: TunnelApplier) -> None:
    await settle(applier, FIVE, SIX)
    async with TunnelApplier() as restarted:
        assert restarted.have() == {FIVE.name: FIVE, SIX.name: SIX}


async def test_what_is_not_wanted_goes(applier: TunnelApplier) -> None:
    await settle(applier, FIVE, SIX)
    assert await settle(applier, SIX) == []
    assert set(links()) == {"lo", "under", SIX.name}
    assert applier.have() == {SIX.name: SIX}


async def test_what_is_gone_already_is_removed(applier: TunnelApplier) -> None:
    await settle(applier, FIVE)
    doomed = dict(applier.have())
    ip("link", "del", FIVE.name)
    assert await applier.apply(Delta({}, {}, doomed)) == []
    assert await applier.apply(Delta({}, {}, doomed)) == []
    assert applier.have() == {}


ANOTHER_DEVICE = {
    "vni": replace(FIVE, vni=Vni(7)),
    "address": replace(FIVE, local=ip_address("10.99.0.9")),
    "interface": replace(FIVE, device="elsewhere"),
    "port": replace(FIVE, udp_port=8472),
}
THE_SAME_DEVICE = {
    "mtu": replace(FIVE, mtu=1234),
    "alias": replace(FIVE, alias="ovsnet:vxlan:five"),
    "another way": tunnel(5, TO_C, (MAC_B, "10.99.0.3")),
    "no way": tunnel(5),
}


@pytest.mark.parametrize("what", ANOTHER_DEVICE)
async def test_what_a_device_is_made_of_needs_another_device(applier: TunnelApplier, what: str) -> None:
    ip("link", "add", "elsewhere", "type", "bridge")
    await settle(applier, FIVE)
    before = links()[FIVE.name]["ifindex"]
    assert await settle(applier, ANOTHER_DEVICE[what]) == []
    assert links()[FIVE.name]["ifindex"] != before
    assert applier.have() == {FIVE.name: ANOTHER_DEVICE[what]}


@pytest.mark.parametrize("what", THE_SAME_DEVICE)
async def test_anything_else_is_changed_under_the_running_device(applier: TunnelApplier, what: str) -> None:
    await settle(applier, FIVE)
    before = links()[FIVE.name]["ifindex"]
    assert await settle(applier, THE_SAME_DEVICE[what]) == []
    assert links()[FIVE.name]["ifindex"] == before
    assert applier.have() == {FIVE.name: THE_SAME_DEVICE[what]}
    assert fdb(FIVE) == as_lines(THE_SAME_DEVICE[what])


# -------------------------------------------------------------------- what others do


async def repaired(applier: TunnelApplier, watch: Watch) -> None:
    """Seen without being asked, and put right."""
    await watch.until(lambda: applier.have() != {FIVE.name: FIVE})
    assert await settle(applier, FIVE) == []
    assert applier.have() == {FIVE.name: FIVE}
    assert fdb(FIVE) == as_lines(FIVE)
    async with TunnelApplier() as witness:
        assert witness.have() == {FIVE.name: FIVE}


BY_HAND = {
    "deleted": ("ip", "link", "del", "ovx5"),
    "down": ("ip", "link", "set", "ovx5", "down"),
    "mtu": ("ip", "link", "set", "ovx5", "mtu", "1234"),
    "alias": ("ip", "link", "set", "ovx5", "alias", "somebody:else"),
    "group": ("ip", "link", "set", "ovx5", "group", "default", "mtu", "1111"),
    "learning": ("ip", "link", "set", "ovx5", "type", "vxlan", "learning"),
    "way gone": ("bridge", "fdb", "del", MAC_B, "dev", "ovx5"),
    "everybody's way gone": ("bridge", "fdb", "del", "00:00:00:00:00:00", "dev", "ovx5", "dst", "10.99.0.2"),
    "way elsewhere": ("bridge", "fdb", "replace", MAC_B, "dev", "ovx5", "dst", "10.99.0.3"),
    "way that ages": ("bridge", "fdb", "replace", MAC_B, "dev", "ovx5", "dst", "10.99.0.2", "dynamic"),
    "way to a port": ("bridge", "fdb", "replace", MAC_B, "dev", "ovx5", "dst", "10.99.0.2", "port", "8472"),
    "new way": ("bridge", "fdb", "add", "0a:00:00:00:00:0d", "dev", "ovx5", "dst", "10.99.0.4"),
    "one copy more": ("bridge", "fdb", "append", "00:00:00:00:00:00", "dev", "ovx5", "dst", "10.99.0.4"),
    "a copy to a port": (
        *("bridge", "fdb", "append", "00:00:00:00:00:00", "dev", "ovx5"),
        *("dst", "10.99.0.2", "port", "8472"),
    ),
}


@pytest.mark.parametrize("what", BY_HAND)
async def test_what_is_done_by_hand_is_seen_and_repaired(applier: TunnelApplier, what: str) -> None:
    await settle(applier, FIVE)
    watch = Watch(applier)
    said(*BY_HAND[what])
    await repaired(applier, watch)


async def test_a_renamed_device_of_ours_is_replaced(applier: TunnelApplier) -> None:
    await settle(applier, FIVE)
    watch = Watch(applier)
    ip("link", "set", FIVE.name, "down")
    ip("link", "set", FIVE.name, "name", "renamed")
    await watch.until(lambda: set(applier.have()) == {"renamed"})
    assert await applier.apply(Delta({FIVE.name: FIVE}, {}, {})) == []
    assert set(links()) == {"lo", "under", FIVE.name}
    assert applier.have() == {FIVE.name: FIVE}


async def test_what_we_do_ourselves_is_no_news_nor_are_others_neighbours(applier: TunnelApplier) -> None:
    watch = Watch(applier)
    await settle(applier, FIVE, SIX)
    await settle(applier, tunnel(5, TO_B))
    await settle(applier)
    ip("neigh", "add", "10.99.0.77", "lladdr", MAC_B, "dev", "under")
    ip("link", "add", "foreign", "type", "vxlan", "id", "99", "dstport", "4789", "local", "10.99.0.1")
    said("bridge", "fdb", "append", MAC_B, "dev", "foreign", "dst", "10.99.0.2")
    await applier.resync()
    assert watch.nudges == 0


async def test_what_others_do_meanwhile_is_not_lost(applier: TunnelApplier) -> None:
    await settle(applier, FIVE)
    watch = Watch(applier)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(settle(applier, FIVE, SIX))
        await asyncio.sleep(0)  # it has begun, and knows of the device
        ip("link", "del", FIVE.name)
    assert set(applier.have()) == {SIX.name}
    assert watch.nudges == 1


async def test_a_foreign_device_is_neither_seen_nor_touched(applier: TunnelApplier) -> None:
    ip("link", "add", FIVE.name, "type", "vxlan", "id", "5", "dstport", "4789", "local", "10.99.0.1")
    said("bridge", "fdb", "append", "00:00:00:00:00:00", "dev", FIVE.name, "dst", "10.99.0.7")
    before = links()[FIVE.name], fdb(FIVE)
    assert applier.have() == {}
    assert await settle(applier) == []
    assert await settle(applier, FIVE, SIX) == [
        "ovx5: the name is taken by a vxlan link that is not ours; rename or delete that link"
    ]
    assert set(applier.have()) == {SIX.name}
    await applier.apply(Delta({}, {}, {FIVE.name: FIVE}))
    assert (links()[FIVE.name], fdb(FIVE)) == before


async def test_the_applier_of_containers_links_leaves_tunnels_alone(applier: TunnelApplier) -> None:
    await settle(applier, FIVE)
    before = links()[FIVE.name]
    async with LinkApplier() as containers:
        watch = Watch(containers)
        assert containers.have() == {}
        assert await settle(containers) == []
        ip("link", "set", FIVE.name, "mtu", "1399")
        ip("link", "set", FIVE.name, "mtu", "1400")
        await settle(containers, pair(1))
        assert set(containers.have()) == {pair(1).name}
        assert await settle(containers) == []
        assert watch.nudges == 0
    assert links()[FIVE.name] == before


# -------------------------------------------------------------------- refusals


async def test_a_vni_that_is_taken_is_told_with_its_holder(applier: TunnelApplier) -> None:
    ip("link", "add", "swarm0", "type", "vxlan", "id", "5", "dstport", "4789", "local", "10.99.0.1")
    (refusal,) = await settle(applier, FIVE, SIX)
    assert refusal == "ovx5: VNI 5 on UDP port 4789 is taken by the device swarm0; delete that one"
    assert set(applier.have()) == {SIX.name}


async def test_a_vni_that_is_taken_where_we_cannot_see_is_told_so(applier: TunnelApplier) -> None:
    with container() as inside:
        ip("link", "add", "swarm0", "type", "vxlan", "id", "5", "dstport", "4789", "local", "10.99.0.1")
        ip("link", "set", "swarm0", "netns", inside.name)
        (refusal,) = await settle(applier, FIVE)
        assert "another network namespace" in refusal


async def test_a_udp_port_that_is_taken_is_told_with_its_holder(applier: TunnelApplier) -> None:
    ip("link", "add", "vxlan_sys_4789", "type", "vxlan", "external", "dstport", "4789")
    ip("link", "set", "vxlan_sys_4789", "up")
    (refusal,) = await settle(applier, FIVE)
    assert refusal.startswith("ovx5: UDP port 4789 is taken by the device vxlan_sys_4789;")
    ip("link", "del", "vxlan_sys_4789")
    assert await settle(applier, FIVE) == []
    assert applier.have() == {FIVE.name: FIVE}


async def test_an_interface_that_is_not_there_is_named(applier: TunnelApplier) -> None:
    (refusal,) = await settle(applier, replace(FIVE, device="eth9"), SIX)
    assert refusal == "ovx5: the interface 'eth9' for the tunnel address 10.99.0.1 is not there"
    assert set(applier.have()) == {SIX.name}


async def test_an_mtu_that_does_not_fit_is_told_with_the_largest_that_does(applier: TunnelApplier) -> None:
    for local, room in (("10.99.0.1", 1450), ("fd99::1", 1430)):
        (refusal,) = await settle(applier, tunnel(5, mtu=1500, local=local))
        assert refusal == f"ovx5: an MTU of 1500 does not fit into under; at most {room} do"
        assert await settle(applier, tunnel(5, mtu=room, local=local)) == []


class WithoutModule(Netlink):
    async def _link(self, command: str, **attributes: Any) -> None:
        raise OSError(errno.EOPNOTSUPP, "Operation not supported")


async def test_a_kernel_without_the_module_is_told_so(host: None) -> None:
    async with TunnelApplier(netlink=WithoutModule) as applier:
        (refusal,) = await settle(applier, FIVE)
    assert "modprobe vxlan" in refusal


class Refusing(Netlink):
    """Refuses the n-th request, counted over all conversations."""

    turn = 0
    seen = 0

    async def _link(self, command: str, **attributes: Any) -> None:
        self._count()
        await super()._link(command, **attributes)

    async def _delete(self, request: bytes) -> None:
        self._count()
        await super()._delete(request)

    async def forward(self, index: int, changes: Any) -> None:
        self._count()
        await super().forward(index, changes)

    def _count(self) -> None:
        type(self).seen += 1
        if self.seen == self.turn:
            raise OSError(errno.EPERM, "refused by the test")


def refusing(turn: int) -> type[Netlink]:
    return type("Refusing", (Refusing,), {"turn": turn})


@pytest.mark.parametrize("turn", range(1, 8))
@pytest.mark.parametrize("before", [(), (FIVE, SIX), (ANOTHER_DEVICE["vni"],)], ids=["nothing", "these", "others"])
async def test_heals_whichever_change_is_refused(
    applier: TunnelApplier, before: tuple[TunnelPlan, ...], turn: int
) -> None:
    await settle(applier, *before)
    wanted = (FIVE, replace(SIX, mtu=1200))
    async with TunnelApplier(netlink=refusing(turn)) as restarted:
        await settle(restarted, *wanted)
        assert await settle(restarted, *wanted) == []
        assert restarted.have() == {it.name: it for it in wanted}
        assert set(links()) == {"lo", "under", FIVE.name, SIX.name}


@pytest.mark.parametrize("turn", range(1, 4))
async def test_what_was_half_made_is_removed_by_a_new_process(turn: int) -> None:
    async with TunnelApplier(netlink=refusing(turn)) as applier:
        assert len(await settle(applier, FIVE)) == 1
    async with TunnelApplier() as restarted:
        assert await settle(restarted) == []
    assert set(links()) == {"lo", "under"}


async def test_one_way_that_is_refused_stops_no_other(applier: TunnelApplier) -> None:
    """An IPv6 VTEP cannot be reached from an IPv4 one."""
    plan = tunnel(5, TO_B, ("", "fd99::2"), (MAC_C, "10.99.0.3"))
    (refusal,) = await settle(applier, plan, SIX)
    assert "broadcasts should go to fd99::2" in refusal
    assert fdb(plan) >= as_lines(tunnel(5, TO_B, (MAC_C, "10.99.0.3")))
    assert applier.have()[SIX.name] == SIX


# -------------------------------------------------------------------- packets

OURS = "0a:00:00:00:00:0a"
LOCAL_EXPERIMENTAL = 0x88B5
BROADCAST, UNKNOWN = "ff:ff:ff:ff:ff:ff", "0a:00:00:00:00:99"


@dataclass(frozen=True)
class Underlay:
    """The tunnel addresses of three hosts; ours is the first."""

    vteps: tuple[str, str, str]
    length: int


IPV4 = Underlay(("10.99.0.1", "10.99.0.2", "10.99.0.3"), 24)
IPV6 = Underlay(("fd99::1", "fd99::2", "fd99::3"), 64)


class Peer:
    """Another host with a device of its own, made by hand, that sends everything to us."""

    def __init__(self, inside: Inside, number: int, under: Underlay) -> None:
        self._inside = inside
        ip("link", "add", f"to{number}", "type", "veth", "peer", "name", "eth0", "netns", inside.name)
        ip("link", "set", f"to{number}", "master", "under", "up")
        self._ip("link", "set", "eth0", "up")
        nodad = ("nodad",) if ":" in under.vteps[0] else ()
        self._ip("addr", "add", f"{under.vteps[number]}/{under.length}", "dev", "eth0", *nodad)
        vxlan = ("type", "vxlan", "id", "5", "dstport", "4789", "nolearning", "local", under.vteps[number])
        self._ip("link", "add", "vx", *vxlan)
        inside.run("sysctl", "-qw", "net.ipv6.conf.vx.disable_ipv6=1")
        self._ip("link", "set", "vx", "up")
        inside.run("bridge", "fdb", "append", "00:00:00:00:00:00", "dev", "vx", "dst", under.vteps[0])

    def _ip(self, *argv: str) -> None:
        self._inside.run("ip", *argv)

    async def listen(self) -> socket.socket:
        with opened(self._inside.sandbox) as namespace:
            return await run_inside(namespace, lambda: frames_of("vx"))


def frames_of(name: str) -> socket.socket:
    """All frames of our kind on an interface; reading waits."""
    packets = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(LOCAL_EXPERIMENTAL))
    packets.bind((name, LOCAL_EXPERIMENTAL))
    packets.settimeout(10)
    return packets


def frame(to: str, sender: str, text: str) -> bytes:
    head = bytes.fromhex(f"{to}{sender}".replace(":", "")) + LOCAL_EXPERIMENTAL.to_bytes(2, "big")
    return head + text.encode().ljust(46, b"\0")


def heard(packets: socket.socket, count: int = 1) -> list[str]:
    """The texts of the next frames that came in."""
    texts: list[str] = []
    while len(texts) < count:
        received, (_, _, kind, *_) = packets.recvfrom(2000)
        if kind != socket.PACKET_OUTGOING:
            texts.append(received[14:].rstrip(b"\0").decode())
    return texts


@pytest.fixture(params=[IPV4, IPV6], ids=["IPv4", "IPv6"])
async def wire(
    request: pytest.FixtureRequest, applier: TunnelApplier
) -> AsyncIterator[tuple[socket.socket, socket.socket, socket.socket]]:
    """Sockets on our device and on those of the two other hosts, joined by nothing but what we forward."""
    under: Underlay = request.param
    here, b, c = under.vteps
    with ExitStack() as stack:
        peers = [Peer(stack.enter_context(container()), number, under) for number in (1, 2)]
        assert await settle(applier, tunnel(5, ("", b), ("", c), (MAC_B, b), (MAC_C, c), local=here)) == []
        sockets = [
            stack.enter_context(it) for it in (frames_of("ovx5"), await peers[0].listen(), await peers[1].listen())
        ]
        yield sockets[0], sockets[1], sockets[2]


Wire = tuple[socket.socket, socket.socket, socket.socket]


async def test_what_is_for_one_goes_to_that_one_and_broadcasts_once_to_each(wire: Wire) -> None:
    here, b, c = wire
    for to, text in (
        (MAC_B, "for b"),
        (BROADCAST, "for all"),
        (UNKNOWN, "unknown"),
        (MAC_C, "for c"),
        (BROADCAST, "end"),
    ):
        here.send(frame(to, OURS, text))
    assert heard(b, 4) == ["for b", "for all", "unknown", "end"]
    assert heard(c, 4) == ["for all", "unknown", "for c", "end"]


async def test_nothing_is_learned_from_what_comes(wire: Wire, applier: TunnelApplier) -> None:
    here, b, c = wire
    before = applier.have()
    b.send(frame(OURS, UNKNOWN, "here I am"))
    b.send(frame(BROADCAST, MAC_C, "I am c"))
    assert heard(here, 2) == ["here I am", "I am c"]
    await applier.resync()
    assert applier.have() == before
    here.send(frame(UNKNOWN, OURS, "where are you"))
    here.send(frame(MAC_C, OURS, "for c"))
    assert heard(c, 2) == ["where are you", "for c"]


async def test_packets_flow_while_ways_change(wire: Wire, applier: TunnelApplier) -> None:
    here, b, c = wire
    (plan,) = applier.have().values()
    to_c = next(vtep for mac, vtep in plan.forwards if mac == MAC_C)
    moved = frozenset((mac, to_c if mac == MAC_B else vtep) for mac, vtep in plan.forwards)
    assert await settle(applier, replace(plan, forwards=moved)) == []
    for to, text in ((MAC_B, "moved"), (BROADCAST, "end")):
        here.send(frame(to, OURS, text))
    assert (heard(b), heard(c, 2)) == (["end"], ["moved", "end"])
