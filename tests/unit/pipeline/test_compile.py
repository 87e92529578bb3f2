"""What holds for the flows of any state."""

import itertools
import re
from collections import Counter
from dataclasses import replace
from types import MappingProxyType

import pytest

from ovsnet.model.host import HostFacts, SwitchFacts
from ovsnet.model.ids import EndpointId, Mac, NetworkId, Ofport, Vlan, Vni
from ovsnet.model.listening import NOTHING
from ovsnet.model.overlay import Overlay
from ovsnet.model.state import State
from ovsnet.pipeline import compile as compile_module
from ovsnet.pipeline.compile import SPARE, compile_flows
from ovsnet.pipeline.cookies import GROUP_FIRST, Feature, feature_of, is_ours
from ovsnet.pipeline.flow import Flow, Group, Resource
from ovsnet.pipeline.gateway import GATEWAY_MAC
from ovsnet.pipeline.tables import TABLES, Priority, Table, goto
from tests.states import DB, EMPTY, TWO_ENDPOINTS, TWO_NETWORKS, UNPLUGGED, WEB, endpoint, state
from tests.unit.pipeline.scenarios import LONELY, OVERLAYS, SCENARIOS, Names, compiled, scenario

EVERYTHING = MappingProxyType({name: scenario(name) for name in SCENARIOS})
AT_A_GATEWAY = r"\bin_port=91[01],"
"""The ports of the gateways that are on this host, in all situations."""


def flows(resources: dict[str, Resource]) -> list[Flow]:
    return [it for it in resources.values() if isinstance(it, Flow)]


def groups(resources: dict[str, Resource]) -> list[Group]:
    return [it for it in resources.values() if isinstance(it, Group)]


def own(of: State, there: Overlay | None = None) -> list[Flow]:
    """The flows that a host has because of this state, and of other hosts."""
    return [it for it in flows(compiled(of, there)) if it.key not in EVERYTHING["base"]]


def gotos(flow: Flow) -> set[int]:
    return {int(it) for it in re.findall(r"goto_table:(\d+)", flow.actions)}


def test_the_order_of_endpoints_and_networks_does_not_matter() -> None:
    wanted = compiled(TWO_NETWORKS)
    for order in itertools.permutations(TWO_NETWORKS.endpoints.values()):
        assert compiled(state(DB, WEB, *order)) == wanted


def test_the_same_state_gives_the_same_flows_whatever_came_between() -> None:
    before = compiled(TWO_NETWORKS)
    for other in SCENARIOS.values():
        compiled(other)
    assert compiled(TWO_NETWORKS) == before


def test_what_is_remembered_of_endpoints_that_went_does_not_pile_up() -> None:
    for number in range(1, 501):
        mac = Mac(f"0a:00:00:01:{number >> 8:02x}:{number & 255:02x}")
        compiled(state(WEB, replace(endpoint(1), id=EndpointId(f"{number:064x}"), mac=mac)))
    assert len(compile_module._of_endpoints) <= SPARE + 2  # noqa: SLF001 - memory has no other face


def test_the_result_is_the_callers_own() -> None:
    compiled(TWO_ENDPOINTS).clear()
    assert compiled(TWO_ENDPOINTS)


def test_resources_are_keyed_by_their_key() -> None:
    for resources in EVERYTHING.values():
        assert all(key == it.key for key, it in resources.items())


@pytest.mark.parametrize("name", SCENARIOS)
def test_flows_carry_our_mark_and_the_feature_of_their_table(name: str) -> None:
    for flow in flows(EVERYTHING[name]):
        assert is_ours(flow.cookie)
        assert feature_of(flow.cookie) in {TABLES[Table(flow.table)].feature, Feature.ISOLATE, Feature.GUARD}


@pytest.mark.parametrize("name", SCENARIOS)
def test_flows_of_a_network_name_its_vni(name: str) -> None:
    known = {it.vni for it in SCENARIOS[name].networks.values()}
    mine = own(SCENARIOS[name], OVERLAYS.get(name))
    assert {it.cookie & 0xFFFFFF for it in mine if goto(Table.TUNNEL) not in it.actions} <= known


@pytest.mark.parametrize("name", SCENARIOS)
def test_priorities_are_from_the_bands(name: str) -> None:
    assert {it.priority for it in flows(EVERYTHING[name])} <= set(Priority)


def test_a_packet_only_ever_moves_on() -> None:
    for table, rule in TABLES.items():
        assert all(following > table for following in rule.next)
        assert rule.miss is None or rule.miss in rule.next


def test_every_step_that_tables_allow_is_taken_by_some_flow_and_no_other() -> None:
    taken: dict[int, set[int]] = {table: set() for table in TABLES}
    for flow in itertools.chain.from_iterable(flows(it) for it in EVERYTHING.values()):
        taken[flow.table] |= gotos(flow)
    assert taken == {table: set(rule.next) for table, rule in TABLES.items()}


def test_every_table_says_what_becomes_of_the_unknown() -> None:
    misses = {it.table for it in flows(EVERYTHING["base"]) if it.priority == Priority.MISS and not it.match}
    assert misses == set(TABLES)


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_packet_passes_once_without_conntrack(name: str) -> None:
    for flow in flows(EVERYTHING[name]):
        assert not re.search(r"\b(ct|resubmit|recirc|learn|NORMAL|FLOOD|ALL)\b", flow.actions)


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_agent_is_told_of_nothing_but_who_listens_to_what(name: str) -> None:
    told = [it for it in flows(EVERYTHING[name]) if "controller" in it.actions]
    assert {it.table for it in told} == {Table.REPORTS}
    assert all("nw_proto=2" in it.match or "icmp6" in it.match for it in told)


@pytest.mark.parametrize("name", SCENARIOS)
def test_groups_are_exactly_those_that_flows_use(name: str) -> None:
    used = {int(it) for flow in flows(EVERYTHING[name]) for it in re.findall(r"group:(\d+)", flow.actions)}
    assert used == {it.id for it in groups(EVERYTHING[name])}


def test_an_endpoint_without_a_port_has_no_flow_and_is_in_no_group() -> None:
    only_one = compile_flows(TWO_ENDPOINTS, HostFacts(SwitchFacts(ofports={"p1": Ofport(1)})), Names())
    assert only_one == compiled(state(WEB, endpoint(1)))


def test_an_unplugged_endpoint_has_no_flow_and_is_in_no_group() -> None:
    assert compiled(UNPLUGGED) == compiled(state(WEB, endpoint(1)))


def test_an_endpoint_of_an_unknown_network_has_no_flow() -> None:
    assert compiled(state(endpoint(1))) == EVERYTHING["base"]


def test_names_do_not_matter() -> None:
    named = replace(endpoint(1), container_name="x", container_id="y", ifname="eth9", sandbox="/z")
    web = replace(WEB, name="w", labels=(("a", "b"),))
    assert compiled(state(web, named)) == compiled(state(WEB, endpoint(1)))


def test_an_internal_network_is_switched_like_any_other() -> None:
    closed = replace(WEB, internal=True)
    assert compiled(state(closed, endpoint(1), endpoint(2))) == compiled(TWO_ENDPOINTS)


def test_the_older_of_two_that_claim_the_same_keeps_it() -> None:
    old, new = (replace(endpoint(it), created_at=float(it), listens=NOTHING) for it in (1, 2))
    thief = replace(new, mac=old.mac, ipv4=old.ipv4, ipv6=old.ipv6)
    mine, his = compiled(state(WEB, old)), compiled(state(WEB, thief))
    both = compiled(state(WEB, thief, old))
    contested = {key for key in mine.keys() & his.keys() if mine[key] != his[key]}
    # The way to the MAC, and the group, in which both are.
    assert {key for key in contested if both[key] != mine[key]} == {f"group_id={GROUP_FIRST | WEB.vni}"}
    assert {key for key in contested if key.startswith("table=")} == {
        f"table=40,priority=200,reg5=0,reg6=0xa,dl_dst={old.mac}"
    }


@pytest.mark.parametrize("name", SCENARIOS)
def test_what_the_guard_lets_pass_names_the_port_and_the_mac(name: str) -> None:
    for flow in flows(EVERYTHING[name]):
        if flow.table == Table.GUARD and flow.actions != "drop":
            gateways = f"|{AT_A_GATEWAY}dl_src={GATEWAY_MAC}"
            assert re.search(rf"\bin_port=\d+,dl_src=0a:{gateways}", flow.match)


@pytest.mark.parametrize("name", SCENARIOS)
def test_nobody_but_the_gateway_answers_for_the_gateway(name: str) -> None:
    for flow in flows(EVERYTHING[name]):
        if "dl_src=" in flow.match and flow.actions != "drop" and not re.search(AT_A_GATEWAY, flow.match):
            assert GATEWAY_MAC not in flow.match


def test_segments_of_one_network_share_no_flow_that_forwards() -> None:
    of = SCENARIOS["vlan-override"]
    ways = {it.match: it.actions for it in own(of) if it.table == Table.FORWARD}
    assert len(ways) == 3
    assert [match.split(",")[0] for match in sorted(ways)] == ["reg5=0", "reg5=0x14", "reg5=0x14"]


def test_an_endpoint_vlan_goes_before_the_networks() -> None:
    lab = replace(DB, options=replace(DB.options, vlan=Vlan(30)))
    origins = {it.match: it.actions for it in own(state(lab, endpoint(3, lab), endpoint(4, lab, Vlan(20))))}
    assert origins["in_port=3"].startswith("set_field:0x1e->reg5,")
    assert origins["in_port=4"].startswith("set_field:0x14->reg5,")


def test_without_icc_nothing_leads_to_a_peer() -> None:
    lonely = own(state(LONELY, endpoint(1, LONELY), endpoint(2, LONELY)))
    assert not [it for it in lonely if "reg7" in it.actions or "group" in it.actions]
    isolating = [it for it in lonely if feature_of(it.cookie) is Feature.ISOLATE]
    assert Counter(it.table for it in isolating) == {Table.NEIGHBOUR: 1, Table.FORWARD: 1}
    assert all(it.actions == "drop" for it in isolating)


def test_a_dual_stack_endpoint_costs_fifteen_flows() -> None:
    assert len(own(state(WEB, endpoint(1), endpoint(2)))) - len(own(state(WEB, endpoint(1)))) == 15


def test_an_ipv4_endpoint_costs_six_flows_and_no_ipv6_packet_of_it_passes() -> None:
    more = len(own(state(DB, endpoint(3, DB), endpoint(4, DB)))) - len(own(state(DB, endpoint(3, DB))))
    assert more == 6
    assert not [it for it in own(SCENARIOS["ipv4-only"]) if it.match.startswith(("ipv6", "icmp6"))]


def test_networks_without_plugged_endpoints_cost_nothing() -> None:
    assert compiled(state(WEB, DB)) == compiled(EMPTY)


def test_two_networks_with_the_same_addresses_do_not_meet() -> None:
    twin = replace(WEB, id=NetworkId("d4" * 32), vni=Vni(77))
    other = replace(endpoint(9, twin), mac=Mac(endpoint(1).mac), ipv4=endpoint(1).ipv4, ipv6=endpoint(1).ipv6)
    both = compiled(state(WEB, twin, endpoint(1), other))
    assert both == compiled(state(WEB, endpoint(1))) | compiled(state(twin, other))
