"""`ovsnet ps`: what is on the switch, and what should be."""

from dataclasses import replace

import pytest

from ovsnet.model.errors import ApplyError
from ovsnet.model.host import HostFacts, PortPlan, SwitchFacts
from ovsnet.model.network import PortKind
from ovsnet.observe.endpoints import on_switch
from ovsnet.plan.host import plan_host
from tests.fakes.view import port_of, ports_of, switch_of
from tests.states import EMPTY, SPARES, TWO_ENDPOINTS, TWO_NETWORKS, UNPLUGGED

PORTS = ports_of(TWO_ENDPOINTS)
SWITCH = switch_of(TWO_ENDPOINTS)


def test_everything_is_read_from_the_switch_database() -> None:
    first = on_switch(TWO_ENDPOINTS, SWITCH, PORTS, ())[0]
    assert (first.container, first.network, first.mac) == ("c1", "web", "0a:00:00:00:00:01")
    assert first.addresses == ("10.20.0.2/24", "fd00:20::2/64")
    assert (first.port, first.ofport) == (port_of(TWO_ENDPOINTS, "c1"), 1)
    assert (first.in_force, first.reason) == (True, "")


def test_the_list_is_ordered_by_network_and_container() -> None:
    rows = on_switch(TWO_NETWORKS, switch_of(TWO_NETWORKS), ports_of(TWO_NETWORKS), ())
    assert [(it.network, it.container) for it in rows] == [
        ("db", "c3"),
        ("db", "c4"),
        ("web", "c1"),
        ("web", "c2"),
    ]


@pytest.mark.row(65)
def test_the_trunk_is_no_endpoints_port() -> None:
    trunk = PortPlan("eth1", PortKind.VETH, external_ids={"ovsnet-owner": "test", "ovsnet-trunk": "true"})
    assert on_switch(EMPTY, SWITCH, {"eth1": trunk}, ()) == ()


def test_a_spare_is_no_endpoints_port() -> None:
    ports = plan_host(SPARES, HostFacts(), bridge="br-test", instance="test").ports
    assert len(ports) == 1
    assert on_switch(SPARES, SWITCH, ports, ()) == ()


def test_a_port_that_nobody_wants_is_shown_as_left_over() -> None:
    rows = on_switch(EMPTY, SWITCH, PORTS, ())
    assert {it.reason for it in rows} == {"left over: no container wants it; the agent takes it away"}
    assert [it.container for it in rows] == ["c1", "c2"]


def test_the_port_of_a_container_that_has_left_is_left_over() -> None:
    rows = on_switch(UNPLUGGED, SWITCH, PORTS, ())
    assert [it.in_force for it in rows] == [True, False]


def test_a_port_without_a_number_is_not_in_force() -> None:
    rows = on_switch(TWO_ENDPOINTS, replace(SWITCH, ofports={}), PORTS, ())
    assert {(it.ofport, it.reason) for it in rows} == {(0, "ovs-vswitchd has not taken the port up yet")}


def test_an_endpoint_without_a_port_is_shown_with_the_reason() -> None:
    lost = port_of(TWO_ENDPOINTS, "c2")
    there = {name: it for name, it in PORTS.items() if name != lost}
    plain = on_switch(TWO_ENDPOINTS, SWITCH, there, ())[1]
    refused = on_switch(TWO_ENDPOINTS, SWITCH, there, (ApplyError(lost, "name is taken"),))[1]
    assert (plain.container, plain.in_force, plain.reason) == (
        "c2",
        False,
        "its port is not on the switch yet",
    )
    assert refused.reason == "name is taken"


def test_a_refusal_of_a_port_that_is_there_is_shown() -> None:
    failures = (ApplyError(port_of(TWO_ENDPOINTS, "c1"), "cannot be moved"),)
    assert on_switch(TWO_ENDPOINTS, SWITCH, PORTS, failures)[0].reason == "cannot be moved"


def test_nothing_is_said_to_be_in_force_on_a_switch_that_does_not_answer() -> None:
    silent = SwitchFacts(available=False, reason="connection refused")
    assert {it.reason for it in on_switch(TWO_ENDPOINTS, silent, PORTS, ())} == {
        "Open vSwitch does not answer: connection refused"
    }
    assert not any(it.in_force for it in on_switch(TWO_ENDPOINTS, silent, {}, ()))
