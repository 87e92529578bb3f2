"""Rows as the `ovs` package gives them, read as plans."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from ovsnet.model.host import BridgePlan, Datapath, PortPlan
from ovsnet.model.ids import Ofport, Vlan
from ovsnet.model.network import PortKind
from ovsnet.ovs import rows
from ovsnet.ovs.rows import FAULT_KEY, IFINDEX_KEY, SeenPort
from ovsnet.plan.names import OWNER_KEY

OURS = {OWNER_KEY: "test"}


def interface(**columns: Any) -> SimpleNamespace:
    usual = {"name": "va", "type": "", "mtu_request": [], "ofport": [7], "error": [], "ifindex": [12], "bfd_status": {}}
    return SimpleNamespace(**{**usual, "external_ids": {**OURS, IFINDEX_KEY: "12"}, **columns})


def port(**columns: Any) -> SimpleNamespace:
    usual: dict[str, Any] = {
        "name": "va",
        "tag": [],
        "vlan_mode": [],
        "trunks": [],
        "qos": [],
        "external_ids": OURS,
        "interfaces": [],
    }
    return SimpleNamespace(**{**usual, **columns})


def read(row: SimpleNamespace | None) -> SeenPort:
    return rows.read_port(port(), row, on_our_bridge=True)


def test_a_healthy_port() -> None:
    seen = rows.read_port(port(tag=[7]), interface(), on_our_bridge=True)
    assert seen == SeenPort(PortPlan("va", PortKind.VETH, Vlan(7), external_ids=OURS), Ofport(7))


def test_foreign_external_ids_are_not_seen() -> None:
    seen = rows.read_port(port(external_ids={**OURS, "iface-id": "x"}), interface(), on_our_bridge=True)
    assert seen.plan.external_ids == OURS


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        (interface(ofport=[-1], error=["no such device"]), "no such device"),
        (interface(ofport=[-1]), "ovs-vswitchd refused it"),
        (interface(ifindex=[0]), "its link is gone"),
        (interface(ifindex=[13]), "its link was replaced by another one"),
        (interface(type="gre"), "it has become a port of type gre"),
        (None, "it has no interface"),
    ],
)
def test_a_port_that_forwards_nothing_says_why_and_has_no_number(row: SimpleNamespace | None, fault: str) -> None:
    seen = read(row)
    assert seen.plan.external_ids[FAULT_KEY] == fault
    assert seen.ofport is None
    assert seen.must_be_replugged


def test_a_port_on_another_bridge_is_a_fault() -> None:
    seen = rows.read_port(port(), interface(), on_our_bridge=False)
    assert seen.plan.external_ids[FAULT_KEY] == "it is on another bridge"


@pytest.mark.parametrize("row", [interface(ofport=[]), interface(ofport=[], ifindex=[])])
def test_a_port_that_is_not_taken_up_yet_is_no_fault(row: SimpleNamespace) -> None:
    assert read(row) == SeenPort(PortPlan("va", PortKind.VETH, external_ids=OURS), None)


def test_an_internal_port_has_no_link_of_ours() -> None:
    seen = read(interface(type="internal", external_ids=OURS))
    assert seen.plan.kind is PortKind.INTERNAL
    assert seen.ofport == 7


def test_what_is_written_is_what_is_read() -> None:
    plan = PortPlan("va", PortKind.INTERNAL, Vlan(7), 1400, {**OURS, "ovsnet-x": "y"})
    device = rows.interface_columns(plan, "test", None)
    assert "mac" not in device, "ovs-vswitchd would try to set it inside the container"
    assert device["mtu_request"] == 1400
    back = rows.read_port(
        port(**rows.port_columns(plan, "test")),
        interface(**{**device, "mtu_request": [device["mtu_request"]]}),
        on_our_bridge=True,
    )
    assert (back.plan, back.plan.mtu) == (plan, plan.mtu)


TUNNEL = PortPlan("ovxlan0", PortKind.VXLAN, external_ids=OURS, options={"key": "flow", "local_ip": "10.99.0.1"})


def tunnel(**columns: Any) -> SimpleNamespace:
    made = rows.interface_columns(TUNNEL, "test", None)
    return interface(**{**made, **columns})


def read_tunnel(row: SimpleNamespace) -> SeenPort:
    return rows.read_port(port(name=TUNNEL.name), row, on_our_bridge=True)


def test_a_tunnel_is_read_as_it_was_written() -> None:
    assert read_tunnel(tunnel()) == SeenPort(TUNNEL, Ofport(7))
    assert read_tunnel(tunnel(type="geneve")) == SeenPort(replace(TUNNEL, kind=PortKind.GENEVE), Ofport(7))


@pytest.mark.parametrize("options", [{}, {"key": "flow"}, {**TUNNEL.options, "dst_port": "1"}])
def test_a_tunnel_with_other_options_is_another_one(options: dict[str, str]) -> None:
    seen = read_tunnel(tunnel(options=options))
    assert seen.plan != TUNNEL
    assert not seen.must_be_replugged, "options are changed in place"


def test_options_of_other_ports_are_nobodys_concern() -> None:
    assert read(interface(options={"n_rxq": "2"})) == read(interface(options={}))
    assert "options" not in rows.interface_columns(PortPlan("va", PortKind.VETH, options={"x": "y"}), "test", 1)


def test_a_tunnel_that_the_switch_refuses_says_why() -> None:
    refused = tunnel(ofport=[-1], error=["could not add network device ovxlan0 to ofproto (File exists)"])
    fault = read_tunnel(refused).plan.external_ids[FAULT_KEY]
    assert fault.startswith("could not add network device ovxlan0 to ofproto (File exists); another tunnel port")
    taken = tunnel(type="geneve", ofport=[-1], error=["could not add network device (Address already in use)"])
    assert "'ip -d link show type geneve'" in read_tunnel(taken).plan.external_ids[FAULT_KEY]


# ---------------------------------------------------------------- bridge


def bridge(**columns: Any) -> SimpleNamespace:
    plan = BridgePlan("br", Datapath.USERSPACE, OURS)
    made = rows.bridge_columns(plan)
    options = rows.bridge_options("0e:00:00:00:00:01")
    tables = {0: SimpleNamespace(name=["origin"])}
    usual = {**made, "name": "br", "external_ids": OURS, "other_config": options, "flow_tables": tables}
    return SimpleNamespace(**{**usual, **columns})


def test_a_bridge_as_we_make_it_has_no_fault() -> None:
    seen = rows.read_bridge(bridge(), interface(ofport=[65534]), {0: "origin"})
    assert seen == BridgePlan("br", Datapath.USERSPACE, OURS)


def test_more_protocols_and_options_than_ours_are_no_fault() -> None:
    others = {**rows.bridge_options("0e:00:00:00:00:01"), "mac-table-size": "9"}
    row = bridge(protocols=[*rows.PROTOCOLS, "OpenFlow11"], other_config=others)
    assert FAULT_KEY not in rows.read_bridge(row, interface(), {}).external_ids


@pytest.mark.parametrize(
    ("edit", "fault"),
    [
        ({"fail_mode": []}, "fail_mode=(none)"),
        ({"protocols": ["OpenFlow10"]}, "protocols=OpenFlow10"),
        ({"stp_enable": True}, "stp_enable=true"),
        ({"rstp_enable": True}, "rstp_enable=true"),
        ({"mcast_snooping_enable": True}, "mcast_snooping_enable=true"),
        ({"other_config": {"hwaddr": "x"}}, "other_config:disable-in-band is not true"),
        ({"other_config": {"disable-in-band": "true"}}, "other_config:hwaddr is not set"),
        ({"flow_tables": {}}, "flow_tables have other names"),
        ({"datapath_type": "dummy"}, "datapath_type=dummy"),
    ],
)
def test_each_hand_edit_is_a_fault(edit: dict[str, Any], fault: str) -> None:
    assert rows.read_bridge(bridge(**edit), interface(), {0: "origin"}).external_ids[FAULT_KEY] == fault


def test_a_bridge_that_does_not_run_is_a_fault() -> None:
    seen = rows.read_bridge(bridge(), interface(ofport=[], error=["no datapath"]), {})
    assert seen.external_ids[FAULT_KEY] == "ovs-vswitchd does not run it: no datapath"
    assert rows.read_bridge(bridge(), None, {}).external_ids[FAULT_KEY] == "it has no local port"


def test_the_address_of_a_bridge_is_stable_local_and_unicast() -> None:
    address = rows.stable_hwaddr("ovsnet", "br-ovsnet", "host-a")
    assert address == rows.stable_hwaddr("ovsnet", "br-ovsnet", "host-a")
    assert address != rows.stable_hwaddr("ovsnet", "br-ovsnet", "host-b")
    assert int(address[:2], 16) & 3 == 2
