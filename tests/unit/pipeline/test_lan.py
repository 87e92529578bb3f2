"""Endpoints on a LAN: whom they could be taken for, and are not."""

from dataclasses import replace
from ipaddress import IPv4Interface

import pytest

from ovsnet.model.host import HostFacts, SwitchFacts
from ovsnet.model.ids import IpInterface
from ovsnet.model.network import Network
from ovsnet.model.state import State
from ovsnet.pipeline.compile import compile_flows
from ovsnet.pipeline.dns import SERVICE_MAC
from ovsnet.pipeline.flow import Flow
from ovsnet.pipeline.tables import DROP, Table
from tests.states import DB, endpoint, state
from tests.unit.pipeline.scenarios import ASKING, BARE, LISTENING, ON_LAN, SERVICE, Names, bare, ofports

pytestmark = pytest.mark.row(47)

HERE = endpoint(3, DB)
ANYTHING = replace(BARE, options=ON_LAN.options)
OLDER = replace(bare(6, ASKING), created_at=-1.0)
assert HERE.ipv4 is not None
ADDRESS = HERE.ipv4.ip
SAME: tuple[IpInterface, ...] = (IPv4Interface(f"{ADDRESS}/24"),)


def flows(of: State, *, leased: tuple[IpInterface, ...] = ()) -> list[Flow]:
    facts = HostFacts(SwitchFacts(ofports=ofports(of)), names=SERVICE, leased={OLDER.id: leased} if leased else {})
    return [it for it in compile_flows(of, facts, Names()).values() if isinstance(it, Flow)]


def test_answers_of_the_name_service_go_to_whom_ipam_gave_the_address() -> None:
    of = state(DB, ASKING, HERE, OLDER)
    answers = [it for it in flows(of, leased=SAME) if it.table == Table.NAMES and f"nw_dst={ADDRESS}" in it.match]
    assert ["0a:00:00:00:00:03" in it.actions for it in answers] == [True]


@pytest.mark.parametrize("network", [ASKING, ANYTHING], ids=["with a lease", "with whatever address"])
def test_nobody_asks_the_name_service_with_an_address_that_may_be_anothers(network: Network) -> None:
    of = state(network, bare(6, network))
    guards = [it for it in flows(of, leased=SAME if network is ASKING else ()) if it.table == Table.GUARD]
    (kept,) = (it for it in guards if f"dl_dst={SERVICE_MAC}" in it.match)
    others = [it for it in guards if "in_port=6" in it.match and it.actions != DROP]
    assert kept.actions == DROP
    assert kept.priority > max(it.priority for it in others)


def test_behind_an_announced_prefix_is_what_is_made_of_the_own_mac() -> None:
    own = "::800:ff:fe00:8/::ffff:ffff:ffff:ffff"
    found = flows(state(LISTENING, bare(8, LISTENING)))
    sources = [it.match for it in found if it.table == Table.GUARD and "ipv6,in_port=8" in it.match]
    assert sorted(it.partition("ipv6_src=")[2] for it in sources) == ["::", own]
    (claim,) = (it.match for it in found if it.table == Table.ND_GUARD and "in_port=8,icmp_type=136" in it.match)
    assert f"nd_target={own},nd_tll=0a:00:00:00:00:08" in claim


QUESTION = "dl_dst=ff:ff:ff:ff:ff:ff,nw_src=0.0.0.0,nw_dst=255.255.255.255"
MINE = "in_port=6,dl_src=0a:00:00:00:00:06"


def test_before_it_has_an_address_it_asks_for_one_and_nothing_else() -> None:
    guards = [it.match for it in flows(state(ASKING, OLDER)) if it.table == Table.GUARD]
    assert sorted(it for it in guards if "in_port=6" in it) == [
        f"ip,{MINE},{QUESTION}",
        f"ipv6,{MINE},ipv6_src=::",
        f"ipv6,{MINE},ipv6_src={OLDER.link_local}",
    ]


def test_only_for_its_own_addresses_it_asks_whether_others_have_them() -> None:
    slaac, dhcp = state(LISTENING, bare(8, LISTENING)), state(ASKING, OLDER)
    found = (*flows(slaac), *flows(dhcp))
    asked = [it for it in found if it.table == Table.TENTATIVE and "icmp_type=135" in it.match]
    known = [it.match.partition("nd_target=")[2] for it in asked if it.actions != DROP]
    assert set(known) == {"::800:ff:fe00:8/::ffff:ffff:ffff:ffff", str(OLDER.link_local)}
    assert all("in_port=" in it.match for it in asked if it.actions != DROP)
