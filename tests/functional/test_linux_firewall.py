"""The gateways of this host on a real kernel: what passes them, and what does not.

    namespace: eth0 ══ ovgw… ─┐ the test's own namespace,  ┌─ lan0 ══ eth0 :namespace, 192.0.2.9
    10.20.0.2                 └ which plays the host       ┘         2001:db8::9

No switch is needed: its end of the pair is in the namespace that plays the container.
"""

import subprocess
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

import pytest
from tests.functional.kernel import Inside, container, ip, links, private_host, settle
from tests.states import DB, WEB, state

from ovsnet.linux.firewall import FirewallApplier
from ovsnet.linux.links import LinkApplier
from ovsnet.linux.routes import host_networks
from ovsnet.model.delta import diff
from ovsnet.model.egress import FIREWALL
from ovsnet.model.host import HostFacts, SwitchFacts
from ovsnet.model.ids import NetworkId, Vni
from ovsnet.model.network import Egress, Network, NetworkOptions
from ovsnet.plan.host import plan_host

pytestmark = [pytest.mark.functional, pytest.mark.row(40, 42, 43)]

NAT = replace(WEB, options=NetworkOptions(egress=Egress.NAT))
ROUTED = replace(WEB, options=NetworkOptions(egress=Egress.ROUTED))
OTHER = replace(DB, options=NetworkOptions(egress=Egress.NAT))
DB6 = replace(
    DB,
    options=ROUTED.options,
    ipv6=IPv6Network("fd00:30::/64"),
    gateway6=IPv6Address("fd00:30::1"),
)
LAB = replace(
    OTHER, id=NetworkId("c3" * 32), vni=Vni(12), ipv4=IPv4Network("10.50.0.0/24"), gateway4=IPv4Address("10.50.0.1")
)
OUTSIDE = ("192.0.2.9", "2001:db8::9")
SERVER = """
import socket, sys
with socket.create_server((sys.argv[1], 4040)) as server:
    print("listening", flush=True)
    while True:
        peer, whom = server.accept()
        with peer:
            peer.sendall(whom[0].encode())
"""
ASK = "import socket, sys; print(socket.create_connection((sys.argv[1], 4040), 3).recv(99).decode())"
FACTS = HostFacts(SwitchFacts(available=True))


@dataclass
class World:
    """A container on the network `web`, and a machine elsewhere."""

    web: Inside
    lan: Inside
    firewall: FirewallApplier
    links: LinkApplier

    async def have(self, *networks: Network) -> list[str]:
        """Bring about what these networks need; returns what was refused."""
        want = plan_host(state(*networks), FACTS, bridge="b", instance="test").firewall
        return [str(it) for it in await self.firewall.apply(diff(want, self.firewall.have()))]

    async def gateway(self, network: Network, inside: Inside) -> None:
        """Have the pair of a network, and a container behind it with the second address of its subnets."""
        (link,) = plan_host(state(replace(network, exposed=True)), FACTS, bridge="b", instance="test").links.values()
        assert await settle(self.links, link) == []
        ip("link", "set", link.name, "netns", inside.name)
        inside.run("ip", "link", "set", link.name, "name", "eth0")
        inside.run("ip", "link", "set", "eth0", "up")
        for subnet, gateway in ((network.ipv4, network.gateway4), (network.ipv6, network.gateway6)):
            if subnet is not None:
                nodad = ("nodad",) if subnet.version == 6 else ()
                inside.run("ip", "addr", "add", f"{subnet[2]}/{subnet.prefixlen}", "dev", "eth0", *nodad)
                inside.run("ip", f"-{subnet.version}", "route", "add", "default", "via", str(gateway))


@pytest.fixture
async def world() -> AsyncIterator[World]:
    with private_host(), container() as web, container() as lan:
        wire("lan0", lan, "192.0.2", "2001:db8::")
        async with LinkApplier() as pairs:
            it = World(web, lan, FirewallApplier("test"), pairs)
            await it.gateway(NAT, web)
            yield it


def wire(name: str, to: Inside, four: str, six: str) -> None:
    """A cable to a machine that has .9 and ::9; the host has .1 and ::1."""
    ip("link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", to.name)
    ip("link", "set", name, "up")
    to.run("ip", "link", "set", "eth0", "up")
    ip("addr", "add", f"{four}.1/24", "dev", name)
    ip("addr", "add", f"{six}1/64", "dev", name, "nodad")
    to.run("ip", "addr", "add", f"{four}.9/24", "dev", "eth0")
    to.run("ip", "addr", "add", f"{six}9/64", "dev", "eth0", "nodad")


def reaches(inside: Inside, *addresses: str) -> bool:
    return all(inside.pings(it) for it in addresses)


def reaches_none(inside: Inside, *addresses: str) -> bool:
    return not any(inside.pings(it, wait=0.3) for it in addresses)


def host_reaches(*addresses: str) -> list[bool]:
    run = [subprocess.run(["ping", "-c1", "-W1", it], capture_output=True, check=False) for it in addresses]
    return [it.returncode == 0 for it in run]


def call(*argv: str) -> str:
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout


async def test_the_pair_is_there_with_addresses_and_mac_and_its_subnets_count_as_no_hosts(world: World) -> None:
    there = links()["ovgwa"]
    assert there["address"] == "02:4f:56:53:47:57"
    assert {it["local"] for it in there["addr_info"] if it["scope"] == "global"} == {"10.20.0.1", "fd00:20::1"}
    assert await host_networks() >= {IPv4Network("192.0.2.0/24"), IPv6Network("2001:db8::/64")}
    assert not await host_networks() & {NAT.ipv4, NAT.ipv6}


async def test_without_rules_nothing_leads_out_and_with_nat_everything_but_this_host_is_reached(world: World) -> None:
    call("sysctl", "-q", "net.ipv4.ip_forward=0", "net.ipv6.conf.lan0.accept_ra=1")
    assert reaches_none(world.web, *OUTSIDE)
    assert await world.have(NAT) == []
    assert reaches(world.web, *OUTSIDE), "whose machine has no route back: it sees an address of this host"
    assert reaches_none(world.web, "10.20.0.1", "192.0.2.1", "fd00:20::1")
    assert host_reaches("10.20.0.2", "fd00:20::2") == [False, False]
    world.lan.run("ip", "route", "add", "10.20.0.0/24", "via", "192.0.2.1")
    assert reaches_none(world.lan, "10.20.0.2")
    assert call("sysctl", "-n", "net.ipv6.conf.lan0.accept_ra").strip() == "2", "it goes on hearing its own routers"

    assert await world.have() == []
    assert "test-egress" not in call("nft", "list", "tables")


async def test_routed_containers_have_their_own_address_outside_and_are_reached_by_it(world: World) -> None:
    assert await world.have(ROUTED) == []
    assert reaches_none(world.web, *OUTSIDE)
    world.lan.run("ip", "route", "add", "10.20.0.0/24", "via", "192.0.2.1")
    world.lan.run("ip", "-6", "route", "add", "fd00:20::/64", "via", "2001:db8::1")
    assert reaches(world.web, *OUTSIDE)
    assert reaches(world.lan, "10.20.0.2", "fd00:20::2")


async def test_an_exposed_network_and_this_host_reach_each_other_and_nothing_else_comes_through(world: World) -> None:
    assert await world.have(replace(WEB, exposed=True)) == []
    assert reaches(world.web, "10.20.0.1", "fd00:20::1", "192.0.2.1")
    assert host_reaches("10.20.0.2", "fd00:20::2") == [True, True]
    assert reaches_none(world.web, *OUTSIDE)
    assert await world.have(NAT) == []
    assert host_reaches("10.20.0.2", "fd00:20::2") == [False, False]
    assert reaches(world.web, *OUTSIDE)


async def test_networks_do_not_reach_each_other_nor_dockers_containers(world: World) -> None:
    with container() as db, container() as dockers:
        await world.gateway(OTHER, db)
        ip("link", "add", "docker0", "type", "bridge")
        ip("link", "set", "docker0", "up")
        wire("plug", dockers, "172.17.0", "fd17::")
        ip("addr", "flush", "dev", "plug")
        ip("link", "set", "plug", "master", "docker0")
        ip("addr", "add", "172.17.0.1/16", "dev", "docker0")
        dockers.run("ip", "route", "add", "default", "via", "172.17.0.1")
        assert await world.have(NAT, OTHER) == []
        assert host_reaches("172.17.0.9") == [True]
        assert reaches(db, "192.0.2.9")
        assert reaches_none(world.web, "10.30.0.2", "10.30.0.1", "172.17.0.9")
        assert await world.have(ROUTED, OTHER) == []
        assert reaches_none(dockers, "10.20.0.2")
        assert reaches_none(db, "10.20.0.2", "10.20.0.1")


def in_domain(network: Network, name: str) -> Network:
    return replace(network, options=replace(network.options, domain=name))


@contextmanager
def listening(inside: Inside, address: str) -> Iterator[None]:
    """A program that takes one connection after the other."""
    with subprocess.Popen(
        ["ip", "netns", "exec", inside.name, "python3", "-c", SERVER, address], stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        assert server.stdout.readline() == "listening\n"
        try:
            yield
        finally:
            server.kill()


async def test_networks_of_one_domain_reach_each_other_and_no_others(world: World) -> None:
    with container() as db, container() as lab:
        await world.gateway(DB6, db)
        await world.gateway(LAB, lab)
        web, of_db, of_lab = in_domain(NAT, "shop"), in_domain(DB6, "shop"), in_domain(LAB, "lab")
        assert await world.have(web, of_db, of_lab) == []
        assert reaches(world.web, "10.30.0.2", "fd00:30::2")
        assert reaches(db, "10.20.0.2", "fd00:20::2")
        assert reaches_none(lab, "10.20.0.2", "10.30.0.2")
        assert reaches_none(world.web, "10.50.0.2", "10.30.0.1")
        assert reaches(world.web, *OUTSIDE)
        assert reaches(lab, "192.0.2.9")
        world.web.run("ip", "route", "add", "10.20.0.9", "via", "10.20.0.1")
        refused = world.web.run("ping", "-c1", "-W1", "10.20.0.9", check=False).stdout
        assert "Packet filtered" in refused, "within a network it is the switch that decides"

        assert await world.have(web, in_domain(DB6, "other"), of_lab) == []
        assert reaches_none(world.web, "10.30.0.2", "fd00:30::2")
        assert await world.have(NAT, of_db, of_lab) == []
        assert reaches_none(world.web, "10.30.0.2")


async def test_a_domain_lets_pass_answers_to_what_went_by_another_host(world: World) -> None:
    with container() as db:
        await world.gateway(DB6, db)
        assert await world.have(in_domain(NAT, "shop"), in_domain(replace(DB6, options=NAT.options), "shop")) == []
        # As on the host of the one who is asked: of the connection only what he says comes by here.
        call("nft", "add table inet other; add chain inet other raw { type filter hook prerouting priority raw; }")
        call("nft", 'add rule inet other raw iifname "ovgwa" notrack')
        with listening(db, "10.30.0.2"):
            assert world.web.run("python3", "-c", ASK, "10.30.0.2").stdout.strip() == "10.20.0.2"


@contextmanager
def docker_drops(program: str, *, returns: bool) -> Iterator[None]:
    """What an engine makes of the packet filter: FORWARD drops but for its own, with a chain for people before."""
    call(program, "-P", "FORWARD", "DROP")
    call(program, "-N", "DOCKER-USER")
    somebody = "203.0.113.7/32" if program.startswith("iptables") else "2001:db8:7::7/128"
    call(program, "-A", "DOCKER-USER", "-d", somebody, "-j", "DROP")
    if returns:
        call(program, "-A", "DOCKER-USER", "-j", "RETURN")
    call(program, "-A", "FORWARD", "-j", "DOCKER-USER")
    yield


@pytest.mark.row(45)
@pytest.mark.parametrize("kind", ["nft", "legacy"])
@pytest.mark.parametrize("returns", [True, False])
async def test_dockers_packet_filter_lets_it_pass_behind_peoples_own_rules(
    world: World, kind: str, *, returns: bool
) -> None:
    programs = (f"iptables-{kind}", f"ip6tables-{kind}")
    with ExitStack() as stack:
        for it in programs:
            stack.enter_context(docker_drops(it, returns=returns))
        before = [call(it, "-S") for it in programs]
        assert await world.have(NAT) == []
        assert reaches(world.web, *OUTSIDE)
        rules = call(programs[0], "-S", "DOCKER-USER").splitlines()
        ours = ["-A DOCKER-USER -i ovgw+ -j ACCEPT", "-A DOCKER-USER -o ovgw+ -j ACCEPT"]
        assert rules[2:4] == ours, "after what people put there, and before the return"
        assert await world.have(NAT) == []
        for it in programs:  # as an engine does that starts, which puts it back with its next command
            call(it, "-D", "FORWARD", "-j", "DOCKER-USER")
        assert reaches(world.web, *OUTSIDE)
        for it in programs:
            call(it, "-I", "FORWARD", "-j", "DOCKER-USER")
        assert call(programs[0], "-S", "DOCKER-USER").splitlines() == rules

        call(programs[0], "-F", "DOCKER-USER")
        await world.firewall.resync()
        assert await world.have(NAT) == []
        assert call(programs[0], "-S", "DOCKER-USER").splitlines()[1:] == ours
        call(programs[0], "-I", "DOCKER-USER", "-d", "203.0.113.7/32", "-j", "DROP")
        assert await world.have() == []
        if not returns:
            assert [call(it, "-S") for it in programs] == before


UFW = ("before-logging-forward", "before-forward", "after-forward", "after-logging-forward", "reject-forward")
"""Chains that ufw (0.36) jumps to from FORWARD, whose policy is what it calls the default for routed packets."""


@pytest.mark.row(45)
@pytest.mark.parametrize("chains", [(), UFW], ids=["nobody's", "ufw's"])
async def test_where_there_is_no_docker_the_pass_is_in_forward(world: World, chains: Sequence[str]) -> None:
    call("iptables-nft", "-P", "FORWARD", "DROP")
    for it in chains:
        call("iptables-nft", "-N", f"ufw-{it}")
        call("iptables-nft", "-A", "FORWARD", "-j", f"ufw-{it}")
    before = call("iptables-nft", "-S")
    assert await world.have(NAT) == []
    assert reaches(world.web, *OUTSIDE)
    for it in chains:  # as 'ufw reload' does before it fills them again
        call("iptables-nft", "-F", f"ufw-{it}")
    assert reaches(world.web, *OUTSIDE)
    assert await world.have() == []
    assert call("iptables-nft", "-S") == before


async def test_a_new_process_takes_over_and_what_was_flushed_is_made_again(world: World) -> None:
    assert await world.have(NAT) == []
    call("nft", "flush", "ruleset")
    await world.firewall.resync()
    assert await world.have(NAT) == []
    assert reaches(world.web, *OUTSIDE)
    await world.firewall.resync()
    assert list(world.firewall.have()) == [FIREWALL]
    before = call("nft", "--stateless", "list", "ruleset")

    world.firewall = FirewallApplier("test")
    await world.firewall.resync()
    assert await world.have(NAT) == []
    assert call("nft", "--stateless", "list", "ruleset") == before
    world.firewall = FirewallApplier("test")
    await world.firewall.resync()
    assert await world.have() == []
    assert "test-egress" not in call("nft", "list", "ruleset")
