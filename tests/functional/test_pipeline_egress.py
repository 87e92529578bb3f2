"""The gateway behind a port of its own, on a real switch: a namespace plays the host.

container 1, 2 ── bridge ── port 910 ══ eth0 of the host: 10.20.0.1, fd00:20::1, the gateway's MAC
"""

from collections.abc import Iterator
from dataclasses import replace
from ipaddress import IPv4Interface, IPv6Interface

import pytest
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
from tests.states import WEB, endpoint, state
from tests.unit.pipeline.scenarios import IMPORTED, LONELY, NAT, Names

from ovsnet.model.host import HostFacts, SwitchFacts
from ovsnet.model.ids import Ofport
from ovsnet.model.network import Network
from ovsnet.model.services import Import
from ovsnet.pipeline.compile import compile_flows
from ovsnet.pipeline.gateway import GATEWAY_MAC

pytestmark = [pytest.mark.functional, pytest.mark.row(40, 42)]

DOOR = 200
"""Its endpoint number and its port."""
HOST = replace(
    endpoint(DOOR),
    mac=GATEWAY_MAC,
    ipv4=IPv4Interface("10.20.0.1/24"),
    ipv6=IPv6Interface("fd00:20::1/64"),
)
ONE, TWO = endpoint(1), endpoint(2)
ELSEWHERE, ELSEWHERE6 = "198.51.100.7", "2001:db8::7"


@pytest.fixture(scope="module")
def switch() -> Iterator[PipelineSwitch]:
    with pipeline_switch(state(WEB, ONE, TWO, HOST)) as it:
        for container in (it[1], it[2]):
            container.run("ip", "route", "add", "default", "via", "10.20.0.1")
            container.run("ip", "-6", "route", "add", "default", "via", "fd00:20::1")
        it[DOOR].run("ip", "addr", "add", f"{ELSEWHERE}/32", "dev", "lo")
        it[DOOR].run("ip", "addr", "add", f"{ELSEWHERE6}/128", "dev", "lo", "nodad")
        yield it


def lead(switch: PipelineSwitch, network: Network, *imported: Import) -> Container:
    """Have the network's gateway behind the port; returns who plays the host."""
    ofports = {port(it): number(it) for it in (ONE, TWO)}
    facts = HostFacts(SwitchFacts(ofports={**ofports, f"g{network.vni}": Ofport(DOOR)}))
    wanted = replace(state(network, ONE, TWO), imports={it.key: it for it in imported})
    flows = compile_flows(wanted, facts, Names())
    switch.switch.ofctl("bundle", BRIDGE, "-", stdin=replacement(flows))
    return switch[DOOR]


@pytest.mark.parametrize("network", [NAT, replace(NAT, options=replace(NAT.options, icc=False))], ids=["icc", "lonely"])
def test_what_is_for_elsewhere_goes_by_the_gateway_and_its_answers_come_back(
    switch: PipelineSwitch, network: Network
) -> None:
    lead(switch, network)
    for address in (ELSEWHERE, ELSEWHERE6):
        assert switch[1].pings(address)
    assert switch.echoes(switch[1], switch[DOOR], ELSEWHERE) == 300_000
    assert switch.echoes(switch[2], switch[DOOR], ELSEWHERE6) == 300_000
    assert switch[1].neighbour("10.20.0.1") == GATEWAY_MAC
    assert switch[1].pings("10.20.0.3") is network.options.icc


def test_the_gateways_own_addresses_are_answered_by_the_switch_until_the_host_is_exposed(
    switch: PipelineSwitch,
) -> None:
    host = lead(switch, NAT)
    deaf = ("net.ipv4.icmp_echo_ignore_all", "net.ipv6.icmp.echo_ignore_all")
    host.run("sysctl", "-qw", *(f"{it}=1" for it in deaf))
    try:
        assert switch[1].pings("10.20.0.1")
        assert switch[1].pings("fd00:20::1")
        assert switch[1].never_pings(ELSEWHERE)
    finally:
        host.run("sysctl", "-qw", *(f"{it}=0" for it in deaf))


@pytest.mark.parametrize("network", [replace(WEB, exposed=True), replace(LONELY, exposed=True)], ids=["icc", "lonely"])
def test_an_exposed_host_and_containers_reach_each_other(switch: PipelineSwitch, network: Network) -> None:
    host = lead(switch, network)
    for container in (switch[1], switch[2]):
        assert host.pings(container.ipv4)
        assert host.pings(container.ipv6)
        assert host.pings(container.ipv4, "-I", ELSEWHERE), "by any address it has"
        assert switch.echoes(container, host, "10.20.0.1") == 300_000
        assert switch.echoes(container, host, "fd00:20::1") == 300_000


@pytest.mark.row(44)
@pytest.mark.parametrize("network", [NAT, replace(NAT, options=replace(NAT.options, icc=False))], ids=["icc", "lonely"])
def test_the_addresses_of_imported_services_are_behind_the_gateway_and_answer_from_there(
    switch: PipelineSwitch, network: Network
) -> None:
    host = lead(switch, network, *IMPORTED)
    services = ("10.20.0.9", "fd00:20::9")
    host.run("ip", "addr", "add", f"{services[0]}/32", "dev", "lo")
    host.run("ip", "addr", "add", f"{services[1]}/128", "dev", "lo", "nodad")
    try:
        for address in services:
            assert switch.echoes(switch[1], host, address) == 300_000
            assert switch[1].neighbour(address) == GATEWAY_MAC
        lead(switch, network)
        assert switch[1].never_pings(services[0])
    finally:
        host.run("ip", "addr", "del", f"{services[0]}/32", "dev", "lo")
        host.run("ip", "addr", "del", f"{services[1]}/128", "dev", "lo")


def test_nothing_comes_from_the_gateway_that_an_endpoint_would_have_sent_and_nothing_to_all(
    switch: PipelineSwitch,
) -> None:
    host = lead(switch, replace(WEB, exposed=True))
    word = udp(b"word")
    forged = ethernet(ONE.mac, GATEWAY_MAC, IPV4, ipv4("10.20.0.3", "10.20.0.2", word))
    to_all = ethernet("ff:ff:ff:ff:ff:ff", GATEWAY_MAC, IPV4, ipv4("10.20.0.1", "10.20.0.255", word))
    as_another = ethernet(ONE.mac, TWO.mac, IPV4, ipv4("10.20.0.3", "10.20.0.2", word))
    true = ethernet(ONE.mac, GATEWAY_MAC, IPV4, ipv4(ELSEWHERE, "10.20.0.2", word))
    switch.carried = {1, 2}
    arrived = switch.arrivals(host, forged, to_all, as_another, true)
    assert arrived[1].count(true) == 1
    assert not any(frame in arrived[it] for it in (1, 2) for frame in (forged, to_all, as_another))
