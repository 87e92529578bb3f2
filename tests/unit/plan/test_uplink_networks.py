"""The plan of networks with mode=uplink: the way to the LAN, and what interfaces have from there."""

from dataclasses import replace

import pytest

from ovsnet.model.host import HostFacts, HostPlan, Routers, SwitchFacts
from ovsnet.model.ids import Vlan
from ovsnet.model.lease import Lessee
from ovsnet.model.network import Mode, NetworkOptions, PortKind
from ovsnet.model.state import State
from ovsnet.plan.host import plan_host
from ovsnet.plan.leases import lessees
from tests.states import DB, WEB, endpoint, state
from tests.unit.plan.test_uplinks import ETH0


def planned(wanted: State) -> HostPlan:
    return plan_host(wanted, HostFacts(SwitchFacts(available=True)), bridge="br-test", instance="test")


@pytest.mark.row(47, 75)
def test_who_is_on_a_network_with_dhcp_asks_once_its_container_runs() -> None:
    network = replace(WEB, ipv4=None, ipv6=None, options=NetworkOptions(mode=Mode.UPLINK, uplink="eth0", dhcp=(4, 6)))
    starting = replace(endpoint(1), network_id=network.id, ipv4=None, ipv6=None, sandbox="/run/1")
    assert lessees(state(network, starting)) == {}
    running = replace(starting, ifname="eth0")
    assert lessees(state(network, running)) == {running.id: Lessee(running.id, "/run/1", "eth0", (4, 6))}
    assert lessees(state(network, replace(running, plugged=False))) == {}


@pytest.mark.row(47, 77)
def test_who_is_on_a_network_with_routers_heeds_them_inside() -> None:
    network = replace(WEB, ipv4=None, ipv6=None, options=NetworkOptions(mode=Mode.UPLINK, uplink="eth0", slaac=True))
    running = replace(endpoint(1), network_id=network.id, ipv4=None, ipv6=None, sandbox="/run/1", ifname="eth0")
    (inside,) = planned(state(network, running)).insides.values()
    assert (inside.sandbox, inside.ifname, inside.routers) == ("/run/1", "eth0", Routers.AUTOCONF)


@pytest.mark.row(47)
def test_a_cable_leads_to_the_bridge_of_each_uplink_that_has_networks() -> None:
    options = NetworkOptions(mode=Mode.UPLINK, uplink="eth0")
    wanted = state(*(replace(it, options=replace(options, vlan=Vlan(number))) for it, number in ((WEB, 1), (DB, 2))))
    assert [it for it in planned(wanted).ports.values() if it.kind is PortKind.PATCH] == []
    ports = planned(replace(wanted, uplinks={"eth0": ETH0})).ports.values()
    there, here = sorted((it for it in ports if it.kind is PortKind.PATCH), key=lambda it: it.bridge, reverse=True)
    assert (there.bridge, here.bridge) == ("br-eth0", "")
    assert (there.options, here.options) == ({"peer": here.name}, {"peer": there.name})
    assert max(len(it.name) for it in (there, here)) <= 15
