"""What the client's hook writes down, read."""

from ipaddress import ip_address, ip_interface, ip_network

import pytest

from ovsnet.dhcp.report import lease_of, noted, recalled
from ovsnet.model.host import Route
from ovsnet.model.lease import NOTHING, Given, Lease

DEFAULT = ip_network("0.0.0.0/0")
BOUND = """\
reason=BOUND
interface=eth1
new_ip_address=192.0.2.105
new_subnet_cidr=24
new_routers=192.0.2.1 192.0.2.2
new_dhcp_server_identifier=192.0.2.3
new_dhcp_lease_time=120
"""
BOUND6 = """\
reason=BOUND6
new_dhcp6_ia_na1_ia_addr1=2001:db8::122
new_dhcp6_ia_na1_ia_addr1_vltime=120
new_dhcp6_ia_na1_ia_addr2=2001:db8::9
new_dhcp6_ia_na1_ia_addr2_vltime=60
"""


def test_an_ipv4_lease() -> None:
    lease = lease_of(BOUND, 1000.0)

    assert lease.addresses == (ip_interface("192.0.2.105/24"),)
    assert lease.routes == (Route(DEFAULT, ip_address("192.0.2.1")),)
    assert (lease.server, lease.expires_at) == ("192.0.2.3", 1120.0)


@pytest.mark.parametrize("reason", ["RENEW", "REBIND", "REBOOT"])
def test_a_lease_that_was_kept_is_one(reason: str) -> None:
    assert lease_of(BOUND.replace("BOUND", reason), 0.0) == lease_of(BOUND, 0.0)


@pytest.mark.parametrize("reason", ["EXPIRE", "NAK", "EXPIRE6", "FAIL", ""])
def test_everything_else_that_is_told_ends_it(reason: str) -> None:
    assert lease_of(BOUND.replace("BOUND", reason), 0.0) == NOTHING


def test_a_servers_list_of_routes_takes_the_place_of_its_routers() -> None:
    listed = "new_classless_static_routes=198.51.100.0/24 192.0.2.9 203.0.113.0/24 0.0.0.0 0.0.0.0/0 192.0.2.8\n"

    assert lease_of(BOUND + listed, 0.0).routes == (
        Route(ip_network("198.51.100.0/24"), ip_address("192.0.2.9")),
        Route(ip_network("203.0.113.0/24")),
        Route(DEFAULT, ip_address("192.0.2.8")),
    )


def test_a_router_outside_the_subnet_is_reached_by_a_host_route() -> None:
    alone = BOUND.replace("new_subnet_cidr=24", "new_subnet_cidr=32")

    assert lease_of(alone, 0.0).routes == (
        Route(ip_network("192.0.2.1/32")),
        Route(DEFAULT, ip_address("192.0.2.1")),
    )


def test_an_ipv6_lease_ends_with_the_first_of_its_addresses() -> None:
    lease = lease_of(BOUND6, 1000.0)

    assert lease.addresses == (ip_interface("2001:db8::122/128"), ip_interface("2001:db8::9/128"))
    assert (lease.routes, lease.expires_at) == ((), 1060.0)


def test_an_ipv6_address_whose_time_is_over_is_none() -> None:
    assert lease_of(BOUND6.replace("vltime=120", "vltime=0"), 0.0).addresses == (ip_interface("2001:db8::9/128"),)
    assert lease_of("reason=RENEW6\n", 0.0) == NOTHING


@pytest.mark.parametrize(
    "spoilt",
    [
        BOUND.replace("192.0.2.105", "nonsense"),
        BOUND.replace("new_ip_address=192.0.2.105\n", ""),
        BOUND.replace("120", "soon"),
        BOUND.replace("new_routers=192.0.2.1", "new_routers=$(reboot)"),
        BOUND6.replace("2001:db8::9", "2001:db8::xyz"),
        "",
        "no line of the kind",
    ],
)
def test_what_cannot_be_read_is_no_lease(spoilt: str) -> None:
    assert lease_of(spoilt, 0.0) == NOTHING


@pytest.mark.parametrize("report", [BOUND, BOUND6, "", BOUND.replace("cidr=24", "cidr=32")])
def test_what_an_interface_was_given_is_known_again(report: str) -> None:
    lease = lease_of(report, 0.0)

    assert recalled(noted(Given(7, lease))) == Given(7, Lease(lease.addresses, lease.routes))


@pytest.mark.parametrize("text", ["", "interface", "interface seven", "interface 7\naddress"])
def test_what_was_spoilt_is_nothing_given(text: str) -> None:
    assert recalled(text) == Given()
