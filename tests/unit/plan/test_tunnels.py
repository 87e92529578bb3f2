"""What carries packets to other hosts, and which of them are in it."""

from dataclasses import replace
from ipaddress import IPv4Address

import pytest

from ovsnet.model.cluster import Encapsulation
from ovsnet.model.host import HostFacts, HostPlan
from ovsnet.model.ids import NetworkId, Vni
from ovsnet.model.network import PortKind
from ovsnet.model.overlay import Overlay, TrunkPort, TunnelKind
from ovsnet.model.state import State
from ovsnet.plan import names
from ovsnet.plan.host import plan_host
from tests.states import DB, WEB, endpoint, state
from tests.unit.pipeline.scenarios import (
    DOMAIN_DB,
    DOMAIN_WEB,
    ON_TRUNK,
    SHARED_DB,
    SHARED_LONELY,
    SHARED_WEB,
    B,
    C,
    overlay,
    remote,
    vtep,
)

EMPTY_NETWORK = state(SHARED_DB)
ONE = state(SHARED_DB, endpoint(3, SHARED_DB))
KERNEL = TunnelKind.KERNEL
DEVICE = "ovxb"
"""That of SHARED_DB, whose VNI is 11."""


def plan(wanted: State, there: Overlay | None) -> HostPlan:
    return plan_host(wanted, HostFacts(overlay=there), bridge="br-test", instance="test")


def tunnel_ports(wanted: State, there: Overlay | None) -> list[str]:
    return [it for it in plan(wanted, there).ports if names.is_tunnel(it)]


# ---------------------------------------------------------------- the trunk


@pytest.mark.row(65)
def test_a_network_without_a_tunnel_has_the_trunk_and_no_tunnel() -> None:
    for kind in TunnelKind:
        there = overlay(remote(2, B, ON_TRUNK), kind=kind, trunk="eth9")
        host = plan(state(ON_TRUNK, endpoint(1, ON_TRUNK)), there)
        assert not host.tunnels
        (trunk,) = [it for it in host.ports.values() if names.ENDPOINT_KEY not in it.external_ids]
        assert (trunk.name, trunk.kind, trunk.vlan) == ("eth9", PortKind.VETH, 0)
        assert trunk.external_ids == {"ovsnet-owner": "test", "ovsnet-trunk": "true"}


@pytest.mark.row(65)
def test_to_somebody_elses_bridge_leads_a_cable() -> None:
    there = replace(overlay(), trunk=TrunkPort("ovtrunk", "br-phys"))
    near, far = plan(state(ON_TRUNK), there).ports.values()
    assert (near.name, near.kind, near.bridge, near.options) == ("ovtrunk", PortKind.PATCH, "", {"peer": "ovtrunkp"})
    assert (far.name, far.kind, far.bridge, far.options) == (
        *("ovtrunkp", PortKind.PATCH, "br-phys"),
        {"peer": "ovtrunk"},
    )
    assert near.external_ids == far.external_ids == {"ovsnet-owner": "test", "ovsnet-trunk": "true"}


@pytest.mark.row(65)
def test_the_trunk_is_no_port_of_ours_where_no_network_needs_it() -> None:
    for wanted, trunk in ((ONE, "eth9"), (state(), "eth9"), (state(ON_TRUNK), "")):
        assert "eth9" not in plan(wanted, overlay(trunk=trunk)).ports


@pytest.mark.row(65)
def test_both_kinds_of_network_are_there_side_by_side() -> None:
    there = overlay(remote(2, B, ON_TRUNK), remote(5, B), kind=KERNEL, trunk="eth9")
    host = plan(state(ON_TRUNK, SHARED_DB, endpoint(1, ON_TRUNK), endpoint(3, SHARED_DB)), there)
    assert set(host.tunnels) == {DEVICE}
    assert {"eth9", DEVICE} <= set(host.ports)


# ---------------------------------------------------------------- kind ovs


def test_one_port_carries_all_networks() -> None:
    host = plan(state(SHARED_WEB, SHARED_DB, DB), overlay())
    assert not host.tunnels
    (port,) = host.ports.values()
    assert (port.name, port.kind) == ("ovxlan0", PortKind.VXLAN)
    where = {"local_ip": "10.99.0.1", "dst_port": "4789"}
    assert port.options == {"remote_ip": "flow", "key": "flow", "df_default": "false", **where}
    assert port.external_ids == {"ovsnet-owner": "test"}


def test_it_has_the_clusters_udp_port() -> None:
    (port,) = plan(EMPTY_NETWORK, replace(overlay(), udp_port=8472)).ports.values()
    assert port.options["dst_port"] == "8472"


@pytest.mark.row(68)
def test_in_a_cluster_of_geneve_it_is_such_a_port_by_another_name_and_so_are_those_that_watch_ways() -> None:
    there = replace(overlay(remote(5, B)), encapsulation=Encapsulation.GENEVE, udp_port=6081)
    host = plan(ONE, there)
    tunnels = {it.name: it for it in host.ports.values() if names.is_tunnel(it.name)}
    assert {(it.kind, it.options["dst_port"]) for it in tunnels.values()} == {(PortKind.GENEVE, "6081")}
    assert [(it.options["key"], bool(it.bfd)) for it in tunnels.values()] == [("flow", False), ("16777215", True)]
    assert names.tunnel_port(there, SHARED_DB.vni) == "ovxgeneve0"
    assert "ovxgeneve0" in tunnels
    assert not host.tunnels


def test_over_ipv6_packets_have_a_checksum() -> None:
    (port,) = plan(EMPTY_NETWORK, overlay(family=6)).ports.values()
    assert port.options["local_ip"] == "fd99::1"
    assert port.options["csum"] == "true"


@pytest.mark.parametrize("kind", TunnelKind)
@pytest.mark.parametrize(
    ("wanted", "there"),
    [
        (ONE, False),
        (state(), True),
        (state(WEB, endpoint(1)), True),
        (state(SHARED_LONELY, endpoint(1, SHARED_LONELY)), True),
    ],
    ids=["in no cluster", "no network", "a network of this host", "a network whose endpoints reach nobody"],
)
def test_there_is_no_tunnel_where_nothing_can_use_one(kind: TunnelKind, wanted: State, there: bool) -> None:
    found = overlay(kind=kind) if there else None
    assert tunnel_ports(wanted, found) == []
    assert not plan(wanted, found).tunnels


# ---------------------------------------------------------------- kind kernel


def test_each_network_with_a_container_here_has_a_device_and_its_port() -> None:
    private = replace(WEB, id=NetworkId("c3" * 32), vni=Vni(12))
    inhabited = (endpoint(1, SHARED_WEB), endpoint(3, SHARED_DB), endpoint(4, private))
    host = plan(state(SHARED_WEB, SHARED_DB, private, *inhabited), overlay(kind=KERNEL))
    assert host.tunnels.keys() == {"ovxa", "ovxb"}
    assert [it for it in host.ports if names.is_tunnel(it)] == ["ovxa", "ovxb"]
    device, port = host.tunnels[DEVICE], host.ports[DEVICE]
    assert (device.vni, device.local, device.device) == (11, IPv4Address("10.99.0.1"), "eth1")
    assert (device.udp_port, device.mtu, device.alias) == (4789, 1500, "ovsnet:vxlan:11")
    assert port.kind is PortKind.VETH
    assert not port.options
    assert port.external_ids == {
        "ovsnet-owner": "test",
        "ovsnet-network": SHARED_DB.id,
        "ovsnet-network-name": "db",
    }


def test_a_network_that_a_container_here_is_led_into_has_a_device_too() -> None:
    there = overlay(remote(5, B, DOMAIN_DB), kind=KERNEL)
    host = plan(state(DOMAIN_WEB, DOMAIN_DB, endpoint(1, DOMAIN_WEB)), there)
    assert {DEVICE} < set(host.tunnels)
    assert (remote(5, B, DOMAIN_DB).mac, vtep(B)) in host.tunnels[DEVICE].forwards
    assert DEVICE in host.ports
    assert not plan(state(DOMAIN_WEB, DOMAIN_DB), there).tunnels
    assert DEVICE not in plan(state(SHARED_WEB, DOMAIN_DB, endpoint(1, SHARED_WEB)), there).tunnels


def test_thousands_of_networks_without_a_container_here_cost_nothing() -> None:
    left = replace(endpoint(3, SHARED_DB), plugged=False)
    host = plan(state(SHARED_WEB, SHARED_DB, left), overlay(remote(5, B), kind=KERNEL))
    assert not host.tunnels
    assert not host.ports


def test_a_device_has_the_mtu_of_its_network() -> None:
    small = replace(SHARED_DB, options=replace(SHARED_DB.options, mtu=1400))
    assert plan(state(small, endpoint(3, small)), overlay(kind=KERNEL)).tunnels[DEVICE].mtu == 1400


def test_while_our_vtep_is_on_no_interface_there_is_no_device_and_no_port() -> None:
    host = plan(ONE, replace(overlay(kind=KERNEL), device=""))
    assert not host.tunnels
    assert not any(map(names.is_tunnel, host.ports))


def test_a_device_knows_each_mac_and_who_gets_broadcasts() -> None:
    there = overlay(remote(5, B), remote(6, B), remote(7, C), kind=KERNEL)
    assert plan(ONE, there).tunnels[DEVICE].forwards == {
        ("0a:00:00:00:00:05", vtep(B)),
        ("0a:00:00:00:00:06", vtep(B)),
        ("0a:00:00:00:00:07", vtep(C)),
        ("", vtep(B)),
        ("", vtep(C)),
    }


def test_a_host_without_endpoints_of_the_network_gets_no_broadcasts() -> None:
    there = overlay(remote(5, B), remote(2, C, SHARED_WEB), kind=KERNEL)
    assert plan(ONE, there).tunnels[DEVICE].forwards == {("0a:00:00:00:00:05", vtep(B)), ("", vtep(B))}


def test_what_a_dead_host_has_is_withdrawn() -> None:
    there = overlay(remote(5, B), remote(7, C), peers=(C,), kind=KERNEL)
    assert plan(ONE, there).tunnels[DEVICE].forwards == {("0a:00:00:00:00:07", vtep(C)), ("", vtep(C))}


def test_a_mac_that_has_moved_here_is_sought_nowhere_else() -> None:
    there = overlay(remote(3, B), remote(5, B), kind=KERNEL)
    assert plan(ONE, there).tunnels[DEVICE].forwards == {("0a:00:00:00:00:05", vtep(B)), ("", vtep(B))}
    left = state(SHARED_DB, replace(endpoint(3, SHARED_DB), plugged=False), endpoint(4, SHARED_DB))
    assert ("0a:00:00:00:00:03", vtep(B)) in plan(left, there).tunnels[DEVICE].forwards


def test_of_two_hosts_that_claim_a_mac_the_younger_has_it_whatever_the_order() -> None:
    old, young = remote(5, B, created_at=1.0), remote(5, C, created_at=2.0)
    for both in ((old, young), (young, old)):
        forwards = plan(ONE, overlay(*both, kind=KERNEL)).tunnels[DEVICE].forwards
        assert [it for mac, it in forwards if mac] == [vtep(C)]


def test_hosts_that_our_vtep_cannot_reach_are_as_good_as_dead() -> None:
    foreign = replace(overlay(remote(5, B), remote(6, C), kind=KERNEL), peers={B: vtep(B, 6), C: overlay().local})
    assert plan(ONE, foreign).tunnels[DEVICE].forwards == frozenset()


def test_the_same_network_with_other_endpoints_is_planned_anew() -> None:
    seen = [plan(ONE, overlay(*there, kind=KERNEL)).tunnels[DEVICE].forwards for there in ([remote(5, B)], [], [])]
    assert [len(it) for it in seen] == [2, 0, 0]


# ---------------------------------------------------------------- names


@pytest.mark.parametrize("vni", [1, 2**24 - 1])
def test_names_fit_the_kernel_and_are_no_endpoints(vni: int) -> None:
    name = names.tunnel_device(Vni(vni))
    assert len(name) <= 15
    assert names.is_tunnel(name)
    for carrier in map(names.flow_tunnel, Encapsulation):
        assert len(carrier) <= 15
        assert names.is_tunnel(carrier)
        assert name != carrier
    assert not any(names.is_tunnel(it) for it in plan(ONE, None).ports)
