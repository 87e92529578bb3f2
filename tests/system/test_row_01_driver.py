"""Row 1: Open vSwitch as a Docker network driver."""

import pytest
from tests.rig.namespace_host import NamespaceHost
from tests.system import networks
from tests.system.networks import BRIDGE
from tests.system.traces import clean


@pytest.mark.row(1)
def test_a_network_is_made_with_the_ordinary_command_and_our_bridge_carries_our_mark(
    host: NamespaceHost,
) -> None:
    made = networks.create(host, "web", "10.20.0.0/24")

    inspected = host.docker("network", "inspect", "web").json()[0]
    assert inspected["Id"] == made.stdout.strip()
    assert inspected["Driver"] == inspected["IPAM"]["Driver"] == "ovsnet"
    assert inspected["IPAM"]["Config"][0]["Subnet"] == "10.20.0.0/24"
    assert [it["id"] for it in networks.ask(host, "networks")] == [inspected["Id"]]
    marked = host.ovs_vsctl("--bare", "--columns=name", "find", "bridge", "external_ids:ovsnet-owner=ovsnet")
    assert marked.stdout.split() == [BRIDGE]


@pytest.mark.row(1)
def test_containers_talk_over_the_switch_by_name_and_by_both_families(host: NamespaceHost) -> None:
    networks.create(host, "web", "10.20.0.0/24", "--ipv6", "--subnet", "fd00:20::/64")

    c1, c2 = networks.start(host, "c1", "c2", network="web")

    assert c1.pings(c2.address("web"))
    assert c1.pings(c2.address6("web"))
    assert f"Address: {c2.address('web')}" in c1.exec("nslookup", "c2").stdout
    assert "" != networks.port_of(c1, "web") != networks.port_of(c2, "web") != ""
    clean(host)


@pytest.mark.row(1)
def test_dockers_own_ipam_serves_as_well(host: NamespaceHost) -> None:
    host.docker("network", "create", "-d", "ovsnet", "--subnet", "10.21.0.0/24", "plain")

    c1, c2 = networks.start(host, "c1", "c2", network="plain")

    assert c1.pings(c2.address("plain"))
    clean(host)
