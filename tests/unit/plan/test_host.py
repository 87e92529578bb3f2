"""What a host should look like."""

from dataclasses import replace
from random import Random

import pytest

from ovsnet.model.bound import Bound
from ovsnet.model.host import Datapath, HostFacts, SwitchFacts
from ovsnet.model.ids import Vlan
from ovsnet.model.network import NetworkOptions, PortKind
from ovsnet.model.shaping import UNSHAPED
from ovsnet.model.state import State
from ovsnet.plan import names
from ovsnet.plan.host import plan_host
from tests.states import DB, EMPTY, FAST, SPARE, SPARES, TAKEN, TWO_NETWORKS, UNPLUGGED, WEB, endpoint, state

KERNEL = HostFacts(SwitchFacts(available=True, datapath=Datapath.KERNEL))
USERSPACE = HostFacts(SwitchFacts(available=True, datapath=Datapath.USERSPACE))
USERSPACE_TSO = HostFacts(SwitchFacts(available=True, datapath=Datapath.USERSPACE, tso=True))


def plan(wanted: State, facts: HostFacts = KERNEL):  # type: ignore[no-untyped-def]
    return plan_host(wanted, facts, bridge="br-test", instance="test")


def test_an_empty_state_still_has_our_bridge() -> None:
    assert list(plan(EMPTY).bridges) == ["br-test"]
    assert not plan(EMPTY).ports
    assert not plan(EMPTY).links


def test_every_plugged_endpoint_has_a_link_and_a_port_of_the_same_name() -> None:
    host = plan(TWO_NETWORKS)
    assert len(host.links) == 4
    assert host.links.keys() == host.ports.keys()


def test_an_endpoint_that_left_has_nothing() -> None:
    assert len(plan(UNPLUGGED).ports) == 1


def test_interface_names_fit_the_kernel() -> None:
    host = plan(state(WEB, FAST, endpoint(1), endpoint(2, FAST)))
    assert all(len(name) <= 15 for name in host.links)
    assert all(len(link.peer) <= 15 for link in host.links.values())


def test_the_order_of_rows_does_not_matter() -> None:
    endpoints = list(TWO_NETWORKS.endpoints.items())
    Random(1).shuffle(endpoints)
    assert plan(replace(TWO_NETWORKS, endpoints=dict(endpoints))) == plan(TWO_NETWORKS)


@pytest.mark.parametrize(("facts", "offload"), [(KERNEL, True), (USERSPACE, False), (USERSPACE_TSO, True)])
def test_checksums_are_filled_in_where_the_datapath_does_not(facts: HostFacts, offload: bool) -> None:
    (link,) = plan(state(WEB, endpoint(1)), facts).links.values()
    assert link.checksum_offload is offload


def test_an_endpoints_vlan_wins_over_the_networks() -> None:
    tagged = replace(WEB, options=NetworkOptions(vlan=Vlan(10)))
    host = plan(state(tagged, endpoint(1), endpoint(2, vlan=Vlan(20))))
    assert sorted(port.vlan for port in host.ports.values()) == [10, 20]


def test_an_internal_port_keeps_its_name_when_the_engine_renames_it() -> None:
    (name,) = plan(state(FAST, endpoint(1, FAST))).ports
    assert name.endswith("0")


def test_an_internal_port_is_never_made_in_the_userspace_datapath() -> None:
    assert not plan(state(FAST, endpoint(1, FAST)), USERSPACE).ports


def test_a_port_tells_whose_it_is() -> None:
    (port,) = plan(state(DB, endpoint(3, DB))).ports.values()
    assert port.kind is PortKind.VETH
    assert port.external_ids["ovsnet-owner"] == "test"
    assert port.external_ids["ovsnet-container-name"] == "c3"
    assert port.external_ids["ovsnet-network-name"] == "db"
    assert "ovsnet-container" not in port.external_ids, "nothing is written before it is known"


def test_a_lost_interface_is_put_back_only_where_it_was_seen() -> None:
    joined = replace(endpoint(1), sandbox="/run/docker/netns/x")
    (link,) = plan(state(WEB, joined)).links.values()
    assert link.placement is None
    (link,) = plan(state(WEB, replace(joined, ifname="eth0"))).links.values()
    assert link.placement is not None
    assert link.placement.ifname == "eth0"
    assert [str(it) for it in link.placement.addresses] == ["10.20.0.2/24", "fd00:20::2/64"]


@pytest.mark.row(85)
def test_a_rate_bounds_the_port_and_inside_once_that_was_seen() -> None:
    bounded = replace(WEB, options=NetworkOptions(rate=1_000_000))
    inside = {"sandbox": "/run/1", "ifname": "eth0"}
    one, two = replace(endpoint(1), **inside), replace(endpoint(2), **inside, rate=0)  # type: ignore[arg-type]
    host = plan(state(bounded, one, two, endpoint(3)))
    assert [it.rate for it in host.ports.values()] == [1_000_000, 0, 1_000_000]
    assert [it.shape.rate for it in host.insides.values()] == [1_000_000, 0]
    link = host.links[names.port_name(one, bounded)]
    assert link.placement is not None
    assert link.placement.shape.rate == 1_000_000
    assert plan(state(WEB, one)).insides == {}


@pytest.mark.row(85)
def test_a_bound_that_was_lifted_is_taken_away_inside() -> None:
    one = replace(endpoint(1), sandbox="/run/1", ifname="eth0", container_id="c1", rate=1_000_000)
    lifted = replace(state(WEB, one), bounds={("c1", WEB.id): Bound("c1", WEB.id, 0)})
    (inside,), (port,) = plan(lifted).insides.values(), plan(lifted).ports.values()
    assert (inside.shape, port.rate) == (UNSHAPED, 0)


def test_a_spare_is_a_port_that_nobody_has() -> None:
    host = plan(SPARES)
    (link,), (port,) = host.links.values(), host.ports.values()
    assert (link.name, link.peer, link.alias) == (f"ov{SPARE.id[:11]}", f"oc{SPARE.id[:11]}", f"ovsnet:{SPARE.id}")
    assert (link.mac, link.mtu, link.checksum_offload) == (SPARE.mac, SPARE.mtu, SPARE.offload)
    assert port.external_ids == {names.OWNER_KEY: "test", names.SPARE_KEY: "true", names.MAC_KEY: SPARE.mac}


def test_whoever_takes_a_spare_finds_its_link_as_it_is() -> None:
    before, after = plan(SPARES), plan(TAKEN)
    assert before.links == after.links
    (was,), (now,) = before.ports.values(), after.ports.values()
    assert replace(was, external_ids=now.external_ids) == now
    assert names.SPARE_KEY not in now.external_ids
