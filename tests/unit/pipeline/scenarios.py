"""The situations whose flows are written down in tests/golden/pipeline, one file each.

To write the files anew after a change that is meant, run this module (`python -m`), then read the difference.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from ovsnet.model.endpoint import Endpoint
from ovsnet.model.ids import NetworkId, Ofport, Vlan, Vni
from ovsnet.model.network import Network, NetworkOptions
from ovsnet.model.state import State
from ovsnet.pipeline.compile import compile_flows
from ovsnet.pipeline.flow import Flow, Resource
from tests.states import DB, EMPTY, TWO_ENDPOINTS, TWO_NETWORKS, WEB, endpoint, state

GOLDEN = Path(__file__).parents[2] / "golden" / "pipeline"

LONELY = replace(WEB, options=NetworkOptions(icc=False))
LAB = replace(DB, options=NetworkOptions(vlan=Vlan(30)))
V6_ONLY = replace(WEB, ipv4=None, gateway4=None)
NO_GATEWAY = replace(DB, gateway4=None)
BARE = Network(id=NetworkId("c3" * 32), vni=Vni(12), name="bare")


def bare(number: int, network: Network = BARE) -> Endpoint:
    """An endpoint without any address."""
    return replace(endpoint(number), network_id=network.id, ipv4=None, ipv6=None)


SCENARIOS: Mapping[str, State] = {
    "base": EMPTY,
    "one-network": TWO_ENDPOINTS,
    "two-networks": TWO_NETWORKS,
    "ipv4-only": state(DB, endpoint(3, DB), endpoint(4, DB)),
    "ipv6-only": state(V6_ONLY, replace(endpoint(1), ipv4=None), replace(endpoint(2), ipv4=None)),
    "network-vlan": state(LAB, endpoint(3, LAB), endpoint(4, LAB)),
    "vlan-override": state(DB, endpoint(3, DB), endpoint(4, DB, Vlan(20)), endpoint(5, DB, Vlan(20))),
    "icc-off": state(LONELY, endpoint(1, LONELY), endpoint(2, LONELY)),
    "no-gateway": state(NO_GATEWAY, endpoint(3, NO_GATEWAY), endpoint(4, NO_GATEWAY)),
    "unaddressed": state(BARE, bare(6), bare(7)),
}


def ofport(it: Endpoint) -> Ofport:
    """The port an endpoint gets in the tests: the first octet of its id."""
    return Ofport(int(it.id[:2], 16))


def port(it: Endpoint) -> str:
    """The name of its port."""
    return f"p{ofport(it)}"


def compiled(of: State) -> dict[str, Resource]:
    """The flows when the switch has taken up every port."""
    return compile_flows(of, {port(it): ofport(it) for it in of.endpoints.values()}, port)


def text(name: str) -> str:
    """What the golden file of a scenario holds: its flows and groups, sorted, without those of every host."""
    common = {} if name == "base" else compiled(EMPTY)
    own = [it for key, it in compiled(SCENARIOS[name]).items() if key not in common]
    return "".join(f"{it.text}\n" for it in sorted(own, key=_place))


def _place(it: Resource) -> tuple[int, int, str]:
    return (it.table, -it.priority, it.match) if isinstance(it, Flow) else (256, it.id, "")


if __name__ == "__main__":
    for name in SCENARIOS:
        (GOLDEN / f"{name}.txt").write_text(text(name), encoding="utf-8")
