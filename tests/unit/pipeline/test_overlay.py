"""Flows of what is on other hosts."""

import re
from dataclasses import replace
from itertools import permutations

import pytest

from ovsnet.model.host import HostFacts, SwitchFacts
from ovsnet.model.ids import EndpointId, HostName, Ofport
from ovsnet.model.overlay import Overlay, TunnelKind
from ovsnet.model.state import State
from ovsnet.pipeline import elsewhere
from ovsnet.pipeline.compile import compile_flows
from ovsnet.pipeline.flow import Flow, Resource
from ovsnet.pipeline.remembered import Latest
from ovsnet.pipeline.tables import Table
from tests.states import DB, endpoint, state
from tests.unit.pipeline.scenarios import (
    DOMAIN_DB,
    DOMAIN_WEB,
    SHARED_DB,
    SHARED_WEB,
    B,
    C,
    Names,
    compiled,
    overlay,
    remote,
    vtep,
)

HERE = state(SHARED_DB, endpoint(3, SHARED_DB))


def in_table(table: Table, resources: dict[str, Resource]) -> dict[str, str]:
    flows = [it for it in resources.values() if isinstance(it, Flow) and it.table == table]
    return {it.match: it.actions for it in flows if it.match}


def added(there: Overlay, wanted: State = HERE) -> dict[str, Resource]:
    """What other hosts add to the flows and groups of this one, or change in them."""
    alone = compiled(wanted)
    return {key: it for key, it in compiled(wanted, there).items() if alone.get(key) != it}


def to_all(there: Overlay, wanted: State = HERE) -> list[str]:
    """What becomes of a broadcast, after the group of the ports here."""
    resources = compiled(wanted, there)
    (group,) = [it for it in resources.values() if not isinstance(it, Flow)]
    assert group.buckets == ("output:3",)
    (actions,) = in_table(Table.FLOOD, resources).values()
    return actions.split(",")[1:]


@pytest.mark.parametrize("kind", TunnelKind)
def test_a_dual_stack_endpoint_elsewhere_costs_four_flows(kind: TunnelKind) -> None:
    web = state(SHARED_WEB, endpoint(1, SHARED_WEB))
    one, two = (
        compiled(web, overlay(*(remote(it, B, SHARED_WEB) for it in range(2, last)), kind=kind)) for last in (3, 4)
    )
    assert len(two) - len(one) == 4
    # To its MAC; for its IPv4, its IPv6 and its link-local address.
    assert sorted(int(key.split(",")[0][6:]) for key in two.keys() - one.keys()) == [20, 20, 20, 40]


def test_networks_without_endpoints_here_cost_nothing() -> None:
    assert compiled(state(SHARED_DB), overlay(remote(5, B))) == compiled(state())
    left = state(SHARED_DB, replace(endpoint(3, SHARED_DB), plugged=False))
    assert compiled(left, overlay(remote(5, B))) == compiled(state())


def test_a_network_without_endpoints_here_is_reached_by_those_of_its_domain() -> None:
    there = overlay(remote(5, B, DOMAIN_DB))
    wanted = state(DOMAIN_WEB, DOMAIN_DB, endpoint(1, DOMAIN_WEB))
    ways, answers = (in_table(it, added(there, wanted)) for it in (Table.FORWARD, Table.NEIGHBOUR))
    assert list(ways) == ["reg5=0,reg6=0xb,dl_dst=0a:00:00:00:00:05"]
    assert list(answers) == ["arp,reg5=0,reg6=0xb,arp_tpa=10.30.0.6,arp_op=1"]
    assert added(there, state(DOMAIN_WEB, DOMAIN_DB)) == {}
    assert not in_table(Table.FORWARD, added(there, state(SHARED_WEB, DOMAIN_DB, endpoint(1, SHARED_WEB))))


def test_before_its_port_is_there_a_tunnel_has_no_flow() -> None:
    facts = HostFacts(SwitchFacts(ofports={"p3": Ofport(3)}), overlay(remote(5, B)))
    assert compile_flows(HERE, facts, Names()) == compiled(HERE)


def test_a_network_of_this_host_does_not_meet_one_of_the_cluster() -> None:
    private = state(DB, endpoint(3, DB))
    assert added(overlay(remote(5, B)), private) == {}


@pytest.mark.parametrize("kind", TunnelKind)
def test_a_dead_host_leaves_no_trace(kind: TunnelKind) -> None:
    both = overlay(remote(5, B), remote(7, C), peers=(B,), kind=kind)
    alone = overlay(remote(5, B), peers=(B,), kind=kind)
    assert compiled(HERE, both) == compiled(HERE, alone)


@pytest.mark.parametrize("kind", TunnelKind)
def test_an_endpoint_here_goes_before_one_elsewhere_whatever_their_age(kind: TunnelKind) -> None:
    for age in (0.0, 9.0):
        moved = overlay(remote(3, B, created_at=age), kind=kind)
        alone = compiled(HERE)
        contested = {key for key, it in compiled(HERE, moved).items() if key in alone and it != alone[key]}
        to_all = tuple(f"table={it.value}," for it in (Table.FLOOD, Table.REPORTS))
        assert not [it for it in contested if not it.startswith(("group_id=", *to_all))]


def test_among_other_hosts_the_youngest_has_it_whatever_the_order() -> None:
    claims = [remote(5, HostName(it), created_at=float(age)) for age, it in enumerate("bcd")]
    peers = tuple(it.host for it in claims)
    for order in permutations(claims):
        ways = in_table(Table.FORWARD, compiled(HERE, overlay(*order, peers=peers)))
        assert ways["reg5=0,reg6=0xb,dl_dst=0a:00:00:00:00:05"].startswith("set_field:10.99.0.4->tun_dst,")


def test_an_address_follows_its_endpoint_and_not_its_mac() -> None:
    young = replace(remote(6, C, created_at=2.0), ipv4=remote(5, B).ipv4)
    answers = in_table(Table.NEIGHBOUR, compiled(HERE, overlay(remote(5, B, created_at=1.0), young)))
    assert f"set_field:{young.mac}->arp_sha" in answers["arp,reg5=0,reg6=0xb,arp_tpa=10.30.0.6,arp_op=1"]


def test_hosts_that_our_vtep_cannot_reach_are_as_good_as_dead() -> None:
    there = replace(overlay(remote(5, B), remote(6, C)), peers={B: vtep(B, 6), C: overlay().local})
    assert in_table(Table.FORWARD, added(there)) == {}
    assert not [it for it in in_table(Table.ORIGIN, added(there)) if "tun_" in it]


# ---------------------------------------------------------------- no way from tunnel to tunnel


@pytest.mark.parametrize("kind", TunnelKind)
def test_what_comes_by_a_tunnel_could_leave_for_others_by_the_same_port_only(kind: TunnelKind) -> None:
    """And Open vSwitch sends nothing back by the port it came in by."""
    both = state(SHARED_DB, SHARED_WEB, endpoint(3, SHARED_DB), endpoint(1, SHARED_WEB))
    there = overlay(remote(5, B), remote(7, C), remote(2, B, SHARED_WEB), kind=kind)
    resources = compiled(both, there)
    entered = {}
    for match, actions in (in_table(Table.ORIGIN, resources) | in_table(Table.TUNNEL, resources)).items():
        if vni := re.search(r"set_field:(0x\w+)->reg6,goto_table:40$", actions):
            # Kind ovs: of all segments one port, 1000.
            port = re.search(r"in_port=(\d+)", match)
            entered[vni[1]] = int(port[1]) if port else 1000
    assert entered.keys() == {"0xa", "0xb"}
    leaving = re.compile(r"set_field:(0x\w+)->reg7")
    for match, actions in in_table(Table.FORWARD, resources).items():
        segment, chosen = re.search(r"reg6=(0x\w+)", match), leaving.search(actions)
        if segment and chosen and int(chosen[1], 16) >= 1000:
            assert int(chosen[1], 16) == entered[segment[1]]
    for it in resources.values():
        if not isinstance(it, Flow) or it.table == Table.FLOOD:
            outputs = {int(number) for number in re.findall(r"output:(\d+)", it.text)}
            about = it.cookie & 0xFFFFFF if isinstance(it, Flow) else it.id & 0xFFFFFF
            assert {number for number in outputs if number >= 1000} <= {entered.get(f"{about:#x}")}


# ---------------------------------------------------------------- broadcasts


def test_each_host_with_endpoints_gets_one_copy() -> None:
    to_b, to_c = (["set_field:10.99.0.2->tun_dst", "output:1000"], ["set_field:10.99.0.3->tun_dst", "output:1000"])
    assert to_all(overlay(remote(5, B), remote(6, B), remote(7, C))) == ["set_field:0xb->tun_id", *to_b, *to_c]
    assert to_all(overlay(remote(5, B))) == ["set_field:0xb->tun_id", *to_b]
    assert to_all(overlay()) == []


def test_two_members_with_one_vtep_get_one_copy() -> None:
    there = overlay(remote(5, B), remote(6, C))
    same = replace(there, peers={B: vtep(B), C: vtep(B)})
    assert to_all(same).count("output:1000") == 1


# ---------------------------------------------------------------- memory


def test_what_is_remembered_of_endpoints_that_went_does_not_pile_up() -> None:
    for number in range(2 * elsewhere.SPARE):
        compiled(HERE, overlay(replace(remote(5, B), id=EndpointId(f"{number:064x}"))))
    assert len(elsewhere._flows) <= elsewhere.SPARE + 3  # noqa: SLF001 - memory has no other face


def test_the_latest_result_is_kept_while_its_inputs_are_equal() -> None:
    results = iter("abcd")
    latest: Latest[str] = Latest()

    def ask(key: str, *inputs: object) -> str:
        return latest.get(key, inputs, lambda: next(results))

    assert [ask("x", 1), ask("x", 1), ask("x", 2), ask("x", 1)] == ["a", "a", "b", "c"]
    latest.keep({"y"})
    assert ask("x", 1) == "d"
