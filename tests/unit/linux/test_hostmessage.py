"""Addresses and routes are written as they were read."""

import struct
from ipaddress import ip_address, ip_interface, ip_network

import pytest

from ovsnet.linux.hostmessage import put_address, put_route, read_address, read_routes
from ovsnet.linux.wire import NUMBER, attribute, frame, frames
from ovsnet.model.uplink import HostAddress, HostRoute

ADDRESSES = {
    "plain": HostAddress(ip_interface("192.0.2.10/24")),
    "everything": HostAddress(
        ip_interface("192.0.2.10/32"),
        peer=ip_address("192.0.2.1"),
        broadcast=ip_address("192.0.2.255"),
        label="eth0:1",
        flags=0x200,
        metric=100,
        valid=600,
        preferred=300,
    ),
    "six": HostAddress(ip_interface("fd00:2::10/64"), flags=0x300, valid=600, preferred=0),
}
ROUTES = {
    "default": HostRoute(ip_network("0.0.0.0/0"), 254, 4, 0, ip_address("192.0.2.1"), 100, ip_address("192.0.2.10")),
    "connected": HostRoute(ip_network("192.0.2.0/24"), 254, 2, 253, source=ip_address("192.0.2.10")),
    "table": HostRoute(ip_network("10.0.0.0/8"), 1000, 3, 0, ip_address("192.0.2.9"), flags=4, metrics=((2, 1400),)),
    "by six": HostRoute(ip_network("10.0.0.0/8"), 254, 3, 0, ip_address("fe80::1")),
    "six": HostRoute(ip_network("::/0"), 254, 9, 0, ip_address("fe80::1"), 1024, preference=1),
    "type of service": HostRoute(ip_network("10.0.0.0/8"), 254, 3, 0, ip_address("192.0.2.9"), tos=16),
}


@pytest.mark.parametrize("address", ADDRESSES.values(), ids=ADDRESSES)
def test_an_address_is_read_as_it_was_written(address: HostAddress) -> None:
    (message,) = frames(put_address(1, 7, address))
    placed = read_address(message, "eth0")
    assert placed.index == 7
    assert repr(placed.address) == repr(address)


def test_the_label_that_every_address_has_is_none() -> None:
    labelled = HostAddress(ip_interface("192.0.2.10/24"), label="eth0")
    (message,) = frames(put_address(1, 7, labelled))
    placed = read_address(message, "eth0")
    assert placed.address is not None
    assert placed.address.label == ""


@pytest.mark.parametrize("route", ROUTES.values(), ids=ROUTES)
def test_a_route_is_read_as_it_was_written(route: HostRoute) -> None:
    (message,) = frames(put_route(1, 7, route))
    (placed,) = read_routes(message)
    assert (placed.index, placed.strange) == (7, False)
    assert repr(placed.route) == repr(route)


def _route(kind: int, *attributes: bytes, source_length: int = 0) -> bytes:
    body = struct.pack("=BBBBBBBBI", 2, 0, source_length, 0, 254, 3, 0, kind, 0) + b"".join(attributes)
    return frame(24, 0, 1, body)


def test_what_is_not_understood_is_told_apart() -> None:
    through = attribute(4, NUMBER.pack(7))
    for strange in (attribute(30, NUMBER.pack(1)), attribute(22, b"\0" * 4), attribute(77, b"")):
        (message,) = frames(_route(1, through, strange))
        (placed,) = read_routes(message)
        assert placed.strange is (strange != attribute(77, b""))
    (message,) = frames(_route(1, through, source_length=24))
    assert next(read_routes(message)).strange


def test_a_route_of_several_ways_belongs_to_each_interface() -> None:
    hops = b"".join(struct.pack("=HBBi", 8, 0, 0, index) for index in (7, 8))
    (message,) = frames(_route(1, attribute(9, hops)))
    assert sorted((it.index, it.strange) for it in read_routes(message)) == [(7, True), (8, True)]


def test_only_unicast_routes_lead_anywhere() -> None:
    (message,) = frames(_route(6, attribute(4, NUMBER.pack(7))))
    assert [*read_routes(message)] == []
