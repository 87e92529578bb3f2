"""Row 46: on a network with `icc=false` containers reach the gateway and the outside, but not each other."""

from collections.abc import Iterator, Mapping

import pytest
from tests.rig.namespace_host import NamespaceHost
from tests.system import networks
from tests.system.parties import Party, frames_as, heard_until, party
from tests.system.traces import clean

GATEWAYS = ("10.46.0.1", "fd00:46::1")
LAST_WORD = b"forged-end "


@pytest.fixture(scope="module")
def parties(module_host: NamespaceHost) -> Iterator[Mapping[str, Party]]:
    """c1 and c2 on a network whose members are kept apart."""
    networks.create(module_host, "cells", "10.46.0.0/24", "--ipv6", "--subnet", "fd00:46::/64", "-o", "icc=false")
    started = networks.start(module_host, "c1", "c2", network="cells")
    yield {it.name: party(it, "cells") for it in started}
    clean(module_host)


@pytest.mark.row(46)
def test_the_gateway_answers_and_the_outside_is_reached(parties: Mapping[str, Party]) -> None:
    host = parties["c1"].container.host
    outside = host.run("ip", "-j", "-4", "addr", "show", "eth0").json()[0]["addr_info"][0]["local"]
    for it in parties.values():
        for address in (*GATEWAYS, outside):
            assert it.container.pings(address), address


@pytest.mark.row(46)
def test_peers_do_not_reach_each_other(parties: Mapping[str, Party]) -> None:
    c1, c2 = parties["c1"], parties["c2"]
    for sender, receiver in ((c1, c2), (c2, c1)):
        for address in (receiver.ipv4, receiver.ipv6):
            assert not sender.container.pings(address, count=2)
    # Not even one who was told the other's MAC.
    c1.container.inside("ip", "neigh", "replace", c2.ipv4, "lladdr", c2.mac, "dev", "eth0")
    assert not c1.container.pings(c2.ipv4, count=2)
    c1.container.inside("ip", "neigh", "del", c2.ipv4, "dev", "eth0")


@pytest.mark.row(46)
def test_no_frame_of_a_peer_arrives_not_even_a_broadcast(parties: Mapping[str, Party]) -> None:
    c1, c2 = parties["c1"], parties["c2"]

    def last_word() -> None:
        """The gateway's echo of what the victim sends: so the victim does listen."""
        pattern = ("-p", LAST_WORD.hex(), "-s", "64")
        c2.container.inside("ping", "-n", "-c", "1", "-W", "2", *pattern, GATEWAYS[0])

    assert heard_until(last_word, c1, c2, frames_as(c1.mac, c1.ipv4, c1.ipv6, c2)) == set()


@pytest.mark.row(46)
def test_another_network_brings_the_same_two_together(parties: Mapping[str, Party]) -> None:
    c1, c2 = parties["c1"].container, parties["c2"].container
    networks.create(c1.host, "hall", "10.47.0.0/24")
    for it in (c1, c2):
        c1.host.docker("network", "connect", "hall", it.name)

    assert c1.pings(c2.address("hall"))
    assert not c1.pings(parties["c2"].ipv4)
