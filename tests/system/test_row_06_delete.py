"""Row 6: a network in use is not deleted, and a deleted one leaves nothing."""

import pytest
from tests.rig.namespace_host import NamespaceHost
from tests.system import networks
from tests.system.traces import left_as, traces

BOTH_FAMILIES = ("--ipv6", "--subnet", "fd00:20::/64")


@pytest.mark.row(6)
@pytest.mark.fault("network-in-use-goes")
def test_a_network_with_a_running_container_is_not_deleted_and_nothing_changes(host: NamespaceHost) -> None:
    networks.create(host, "web", "10.20.0.0/24", *BOTH_FAMILIES)
    c1, c2 = networks.start(host, "c1", "c2", network="web")
    before = traces(host)

    refused = host.docker("network", "rm", "web", check=False)

    assert not refused.ok
    assert "active endpoints" in refused.stderr
    left_as(host, before)
    assert c1.pings(c2.address("web"))


@pytest.mark.row(6)
@pytest.mark.fault("network-in-use-goes")
def test_after_the_last_container_nothing_is_left(host: NamespaceHost) -> None:
    networks.with_gateway_bridge(host)
    before = traces(host)

    networks.create(host, "web", "10.20.0.0/24", *BOTH_FAMILIES, "--aux-address", "spare=10.20.0.9")
    host.start_container("c1", "-p", "8080:80", network="web")
    host.start_container("c2", "--ip", "10.20.0.50", network="web")
    assert traces(host) != before
    host.remove_containers()
    host.docker("network", "rm", "web")

    left_as(host, before)
    networks.create(host, "again", "10.20.0.0/24", *BOTH_FAMILIES, "--gateway", "10.20.0.50")
