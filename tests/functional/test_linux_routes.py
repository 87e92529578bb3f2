"""What the host already reaches."""

from collections.abc import Iterator
from ipaddress import ip_network

import pytest
from tests.functional.kernel import ip, private_host

from ovsnet.linux.routes import host_networks


@pytest.fixture(autouse=True)
def host() -> Iterator[None]:
    with private_host():
        ip("link", "add", "eth0", "type", "bridge")
        ip("link", "set", "eth0", "up")
        ip("addr", "add", "10.20.0.5/24", "dev", "eth0")
        ip("addr", "add", "fd20::5/64", "dev", "eth0", "nodad")
        yield


def networks(*texts: str) -> set[object]:
    return {ip_network(it) for it in texts}


async def test_subnets_of_addresses_count() -> None:
    assert await host_networks() >= networks("10.20.0.0/24", "fd20::/64", "127.0.0.0/8")


async def test_routes_of_every_table_count() -> None:
    ip("route", "add", "10.30.0.0/16", "via", "10.20.0.1")
    ip("route", "add", "10.40.0.0/16", "via", "10.20.0.1", "table", "77")
    ip("route", "add", "blackhole", "10.50.0.0/16")
    ip("-6", "route", "add", "fd30::/48", "via", "fd20::1", "table", "78")
    expected = networks("10.30.0.0/16", "10.40.0.0/16", "10.50.0.0/16", "fd30::/48")
    assert await host_networks() >= expected


async def test_the_far_end_of_a_point_to_point_link_counts() -> None:
    ip("addr", "add", "10.60.0.1", "peer", "10.61.0.1/32", "dev", "eth0")
    assert await host_networks() >= networks("10.60.0.1/32", "10.61.0.1/32")


async def test_what_overlaps_everything_or_nothing_does_not_count() -> None:
    ip("route", "add", "default", "via", "10.20.0.1")
    ip("-6", "route", "add", "default", "via", "fd20::1")
    ip("addr", "add", "169.254.3.4/16", "dev", "eth0")
    found = await host_networks()
    assert not [it for it in found if it.prefixlen == 0 or it.is_multicast or it.is_link_local]
