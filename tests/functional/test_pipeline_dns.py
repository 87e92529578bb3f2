"""Containers ask for names: from their namespaces, over the pipeline of a real switch, the service in its own."""

import asyncio
import ctypes
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from dns.message import Message
from dns.rcode import Rcode
from tests.functional.kernel import CLONE_NEWNET, container
from tests.functional.pipeline_frames import IPV4, ethernet, ipv4, udp
from tests.functional.pipeline_switch import (
    BRIDGE,
    Container,
    PipelineSwitch,
    number,
    pipeline_switch,
    port,
    replacement,
)
from tests.states import DB, WEB, endpoint, state
from tests.unit.pipeline.scenarios import Names as PortNames

from ovsnet.dns.replies import failure
from ovsnet.dns.service import Names
from ovsnet.dns.tables import Here
from ovsnet.linux import dnslink
from ovsnet.linux.links import LinkApplier
from ovsnet.model.cluster import Cluster, RemoteEndpoint, SharedNetwork
from ovsnet.model.delta import diff
from ovsnet.model.errors import Unavailable
from ovsnet.model.host import HostFacts, SwitchFacts
from ovsnet.model.ids import NOT_SHARED, EndpointId, HostName, IpAddress, Mac, NetworkId, Ofport, SharedId, Vni
from ovsnet.model.network import NetworkOptions
from ovsnet.pipeline.compile import compile_flows
from ovsnet.pipeline.dns import ALIASES, SERVICE_MAC, port_of
from ovsnet.pipeline.tables import Table
from ovsnet.plan.dns import plan_dns_link
from ovsnet.settings import Settings

SERVICE, DOOR = "169.254.83.83", Ofport(200)
SETTINGS = Settings(instance=f"ovt{os.getpid()}")
SHARED, LONELY_SHARED = SharedId("5a" * 32), SharedId("5b" * 32)
OVER = replace(WEB, shared=SHARED)
LONELY = replace(DB, shared=LONELY_SHARED, options=NetworkOptions(icc=False))
BLUE = replace(WEB, id=NetworkId("d4" * 32), vni=Vni(20), name="blue", shared=NOT_SHARED, space="blue")
GREEN = replace(BLUE, id=NetworkId("e5" * 32), vni=Vni(21), name="green", space="green")
"""They have web's subnets: in each is a container with the addresses of web's first one, and another one."""
TWINS = [replace(endpoint(it, net), ipv4=endpoint(1).ipv4, ipv6=None) for it, net in ((4, BLUE), (5, GREEN))]
FRIENDS = [
    replace(endpoint(it, net), ipv6=None, container_name="friend", sandbox=f"/run/netns/{it}")
    for it, net in ((6, BLUE), (7, GREEN))
]
WORLD = state(
    *(OVER, LONELY, BLUE, GREEN),
    *(endpoint(1, OVER), endpoint(2, OVER), endpoint(3, LONELY), *TWINS, *FRIENDS),
)
THERE = RemoteEndpoint(
    EndpointId("f0" * 32),
    SHARED,
    HostName("b"),
    Mac("0a:00:00:00:01:01"),
    IPv4Address("10.20.0.77"),
    names=("far", "api"),
)
ELSEWHERE = Cluster(
    networks={SHARED: SharedNetwork(SHARED, Vni(10), HostName("a"), ipv4=WEB.ipv4, name="web")},
    endpoints={THERE.id: THERE},
)
CLIENT = """
import json, sys
import dns.message, dns.query
server, transport, name, source = sys.argv[1:]
query = dns.message.make_query(name, "A")
try:
    reply = getattr(dns.query, transport)(query, server, timeout=2, source=source or None)
    found = sorted(str(it) for rrset in reply.answer for it in rrset)
    print(json.dumps([reply.rcode().name, found]))
except dns.exception.Timeout:
    print(json.dumps(["silence", []]))
"""
REFUSED = """
import socket, sys
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
    asking.settimeout(10)
    asking.connect((sys.argv[1], 53))
    asking.send(b"anybody?")
    try:
        asking.recv(512)
    except ConnectionRefusedError:
        print("refused")
"""


class Outside:
    """The world outside: knows no name, and remembers who was asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def ask(self, query: Message) -> Message:
        self.asked.append(query.question[0].name.to_text())
        return failure(query, Rcode.NXDOMAIN)


@contextmanager
def within(namespace: str) -> Iterator[None]:
    """The calling thread plays the host whose namespace that is."""
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    there = os.open(f"/run/netns/{namespace}", os.O_RDONLY)
    try:
        os_setns(there)
        yield
    finally:
        os_setns(before)
        os.close(before)
        os.close(there)


def os_setns(handle: int) -> None:
    assert ctypes.CDLL(None, use_errno=True).setns(handle, CLONE_NEWNET) == 0


class Running:
    """The service on a switch, and the world outside as it sees it."""

    def __init__(self, switch: PipelineSwitch, names: Names, outside: Outside) -> None:
        self.switch = switch
        self.names = names
        self.outside = outside

    async def ask(self, of: Container, name: str, transport: str = "udp", source: str = "") -> tuple[str, list[str]]:
        """What a container is told: the code, the addresses."""
        done = await asyncio.to_thread(of.run, sys.executable, "-c", CLIENT, SERVICE, transport, name, source)
        assert done.returncode == 0, done.stderr
        code, found = json.loads(done.stdout)
        return code, found


async def plug(switch: PipelineSwitch, names: Names) -> int:
    """What the reconciler does; the kernel's number of the link."""
    facts = names.facts()
    assert facts is not None
    async with LinkApplier() as links:
        link = plan_dns_link(facts, SwitchFacts())
        assert await links.apply(diff({link.name: link}, links.have())) == []
        ofports = {port(it): number(it) for it in WORLD.endpoints.values()} | {"d": DOOR}
        flows = compile_flows(WORLD, HostFacts(SwitchFacts(ofports=ofports), names=facts), PortNames())
        interface = ("set", "Interface", link.name, f"ofport_request={DOOR}")
        switch.switch.vsctl("--may-exist", "add-port", BRIDGE, link.name, "--", *interface)
        switch.switch.ofctl("bundle", BRIDGE, "-", stdin=replacement(flows))
        return socket.if_nametoindex(link.name)


def disguised(source: IpAddress) -> EndpointId | None:
    """As the agent finds it by the ports it sees."""
    on = port_of(source)
    return next((it.id for it in WORLD.endpoints.values() if number(it) == on), None)


@asynccontextmanager
async def serving(switch: PipelineSwitch) -> AsyncIterator[Running]:
    """An agent's name service, from its start to its end."""
    outside, there = Outside(), asyncio.Event()
    names = Names(
        SETTINGS,
        here=Here(HostName("a"), lambda: WORLD, disguised),
        cluster=lambda: ELSEWHERE,
        dead=frozenset,
        changed=there.set,
        upstream=outside,
    )
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(names.run())
        async with asyncio.timeout(10):
            await there.wait()
        try:
            yield Running(switch, names, outside)
        finally:
            running.cancel()


async def take_away(switch: PipelineSwitch) -> None:
    """What the removal of the product does."""
    switch.switch.vsctl("--if-exists", "del-port", BRIDGE, "ovdns")
    async with LinkApplier() as links:
        assert await links.apply(diff({}, links.have())) == []
    await dnslink.remove_namespace(dnslink.namespace_of(SETTINGS.instance))


@pytest.fixture(scope="module")
def switch() -> Iterator[PipelineSwitch]:
    with pipeline_switch(WORLD) as it:
        for guest in it.containers.values():
            assert guest.run("ip", "route", "add", SERVICE, "dev", "eth0").returncode == 0
        yield it


@pytest.fixture
def host(switch: PipelineSwitch) -> Iterator[PipelineSwitch]:
    with within(switch.switch.namespace):
        try:
            yield switch
        finally:
            asyncio.run(take_away(switch))


@pytest.fixture
async def running(host: PipelineSwitch) -> AsyncIterator[Running]:
    async with serving(host) as it:
        await plug(host, it.names)
        yield it


@pytest.mark.row(79)
@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_a_container_learns_where_a_container_of_another_host_is(running: Running, transport: str) -> None:
    asking = running.switch[1]
    assert await running.ask(asking, "far", transport) == ("NOERROR", ["10.20.0.77"])
    assert await running.ask(asking, "api.web.ovsnet.internal", transport) == ("NOERROR", ["10.20.0.77"])
    assert await running.ask(asking, "c2", transport) == ("NOERROR", ["10.20.0.3"])
    assert running.outside.asked == []


@pytest.mark.row(79)
async def test_a_container_of_another_network_does_not(running: Running) -> None:
    asking = running.switch[3]
    assert await running.ask(asking, "c3") == ("NOERROR", ["10.30.0.4"])
    assert await running.ask(asking, "far") == ("NXDOMAIN", [])
    assert running.outside.asked == ["far."]


@pytest.mark.row(78)
@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_containers_with_one_address_are_told_the_names_of_their_own_networks(
    running: Running, transport: str
) -> None:
    plain, blue, green = (running.switch[it] for it in (1, 4, 5))
    assert plain.ipv4 == blue.ipv4 == green.ipv4
    told = await asyncio.gather(
        *(running.ask(it, "friend", transport) for it in (plain, blue, green) for _ in range(5))
    )
    assert told[:5] == [("NXDOMAIN", [])] * 5
    assert told[5:10] == [("NOERROR", ["10.20.0.7"])] * 5
    assert told[10:] == [("NOERROR", ["10.20.0.8"])] * 5
    assert await running.ask(plain, "c2", transport) == ("NOERROR", ["10.20.0.3"])
    assert await running.ask(blue, "c2", transport) == ("NXDOMAIN", [])


@pytest.mark.row(78)
async def test_an_alias_is_nobodys_address_outside_the_switch(running: Running) -> None:
    liar, victim = running.switch[6], running.switch[4]
    alias = str(ALIASES[victim.ofport])
    assert liar.run("ip", "addr", "add", f"{alias}/32", "dev", "eth0").returncode == 0
    try:
        assert await running.ask(liar, "friend", source=alias) == ("silence", [])
    finally:
        liar.run("ip", "addr", "del", f"{alias}/32", "dev", "eth0")
    frame = ethernet(SERVICE_MAC, SERVICE_MAC, IPV4, ipv4(SERVICE, alias, udp(b"!")))
    assert f"dst={victim.mac})),set(ipv4(dst={victim.ipv4}))" in running.switch.trace(DOOR, frame).actions


@pytest.mark.row(84)
async def test_a_container_cannot_ask_with_the_address_of_another(running: Running) -> None:
    liar, victim = running.switch[1], running.switch[2]
    assert liar.run("ip", "addr", "add", f"{victim.ipv4}/32", "dev", "eth0").returncode == 0
    try:
        assert await running.ask(liar, "forged.example", source=victim.ipv4) == ("silence", [])
        assert await running.ask(liar, "honest.example", source=liar.ipv4) == ("NXDOMAIN", [])
    finally:
        liar.run("ip", "addr", "del", f"{victim.ipv4}/32", "dev", "eth0")
    assert running.outside.asked == ["honest.example."]


async def test_a_question_for_the_service_reaches_nobody_else(running: Running) -> None:
    asking = running.switch[1]
    frame = ethernet(SERVICE_MAC, asking.mac, IPV4, ipv4(asking.ipv4, SERVICE, udp(b"?")))
    assert running.switch.copies(asking, frame) == {}
    stray = ethernet(SERVICE_MAC, asking.mac, IPV4, ipv4(asking.ipv4, "10.20.0.3", udp(b"?")))
    assert running.switch.trace(asking.ofport, stray).tables[-1] == Table.NAMES


async def test_the_service_reaches_endpoints_by_its_own_address_only(running: Running) -> None:
    target = running.switch[2]
    for source, wanted in ((SERVICE, True), ("10.20.0.2", False), ("169.254.83.82", False)):
        frame = ethernet(SERVICE_MAC, SERVICE_MAC, IPV4, ipv4(source, target.ipv4, udp(b"!")))
        assert (running.switch.trace(DOOR, frame).actions != "drop") is wanted
    unknown = ethernet(SERVICE_MAC, SERVICE_MAC, IPV4, ipv4(SERVICE, "10.20.0.99", udp(b"!")))
    assert running.switch.trace(DOOR, unknown).actions == "drop"


async def test_nothing_of_layer_four_is_cached_for_questions(running: Running) -> None:
    asking = running.switch[1]
    frame = ethernet(SERVICE_MAC, asking.mac, IPV4, ipv4(asking.ipv4, SERVICE, udp(b"?")))
    assert "tp_" not in running.switch.trace(asking.ofport, frame).megaflow
    assert "udp" not in running.switch.trace(asking.ofport, frame).megaflow


async def told() -> list[object]:
    """What a program is told that asks from where the test is: the host."""
    whole = [sys.executable, "-c", CLIENT, SERVICE, "udp"]
    answers = []
    for name in ("far", "far.ovsnet.internal", "example.com"):
        done = await asyncio.to_thread(subprocess.run, [*whole, name, ""], capture_output=True, text=True, check=True)
        answers.append(json.loads(done.stdout)[0])
    return answers


async def test_who_is_on_no_network_of_ours_learns_other_names_only(running: Running) -> None:
    assert await told() == ["NXDOMAIN"] * 3
    assert running.outside.asked == ["far.", "example.com."]


@pytest.mark.row(84)
async def test_nobody_asks_through_the_host_with_an_address_that_belongs_on_the_bridge(running: Running) -> None:
    host = running.switch.switch
    host.call("ip", "addr", "add", "10.20.0.2/32", "dev", "lo")
    try:
        done = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-c", CLIENT, SERVICE, "udp", "forged.example", "10.20.0.2"],
            capture_output=True,
            text=True,
            check=True,
        )
    finally:
        host.call("ip", "addr", "del", "10.20.0.2/32", "dev", "lo")
    assert json.loads(done.stdout) == ["silence", []]
    assert running.outside.asked == []


async def test_the_next_agent_finds_everything_as_it_was(host: PipelineSwitch) -> None:
    async with serving(host) as before:
        first = await plug(host, before.names)
    async with serving(host) as after:
        assert await plug(host, after.names) == first
        assert await after.ask(host[1], "far") == ("NOERROR", ["10.20.0.77"])


async def test_while_no_agent_runs_a_question_is_refused_at_once(host: PipelineSwitch) -> None:
    async with serving(host) as it:
        await plug(host, it.names)
        await it.ask(host[1], "far")
    began = time.monotonic()
    for _ in range(8):  # more often than the kernel's own limit on such messages
        done = await asyncio.to_thread(host[1].run, sys.executable, "-c", REFUSED, SERVICE)
        assert done.stdout == "refused\n"
    assert time.monotonic() - began < 8


async def test_a_lost_pair_is_made_again_with_its_routes(host: PipelineSwitch) -> None:
    async with serving(host) as it:
        await plug(host, it.names)
        host.switch.call("ip", "link", "del", "ovdns")
        host.switch.vsctl("del-port", BRIDGE, "ovdns")
        await plug(host, it.names)
        assert await it.ask(host[1], "far") == ("NOERROR", ["10.20.0.77"])


async def test_nothing_is_left_when_it_is_removed(host: PipelineSwitch) -> None:
    path = dnslink.namespace_of(SETTINGS.instance)
    async with serving(host) as it:
        await plug(host, it.names)
        assert path.exists()
    await take_away(host)
    assert not path.exists()
    assert not {"ovdns", "ovdnsh"} & {name for _, name in socket.if_nameindex()}
    await take_away(host)


async def test_a_folder_of_namespaces_that_cannot_be_made_is_told_and_no_disaster(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Unavailable, match="network namespace"):
        await dnslink.make_namespace(tmp_path / "file" / "ovt-dns")


def test_when_one_network_is_taken_away_the_other_ones_route_leads_to_the_service() -> None:
    with container() as it:
        for name, route in (("one", "169.254.83.83/32"), ("two", "169.254.83.82/31")):
            it.run("ip", "link", "add", name, "type", "veth", "peer", "name", f"{name}-peer")
            it.run("ip", "link", "set", f"{name}-peer", "up")
            it.run("ip", "link", "set", name, "up")
            it.run("ip", "route", "add", route, "dev", name, "scope", "link")
        assert " dev one " in it.run("ip", "route", "get", SERVICE).stdout
        it.run("ip", "link", "del", "one")
        assert " dev two " in it.run("ip", "route", "get", SERVICE).stdout
