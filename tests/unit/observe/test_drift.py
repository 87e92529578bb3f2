"""Want against is, for people."""

from dataclasses import replace
from ipaddress import ip_address

from ovsnet.model.host import PortPlan, TunnelPlan
from ovsnet.model.ids import IpAddress, Vlan, Vni
from ovsnet.model.network import PortKind
from ovsnet.observe.drift import DriftItem, DriftState, compare, counted
from ovsnet.pipeline.flow import Flow, Group

PORT = PortPlan("ov1", PortKind.VETH, Vlan(20), external_ids={"b": "2", "a": "1"})
FLOW = Flow(table=0, priority=10, match="in_port=1", actions="drop", cookie=1)


def test_what_is_as_wanted_is_no_drift() -> None:
    assert compare("ports", {"ov1": PORT}, {"ov1": PORT}) == ()


def test_a_resource_that_is_not_there_is_missing() -> None:
    (item,) = compare("ports", {"ov1": PORT}, {})
    assert (item.kind, item.key, item.state, item.have) == ("ports", "ov1", DriftState.MISSING, "")
    assert (
        item.want
        == "name=ov1, kind=veth, vlan=20, external_ids={a=1, b=2}, options={}, bfd={}, bridge=, tagging=, trunks=[], "
        "rate=0"
    )


def test_a_resource_nobody_wants_is_unexpected() -> None:
    (item,) = compare("flows", {}, {FLOW.key: FLOW})
    assert (item.state, item.want) == (DriftState.UNEXPECTED, "")
    assert "actions=drop" in item.have


def test_a_difference_names_only_what_differs() -> None:
    (item,) = compare("ports", {"ov1": PORT}, {"ov1": replace(PORT, vlan=Vlan(30))})
    assert item == DriftItem(kind="ports", key="ov1", state=DriftState.DIFFERENT, want="vlan=20", have="vlan=30")


def test_what_cannot_be_read_back_never_counts() -> None:
    assert compare("ports", {"ov1": PORT}, {"ov1": replace(PORT, mtu=9000)}) == ()


def test_values_of_different_types_are_shown_whole() -> None:
    (item,) = compare("flows", {"k": FLOW}, {"k": PORT})
    assert "actions=drop" in item.want
    assert "vlan=20" in item.have


def test_values_that_are_not_records_are_shown_as_text() -> None:
    (item,) = compare("sysctls", {"net.ipv4.ip_forward": "1"}, {"net.ipv4.ip_forward": "0"})
    assert (item.want, item.have) == ("1", "0")


def test_lists_are_shown_with_their_items() -> None:
    (item,) = compare("flows", {"g": Group(7, ("output:1", "output:2"))}, {"g": Group(7, ("output:1",))})
    assert (item.want, item.have) == ("buckets=[output:1, output:2]", "buckets=[output:1]")


def ways(*vteps: str) -> frozenset[tuple[str, IpAddress]]:
    return frozenset(("", ip_address(it)) for it in vteps)


TUNNEL = TunnelPlan("ovx5", Vni(5), ip_address("192.0.2.1"), "eth0", 4789, 1450, "ovsnet:vxlan:5")


def test_of_sets_only_what_one_side_has_is_shown() -> None:
    many = [f"192.0.2.{it}" for it in range(10, 100)]
    want = replace(TUNNEL, forwards=ways(*many, "192.0.2.2"))
    have = replace(TUNNEL, forwards=ways(*many, "192.0.2.3"))
    (item,) = compare("tunnels", {"ovx5": want}, {"ovx5": have})
    assert (item.want, item.have) == ("forwards={[, 192.0.2.2]}", "forwards={[, 192.0.2.3]}")


def test_of_a_large_set_the_first_members_are_shown() -> None:
    want = replace(TUNNEL, forwards=ways(*(f"192.0.2.{it}" for it in range(10, 100))))
    (item,) = compare("tunnels", {"ovx5": want}, {})
    assert item.want.count("192.0.2.") == 1 + 10
    assert item.want.endswith(", 80 more}")


def test_drift_is_counted_by_kind() -> None:
    items = (*compare("ports", {"a": PORT, "b": PORT}, {}), *compare("flows", {}, {FLOW.key: FLOW}))
    assert counted(items) == {"ports": 2, "flows": 1}
