"""What is asked of the network below the tunnels, in namespaces of its own."""

from collections.abc import Iterator
from contextlib import ExitStack
from ipaddress import ip_address

import pytest
from tests.functional.kernel import Inside, container, ip, private_host

from ovsnet.linux.underlay import (
    USUAL,
    Underlay,
    address_of,
    path_mtu,
    route_mtu,
    source_towards,
    underlay_of,
)
from ovsnet.model.errors import Unavailable


@pytest.fixture(autouse=True)
def host() -> Iterator[None]:
    """With two interfaces: eth0 with several addresses, and eth1 with a smaller MTU."""
    with private_host():
        for name, mtu in (("eth0", "1500"), ("eth1", "1400"), ("bare", "1500")):
            ip("link", "add", name, "mtu", mtu, "type", "bridge")
            ip("link", "set", name, "up")
        for address in ("fd01::1/64", "fd01::2/64"):
            ip("addr", "add", address, "dev", "eth0", "nodad")
        for address in ("192.0.2.1/24", "192.0.2.9/24"):
            ip("addr", "add", address, "dev", "eth0")
        ip("addr", "add", "198.51.100.1/24", "dev", "eth1")
        ip("addr", "add", "fe80::1/64", "dev", "bare", "nodad")
        ip("route", "add", "203.0.113.0/24", "via", "198.51.100.7")
        yield


@pytest.mark.parametrize(
    ("address", "underlay"),
    [
        ("192.0.2.1", Underlay("eth0", 1500, 4, joins=True)),
        ("192.0.2.9", Underlay("eth0", 1500, 4, joins=True)),
        ("198.51.100.1", Underlay("eth1", 1400, 4, joins=True)),
        ("fd01::1", Underlay("eth0", 1500, 6, joins=True)),
        ("192.0.2.2", None),
        ("fd01::99", None),
    ],
)
async def test_the_interface_that_has_an_address_is_found(address: str, underlay: Underlay | None) -> None:
    assert await underlay_of(ip_address(address)) == underlay


@pytest.mark.parametrize(("device", "address"), [("eth0", "192.0.2.1"), ("eth1", "198.51.100.1")])
async def test_an_interface_is_reached_by_its_first_address(device: str, address: str) -> None:
    assert await address_of(device) == ip_address(address)


async def test_without_ipv4_it_is_the_ipv6_address_others_can_reach() -> None:
    ip("-4", "addr", "flush", "dev", "eth0")
    assert await address_of("eth0") in (ip_address("fd01::1"), ip_address("fd01::2"))


@pytest.mark.parametrize("device", ["bare", "nowhere"])
async def test_an_interface_nobody_reaches_has_none(device: str) -> None:
    assert await address_of(device) is None


@pytest.mark.parametrize(
    ("to", "source"),
    [
        ("192.0.2.77", "192.0.2.1"),
        ("203.0.113.5", "198.51.100.1"),
        ("8.8.8.8", None),
        ("fd02::1", None),
    ],
)
async def test_the_address_packets_would_come_from_is_found(to: str, source: str | None) -> None:
    assert await source_towards(ip_address(to)) == (None if source is None else ip_address(source))


async def test_there_is_no_mtu_of_no_way() -> None:
    with pytest.raises(Unavailable, match=r"a way to 8\.8\.8\.8"):
        route_mtu(ip_address("8.8.8.8"))
    with pytest.raises(Unavailable, match=r"a way to 8\.8\.8\.8"):
        await path_mtu(ip_address("8.8.8.8"))


# -------------------------------------------------------------------- paths


class Path:
    """host ── router ── peer; the second half is narrower than the first."""

    def __init__(self, router: Inside, peer: Inside, *, narrow: int) -> None:
        self.peer = peer
        for inside in (router, peer):
            inside.run("sysctl", "-qw", "net.ipv6.conf.default.accept_dad=0")
        ip("link", "add", "near", "type", "veth", "peer", "name", "left", "netns", router.name)
        router.run(
            "ip", "link", "add", "right", "mtu", str(narrow), "type", "veth", "peer", "name", "e", "netns", peer.name
        )
        peer.run("ip", "link", "set", "e", "mtu", str(narrow))
        ip("link", "set", "near", "up")
        for inside, device in ((router, "left"), (router, "right"), (peer, "e")):
            inside.run("ip", "link", "set", device, "up")
        router.run("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
        self._addresses(router, "10.1.0", "10.2.0", "0.0.0.0/0", ".", 24)
        self._addresses(router, "fd0a:1:", "fd0a:2:", "::/0", ":", 64)

    def _addresses(self, router: Inside, near: str, far: str, everywhere: str, dot: str, length: int) -> None:
        nodad = ("nodad",) if dot == ":" else ()
        ip("addr", "add", f"{near}{dot}1/{length}", "dev", "near", *nodad)
        router.run("ip", "addr", "add", f"{near}{dot}2/{length}", "dev", "left", *nodad)
        router.run("ip", "addr", "add", f"{far}{dot}2/{length}", "dev", "right", *nodad)
        self.peer.run("ip", "addr", "add", f"{far}{dot}1/{length}", "dev", "e", *nodad)
        ip("route", "add", f"{far}{dot}0/{length}", "via", f"{near}{dot}2")
        self.peer.run("ip", "route", "add", everywhere, "via", f"{far}{dot}2")


@pytest.fixture
def path() -> Iterator[Path]:
    with ExitStack() as stack:
        yield Path(stack.enter_context(container()), stack.enter_context(container()), narrow=1400)


PEERS = ["10.2.0.1", "fd0a:2::1"]


@pytest.mark.parametrize("peer", PEERS)
async def test_a_narrow_path_is_measured_and_remembered(path: Path, peer: str) -> None:
    assert route_mtu(ip_address(peer)) == 1500
    assert await path_mtu(ip_address(peer)) == 1400
    assert route_mtu(ip_address(peer)) == 1400


@pytest.mark.parametrize("peer", PEERS)
async def test_a_wide_path_carries_what_the_interface_does(path: Path, peer: str) -> None:
    near = peer.replace("10.2.0.1", "10.1.0.2").replace("fd0a:2::1", "fd0a:1::2")
    assert await path_mtu(ip_address(near)) == 1500


async def test_what_drops_in_silence_is_found_by_the_usual_sizes(path: Path) -> None:
    """A wire with ends of different MTUs: no router is there to say anything."""
    path.peer.run("ip", "link", "set", "e", "mtu", "1300")
    found = await path_mtu(ip_address("10.2.0.1"), patience=0.1)
    assert found in USUAL
    assert found <= 1300


@pytest.mark.parametrize("peer", PEERS)
async def test_a_peer_that_does_not_answer_is_not_guessed_at(path: Path, peer: str) -> None:
    path.peer.run("ip", "route", "flush", "default")
    path.peer.run("ip", "-6", "route", "flush", "default")
    path.peer.run("ip", "link", "set", "e", "down")
    assert await path_mtu(ip_address(peer), patience=0.1) is None
