"""Row 5: a container on several networks has one defined default route; here with `egress=docker` and `none`."""

import pytest
from tests.rig.container import Container
from tests.rig.namespace_host import NamespaceHost
from tests.system import networks

GATEWAY_BRIDGE = "docker_gwbridge"


def way_out(container: Container) -> str:
    """The network its one default route leads into, as Docker sees its interfaces."""
    devices = networks.default_routes(container)
    assert len(devices) == 1, devices
    mac = networks.interfaces(container)[devices[0]].mac
    listed = container.host.docker("network", "inspect", GATEWAY_BRIDGE).json()[0]["Containers"].values()
    return GATEWAY_BRIDGE if mac in {it["MacAddress"] for it in listed} else devices[0]


@pytest.mark.row(5)
def test_two_networks_give_exactly_one_default_route_by_dockers_gateway_bridge(host: NamespaceHost) -> None:
    networks.create(host, "alpha", "10.20.0.0/24")
    networks.create(host, "beta", "10.30.0.0/24")
    with host.container("c1", network="beta") as c1:
        assert way_out(c1) == GATEWAY_BRIDGE

        # Its name sorts first, by which engines before 28 choose among networks with a gateway.
        host.docker("network", "connect", "alpha", "c1")
        assert way_out(c1) == GATEWAY_BRIDGE

        host.docker("network", "disconnect", "beta", "c1")
        assert way_out(c1) == GATEWAY_BRIDGE

        host.docker("network", "disconnect", "alpha", "c1")
        assert networks.default_routes(c1) == []


@pytest.mark.row(5)
def test_a_restarted_container_on_two_networks_has_one_default_route_again(host: NamespaceHost) -> None:
    networks.create(host, "alpha", "10.20.0.0/24")
    networks.create(host, "beta", "10.30.0.0/24")
    with host.container("c1", network="alpha") as c1:
        host.docker("network", "connect", "beta", "c1")
        c1.restart()

        assert way_out(c1) == GATEWAY_BRIDGE


@pytest.mark.row(5)
def test_beside_a_network_without_egress_the_other_one_is_the_way_out(host: NamespaceHost) -> None:
    networks.create(host, "closed", "10.20.0.0/24", "-o", "egress=none")
    networks.create(host, "open", "10.30.0.0/24")
    with host.container("c1", network="closed") as c1:
        assert networks.default_routes(c1) == []

        host.docker("network", "connect", "open", "c1")
        assert way_out(c1) == GATEWAY_BRIDGE


@pytest.mark.row(5)
def test_dockers_own_bridge_stays_the_way_out_beside_a_network_of_ours(host: NamespaceHost) -> None:
    networks.create(host, "web", "10.20.0.0/24")
    with host.container("c1") as c1:
        before = networks.default_routes(c1)
        host.docker("network", "connect", "web", "c1")

        assert networks.default_routes(c1) == before == ["eth0"]
