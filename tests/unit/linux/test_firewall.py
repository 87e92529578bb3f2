"""The rules about gateways, as text."""

from ipaddress import ip_network
from pathlib import Path

import pytest

from ovsnet.linux.firewall import ruleset
from ovsnet.model.egress import FirewallPlan, Passage
from ovsnet.model.network import Egress

pytestmark = pytest.mark.row(40, 43)
GOLDEN = Path(__file__).parents[2] / "golden" / "firewall"


def passage(number: int, egress: Egress = Egress.NAT, domain: str = "") -> Passage:
    return Passage(f"ovgw{number:x}", (ip_network(f"10.{number}.0.0/16"),), egress, exposed=False, domain=domain)


def test_networks_of_a_domain_lead_to_each_other_and_a_lonely_one_to_none() -> None:
    """Written down as a whole: two domains, one of which has a single network, and a network of none."""
    of_shop = (passage(10, domain="shop"), passage(11, Egress.ROUTED, "shop"), passage(13, domain="shop"))
    plan = FirewallPlan((*of_shop, passage(12, domain="lab"), passage(14)))
    assert ruleset("test-egress", plan) == (GOLDEN / "domains.nft").read_text(encoding="utf-8")


def test_where_no_network_has_a_domain_the_rules_are_as_ever() -> None:
    assert "iifname . oifname" not in ruleset("test-egress", FirewallPlan((passage(10), passage(11, Egress.ROUTED))))
