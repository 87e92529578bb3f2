"""What the data plane is told of other hosts: no more than it needs, and nothing new when nothing changed."""

from dataclasses import replace
from ipaddress import IPv4Address, ip_address

import pytest

from ovsnet.control.sharing.overlay import OverlayView
from ovsnet.model.cluster import Beat, Cluster, ClusterInfo, Encapsulation, Member, RemoteEndpoint, SharedNetwork
from ovsnet.model.ids import EndpointId, HostName, Mac, SharedId, Vni
from ovsnet.model.network import Egress, NetworkOptions
from ovsnet.model.overlay import Overlay, TunnelKind
from ovsnet.model.state import State
from tests.states import DB, WEB, endpoint, state

ME, H2, H3 = HostName("h1"), HostName("h2"), HostName("h3")
WEB_SHARED, DB_SHARED = SharedId("web-shared"), SharedId("db-shared")
HERE = state(replace(WEB, shared=WEB_SHARED), endpoint(1))


def remote(number: int, host: HostName, network: SharedId) -> RemoteEndpoint:
    mac = Mac(f"0a:00:00:00:00:{number:02x}")
    return RemoteEndpoint(EndpointId(f"e{number}"), network, host, mac, IPv4Address(f"10.20.0.{number}"))


def member(name: HostName, address: str) -> Member:
    return Member(name, ip_address(address), ip_address(address))


ELSEWHERE = [
    remote(11, H2, WEB_SHARED),
    remote(12, H3, WEB_SHARED),
    remote(13, H2, DB_SHARED),
    remote(14, ME, WEB_SHARED),
]
CLUSTER = Cluster(
    revision=1,
    members={it: member(it, f"10.99.0.{n}") for n, it in enumerate((ME, H2, H3), 1)},
    networks={it: SharedNetwork(it, Vni(n), ME) for n, it in enumerate((WEB_SHARED, DB_SHARED), 1)},
    endpoints={it.id: it for it in ELSEWHERE},
)


@pytest.fixture
def view() -> OverlayView:
    return OverlayView(ME)


def seen(view: OverlayView, here: State = HERE, cluster: Cluster = CLUSTER, *dead: HostName) -> Overlay:
    overlay = view.overlay(here, cluster, frozenset(dead), "eth1", TunnelKind.OVS)
    assert overlay is not None
    return overlay


@pytest.mark.row(68)
def test_the_tunnels_are_what_the_cluster_was_begun_with(view: OverlayView) -> None:
    assert (seen(view).encapsulation, seen(view).udp_port) == (Encapsulation.VXLAN, 4789)
    geneve = replace(CLUSTER, info=ClusterInfo("c1", 6081, encapsulation=Encapsulation.GENEVE))
    there = seen(view, HERE, geneve)
    assert (there.encapsulation, there.udp_port) == (Encapsulation.GENEVE, 6081)


def test_it_holds_the_endpoints_of_others_on_networks_with_a_container_here(view: OverlayView) -> None:
    overlay = seen(view)

    assert overlay.local == ip_address("10.99.0.1")
    assert dict(overlay.peers) == {H2: ip_address("10.99.0.2"), H3: ip_address("10.99.0.3")}
    assert {net: [it.id for it in them] for net, them in overlay.remotes.items()} == {WEB_SHARED: ["e11", "e12"]}


def test_networks_that_a_container_here_is_led_into_count_as_well(view: OverlayView) -> None:
    web, db = (
        replace(it, shared=shared, options=NetworkOptions(egress=Egress.NAT, domain="shop"))
        for it, shared in ((WEB, WEB_SHARED), (DB, DB_SHARED))
    )
    assert seen(view, state(web, db, endpoint(1))).remotes.keys() == {WEB_SHARED, DB_SHARED}
    assert seen(view, state(web, replace(db, options=WEB.options), endpoint(1))).remotes.keys() == {WEB_SHARED}
    assert seen(view, state(web, db)).remotes == {}


def test_a_dead_host_is_not_sent_to(view: OverlayView) -> None:
    overlay = seen(view, HERE, CLUSTER, H2)

    assert set(overlay.peers) == {H3}
    assert [it.id for it in overlay.remotes[WEB_SHARED]] == ["e12"]


def test_without_a_container_here_nothing_of_a_network_is_known(view: OverlayView) -> None:
    unplugged = state(replace(WEB, shared=WEB_SHARED), replace(endpoint(1), plugged=False))

    assert seen(view, unplugged).remotes == {}


def test_a_change_that_concerns_nothing_here_makes_no_new_value(view: OverlayView) -> None:
    first = seen(view)
    beaten = replace(CLUSTER, revision=2, beats={H2: Beat(H2, 7)})
    foreign = remote(15, H3, DB_SHARED)
    elsewhere = replace(beaten, endpoints={**CLUSTER.endpoints, foreign.id: foreign})

    assert seen(view, HERE, beaten) is first
    assert seen(view, HERE, elsewhere) is first
    moved = replace(CLUSTER, endpoints={**CLUSTER.endpoints, EndpointId("e11"): remote(11, H3, WEB_SHARED)})
    assert seen(view, HERE, moved) is not first


def test_a_host_that_was_forgotten_has_no_overlay(view: OverlayView) -> None:
    forgotten = replace(CLUSTER, members={H2: CLUSTER.members[H2]})

    assert view.overlay(HERE, forgotten, frozenset(), "eth1", TunnelKind.OVS) is None
