"""Gateways of networks with equal addresses on a real kernel, each network in an address space of its own.

web,  10.20.0.2, fd00:20::2 ══ ovgwa ─┐ the test's own namespace ┌─ lan0 ══ lan, 192.0.2.9, 2001:db8::9
blue, 10.20.0.2, fd00:20::2 ══ ovgwc ─┤ 192.0.2.1, 2001:db8::1   ┘
red,  10.20.0.2, fd00:20::2 ══ ovgwd ─┘ which checks where packets come from (RFC 3704, strict)
"""

import subprocess
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv4Network, ip_address

import pytest
from tests.functional.kernel import Inside, container, ip, private_host
from tests.functional.test_linux_firewall import NAT, World, call, in_domain, reaches_none, wire
from tests.states import endpoint, state

from ovsnet.linux.firewall import FirewallApplier
from ovsnet.linux.hostports import HostPorts
from ovsnet.linux.links import LinkApplier
from ovsnet.linux.routes import host_networks
from ovsnet.model.delta import diff
from ovsnet.model.host import HostFacts, SwitchFacts
from ovsnet.model.ids import NetworkId, Vni
from ovsnet.model.network import Network
from ovsnet.model.publication import Publication, Transport
from ovsnet.model.services import Import
from ovsnet.pipeline.gateway import GATEWAY_MAC
from ovsnet.plan.host import plan_host

pytestmark = [pytest.mark.functional, pytest.mark.row(40, 43, 78)]

TCP, UDP = Transport.TCP, Transport.UDP
BLUE = replace(NAT, id=NetworkId("c3" * 32), vni=Vni(12), name="blue", space="blue", space_number=1)
RED = replace(NAT, id=NetworkId("d4" * 32), vni=Vni(13), name="red", space="red", space_number=2)
PORTS = {"web": 8080, "blue": 8081, "red": 8082}
HOST, HOST6, LAN, LAN6 = "192.0.2.1", "2001:db8::1", "192.0.2.9", "2001:db8::9"
SERVER = """
import socket, sys, threading
name, port = sys.argv[1], int(sys.argv[2])
def answer(word, whom):
    return f"{name} {whom[0].removeprefix('::ffff:')} ".encode() + word
udp = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
udp.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
udp.bind(("::", port))
tcp = socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True)
def datagrams():
    while True:
        word, whom = udp.recvfrom(99)
        udp.sendto(answer(word, whom), whom)
def stream(peer, whom):
    with peer:
        while word := peer.recv(99):
            peer.sendall(answer(word, whom))
threading.Thread(target=datagrams, daemon=True).start()
print("ready", flush=True)
while True:
    threading.Thread(target=stream, args=tcp.accept(), daemon=True).start()
"""
CLIENT = """
import socket, sys
kind, source, address, port, wait = (it if at == 2 else float(it) for at, it in enumerate(sys.argv[1:]))
it = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, int(kind))
it.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
it.settimeout(wait)
it.bind(("", int(source)))
for number, word in enumerate(sys.stdin):
    try:
        if not number:
            it.connect((address, int(port)))
        it.send(word.strip().encode())
        print(it.recv(99).decode(), flush=True)
    except OSError as error:
        print(type(error).__name__, flush=True)
"""
KINDS = {TCP: 1, UDP: 2}


@dataclass
class Caller:
    """Somebody who asks from one port, again and again."""

    process: "subprocess.Popen[str]"

    def hears(self, word: str = "?") -> str:
        """What is answered, the name of the error where nothing is."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        print(word, file=self.process.stdin, flush=True)
        return self.process.stdout.readline().strip()


@contextmanager
def calling(
    who: Inside | None, address: str, port: int, kind: Transport = TCP, *, source: int = 0, wait: float = 3.0
) -> Iterator[Caller]:
    """`who`: None for this host."""
    enter = ["ip", "netns", "exec", who.name] if who else []
    words = [str(KINDS[kind]), str(source), address, str(port), str(wait)]
    pipe = subprocess.PIPE
    with subprocess.Popen([*enter, "python3", "-c", CLIENT, *words], stdin=pipe, stdout=pipe, text=True) as process:
        try:
            yield Caller(process)
        finally:
            process.kill()


@contextmanager
def all_calling(
    who: Mapping[str, Inside], address: str, port: int, kind: Transport = TCP, *, source: int = 4444
) -> Iterator[Mapping[str, Caller]]:
    """Each from the same port, at the same time."""
    with ExitStack() as stack:
        yield {name: stack.enter_context(calling(it, address, port, kind, source=source)) for name, it in who.items()}


def told(who: Inside | None, address: str, port: int, kind: Transport = TCP, *, source: int = 0) -> str:
    """Who answers, and by which address he sees who asks."""
    with calling(who, address, port, kind, source=source) as it:
        return it.hears().removesuffix(" ?")


@contextmanager
def serving(who: Mapping[str, Inside | None], port: int = 80) -> Iterator[None]:
    """Servers that say their name, and by which address they are asked."""
    with ExitStack() as stack:
        for name, it in who.items():
            enter = ["ip", "netns", "exec", it.name] if it else []
            words = [*enter, "python3", "-c", SERVER, name, str(port)]
            process = stack.enter_context(subprocess.Popen(words, stdout=subprocess.PIPE, text=True))
            stack.callback(process.kill)
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        yield


def ports(number: int) -> tuple[Publication, ...]:
    """This port of every address leads to port 80."""
    every = (ip_address("0.0.0.0"), ip_address("::"))
    return tuple(Publication(kind, it, number, 80) for it in every for kind in (TCP, UDP))


@dataclass
class Spaces:
    """Three containers of one address."""

    world: World
    blue: Inside
    red: Inside

    @property
    def all(self) -> Mapping[str, Inside]:
        """By name."""
        return {"web": self.world.web, "blue": self.blue, "red": self.red}

    async def have(self, *networks: Network, imports: Sequence[Import] = (), **led: int) -> None:
        """Bring about these networks, a container on each with the port that is told, else its usual one."""
        known = {**PORTS, **led}
        containers = [
            replace(endpoint(1, it), id=endpoint(at).id, published=ports(known[it.name]) if it.name in known else ())
            for at, it in enumerate(networks, 1)
        ]
        wanted = replace(state(*networks, *containers), imports={it.key: it for it in imports})
        want = plan_host(wanted, HostFacts(SwitchFacts(available=True)), bridge="b", instance="test").firewall
        assert await self.world.firewall.apply(diff(want, self.world.firewall.have())) == []

    async def lost_something(self) -> bool:
        """What a look at the host says of it."""
        await self.world.firewall.resync()
        return any(it.changed for it in self.world.firewall.have().values())


@pytest.fixture
async def spaces() -> AsyncIterator[Spaces]:
    with private_host(), container() as web, container() as blue, container() as red, container() as lan:
        call("sysctl", "-qw", "net.ipv4.conf.all.rp_filter=1")
        wire("lan0", lan, "192.0.2", "2001:db8::")
        async with LinkApplier() as pairs:
            held = HostPorts()
            world = World(web, lan, FirewallApplier("test", held), pairs)
            for network, inside in ((NAT, web), (BLUE, blue), (RED, red)):
                await world.gateway(network, inside)
            yield Spaces(world, blue, red)
            held.keep(())


async def test_equal_addresses_go_out_from_one_port_at_one_time_and_each_hears_its_own_answers(spaces: Spaces) -> None:
    await spaces.have(NAT, BLUE, RED)
    with serving({"lan": spaces.world.lan}):
        for address, seen in ((LAN, HOST), (LAN6, HOST6)):
            for kind in (TCP, UDP):
                with all_calling(spaces.all, address, 80, kind) as callers:
                    for word in ("one", "two"):
                        heard = {name: it.hears(f"{word}-{name}") for name, it in callers.items()}
                        assert heard == {name: f"lan {seen} {word}-{name}" for name in callers}
    assert not await host_networks() & {NAT.ipv4, NAT.ipv6}


async def test_a_published_port_leads_to_its_own_container_from_everywhere(spaces: Spaces) -> None:
    await spaces.have(NAT, BLUE, RED)
    with serving(spaces.all):
        for name, port in PORTS.items():
            assert told(spaces.world.lan, HOST, port, source=5555) == f"{name} {LAN}"
            assert told(spaces.world.lan, HOST6, port, UDP, source=5555) == f"{name} {LAN6}"
            assert told(None, HOST, port) == f"{name} {HOST}"
            assert told(None, HOST6, port) == f"{name} {HOST6}"
            assert told(None, "127.0.0.1", port) == f"{name} 10.20.0.1"
            for asking in spaces.all.values():
                assert told(asking, HOST, port, source=6666) == f"{name} 10.20.0.1"
            assert told(spaces.world.web, HOST6, port) == told(spaces.red, HOST6, port) == f"{name} fd00:20::1"


async def test_none_reaches_another_nor_answers_in_its_place(spaces: Spaces) -> None:
    await spaces.have(NAT, BLUE, RED)
    for name, port in PORTS.items():
        others = {it: inside for it, inside in spaces.all.items() if it != name}
        with serving({name: spaces.all[name]}), calling(spaces.world.lan, HOST, port, UDP, source=port) as client:
            assert client.hears() == f"{name} {LAN} ?"
            for liar in others.values():
                with calling(liar, LAN, port, UDP, source=80, wait=0.2) as it:
                    assert it.hears("a lie") == "TimeoutError"
            assert client.hears("again") == f"{name} {LAN} again"
    for inside in spaces.all.values():
        inside.run("ip", "route", "add", "10.20.0.9", "via", "10.20.0.1")
        assert reaches_none(inside, "10.20.0.1", HOST, "10.20.0.9")


async def test_what_is_said_of_a_packet_comes_to_whom_it_is_said(spaces: Spaces) -> None:
    await spaces.have(NAT, BLUE, RED)
    ip("link", "set", "lan0", "mtu", "1300")
    call("sysctl", "-qw", "net.ipv4.icmp_ratelimit=0")  # all three have one address
    with all_calling(spaces.all, LAN, 9, UDP) as callers:
        assert {it.hears() for it in callers.values()} == {"ConnectionRefusedError"}, "by the machine that is asked"
    for it in spaces.all.values():
        assert "mtu = 1300" in it.run("ping", "-c1", "-W1", "-Mdo", "-s1350", LAN, check=False).stdout, "by this host"
        assert "mtu=1300" in it.run("ping", "-c1", "-W1", "-Mdo", "-s1350", LAN6, check=False).stdout
        assert "Net Unreachable" in it.run("ping", "-c1", "-W1", "203.0.113.7", check=False).stdout
    call("ip", "route", "del", "10.20.0.0/24")
    call("ip", "-6", "route", "del", "fd00:20::/64")
    for it in (spaces.blue, spaces.red):  # although this host by itself has no route to them any more
        assert "Net Unreachable" in it.run("ping", "-c1", "-W1", "203.0.113.7", check=False).stdout
        assert "No route" in it.run("ping", "-c1", "-W1", "2001:db8:7::7", check=False).stdout


async def test_a_domain_is_in_one_space_and_its_namesake_in_another_is_not_reached(spaces: Spaces) -> None:
    more = {"ipv4": IPv4Network("10.30.0.0/24"), "gateway4": IPv4Address("10.30.0.1"), "ipv6": None, "gateway6": None}
    with container() as blue2, container() as red2:
        far = [
            replace(it, id=NetworkId(f"e{at}" * 32), vni=Vni(20 + at), name=f"{it.name}2", **more)  # type: ignore[arg-type]
            for at, it in enumerate((BLUE, RED))
        ]
        await spaces.world.gateway(far[0], blue2)
        await spaces.world.gateway(far[1], red2)
        for it in (blue2, red2):  # as the switch says it; the host would ask its usual routes about who asks for it
            it.run("ip", "neigh", "add", "10.30.0.1", "lladdr", GATEWAY_MAC, "dev", "eth0")
        await spaces.have(NAT, *(in_domain(it, it.space) for it in (BLUE, RED, *far)))
        with serving({"blue2": blue2, "red2": red2}):
            with all_calling({"blue2": spaces.blue, "red2": spaces.red}, "10.30.0.2", 80) as callers:
                for word in ("one", "two"):
                    heard = {name: it.hears(word) for name, it in callers.items()}
                    assert heard == {name: f"{name} 10.20.0.2 {word}" for name in callers}
            assert reaches_none(spaces.world.web, "10.30.0.2")
        with serving({"blue": spaces.blue, "red": spaces.red, "web": spaces.world.web}):
            assert told(blue2, "10.20.0.2", 80) == "blue 10.30.0.2"
            assert told(red2, "10.20.0.2", 80) == "red 10.30.0.2"


async def test_who_keeps_sending_to_a_udp_port_is_led_to_a_namesake_when_that_has_the_port(spaces: Spaces) -> None:
    await spaces.have(NAT, BLUE, RED, blue=5353)
    by_lan, by_red = calling(spaces.world.lan, HOST, 5353, UDP), calling(spaces.red, HOST, 5353, UDP)
    with serving(spaces.all), by_lan as lan, by_red as red:
        assert [lan.hears(), red.hears()] == [f"blue {LAN} ?", "blue 10.20.0.1 ?"]
        await spaces.have(NAT, BLUE, RED, red=5353)
        assert [lan.hears(), red.hears()] == [f"red {LAN} ?", "red 10.20.0.1 ?"]
        await spaces.have(NAT, BLUE, RED, web=5353)
        assert [lan.hears(), red.hears()] == [f"web {LAN} ?", "web 10.20.0.1 ?"]


async def test_an_imported_service_is_where_this_host_finds_it(spaces: Spaces) -> None:
    service = ip_address("10.20.0.9")
    there = [Import(BLUE.id, service, TCP, port, ip_address(it), 4040) for port, it in ((1, LAN), (2, HOST))]
    await spaces.have(NAT, BLUE, RED, imports=there)
    spaces.blue.run("ip", "route", "add", "10.20.0.9", "via", "10.20.0.1")
    with serving({"lan": spaces.world.lan, "host": None}, 4040):
        assert told(spaces.blue, "10.20.0.9", 1) == f"lan {HOST}"
        assert told(spaces.blue, "10.20.0.9", 2) == "host 10.20.0.2"


def routes() -> list[str]:
    """Of all tables but the kernel's own of addresses, into which IPv6's come a second after they were given."""
    return [it for it in ip("route", "show", "table", "all").splitlines() if " table local " not in it]


async def test_others_come_and_go_and_processes_begin_anew_while_connections_go_on(spaces: Spaces) -> None:
    await spaces.have(NAT, BLUE)
    with serving({"lan": spaces.world.lan}), all_calling(spaces.all, LAN, 80) as callers:
        assert [callers[it].hears() for it in ("web", "blue")] == [f"lan {HOST} ?"] * 2
        await spaces.have(NAT, BLUE, RED)
        assert callers["red"].hears() == f"lan {HOST} ?"
        before = [call("nft", "--stateless", "list", "ruleset"), ip("rule"), routes()]
        spaces.world.firewall = FirewallApplier("test")
        assert await spaces.lost_something()
        await spaces.have(NAT, BLUE, RED)
        assert [call("nft", "--stateless", "list", "ruleset"), ip("rule"), routes()] == before
        await spaces.have(BLUE)
        await spaces.have(NAT, BLUE)
        assert [callers[it].hears("again") for it in ("web", "blue")] == [f"lan {HOST} again"] * 2


HARMS = (
    "ip rule del pref 28416",
    "ip -6 rule del pref 28416",
    "ip route flush table 28417",
    "ip -6 route flush table 28418",
    "sysctl -qw net.ipv4.fwmark_reflect=0",
    "sysctl -qw net.ipv4.conf.ovgwc.src_valid_mark=0",
    "nft flush ruleset",
)


async def test_what_somebody_takes_away_is_seen_and_put_back_and_at_last_nothing_is_left(spaces: Spaces) -> None:
    await spaces.have(NAT, BLUE, RED)
    for harm in HARMS:
        assert not await spaces.lost_something()
        call(*harm.split())
        assert await spaces.lost_something(), harm
        await spaces.have(NAT, BLUE, RED)
    with serving({"lan": spaces.world.lan}):
        assert told(spaces.blue, LAN6, 80) == told(spaces.red, LAN6, 80) == f"lan {HOST6}"
    call("nft", "flush", "ruleset")
    spaces.world.firewall = FirewallApplier("test")
    await spaces.world.firewall.resync()
    await spaces.have()
    assert "284" not in ip("rule") + ip("-6", "rule")
