"""Networks as people see them, and how one is found."""

from dataclasses import replace
from ipaddress import IPv4Address

import pytest

from ovsnet.cli.network import details
from ovsnet.model.cluster import Cluster, RemoteEndpoint
from ovsnet.model.errors import Conflict, NotFound
from ovsnet.model.ids import EndpointId, HostName, Mac, NetworkId, SharedId
from ovsnet.model.network import find_network
from ovsnet.observe.networks import all_networks, inspect
from tests.states import DB, TWO_NETWORKS, UNPLUGGED, WEB, WEB_ID, endpoint, state

TWIN = replace(WEB, id=NetworkId("a1b" + "0" * 61), name="twin")
NAMESAKE = replace(WEB, id=NetworkId("c3" * 32))


def test_networks_are_listed_by_name_with_their_endpoints_counted() -> None:
    assert [(it.name, it.endpoints) for it in all_networks(TWO_NETWORKS)] == [("db", 2), ("web", 2)]


def test_both_families_are_shown() -> None:
    web = inspect(state(WEB), "web").network
    assert web.subnets == ("10.20.0.0/24", "fd00:20::/64")
    assert web.gateways == ("10.20.0.1", "fd00:20::1")


def test_a_space_with_a_gateway_here_is_shown_with_its_routing_table() -> None:
    blue = replace(WEB, space="blue", space_number=2)
    assert [(it.space, it.routing_table) for it in all_networks(state(blue))] == [("blue", 28418)]
    shown = list(details(inspect(state(blue), "web")))
    assert "space     blue (routing table 28418)" in shown


def test_inspect_shows_who_has_left_and_the_labels() -> None:
    labelled = replace(WEB, labels=(("team", "a"),))
    found = inspect(replace(UNPLUGGED, networks={WEB_ID: labelled}), "web")
    assert [(it.container, it.plugged) for it in found.endpoints] == [("c1", True), ("c2", False)]
    assert found.labels == {"team": "a"}


@pytest.mark.parametrize("wanted", ["web", WEB.id, WEB.id[:12], "a1a"])
def test_a_network_is_found_by_name_id_and_beginning(wanted: str) -> None:
    assert find_network(state(WEB, DB).networks, wanted) == WEB


def test_a_name_wins_over_the_beginning_of_an_id() -> None:
    named = replace(DB, name="a1")
    assert find_network(state(WEB, named).networks, "a1") == named


@pytest.mark.parametrize(("others", "wanted"), [((TWIN,), "a1"), ((NAMESAKE,), "web")])
def test_what_could_be_several_is_refused_with_their_ids(others: tuple[object, ...], wanted: str) -> None:
    with pytest.raises(Conflict, match="could be any of a1"):
        find_network(state(WEB, *others).networks, wanted)  # type: ignore[arg-type]


@pytest.mark.parametrize("wanted", ["nothing", ""])
def test_an_unknown_network_is_refused_with_the_known_ones(wanted: str) -> None:
    with pytest.raises(NotFound, match="known are: db, web"):
        find_network(state(WEB, DB).networks, wanted)


def test_a_long_list_of_known_networks_is_cut() -> None:
    many = [replace(WEB, id=NetworkId(f"{it:064x}"), name=f"n{it:02}") for it in range(23)]
    with pytest.raises(NotFound, match="n19 and 3 more"):
        find_network(state(*many).networks, "nothing")


def test_what_other_hosts_have_on_a_shared_network_is_shown_with_its_host() -> None:
    shared = SharedId("web-shared")
    mac = Mac("0a:00:00:00:00:09")
    there = RemoteEndpoint(EndpointId("e9"), shared, HostName("h2"), mac, IPv4Address("10.20.0.9"), names=("c9", "web"))
    ours = RemoteEndpoint(EndpointId("e8"), shared, HostName("h1"), mac)
    elsewhere = RemoteEndpoint(EndpointId("e7"), SharedId("db-shared"), HostName("h2"), mac)
    cluster = Cluster(endpoints={it.id: it for it in (there, ours, elsewhere)})

    found = inspect(state(replace(WEB, shared=shared), endpoint(1)), "web", cluster, HostName("h1"))

    assert [(it.container, it.host, it.addresses) for it in found.endpoints][1:] == [("c9", "h2", ("10.20.0.9",))]
    assert found.network.endpoints == 1
    alone = inspect(state(WEB, endpoint(1)), "web", cluster, HostName("h1"))
    assert [it.host for it in alone.endpoints] == [""]
