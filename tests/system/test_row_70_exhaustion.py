"""Row 70: a full pool is an error, and some addresses are never given."""

import pytest
from tests.rig.namespace_host import NamespaceHost
from tests.system import networks
from tests.system.traces import left_as, traces

NEVER = {"10.70.0.0": "network address", "10.70.0.7": "broadcast address", "10.70.0.1": "gateway"}


def run(host: NamespaceHost, *options: str) -> str:
    """Why a container is not started on the network; "" when it is, which then ends at once."""
    done = host.docker("run", "--rm", "--network", "tiny", *options, "busybox:local", "true", check=False)
    return "" if done.ok else done.stderr


@pytest.mark.row(70)
@pytest.mark.fault("full-pool")
def test_the_sixth_container_of_a_slash_29_is_refused_and_leaves_nothing(host: NamespaceHost) -> None:
    networks.create(host, "tiny", "10.70.0.0/29", "-o", "egress=none")
    members = networks.start(host, "c1", "c2", "c3", "c4", "c5", network="tiny")
    assert {it.address("tiny") for it in members} == {f"10.70.0.{number}" for number in range(2, 7)}
    before = traces(host)

    refused = run(host)

    assert "10.70.0.0/29 is full" in refused
    assert "--subnet" in refused
    left_as(host, before)

    members[2].remove()
    again = host.start_container("c6", network="tiny")
    # It has not rested, but nothing else is free.
    assert again.address("tiny") not in {it.address("tiny") for it in (*members[:2], *members[3:])}


@pytest.mark.row(70)
@pytest.mark.fault("full-pool")
def test_network_broadcast_and_gateway_are_refused_by_what_they_are(host: NamespaceHost) -> None:
    networks.create(host, "tiny", "10.70.0.0/29", "-o", "egress=none")

    said = {address: run(host, "--ip", address) for address in NEVER}

    assert {address: what for address, what in NEVER.items() if what not in said[address]} == {}, said


@pytest.mark.row(70)
def test_when_one_family_is_full_the_other_ones_address_is_given_back(host: NamespaceHost) -> None:
    networks.create(host, "tiny", "10.70.0.0/24", "--ipv6", "--subnet", "fd00:70::/126", "-o", "egress=none")
    c1, c2 = networks.start(host, "c1", "c2", network="tiny")
    assert {c1.address6("tiny"), c2.address6("tiny")} == {"fd00:70::2", "fd00:70::3"}
    before = traces(host)

    refused = run(host)

    assert "fd00:70::/126 is full" in refused
    left_as(host, before)
