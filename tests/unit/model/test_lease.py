"""Values of leases."""

from ipaddress import ip_address, ip_interface, ip_network

import pytest

from ovsnet.model.errors import BadRequest
from ovsnet.model.host import Route
from ovsnet.model.ids import EndpointId
from ovsnet.model.lease import NOTHING, Lease, Lessee, families_of, hostname_of, reachable, together

DEFAULT = ip_network("0.0.0.0/0")


@pytest.mark.parametrize(("word", "families"), [("", ()), ("v4", (4,)), ("v6", (6,)), ("both", (4, 6))])
def test_words_for_families(word: str, families: tuple[int, ...]) -> None:
    assert families_of(word) == families


def test_another_word_is_refused_by_name() -> None:
    with pytest.raises(BadRequest, match="--dhcp 'ipv4' is not known; use one of: v4, v6, both"):
        families_of("ipv4")


@pytest.mark.parametrize(
    ("name", "hostname"),
    [("web", "web"), ("shop_web_1", "shop-web-1"), ("-a.b-", "a-b"), ("x" * 70, "x" * 63), ("", "")],
)
def test_names_become_host_names(name: str, hostname: str) -> None:
    assert hostname_of(name) == hostname


def test_a_renamed_container_is_the_same_lessee() -> None:
    assert Lessee(EndpointId("e"), "/s", "eth1", (4,), "web") == Lessee(EndpointId("e"), "/s", "eth1", (4,), "shop")


def test_leases_of_two_families_are_one_until_the_first_ends() -> None:
    four = Lease((ip_interface("192.0.2.7/24"),), (Route(DEFAULT, ip_address("192.0.2.1")),), "192.0.2.1", 200.0)
    six = Lease((ip_interface("2001:db8::7/128"),), expires_at=100.0)

    both = together([four, six])

    assert both.addresses == four.addresses + six.addresses
    assert (both.routes, both.server, both.expires_at) == (four.routes, "192.0.2.1", 100.0)
    assert together([NOTHING, NOTHING]) == NOTHING


def test_a_gateway_in_no_subnet_gets_a_host_route_of_its_family() -> None:
    routes = (Route(DEFAULT, ip_address("192.0.2.1")), Route(ip_network("::/0"), ip_address("2001:db8::1")))

    made = reachable(routes, [ip_interface("198.51.100.7/32"), ip_interface("2001:db8:1::7/64")])

    assert made == (Route(ip_network("192.0.2.1/32")), Route(ip_network("2001:db8::1/128")), *routes)


def test_a_gateway_in_a_subnet_or_of_the_link_needs_none() -> None:
    routes = (Route(DEFAULT, ip_address("192.0.2.1")), Route(ip_network("::/0"), ip_address("fe80::1")))

    assert reachable(routes, [ip_interface("192.0.2.7/24")]) == routes
