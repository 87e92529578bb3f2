"""The way to the name service: the pair of links on the host, the route in each container."""

from dataclasses import replace
from ipaddress import IPv4Address, IPv4Interface, IPv4Network

from hypothesis import given
from hypothesis import strategies as st

from ovsnet.model.endpoint import Endpoint
from ovsnet.model.host import Datapath, HostFacts, NameService, Placement, Route, SwitchFacts
from ovsnet.model.ids import NetworkId
from ovsnet.model.state import State
from ovsnet.plan.dns import service_route
from ovsnet.plan.host import plan_host
from tests.states import DB, ONE_ENDPOINT, WEB, endpoint, state

ADDRESS = IPv4Address("169.254.83.83")
SERVICE = NameService(ADDRESS, "/run/netns/test-dns")
SANDBOX = "/run/netns/one"


def facts(*, tso: bool = False) -> HostFacts:
    switch = SwitchFacts(available=True, datapath=Datapath.USERSPACE, tso=tso)
    return HostFacts(switch, names=SERVICE)


def test_a_host_that_serves_names_has_one_pair_more_with_its_end_in_the_namespace() -> None:
    host = plan_host(ONE_ENDPOINT, facts(), bridge="br-test", instance="test")
    link = host.links["ovdns"]
    assert host.ports["ovdns"].external_ids == {"ovsnet-owner": "test"}
    assert len(host.links) == len(host.ports) == 2
    assert link.placement == Placement(
        SERVICE.sandbox,
        "ocdns",
        (IPv4Interface("169.254.83.83/31"),),
        (Route(IPv4Network("0.0.0.0/0"), IPv4Address("169.254.83.82")),),
    )
    assert not link.checksum_offload
    assert plan_host(ONE_ENDPOINT, facts(tso=True), bridge="b", instance="test").links["ovdns"].checksum_offload


def test_a_host_that_serves_none_has_no_such_pair() -> None:
    assert "ovdns" not in plan_host(ONE_ENDPOINT, HostFacts(), bridge="br-test", instance="test").links


def test_a_lost_interface_gets_its_route_back() -> None:
    route = IPv4Network("169.254.83.82/31")
    lost = replace(endpoint(1), sandbox=SANDBOX, ifname="eth0", names_route=route)
    (link,) = plan_host(state(WEB, lost), HostFacts(), bridge="b", instance="test").links.values()
    assert link.placement is not None
    assert link.placement.routes == (Route(route),)


# ---------------------------------------------------------------- routes of containers


def joined(number: int, *others: Endpoint, sandbox: str = SANDBOX) -> Endpoint:
    """The endpoint with its route, beside others."""
    it = replace(endpoint(number, replace(WEB, id=NetworkId(f"{number:02x}" * 32))), sandbox=sandbox)
    return replace(it, names_route=service_route(ADDRESS, it, state(*others)))


def test_the_first_network_of_a_container_gets_the_longest_route() -> None:
    assert joined(1).names_route == IPv4Network("169.254.83.83/32")
    assert joined(1, joined(2, sandbox="/run/netns/two")).names_route == IPv4Network("169.254.83.83/32")


def test_each_further_network_gets_another_one() -> None:
    first = joined(1)
    second = joined(2, first)
    assert second.names_route == IPv4Network("169.254.83.82/31")
    assert joined(3, first, second).names_route == IPv4Network("169.254.83.80/30")
    assert joined(3, second).names_route == IPv4Network("169.254.83.83/32")


def test_a_join_that_is_repeated_gets_the_same_one() -> None:
    first = joined(1)
    second = joined(2, first)
    assert service_route(ADDRESS, second, state(first, second)) == second.names_route
    assert service_route(ADDRESS, second, state(second)) == second.names_route


def test_without_ipv4_or_in_a_network_that_has_the_address_there_is_none() -> None:
    near = replace(endpoint(1), ipv4=IPv4Interface("169.254.1.2/16"))
    assert service_route(ADDRESS, near, State()) is None
    assert service_route(ADDRESS, replace(near, ipv4=None), State()) is None


@given(st.lists(st.tuples(st.integers(1, 30), st.booleans()), max_size=60))
def test_no_two_networks_of_a_container_ever_give_the_same_route(steps: list[tuple[int, bool]]) -> None:
    there: dict[int, Endpoint] = {}
    for number, comes in steps:
        there.pop(number, None)
        if comes:
            there[number] = joined(number, *there.values())
    routes = [it.names_route for it in there.values() if it.names_route is not None]
    assert len(set(routes)) == len(routes)
    assert len(routes) >= min(1, len(there))
    for it in routes:
        assert ADDRESS in it
        assert IPv4Address("169.254.169.254") not in it


def test_a_network_of_another_kind_takes_nothing_away() -> None:
    assert joined(1, replace(endpoint(3, DB), sandbox=SANDBOX)).names_route == IPv4Network("169.254.83.83/32")
