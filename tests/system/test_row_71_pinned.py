"""Row 71: addresses that people choose, ranges, and addresses that are kept out."""

import ipaddress

import pytest
from tests.rig.namespace_host import NamespaceHost
from tests.rig.process import wait_until
from tests.system import networks
from tests.system.traces import left_as, traces

SUBNET, RANGE = "10.71.0.0/16", ipaddress.ip_network("10.71.4.0/29")
OPTIONS = (
    *("--ip-range", str(RANGE), "--gateway", "10.71.0.9", "--aux-address", "printer=10.71.4.2"),
    *("--ipv6", "--subnet", "fd00:71::/64", "--gateway", "fd00:71::9", "-o", "egress=none"),
)


def refusal(host: NamespaceHost, *options: str) -> str:
    """Why a container with these options is not started."""
    done = host.docker("run", "--rm", "--network", "lan", *options, "busybox:local", "true", check=False)
    assert not done.ok
    return done.stderr


@pytest.mark.row(71)
def test_addresses_come_from_the_range_without_what_is_reserved(host: NamespaceHost) -> None:
    networks.create(host, "lan", SUBNET, *OPTIONS)

    members = networks.start(host, *(f"c{number}" for number in range(7)), network="lan")

    given = {ipaddress.ip_address(it.address("lan")) for it in members}
    # Within a subnet that is larger, the first and the last address of a range are ordinary ones.
    assert given == {*RANGE} - {ipaddress.ip_address("10.71.4.2")}
    full = refusal(host)
    assert "range 10.71.4.0/29 of subnet 10.71.0.0/16 is full" in full
    assert members[0].pings("10.71.0.9")
    assert members[0].pings("fd00:71::9")


def holders(host: NamespaceHost) -> list[str]:
    return [it["container"] for it in networks.ask(host, "endpoints")]


@pytest.mark.row(71)
def test_a_chosen_address_is_had_and_refused_to_the_next_with_its_holders_name(host: NamespaceHost) -> None:
    networks.create(host, "lan", SUBNET, *OPTIONS)
    db = host.start_container("db", "--ip", "10.71.200.7", "--ip6", "fd00:71::d", network="lan")
    assert (db.address("lan"), db.address6("lan")) == ("10.71.200.7", "fd00:71::d")
    assert networks.interfaces(db)["eth0"].addresses >= {"10.71.200.7", "fd00:71::d"}
    # The engine tells whose an endpoint is after the start only.
    wait_until(lambda: holders(host) == ["db"], 20, "the name of db")
    before = traces(host)

    for taken in (("--ip", "10.71.200.7"), ("--ip6", "fd00:71::d")):
        assert f"address {taken[1]} of network lan is held by container db" in refusal(host, *taken)
    assert "gateway" in refusal(host, "--ip", "10.71.0.9")
    assert "--aux-address" in refusal(host, "--ip", "10.71.4.2")
    assert "gateway" in refusal(host, "--ip6", "fd00:71::9")

    left_as(host, before)
    db.restart()
    assert (db.address("lan"), db.address6("lan")) == ("10.71.200.7", "fd00:71::d")


@pytest.mark.row(71)
def test_what_does_not_fit_the_subnet_is_refused_at_create(host: NamespaceHost) -> None:
    before = traces(host)

    for options in (("--ip-range", "10.72.0.0/24"), ("--gateway", "10.72.0.1"), ("--aux-address", "a=10.72.0.5")):
        refused = networks.create(host, "lan", SUBNET, *options, check=False)
        assert not refused.ok, options
        assert "10.72.0." in refused.stderr, options

    left_as(host, before)
