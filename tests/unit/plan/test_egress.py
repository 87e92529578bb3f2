"""Gateways on this host, as they are planned."""

from dataclasses import replace
from ipaddress import ip_address

from ovsnet.model.egress import FIREWALL, Lead, Passage, led_into
from ovsnet.model.host import Datapath, HostFacts, HostPlan, SwitchFacts
from ovsnet.model.ids import NetworkId, Vni
from ovsnet.model.network import Egress, Network, NetworkOptions
from ovsnet.model.publication import Publication, Transport
from ovsnet.model.services import Export
from ovsnet.pipeline.gateway import GATEWAY_MAC
from ovsnet.plan.host import plan_host
from tests.states import DB, WEB, endpoint, state

NAT = replace(WEB, options=NetworkOptions(egress=Egress.NAT))
ROUTED = replace(DB, options=NetworkOptions(egress=Egress.ROUTED, mtu=1400))


def plan(*networks: Network, datapath: Datapath = Datapath.USERSPACE) -> HostPlan:
    facts = HostFacts(SwitchFacts(available=True, datapath=datapath))
    return plan_host(state(*networks), facts, bridge="br-test", instance="test")


def test_a_gateway_has_both_addresses_its_mac_and_a_port_before_any_container_comes() -> None:
    host = plan(NAT)
    link = host.links["ovgpa"]
    assert link.placement is not None
    assert link.peer == link.placement.ifname == "ovgwa"
    assert [str(it) for it in link.placement.addresses] == ["10.20.0.1/24", "fd00:20::1/64"]
    assert link.mac == GATEWAY_MAC
    assert not link.checksum_offload
    assert host.ports["ovgpa"].external_ids["ovsnet-network-name"] == "web"


def test_a_gateway_in_a_space_of_its_own_has_its_subnets_in_another_table() -> None:
    host = plan(NAT, replace(NAT, id=NetworkId("c"), vni=Vni(12), space="blue", space_number=3))
    tables = [host.links[it].placement.table for it in ("ovgpa", "ovgpc")]  # type: ignore[union-attr]
    assert tables == [0, 28419]
    assert [it.space for it in host.firewall[FIREWALL].passages] == [0, 3]


def test_a_network_that_uses_dockers_way_out_has_none_until_it_is_exposed() -> None:
    assert not plan(WEB).links
    assert not plan(WEB).firewall
    host = plan(replace(WEB, exposed=True))
    assert list(host.links) == ["ovgpa"]
    (passage,) = host.firewall[FIREWALL].passages
    assert passage == Passage("ovgwa", (WEB.ipv4, WEB.ipv6), Egress.NONE, exposed=True)  # type: ignore[arg-type]
    assert not passage.leads_out
    assert not host.firewall[FIREWALL].forwards


def test_the_rules_know_every_gateway_in_the_order_of_numbers() -> None:
    plans = plan(ROUTED, NAT).firewall[FIREWALL]
    assert plans == plan(NAT, ROUTED).firewall[FIREWALL]
    assert [(it.device, it.egress) for it in plans.passages] == [("ovgwa", Egress.NAT), ("ovgwb", Egress.ROUTED)]
    assert plans.forwards == {4, 6}
    assert plan(ROUTED).firewall[FIREWALL].forwards == {4}


def test_who_is_in_a_domain_is_said_of_gateways_that_lead_out() -> None:
    shop = [replace(it, options=replace(it.options, domain="shop")) for it in (NAT, ROUTED)]
    assert [it.domain for it in plan(*shop).firewall[FIREWALL].passages] == ["shop", "shop"]
    assert [it.domain for it in plan(NAT, ROUTED).firewall[FIREWALL].passages] == ["", ""]


def test_packets_are_led_into_the_networks_of_the_domains_of_containers_here_and_no_others() -> None:
    shop, till, bank = (
        replace(WEB, id=NetworkId(name), options=NetworkOptions(egress=Egress.NAT, domain=domain))
        for name, domain in (("shop", "trade"), ("till", "trade"), ("bank", "money"))
    )
    networks = [shop, till, bank, DB]
    assert led_into(networks, {shop.id}) == {shop.id, till.id}
    assert led_into(networks, {DB.id}) == {DB.id}
    assert led_into(networks, ()) == frozenset()


def test_a_port_that_was_published_by_order_has_a_gateway_made_that_leads_nowhere_else() -> None:
    led = Publication(Transport.TCP, ip_address("0.0.0.0"), 9090, 80)
    export = Export(led, "c" * 64, WEB.id, "c1")
    it = replace(state(WEB, replace(endpoint(1), container_id="c" * 64)), exports={export.key: export})
    host = plan_host(it, HostFacts(SwitchFacts(available=True)), bridge="br-test", instance="test")
    assert "ovgpa" in host.links
    firewall = host.firewall[FIREWALL]
    assert firewall.leads == (Lead(led, ip_address("10.20.0.2"), "ovgwa", borrows=True),)
    assert [it.egress for it in firewall.passages] == [Egress.NONE]
    assert firewall.forwards == {4}


def test_the_longest_number_fits_the_kernel() -> None:
    host = plan(replace(NAT, vni=(1 << 24) - 2))  # type: ignore[arg-type]
    assert all(len(it.name) <= 15 and len(it.peer) <= 15 for it in host.links.values())


def test_the_mtu_is_the_networks() -> None:
    assert plan(ROUTED, datapath=Datapath.KERNEL).links["ovgpb"].mtu == 1400


def test_endpoints_are_planned_as_ever() -> None:
    facts = HostFacts(SwitchFacts(available=True))
    host = plan_host(state(NAT, endpoint(1, NAT)), facts, bridge="br-test", instance="test")
    assert len(host.links) == len(host.ports) == 2
