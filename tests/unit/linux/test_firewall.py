"""The rules about gateways, as text."""

from dataclasses import replace
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest

from ovsnet.linux.firewall import ruleset
from ovsnet.model.egress import Detour, FirewallPlan, Lead, Passage
from ovsnet.model.ids import NetworkId
from ovsnet.model.network import Egress
from ovsnet.model.publication import Publication, Transport
from ovsnet.model.services import Import

pytestmark = pytest.mark.row(40, 43)
GOLDEN = Path(__file__).parents[2] / "golden" / "firewall"


def passage(number: int, egress: Egress = Egress.NAT, domain: str = "") -> Passage:
    return Passage(f"ovgw{number:x}", (ip_network(f"10.{number}.0.0/16"),), egress, exposed=False, domain=domain)


def test_networks_of_a_domain_lead_to_each_other_and_a_lonely_one_to_none() -> None:
    """Written down as a whole: two domains, one of which has a single network, and a network of none."""
    of_shop = (passage(10, domain="shop"), passage(11, Egress.ROUTED, "shop"), passage(13, domain="shop"))
    plan = FirewallPlan((*of_shop, passage(12, domain="lab"), passage(14)))
    assert ruleset("test-egress", plan) == (GOLDEN / "domains.nft").read_text(encoding="utf-8")


@pytest.mark.row(78)
def test_equal_addresses_are_told_apart_by_the_numbers_of_their_spaces() -> None:
    """Written down as a whole: two spaces of a name with ports, a service imported to one, and the common space."""
    subnets = (ip_network("10.10.0.0/16"), ip_network("fd00:10::/64"))
    passages = [replace(passage(10 + space), subnets=subnets, space=space) for space in (0, 1, 2)]
    leads = [
        Lead(Publication(Transport.TCP, ip_address("0.0.0.0"), 8080 + space, 80), ip_address("10.10.0.2"), it.device)
        for space, it in enumerate(passages)
    ]
    service = Import(NetworkId("b"), ip_address("10.10.0.9"), Transport.TCP, 1, ip_address("192.0.2.7"), 2)
    plan = FirewallPlan(tuple(passages), tuple(leads), (Detour(service, "ovgwb"),))
    assert ruleset("test-egress", plan) == (GOLDEN / "spaces.nft").read_text(encoding="utf-8")


def test_where_no_network_has_a_domain_the_rules_are_as_ever() -> None:
    assert "iifname . oifname" not in ruleset("test-egress", FirewallPlan((passage(10), passage(11, Egress.ROUTED))))
