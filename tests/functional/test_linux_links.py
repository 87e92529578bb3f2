"""The link applier against the kernel, in namespaces of its own."""

import asyncio
import errno
import os
import socket
import struct
import subprocess
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import ExitStack
from ipaddress import ip_address, ip_interface
from pathlib import Path
from typing import Any

import pytest
from tests.functional.kernel import (
    Inside,
    Watch,
    container,
    internal,
    ip,
    links,
    offload,
    pair,
    private_host,
    settle,
)

from ovsnet.linux.links import LinkApplier
from ovsnet.linux.namespace import opened, run_inside
from ovsnet.linux.netlink import Netlink
from ovsnet.model.delta import Delta, diff
from ovsnet.model.errors import ApplyError
from ovsnet.model.host import LinkPlan, Placement

ADDRESSES = (ip_interface("10.77.0.2/24"), ip_interface("fd77::2/64"))


@pytest.fixture(autouse=True)
def host() -> Iterator[None]:
    with private_host():
        yield


@pytest.fixture
async def applier(host: None) -> AsyncIterator[LinkApplier]:
    async with LinkApplier(appears_within=0.3) as it:
        yield it


@pytest.fixture
def inside() -> Iterator[Inside]:
    with container() as it:
        yield it


# -------------------------------------------------------------------- pairs


async def test_a_pair_is_ready_to_be_handed_over(applier: LinkApplier) -> None:
    assert await settle(applier, pair(1)) == []
    near, far = links()[pair(1).name], links()[pair(1).peer]
    assert near["flags"].count("UP") == 1
    assert "UP" not in far["flags"], "the engine brings the container's end up, inside"
    assert (near["mtu"], far["mtu"]) == (1400, 1400)
    assert (near["ifalias"], far["ifalias"]) == (pair(1).alias, f"{pair(1).alias}/inside")
    assert far["address"] == pair(1).mac
    assert (near["group"], near["addr_info"]) == ("default", [])


async def test_offloads_stay_on_where_the_datapath_can_use_them(applier: LinkApplier) -> None:
    await settle(applier, pair(1))
    assert offload(pair(1).name)
    assert offload(pair(1).peer)


async def test_offloads_are_off_at_both_ends_where_it_cannot(applier: LinkApplier) -> None:
    await settle(applier, pair(1, offloaded=False))
    assert not offload(pair(1).name)
    assert not offload(pair(1).peer)


async def test_an_mtu_too_small_for_ipv6_is_no_trouble(applier: LinkApplier) -> None:
    assert await settle(applier, pair(1, mtu=1000)) == []
    assert links()[pair(1).name]["mtu"] == 1000


async def test_have_is_what_was_written(applier: LinkApplier) -> None:
    plans = [pair(number) for number in range(1, 51)]
    assert await settle(applier, *plans) == []
    assert applier.have() == {it.name: it for it in plans}


async def test_a_second_round_changes_nothing(applier: LinkApplier) -> None:
    await settle(applier, pair(1))
    before = links()
    again = Delta({pair(1).name: pair(1)}, {}, {})
    assert await applier.apply(again) == []
    assert links() == before


async def test_a_new_process_recognises_its_own(applier: LinkApplier) -> None:
    await settle(applier, pair(1), pair(2))
    async with LinkApplier() as restarted:
        assert restarted.have() == applier.have()


async def test_removal_takes_both_ends_of_all(applier: LinkApplier) -> None:
    await settle(applier, *(pair(number) for number in range(1, 21)))
    assert await settle(applier) == []
    assert (dict(applier.have()), set(links())) == ({}, {"lo"})


async def test_what_is_gone_already_is_removed(applier: LinkApplier) -> None:
    await settle(applier, pair(1), pair(2), pair(3))
    doomed = dict(applier.have())
    ip("link", "del", pair(1).name)
    ip("link", "del", pair(2).name)
    assert await applier.apply(Delta({}, {}, doomed)) == []
    assert await applier.apply(Delta({}, {}, doomed)) == []
    assert set(links()) == {"lo"}


async def test_a_pair_that_is_down_is_repaired(applier: LinkApplier) -> None:
    await settle(applier, pair(1))
    watch = Watch(applier)
    ip("link", "set", pair(1).name, "down")
    await watch.until(lambda: applier.have()[pair(1).name] != pair(1))
    assert await settle(applier, pair(1)) == []
    assert "UP" in links()[pair(1).name]["flags"]


async def test_a_wrong_mtu_is_repaired(applier: LinkApplier) -> None:
    await settle(applier, pair(1))
    watch = Watch(applier)
    ip("link", "set", pair(1).name, "mtu", "1234")
    await watch.until(lambda: applier.have()[pair(1).name] != pair(1))
    assert await settle(applier, pair(1)) == []
    assert links()[pair(1).name]["mtu"] == 1400


async def test_a_name_that_went_to_another_endpoint_is_made_anew(applier: LinkApplier) -> None:
    await settle(applier, pair(1))
    index = links()[pair(1).name]["ifindex"]
    other = LinkPlan(pair(1).name, pair(1).kind, "ovsnet:another", 1400, peer=pair(1).peer, mac=pair(2).mac)
    assert await settle(applier, other) == []
    assert links()[other.name]["ifindex"] != index
    assert links()[other.peer]["address"] == pair(2).mac


# -------------------------------------------------------------------- what others do


async def test_a_deletion_by_hand_is_seen(applier: LinkApplier) -> None:
    await settle(applier, pair(1), pair(2))
    watch = Watch(applier)
    ip("link", "del", pair(1).name)
    await watch.until(lambda: set(applier.have()) == {pair(2).name})


async def test_a_renamed_link_of_ours_is_replaced(applier: LinkApplier) -> None:
    await settle(applier, pair(1))
    watch = Watch(applier)
    ip("link", "set", pair(1).name, "down")
    ip("link", "set", pair(1).name, "name", "elsewhere")
    await watch.until(lambda: set(applier.have()) == {"elsewhere"})
    await settle(applier, pair(1))
    assert set(links()) == {"lo", pair(1).name, pair(1).peer}


async def test_what_we_do_ourselves_is_no_news(applier: LinkApplier) -> None:
    watch = Watch(applier)
    await settle(applier, pair(1), pair(2))
    await settle(applier, pair(2))
    await settle(applier)
    ip("link", "add", "foreign", "type", "bridge")
    ip("link", "del", "foreign")
    await applier.resync()
    assert watch.nudges == 0


async def test_what_others_do_meanwhile_is_not_lost(applier: LinkApplier) -> None:
    await settle(applier, pair(1))
    watch = Watch(applier)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(settle(applier, *(pair(number) for number in range(1, 11))))
        await asyncio.sleep(0)  # it has begun, and knows of pair 1
        ip("link", "del", pair(1).name)
    assert pair(1).name not in applier.have()
    assert watch.nudges == 1


async def test_foreign_links_are_neither_seen_nor_touched(applier: LinkApplier) -> None:
    ip("link", "add", pair(1).name, "type", "veth", "peer", "name", "foreign")
    ip("link", "set", "foreign", "alias", "somebody:else")
    before = links()
    assert dict(applier.have()) == {}
    assert await settle(applier) == []
    (refusal,) = await settle(applier, pair(1))
    assert refusal == f"{pair(1).name}: the name is taken by a veth link that is not ours; rename or delete that link"
    assert links() == before


async def test_a_pair_whose_mark_somebody_changed_is_known_by_its_other_end(applier: LinkApplier) -> None:
    await settle(applier, pair(1))
    before = links()
    watch = Watch(applier)
    ip("link", "set", pair(1).name, "alias", "somebody:else")
    await watch.until(lambda: pair(1).name not in applier.have())
    assert await settle(applier, pair(1)) == []
    assert links() == before


async def test_a_foreign_link_is_not_removed_for_having_had_our_name(applier: LinkApplier) -> None:
    ip("link", "add", pair(1).name, "type", "bridge")
    await applier.apply(Delta({}, {}, {pair(1).name: pair(1)}))
    assert pair(1).name in links()


async def test_one_refusal_does_not_stop_the_others(applier: LinkApplier) -> None:
    ip("link", "add", pair(2).name, "type", "bridge")
    refusals = await settle(applier, pair(1), pair(2), pair(3))
    assert len(refusals) == 1
    assert set(applier.have()) == {pair(1).name, pair(3).name}


async def test_a_port_that_leaves_a_linux_bridge_is_still_there(applier: LinkApplier) -> None:
    """The kernel says that the bridge lost a port, in a message like that of a deleted link."""
    await settle(applier, pair(1))
    watch = Watch(applier)
    ip("link", "add", "switch", "type", "bridge")
    ip("link", "set", pair(1).name, "master", "switch")
    ip("link", "set", pair(1).name, "nomaster")
    await applier.resync()
    assert applier.have() == {pair(1).name: pair(1)}
    assert watch.nudges == 0


async def test_more_events_than_the_kernel_keeps_cost_nothing_but_a_listing(applier: LinkApplier) -> None:
    await settle(applier, pair(1), pair(2))
    watch = Watch(applier)
    # Nobody reads events while this runs: far more than the backlog holds, the deletion somewhere among them.
    flood = "\n".join(f"link set lo alias {number}" for number in range(15_000))
    _ip_batch(f"{flood}\nlink del {pair(1).name}\n{flood}\n")
    await watch.until(lambda: set(applier.have()) == {pair(2).name})


def sysctl(setting: str) -> None:
    subprocess.run(["sysctl", "-qw", setting], check=True, timeout=30)


def _ip_batch(commands: str) -> None:
    subprocess.run(["ip", "-batch", "-"], input=commands, text=True, check=True, timeout=60)


# -------------------------------------------------------------------- into the container, again


def gateway(plan: LinkPlan) -> None:
    """A Linux bridge stands in for the switch; the test's host answers behind it."""
    ip("link", "add", "switch", "type", "bridge")
    ip("link", "set", "switch", "up")
    ip("addr", "add", "10.77.0.1/24", "dev", "switch")
    ip("addr", "add", "fd77::1/64", "dev", "switch", "nodad")
    ip("link", "set", plan.name, "master", "switch")


async def test_a_lost_interface_is_put_back_and_works(applier: LinkApplier, inside: Inside) -> None:
    plan = pair(1, offloaded=False, into=Placement(inside.sandbox, "eth7", ADDRESSES))
    assert await settle(applier, plan) == []
    assert applier.have() == {plan.name: plan}
    found = inside.links()["eth7"]
    assert (found["address"], found["mtu"], found["ifalias"]) == (plan.mac, 1400, f"{plan.alias}/inside")
    given = {(it["local"], it["prefixlen"]) for it in found["addr_info"] if it["scope"] == "global"}
    assert given == {("10.77.0.2", 24), ("fd77::2", 64)}
    assert not offload(plan.name)
    assert not offload("eth7", inside)
    gateway(plan)
    assert inside.pings("10.77.0.1")
    assert inside.pings("fd77::1")


async def test_without_an_ipv6_address_the_interface_has_no_ipv6(applier: LinkApplier, inside: Inside) -> None:
    plan = pair(1, into=Placement(inside.sandbox, "eth0", ADDRESSES[:1]))
    assert await settle(applier, plan) == []
    assert inside.run("sysctl", "-n", "net.ipv6.conf.eth0.disable_ipv6").stdout.strip() == "1"
    assert [it["family"] for it in inside.links()["eth0"]["addr_info"]] == ["inet"]


async def test_a_deleted_interface_comes_back_in_the_running_container(applier: LinkApplier, inside: Inside) -> None:
    plan = pair(1, into=Placement(inside.sandbox, "eth0", ADDRESSES))
    await settle(applier, plan)
    watch = Watch(applier)
    inside.run("ip", "link", "del", "eth0")
    await watch.until(lambda: not applier.have())
    assert await settle(applier, plan) == []
    assert "UP" in inside.links()["eth0"]["flags"]  # "operstate" follows a moment later


async def test_a_changed_mark_is_put_right_while_the_other_end_is_in_its_container(
    applier: LinkApplier, inside: Inside
) -> None:
    plan = pair(1, into=Placement(inside.sandbox, "eth0", ADDRESSES))
    await settle(applier, plan)
    before = links(), inside.links()
    watch = Watch(applier)
    ip("link", "set", plan.name, "alias", "somebody:else")
    await watch.until(lambda: plan.name not in applier.have())
    assert await settle(applier, plan) == []
    assert (links(), inside.links()) == before


async def test_a_container_that_is_gone_is_named_as_the_reason(applier: LinkApplier, tmp_path: Path) -> None:
    unmounted = tmp_path / "netns"
    unmounted.touch()
    for path in ("/run/netns/ovtest-gone", str(unmounted)):
        plan = pair(1, into=Placement(path, "eth0", ADDRESSES))
        reason = f"the network namespace {path} of its container is gone"
        assert await settle(applier, plan) == [f"{plan.name}: {reason}"]
        assert set(links()) == {"lo"}


async def test_a_name_taken_inside_is_refused(applier: LinkApplier, inside: Inside) -> None:
    inside.run("ip", "link", "add", "eth0", "type", "bridge")
    plan = pair(1, into=Placement(inside.sandbox, "eth0", ADDRESSES))
    (refusal,) = await settle(applier, plan)
    assert refusal.startswith(f"{plan.name}: ")
    assert inside.links()["eth0"]["linkinfo"]["info_kind"] == "bridge"
    assert set(links()) == {"lo"}


HOSTS_OWN = ("10.66.0.1", "fd66::1")
BROADCAST = "ff:ff:ff:ff:ff:ff"


@pytest.fixture
def listening(host: None) -> Iterator[Mapping[str, socket.socket]]:
    """Sockets on addresses of the host that are none of the containers' business."""
    ip("link", "add", "private", "type", "bridge")
    ip("addr", "add", "10.66.0.1/24", "dev", "private")
    ip("addr", "add", "fd66::1/64", "dev", "private", "nodad")
    ip("link", "set", "private", "up")
    with ExitStack() as stack:
        sockets = {}
        for address in HOSTS_OWN:
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            sockets[address] = stack.enter_context(socket.socket(family, socket.SOCK_DGRAM))
            sockets[address].bind((address, 9999))
            sockets[address].settimeout(0.2)
        yield sockets


def knock(inside: Inside, address: str, mac: str) -> None:
    """Send a datagram to the host's address, in a frame to that MAC."""
    inside.run("ip", "route", "replace", address, "dev", "eth0")
    inside.run("ip", "neigh", "replace", address, "lladdr", mac, "dev", "eth0")
    inside.run("bash", "-c", f"echo knock > /dev/udp/{address}/9999")


@pytest.mark.parametrize("address", HOSTS_OWN)
async def test_the_host_takes_nothing_from_the_port(
    applier: LinkApplier, inside: Inside, listening: Mapping[str, socket.socket], address: str
) -> None:
    """Userspace datapath: the host's own stack sees every packet of a container, and must not take it."""
    plan = pair(1, into=Placement(inside.sandbox, "eth0", ADDRESSES))
    await settle(applier, plan)
    for mac in (links()[plan.name]["address"], BROADCAST):
        knock(inside, address, mac)
        with pytest.raises(TimeoutError):
            listening[address].recv(100)


async def answers_probe(inside: Inside, address: str) -> bool:
    """True when somebody claims the address to a sender that has none yet (RFC 5227)."""
    mac = bytes.fromhex("0a0000000001")
    target = ip_address(address).packed
    probe = b"\xff" * 6 + mac + struct.pack("!HHHBBH", 0x806, 1, 0x800, 6, 4, 1) + mac + bytes(10) + target
    with opened(inside.sandbox) as namespace:
        arp = await run_inside(namespace, lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0x608))
    with arp:
        arp.bind(("eth0", 0x806))
        arp.send(probe)
        arp.settimeout(0.3)
        try:
            return bool(arp.recv(100))
        except TimeoutError:
            return False


@pytest.fixture
def loose(listening: Mapping[str, socket.socket]) -> None:
    """A host that takes any sender it has some route to, as Ubuntu's settings are."""
    ip("route", "add", "default", "via", "10.66.0.2")
    sysctl("net.ipv4.conf.all.rp_filter=2")


async def test_a_loose_host_takes_nothing_either(
    applier: LinkApplier, inside: Inside, listening: Mapping[str, socket.socket], loose: None
) -> None:
    plan = pair(1, into=Placement(inside.sandbox, "eth0", ADDRESSES))
    await settle(applier, plan)
    for mac in (links()[plan.name]["address"], BROADCAST):
        knock(inside, HOSTS_OWN[0], mac)
        with pytest.raises(TimeoutError):
            listening[HOSTS_OWN[0]].recv(100)


async def test_the_host_does_not_answer_for_its_addresses(
    applier: LinkApplier, inside: Inside, listening: Mapping[str, socket.socket]
) -> None:
    await settle(applier, pair(1, into=Placement(inside.sandbox, "eth0", ADDRESSES)))
    assert not await answers_probe(inside, HOSTS_OWN[0])
    for address in HOSTS_OWN:
        inside.run("ip", "route", "replace", address, "dev", "eth0")
        assert not inside.pings(address, wait=0.3)
        assert "lladdr" not in inside.run("ip", "neigh", "show", address).stdout


# -------------------------------------------------------------------- internal ports


def device(plan: LinkPlan) -> None:
    """What ovs-vswitchd makes in the userspace datapath."""
    ip("tuntap", "add", "dev", plan.name, "mode", "tap")


async def test_an_internal_ports_device_is_taken_over_and_stays_down(applier: LinkApplier) -> None:
    device(internal(1))
    assert await settle(applier, internal(1)) == []
    found = links()[internal(1).name]
    assert (found["ifalias"], found["mtu"], found["address"]) == (internal(1).alias, 1400, internal(1).mac)
    assert "UP" not in found["flags"]
    assert applier.have() == {internal(1).name: internal(1)}


async def test_a_device_that_comes_late_is_waited_for(host: None) -> None:
    async with LinkApplier(appears_within=10.0) as applier, asyncio.TaskGroup() as tasks:
        settling = tasks.create_task(settle(applier, internal(1)))
        await asyncio.sleep(0)  # it has begun
        device(internal(1))
        assert await settling == []


async def test_a_device_that_never_comes_is_an_error_with_advice(applier: LinkApplier) -> None:
    (refusal,) = await settle(applier, internal(1))
    assert "ovs-vswitchd has not made the internal port's device within 0.3 s" in refusal
    assert f"ovs-vsctl get interface {internal(1).name} error" in refusal


async def test_a_device_in_its_container_is_not_lost(applier: LinkApplier, inside: Inside) -> None:
    plan = internal(1)
    device(plan)
    await settle(applier, plan)
    ip("link", "set", plan.name, "netns", inside.name)
    await applier.resync()
    assert applier.have() == {plan.name: plan}
    assert await settle(applier, plan) == []


async def test_a_new_process_finds_the_device_in_its_container(applier: LinkApplier, inside: Inside) -> None:
    device(internal(1))
    await settle(applier, internal(1))
    ip("link", "set", internal(1).name, "netns", inside.name)
    placed = internal(1, into=Placement(inside.sandbox, internal(1).name, ADDRESSES))
    async with LinkApplier(appears_within=0.3) as restarted:
        assert await settle(restarted, placed) == []
        assert restarted.have() == {placed.name: placed}


async def test_a_device_the_switch_made_anew_goes_back_into_its_container(applier: LinkApplier, inside: Inside) -> None:
    plan = internal(1, into=Placement(inside.sandbox, internal(1).name, ADDRESSES))
    device(plan)
    assert await settle(applier, plan) == []
    assert applier.have() == {plan.name: plan}
    found = inside.links()[plan.name]
    assert (found["address"], found["mtu"]) == (plan.mac, 1400)
    assert "UP" in found["flags"]
    assert {it["local"] for it in found["addr_info"]} >= {"10.77.0.2", "fd77::2"}


async def test_a_device_that_left_its_container_is_put_right_again(applier: LinkApplier, inside: Inside) -> None:
    plan = internal(1, into=Placement(inside.sandbox, internal(1).name, ADDRESSES))
    device(plan)
    await settle(applier, plan)
    watch = Watch(applier)
    inside.run("ip", "link", "del", plan.name)
    device(plan)  # ovs-vswitchd notices, and makes it anew on the host
    await watch.until(lambda: not applier.have())
    assert await settle(applier, plan) == []
    assert plan.name in inside.links()


async def test_a_removed_internal_port_is_let_go(applier: LinkApplier) -> None:
    device(internal(1))
    await settle(applier, internal(1))
    assert await settle(applier) == []
    assert dict(applier.have()) == {}
    assert "ifalias" not in links()[internal(1).name]


async def test_a_foreign_device_is_no_internal_port(applier: LinkApplier) -> None:
    ip("link", "add", internal(1).name, "type", "bridge")
    (refusal,) = await settle(applier, internal(1))
    assert "taken by a bridge link that is not ours" in refusal


# -------------------------------------------------------------------- laws


def refusing(turn: int) -> type[Netlink]:
    """Conversations of which the n-th request, counted over all of them, is refused."""
    return type("Refusing", (Refusing,), {"turn": turn})


class Refusing(Netlink):
    turn = 0
    seen = 0

    async def _link(self, command: str, **attributes: Any) -> None:
        self._count()
        await super()._link(command, **attributes)

    async def _delete(self, request: bytes) -> None:
        self._count()
        await super()._delete(request)

    def _count(self) -> None:
        type(self).seen += 1
        if self.seen == self.turn:
            raise OSError(errno.EPERM, "refused by the test")


BEFORE = {
    "nothing": (),
    "two": (pair(1), pair(2)),
    "another": (pair(3, mtu=1300),),
    "down": (pair(2), pair(3)),
}


@pytest.mark.parametrize("turn", range(1, 9))
@pytest.mark.parametrize("before", BEFORE)
async def test_heals_whichever_change_is_refused(applier: LinkApplier, before: str, turn: int) -> None:
    wanted = (pair(2), pair(3))
    await settle(applier, *BEFORE[before])
    if before == "down":
        ip("link", "set", pair(2).name, "down")
    async with LinkApplier(netlink=refusing(turn)) as restarted:
        await settle(restarted, *wanted)
        assert await settle(restarted, *wanted) == []
        assert restarted.have() == {it.name: it for it in wanted}
        assert set(links()) == {"lo", *(it.name for it in wanted), *(it.peer for it in wanted)}


@pytest.mark.parametrize("turn", range(1, 4))
async def test_what_was_half_made_is_removed_by_a_new_process(turn: int) -> None:
    async with LinkApplier(netlink=refusing(turn)) as applier:
        assert len(await settle(applier, pair(1))) == 1
    async with LinkApplier() as restarted:
        assert await settle(restarted) == []
    assert set(links()) == {"lo"}


async def test_heals_a_refused_placement(inside: Inside) -> None:
    plan = pair(1, into=Placement(inside.sandbox, "eth0", ADDRESSES))
    for turn in (1, 2):
        async with LinkApplier(netlink=refusing(turn)) as applier:
            assert len(await settle(applier, plan)) == 1
            assert await settle(applier, plan) == []
            assert "UP" in inside.links()["eth0"]["flags"]  # "operstate" follows a moment later
            assert await settle(applier) == []


async def test_nothing_is_left_open_after_a_hundred_pairs(applier: LinkApplier, inside: Inside) -> None:
    async def one(number: int) -> None:
        into = Placement(inside.sandbox, "eth0", ADDRESSES) if number % 4 == 0 else None
        assert await settle(applier, pair(number, into=into)) == []
        assert await settle(applier) == []

    await one(1)
    await one(4)
    before = sorted(os.listdir("/proc/self/fd"))
    for number in range(100):
        await one(number)
    assert sorted(os.listdir("/proc/self/fd")) == before


async def test_a_refusal_names_the_link_and_the_kernels_reason(host: None) -> None:
    async with LinkApplier(netlink=refusing(1)) as applier:
        (error,) = await applier.apply(diff({pair(1).name: pair(1)}, {}))
        assert isinstance(error, ApplyError)
        assert (error.resource, error.reason) == (pair(1).name, "refused by the test")
