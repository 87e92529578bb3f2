"""Row 5: a container on several networks has one defined default route, whatever way out each of them has."""

import pytest
from tests.rig.container import Container
from tests.rig.namespace_host import NamespaceHost
from tests.rig.process import wait_until
from tests.system import networks
from tests.system.networks import GATEWAY_BRIDGE
from tests.system.test_row_41_ports import SERVES
from tests.system.traces import clean

PAGE = ("curl", "-sSf", "-m", "3", "http://127.0.0.1:8080/index.html")


def way_out(container: Container) -> str:
    """The network its one default route leads into, as Docker sees its interfaces; "" without a route."""
    devices = networks.default_routes(container)
    assert len(devices) <= 1, devices
    if not devices:
        return ""
    mac = networks.interfaces(container)[devices[0]].mac
    listed = container.host.docker("network", "inspect", GATEWAY_BRIDGE).json()[0]["Containers"].values()
    if mac in {it["MacAddress"] for it in listed}:
        return GATEWAY_BRIDGE
    joined = container.inspect()["NetworkSettings"]["Networks"]
    return next(str(name) for name, it in joined.items() if it["MacAddress"] == mac)


@pytest.mark.row(5)
def test_two_networks_give_exactly_one_default_route_by_dockers_gateway_bridge(host: NamespaceHost) -> None:
    networks.create(host, "alpha", "10.20.0.0/24")
    networks.create(host, "beta", "10.30.0.0/24")
    c1 = host.start_container("c1", network="beta")
    assert way_out(c1) == GATEWAY_BRIDGE

    # Its name sorts first, by which engines before 28 choose among networks with a gateway.
    host.docker("network", "connect", "alpha", "c1")
    assert way_out(c1) == GATEWAY_BRIDGE

    c1.restart()
    assert way_out(c1) == GATEWAY_BRIDGE

    host.docker("network", "disconnect", "beta", "c1")
    assert way_out(c1) == GATEWAY_BRIDGE

    host.docker("network", "disconnect", "alpha", "c1")
    assert way_out(c1) == ""


@pytest.mark.row(5, 15)
def test_a_network_without_egress_gives_no_way_out_and_takes_none_away(host: NamespaceHost) -> None:
    networks.create(host, "closed", "10.20.0.0/24", "-o", "egress=none")
    networks.create(host, "open", "10.30.0.0/24")
    c1, c2 = networks.start(host, "c1", "c2", network="closed")
    assert networks.interfaces(c1).keys() == {"eth0"}
    assert way_out(c1) == ""
    assert c1.pings(c2.address("closed"))

    host.docker("network", "connect", "open", "c1")
    assert way_out(c1) == GATEWAY_BRIDGE


@pytest.mark.row(5)
def test_dockers_own_bridge_stays_the_way_out_beside_a_network_of_ours(host: NamespaceHost) -> None:
    networks.create(host, "web", "10.20.0.0/24")
    c1 = host.start_container("c1")
    assert networks.default_routes(c1) == ["eth0"]

    host.docker("network", "connect", "web", "c1")

    assert networks.default_routes(c1) == ["eth0"]


@pytest.mark.row(5, 41)
def test_published_ports_follow_the_one_default_route_among_networks_with_a_way_out_of_their_own(
    host: NamespaceHost,
) -> None:
    for name, egress, number in (("a", "docker", 1), ("b", "nat", 2), ("c", "routed", 3), ("d", "none", 4)):
        networks.create(host, name, f"10.20.{number}.0/24", "-o", f"egress={egress}")
    c1 = host.start_container("c1", "-p", "8080:80", network="a", command=SERVES)

    def leads_by(network: str, *joined: str) -> None:
        assert way_out(c1) == network
        assert len(networks.interfaces(c1)) == len(joined) + (network == GATEWAY_BRIDGE), "no bridge of Docker's beside"
        assert host.run(*PAGE).ok

    wait_until(lambda: host.run(*PAGE, check=False).ok, 10, "the server answers")
    leads_by(GATEWAY_BRIDGE, "a")
    for network in "dc":
        host.docker("network", "connect", network, "c1")
    leads_by("c", "a", "c", "d")
    host.docker("network", "connect", "b", "c1")
    leads_by("b", "a", "b", "c", "d")
    c1.restart()
    wait_until(lambda: host.run(*PAGE, check=False).ok, 10, "the server answers again")
    leads_by("b", "a", "b", "c", "d")
    host.docker("network", "disconnect", "b", "c1")
    leads_by("c", "a", "c", "d")
    host.docker("network", "disconnect", "c", "c1")
    leads_by(GATEWAY_BRIDGE, "a", "d")
    clean(host)
