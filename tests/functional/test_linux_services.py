"""Services published and imported by order, on a real kernel: who is led where, and by which address he is seen.

10.20.0.2, fd00:20::2 ══ ovgwa, 10.20.0.1 ─┐ the test's own ┌─ lan0 ══ 192.0.2.9, 192.0.2.10, 2001:db8::9
                                           └ namespace      ┘  192.0.2.1, 2001:db8::1
"""

import socket
import subprocess
from collections.abc import AsyncIterator
from dataclasses import replace
from ipaddress import ip_address

import pytest
from tests.functional.kernel import Inside, container, private_host
from tests.functional.test_linux_firewall import NAT, ROUTED, World, reaches_none, wire
from tests.functional.test_linux_ports import seen_as, sending, serving
from tests.states import WEB, endpoint, state

from ovsnet.linux.firewall import FirewallApplier
from ovsnet.linux.hostports import HostPorts
from ovsnet.linux.links import LinkApplier
from ovsnet.model.delta import diff
from ovsnet.model.host import HostFacts, SwitchFacts
from ovsnet.model.network import Network
from ovsnet.model.publication import Publication, Transport
from ovsnet.model.services import Export, Import
from ovsnet.model.state import State
from ovsnet.pipeline.gateway import GATEWAY_MAC
from ovsnet.plan.host import plan_host

pytestmark = [pytest.mark.functional, pytest.mark.row(44)]
TCP, UDP, _ = Transport
C1 = replace(endpoint(1), container_id="1" * 64)
AT, AT6 = "10.20.0.9", "fd00:20::9"
ASKS = "import socket, sys; socket.create_connection((sys.argv[1], 3322), 3).close()"


@pytest.fixture
async def world() -> AsyncIterator[World]:
    with private_host(), container() as web, container() as lan:
        wire("lan0", lan, "192.0.2", "2001:db8::")
        lan.run("ip", "addr", "add", "192.0.2.10/24", "dev", "eth0")
        async with LinkApplier() as pairs:
            held = HostPorts()
            it = World(web, lan, FirewallApplier("test", held), pairs)
            await it.gateway(NAT, web)
            for address in (AT, AT6):  # which the switch says
                web.run("ip", "neigh", "add", address, "lladdr", GATEWAY_MAC, "dev", "eth0")
            yield it
            held.keep(())


async def have(world: World, wanted: State) -> None:
    """The rules of this state."""
    want = plan_host(wanted, HostFacts(SwitchFacts(available=True)), bridge="b", instance="test")
    assert await world.firewall.apply(diff(want.firewall, world.firewall.have())) == []


def exporting(network: Network, *led: tuple[str, int, Transport]) -> State:
    ports = [Publication(transport, ip_address(host), port, 80) for host, port, transport in led]
    exports = (Export(it, C1.container_id, network.id) for it in ports)
    return replace(state(network, C1), exports={it.key: it for it in exports})


def importing(network: Network, *led: tuple[str, int, str, int, Transport]) -> State:
    imports = (
        Import(network.id, ip_address(at), transport, port, ip_address(to), to_port)
        for at, port, to, to_port, transport in led
    )
    return replace(state(network, C1), imports={it.key: it for it in imports})


def asks_this_host(inside: Inside) -> str:
    """By which address the service on this host, to which all is led, is asked; it is not reached by its own."""
    with socket.create_server(("192.0.2.1", 3333)) as it:
        it.settimeout(3)
        assert seen_as("192.0.2.1", 3333, client=inside, wait=0.3) == ""
        with subprocess.Popen(["ip", "netns", "exec", inside.name, "python3", "-c", ASKS, AT]) as asking:
            peer, whom = it.accept()
            peer.close()
        assert asking.returncode == 0
    return str(whom[0])


@pytest.mark.parametrize("network", [WEB, NAT], ids=["docker", "nat"])
async def test_a_port_by_order_leads_to_a_container_that_has_no_way_back_but_the_gateway(
    world: World, network: Network
) -> None:
    world.web.run("ip", "route", "del", "default")
    world.web.run("ip", "-6", "route", "del", "default")
    with serving(world.web), serving(world.web, UDP):
        await have(world, exporting(network, ("0.0.0.0", 9090, TCP), ("::", 9090, TCP), ("192.0.2.1", 9053, UDP)))
        assert seen_as("192.0.2.1", 9090, client=world.lan) == "10.20.0.1"
        assert seen_as("2001:db8::1", 9090, client=world.lan) == "fd00:20::1"
        assert seen_as("192.0.2.1", 9053, UDP, client=world.lan) == "10.20.0.1"
        assert seen_as("192.0.2.1", 9090) == "10.20.0.1"
        assert seen_as("127.0.0.1", 9090) == "10.20.0.1"
        assert seen_as("10.20.0.1", 9090, client=world.web) == "10.20.0.1", "itself"
        assert reaches_none(world.lan, "10.20.0.2")

        await have(world, state(network, C1))
        assert seen_as("192.0.2.1", 9090, client=world.lan, wait=0.3) == ""


async def test_an_imported_service_is_reached_at_its_address_and_follows_when_it_is_led_elsewhere(world: World) -> None:
    with serving(world.lan), serving(world.lan, TCP, 81):
        await have(world, importing(NAT, (AT, 3322, "192.0.2.9", 80, TCP), (AT6, 3322, "2001:db8::9", 80, TCP)))
        assert seen_as(AT, 3322, client=world.web) == "192.0.2.1"
        assert seen_as(AT6, 3322, client=world.web) == "2001:db8::1"
        assert seen_as(AT, 80, client=world.web, wait=0.3) == ""
        await have(world, importing(NAT, (AT, 3322, "192.0.2.10", 81, TCP)))
        assert seen_as(AT, 3322, client=world.web) == "192.0.2.1"
        await have(world, state(NAT, C1))
        assert seen_as(AT, 3322, client=world.web, wait=0.3) == ""


async def test_a_routed_network_is_seen_by_its_own_addresses_there_too(world: World) -> None:
    world.lan.run("ip", "route", "add", "10.20.0.0/24", "via", "192.0.2.1")
    with serving(world.lan):
        await have(world, importing(ROUTED, (AT, 3322, "192.0.2.9", 80, TCP)))
        assert seen_as(AT, 3322, client=world.web) == "10.20.0.2"


async def test_the_service_may_be_on_this_host_or_on_the_network_itself(world: World) -> None:
    with serving(world.web):
        await have(world, importing(NAT, (AT, 3322, "10.20.0.2", 80, TCP)))
        assert seen_as(AT, 3322, client=world.web) == "10.20.0.1"
    await have(world, importing(NAT, (AT, 3322, "192.0.2.1", 3333, TCP)))
    assert asks_this_host(world.web) == "10.20.0.2"


async def test_who_keeps_sending_by_udp_is_led_where_it_leads_now(world: World) -> None:
    with sending(world.web, AT) as said, serving(world.lan, UDP, 53):
        await have(world, importing(NAT, (AT, 5353, "192.0.2.1", 1, UDP)))
        assert said() == ""
        await have(world, importing(NAT, (AT, 5353, "192.0.2.9", 53, UDP)))
        assert said() == "192.0.2.1"
