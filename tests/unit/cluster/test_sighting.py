"""What an announcement says, and which of them is for a token."""

from ipaddress import ip_address

import pytest

from ovsnet.cluster.sighting import LABEL, Sighting, read, shown
from ovsnet.model.ids import HostName

FINGERPRINT = bytes(range(32))
MEMBER = Sighting("6f1c2d3e4f5a6b7c", shown(FINGERPRINT), HostName("web.1"), ip_address("10.0.0.1"), 7641)
LONG = "x" * 300


def test_what_was_announced_is_what_is_read() -> None:
    assert read(MEMBER.text, ["10.0.0.1"], 7641) == MEMBER


def test_a_member_is_of_the_cluster_whose_fingerprint_it_says() -> None:
    assert MEMBER.is_of(FINGERPRINT)
    assert not MEMBER.is_of(bytes(32))
    assert not MEMBER.is_of(bytes([255]) + FINGERPRINT[1:])


@pytest.mark.parametrize(
    "changed",
    [
        {"v": "2"},
        {"v": None},
        {"id": ""},
        {"id": "6f1c\x1b[31m"},
        {"id": LONG},
        {"fp": "0001"},
        {"fp": "00010203040506zz"},
        {"fp": f"{shown(FINGERPRINT)}00"},
        {"name": ""},
        {"name": "a\nb"},
        {"name": "ä"},
        {"name": LONG},
    ],
)
def test_what_makes_no_sense_or_could_not_be_printed_is_left_out(changed: dict[str, str | None]) -> None:
    assert read({**MEMBER.text, **changed}, ["10.0.0.1"], 7641) is None


@pytest.mark.parametrize(
    "addresses",
    [[], ["127.0.0.1"], ["0.0.0.0"], ["224.0.0.251"], ["169.254.1.1"], ["fe80::1"], ["fe80::1%3"], ["::1"], ["ten"]],
)
def test_an_address_of_no_other_host_is_none(addresses: list[str]) -> None:
    assert read(MEMBER.text, addresses, 7641) is None


@pytest.mark.parametrize("port", [None, 0])
def test_without_a_port_it_is_no_member(port: int | None) -> None:
    assert read(MEMBER.text, ["10.0.0.1"], port) is None


def test_the_first_address_that_makes_sense_counts() -> None:
    found = read(MEMBER.text, ["fe80::1", "fd00::7", "10.0.0.1"], 7641)
    assert found is not None
    assert found.address == ip_address("fd00::7")


def test_its_label_is_one_of_dns_and_its_clusters() -> None:
    long = Sighting(MEMBER.cluster_id, MEMBER.fingerprint, HostName("n.a" * 21), MEMBER.address, 7641)
    assert MEMBER.label == "6f1c2d3e4f5a6b7c-web-1"
    assert "." not in long.label
    assert len(long.label) == LABEL
