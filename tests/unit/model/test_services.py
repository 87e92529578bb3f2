"""How services are written."""

from ipaddress import ip_address

import pytest

from ovsnet.model.errors import BadRequest
from ovsnet.model.publication import PortWish, Transport
from ovsnet.model.services import Service, parse_export, parse_exported, parse_service, parse_target

pytestmark = pytest.mark.row(44)
TCP, UDP, SCTP = Transport
FOUR, SIX = ip_address("10.20.0.9"), ip_address("fd00:20::9")


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("8080:80", PortWish(TCP, None, 8080, 8080, 80)),
        ("10.20.0.9:53:5353/udp", PortWish(UDP, FOUR, 53, 53, 5353)),
        ("[fd00:20::9]:8080:80/SCTP", PortWish(SCTP, SIX, 8080, 8080, 80)),
    ],
)
def test_a_port_to_publish_is_written_as_for_docker(text: str, meant: PortWish) -> None:
    assert parse_export(text) == meant


def test_a_published_port_is_named_by_its_side_of_the_host() -> None:
    meant = parse_exported("[fd00:20::9]:53/udp")
    assert (meant.transport, meant.host, meant.first) == (UDP, SIX, 53)
    assert parse_exported("8080").host is None


def test_a_service_and_where_it_is() -> None:
    service = parse_service("10.20.0.9:53/udp")
    assert service == Service(UDP, FOUR, 53)
    assert parse_target("192.0.2.7:5353", service) == Service(UDP, ip_address("192.0.2.7"), 5353)
    assert parse_service("[fd00:20::9]:22") == Service(TCP, SIX, 22)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("8080", "'' is not a port from 1 to 65535; write it like 8080:80"),
        ("80000:80", "'80000' is not a port"),
        ("8080:http", "'http' is not a port"),
        ("8080:80/icmp", "'icmp' is none of tcp, udp, sctp"),
        ("host:8080:80", "'host' is not an IP address"),
        ("fd00:20::9:8080:80", "an IPv6 address stands in brackets"),
    ],
)
def test_what_makes_no_port_is_refused(text: str, words: str) -> None:
    with pytest.raises(BadRequest, match=words):
        parse_export(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("192.0.2.7", "is not an IP address"),
        ("db.example:5432", "'db.example' is not an IP address"),
        ("[2001:db8::7]:5432", "what is sent to IPv4 cannot go to IPv6; give a target of IPv4"),
        ("127.0.0.1:5432", "give another address of this host"),
        ("224.0.0.1:5432", "not the address of a service"),
        ("192.0.2.7:5432/udp", "a service of tcp cannot lead to one of udp"),
    ],
)
def test_what_is_no_target_is_refused(text: str, words: str) -> None:
    with pytest.raises(BadRequest, match=words):
        parse_target(text, Service(TCP, FOUR, 5432))
