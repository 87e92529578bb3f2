"""Published ports on a real kernel: who reaches a container by them, and by which address it sees him.

10.20.0.2, fd00:20::2 ══ ovgwa, 10.20.0.1 ─┐ the test's own ┌─ lan0 ══ 192.0.2.9, 2001:db8::9
                                           └ namespace      ┘  192.0.2.1, 2001:db8::1
"""

import socket
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from ipaddress import ip_address

import pytest
from tests.functional.kernel import Inside, container, private_host
from tests.functional.test_linux_firewall import NAT, OTHER, ROUTED, World, call, wire
from tests.states import endpoint, state

from ovsnet.linux.firewall import FirewallApplier
from ovsnet.linux.hostports import HostPorts, bound
from ovsnet.linux.links import LinkApplier
from ovsnet.model.delta import diff
from ovsnet.model.errors import BadRequest, Conflict
from ovsnet.model.host import HostFacts, SwitchFacts
from ovsnet.model.network import Network
from ovsnet.model.publication import PortWish, Publication, Transport, publications
from ovsnet.plan.host import plan_host

pytestmark = [pytest.mark.functional, pytest.mark.row(41)]

TCP, UDP, SCTP = Transport
SERVER = """
import socket, sys
family, kind, number, port = (int(it) for it in sys.argv[1:])
with socket.socket(family, kind, number) as it:
    if family == socket.AF_INET6:
        it.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    it.bind(("", port))
    if kind == socket.SOCK_STREAM:
        it.listen()
    print("ready", flush=True)
    while True:
        if kind == socket.SOCK_STREAM:
            peer, whom = it.accept()
            peer.sendall(whom[0].encode())
            peer.close()
        else:
            word, whom = it.recvfrom(99)
            it.sendto(whom[0].encode(), whom)
"""
CLIENT = """
import socket, sys
kind, number, address, port = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], int(sys.argv[4])
with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, kind, number) as it:
    it.settimeout(float(sys.argv[5]))
    it.connect((address, port))
    it.send(b"?") if kind == socket.SOCK_DGRAM else None
    print(it.recv(99).decode())
"""
KINDS = {TCP: (1, 6), UDP: (2, 17), SCTP: (1, 132)}


@contextmanager
def serving(inside: Inside, transport: Transport = TCP, port: int = 80) -> Iterator[None]:
    """A server that says by which address it is asked."""
    with_them = []
    try:
        for family in (socket.AF_INET, socket.AF_INET6):
            words = [str(int(it)) for it in (family, *KINDS[transport], port)]
            enter = ["ip", "netns", "exec", inside.name, "python3", "-c", SERVER, *words]
            process = subprocess.Popen(enter, stdout=subprocess.PIPE, text=True)
            with_them.append(process)
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        yield
    finally:
        for process in with_them:
            process.kill()
            process.communicate()


def seen_as(
    address: str, port: int, transport: Transport = TCP, *, client: Inside | None = None, wait: float = 3.0
) -> str:
    """The address by which the server sees who asks there; "" where nobody answers."""
    words = ["python3", "-c", CLIENT, *map(str, KINDS[transport]), address, str(port), str(wait)]
    enter = ["ip", "netns", "exec", client.name] if client else []
    done = subprocess.run([*enter, *words], capture_output=True, text=True, check=False)
    return done.stdout.strip()


def complaint(address: str, port: int, transport: Transport) -> str:
    """What a client with much patience is told."""
    words = ["python3", "-c", CLIENT, *map(str, KINDS[transport]), address, str(port), "60"]
    return subprocess.run(words, capture_output=True, text=True, check=False, timeout=30).stderr


def published(*wishes: PortWish) -> tuple[Publication, ...]:
    return tuple(one for it in wishes for one in publications(it, it.first, (4, 6)))


def wish(port: int = 8080, transport: Transport = TCP, host: str = "", to: int = 80) -> PortWish:
    return PortWish(transport, ip_address(host) if host else None, port, port, to)


async def have(world: World, network: Network, *ports: Publication) -> None:
    """The rules of a network with a container that has these ports."""
    it = replace(endpoint(1, network), published=ports)
    want = plan_host(state(network, OTHER, it), HostFacts(SwitchFacts(available=True)), bridge="b", instance="test")
    assert await world.firewall.apply(diff(want.firewall, world.firewall.have())) == []


@pytest.fixture
async def world() -> AsyncIterator[World]:
    with private_host(), container() as web, container() as lan:
        wire("lan0", lan, "192.0.2", "2001:db8::")
        async with LinkApplier() as pairs:
            held = HostPorts()
            it = World(web, lan, FirewallApplier("test", held), pairs)
            await it.gateway(NAT, web)
            yield it
            held.keep(())


@pytest.mark.parametrize("network", [NAT, ROUTED], ids=["nat", "routed"])
async def test_a_port_leads_to_the_container_from_everywhere_and_it_sees_who_asks(
    world: World, network: Network
) -> None:
    with serving(world.web), container() as other:
        await world.gateway(OTHER, other)
        await have(world, network, *published(wish()))
        assert seen_as("192.0.2.1", 8080, client=world.lan) == "192.0.2.9"
        assert seen_as("2001:db8::1", 8080, client=world.lan) == "2001:db8::9"
        assert seen_as("192.0.2.1", 8080) == "192.0.2.1"
        assert seen_as("2001:db8::1", 8080) == "2001:db8::1"
        assert seen_as("127.0.0.1", 8080) == "10.20.0.1", "of 127.0.0.1 it would know another"
        assert seen_as("192.0.2.1", 8080, client=world.web) == "10.20.0.1", "itself"
        assert seen_as("2001:db8::1", 8080, client=world.web) == "fd00:20::1"
        assert seen_as("10.20.0.1", 8080, client=world.web) == "10.20.0.1"
        assert seen_as("192.0.2.1", 8080, client=other) == "10.30.0.2", "of another network"
        assert seen_as("192.0.2.1", 80, client=world.lan, wait=0.3) == ""
        assert seen_as("127.0.0.1", 8080, client=world.web, wait=0.3) == ""

        await have(world, network)
        assert seen_as("192.0.2.1", 8080, client=world.lan, wait=0.3) == ""
        assert seen_as("127.0.0.1", 8080, wait=0.3) == ""


async def test_the_loopback_of_ipv6_is_refused_at_once(world: World) -> None:
    with serving(world.web):
        await have(world, NAT, *published(wish()), *published(wish(transport=UDP)))
        assert "ConnectionRefused" in complaint("::1", 8080, TCP)
        assert complaint("::1", 8080, UDP)


async def test_udp(world: World) -> None:
    await leads_from_everywhere(world, UDP)


async def test_sctp(world: World) -> None:
    """Without sockets of it in the kernel nobody can ask, nor have the port instead: what is left are rules."""
    wanted = published(wish(transport=SCTP))
    try:
        socket.socket(socket.AF_INET, *KINDS[SCTP]).close()
    except OSError:
        assert [bound(it) for it in wanted] == [None, None]
        await have(world, NAT, *wanted)
        rules = call("nft", "list", "chain", "inet", "test-egress", "published").splitlines()
        leads = [it.rpartition(" to ")[2] for it in rules if "sctp dport 8080 " in it]
        assert leads == ["10.20.0.2:80", "[fd00:20::2]:80"]
    else:
        await leads_from_everywhere(world, SCTP)


async def leads_from_everywhere(world: World, transport: Transport) -> None:
    with serving(world.web, transport):
        await have(world, NAT, *published(wish(transport=transport)))
        assert seen_as("192.0.2.1", 8080, transport, client=world.lan) == "192.0.2.9"
        assert seen_as("2001:db8::1", 8080, transport, client=world.lan) == "2001:db8::9"
        assert seen_as("127.0.0.1", 8080, transport) == "10.20.0.1"
        assert seen_as("192.0.2.1", 8080, transport, client=world.web) == "10.20.0.1"
        assert seen_as("192.0.2.1", 8080, TCP, client=world.lan, wait=0.3) == ""


async def test_a_port_of_one_address_is_not_reached_by_another_nor_one_of_the_loopback_from_outside(
    world: World,
) -> None:
    call("ip", "addr", "add", "192.0.2.3/24", "dev", "lan0")
    with serving(world.web):
        await have(
            world, NAT, *published(wish(host="192.0.2.3"), wish(8081, host="127.0.0.1"), wish(8082, host="2001:db8::1"))
        )
        assert seen_as("192.0.2.3", 8080, client=world.lan) == "192.0.2.9"
        assert seen_as("192.0.2.3", 8080) != ""
        assert seen_as("192.0.2.1", 8080, client=world.lan, wait=0.3) == ""
        assert seen_as("2001:db8::1", 8080, client=world.lan, wait=0.3) == ""
        assert seen_as("2001:db8::1", 8082, client=world.lan) == "2001:db8::9"
        assert seen_as("127.0.0.1", 8081) == "10.20.0.1"
        assert seen_as("192.0.2.1", 8081, wait=0.3) == ""
        assert seen_as("192.0.2.1", 8081, client=world.lan, wait=0.3) == ""
        rules = call("nft", "list", "chain", "inet", "test-egress", "published")
        assert "8081" not in rules, "a neighbour that sends to 127.0.0.1 has no rule to be led by"


SENDER = """
import socket, sys
family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
with socket.socket(family, socket.SOCK_DGRAM) as it:
    it.settimeout(0.5)
    it.connect((sys.argv[1], 5353))
    for _ in sys.stdin:
        try:
            it.send(b"?")
            print(it.recv(99).decode(), flush=True)
        except OSError:
            print("", flush=True)
"""


@contextmanager
def sending(inside: Inside, address: str) -> Iterator[Callable[[], str]]:
    """A client that asks by UDP from one port, again and again; gives what he is told, "" for nothing."""
    enter = ["ip", "netns", "exec", inside.name, "python3", "-c", SENDER, address]
    with subprocess.Popen(enter, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as sender:
        asks, tells = sender.stdin, sender.stdout
        assert asks is not None
        assert tells is not None

        def said() -> str:
            print(file=asks, flush=True)
            return tells.readline().strip()

        yield said
        asks.close()


@pytest.mark.parametrize(("to", "seen"), [("192.0.2.1", "192.0.2.9"), ("2001:db8::1", "2001:db8::9")])
async def test_who_keeps_sending_to_a_udp_port_is_led_where_it_leads_now(world: World, to: str, seen: str) -> None:
    await have(world, NAT)
    with sending(world.lan, to) as said, serving(world.web, UDP, 53):
        assert said() == "", "before it is published"
        await have(world, NAT, *published(wish(5353, UDP, to=53)))
        assert seen in (said() for _ in range(8)), "addresses of IPv6 are taken into use after a second or two"
        await have(world, NAT)
        assert said() == ""


async def test_who_was_led_to_a_udp_port_is_so_no_more_although_the_process_died_over_it(world: World) -> None:
    """It had written the rules, and what the kernel remembers was still to be forgotten."""
    await have(world, NAT, *published(wish(5353, UDP, to=53)))
    with sending(world.lan, "192.0.2.1") as said, serving(world.web, UDP, 53):
        assert said() == "192.0.2.9"
        call("nft", "flush", "chain", "inet", "test-egress", "published")
        assert said() == "192.0.2.9"
        world.firewall = FirewallApplier("test")
        await world.firewall.resync()
        await have(world, NAT)
        assert said() == ""


async def test_what_was_flushed_is_made_again_and_what_is_there_stays(world: World) -> None:
    with serving(world.web):
        await have(world, NAT, *published(wish()))
        before = call("nft", "--stateless", "list", "ruleset")
        await world.firewall.resync()
        await have(world, NAT, *published(wish()))
        assert call("nft", "--stateless", "list", "ruleset") == before
        call("nft", "flush", "ruleset")
        call("sysctl", "-q", "net.ipv4.conf.ovgwa.route_localnet=0")
        await world.firewall.resync()
        await have(world, NAT, *published(wish()))
        assert seen_as("192.0.2.1", 8080, client=world.lan) == "192.0.2.9"
        assert seen_as("127.0.0.1", 8080) == "10.20.0.1"


async def test_where_forwarding_is_closed_by_docker_ports_lead_on(world: World) -> None:
    call("iptables-nft", "-P", "FORWARD", "DROP")
    with serving(world.web):
        await have(world, NAT, *published(wish()))
        assert seen_as("192.0.2.1", 8080, client=world.lan) == "192.0.2.9"


def bind(port: int, *, reuse: bool = True) -> socket.socket:
    it = socket.socket()
    if reuse:
        it.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        it.bind(("0.0.0.0", port))
        it.listen()
    except OSError:
        it.close()
        raise
    return it


def test_a_port_that_is_held_is_nobody_elses_until_it_is_let_go() -> None:
    with private_host():
        held, ports = HostPorts(), published(wish(), wish(5353, UDP, "127.0.0.1"))
        held.claim(ports)
        held.keep(())
        with pytest.raises(OSError, match="in use"):
            bind(8080)
        held.keep(ports)
        held.settle(ports)
        with pytest.raises(Conflict, match=r"port 0\.0\.0\.0:8080/tcp of this host is taken by .+ \(process \d+\)"):
            HostPorts().claim(ports)
        held.keep(())
        bind(8080).close()
        held.claim(ports)
        held.settle(ports)
        bind(8080).close()


def test_who_is_there_is_named_and_one_that_came_meanwhile_is_no_obstacle() -> None:
    with private_host():
        with bind(8080), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as dns:
            dns.bind(("127.0.0.1", 5353))
            held = HostPorts()
            for it in (wish(), wish(5353, UDP), wish(host="127.0.0.1")):
                with pytest.raises(
                    Conflict, match=r"is taken by \S.* \(process \d+\); choose another port, or stop that"
                ):
                    held.claim(published(it))
            apart = published(wish(5353, UDP, "127.0.0.2"), wish(8082))
            held.claim(apart)
            held.keep(published(wish()))
        held.settle(apart)
        held.keep(published(wish()))
        with pytest.raises(OSError, match="in use"):
            bind(8080)
        with pytest.raises(BadRequest, match=r"this host has no address 203\.0\.113\.7"):
            held.claim(published(wish(host="203.0.113.7")))
        held.keep(())
