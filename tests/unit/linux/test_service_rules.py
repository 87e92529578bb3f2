"""The rules of this host's gateways, as they are written: tests/golden/firewall has them.

To write the files anew after a change that is meant, run this module (`python -m`), then read the difference.
"""

from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path

import pytest

from ovsnet.linux.firewall import ruleset
from ovsnet.model.egress import FIREWALL
from ovsnet.model.network import Egress, NetworkOptions
from ovsnet.model.publication import Publication, Transport
from ovsnet.model.services import Export
from ovsnet.model.state import State
from ovsnet.plan.egress import plan_firewall
from tests.states import DB, WEB, endpoint, state
from tests.unit.pipeline.scenarios import IMPORTED

GOLDEN = Path(__file__).parents[2] / "golden" / "firewall"
NAT = replace(WEB, options=NetworkOptions(egress=Egress.NAT))
HTTP = Publication(Transport.TCP, ip_address("0.0.0.0"), 8080, 80)
DNS = Publication(Transport.UDP, ip_address("::"), 53, 5353)
C1 = replace(endpoint(1), container_id="1" * 64)
C3 = replace(endpoint(3, DB), container_id="3" * 64)
EXPORTS = (Export(replace(HTTP, host_port=9090), C3.container_id, DB.id), Export(DNS, C1.container_id, NAT.id))

SCENARIOS = {
    "published": state(NAT, DB, replace(C1, published=(HTTP,)), C3),
    "by-order": replace(state(NAT, DB, C1, C3), exports={it.key: it for it in EXPORTS}),
    "imported": replace(state(NAT, C1), imports={it.key: it for it in IMPORTED}),
}


def text(of: State) -> str:
    """What is given to nft."""
    return ruleset("ovsnet-egress", plan_firewall(of)[FIREWALL])


@pytest.mark.row(41, 44)
@pytest.mark.parametrize("name", SCENARIOS)
def test_the_rules_are_as_written_down(name: str) -> None:
    assert text(SCENARIOS[name]) == (GOLDEN / f"{name}.nft").read_text(encoding="utf-8")


if __name__ == "__main__":
    for name, of in SCENARIOS.items():
        (GOLDEN / f"{name}.nft").write_text(text(of), encoding="utf-8")
