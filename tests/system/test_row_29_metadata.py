"""Row 29: what is on the switch says for itself what it is for."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from tests.rig.container import Container
from tests.rig.host import Host
from tests.rig.namespace_host import NamespaceHost
from tests.rig.process import wait_until
from tests.system import networks
from tests.system.networks import BRIDGE

IPV6 = ("--ipv6", "--subnet", "fd00:29::/64")


def facts_on_ports(host: Host) -> Mapping[str, Mapping[str, str]]:
    """The external ids of every port on our bridge but the bridge's own and those that wait for a container, by its
    name.
    """
    columns = ("--format=json", "--columns=name,external_ids")
    ours = set(host.ovs_vsctl("list-ports", BRIDGE).stdout.split())
    rows = json.loads(host.ovs_vsctl(*columns, "list", "port").stdout)["data"]
    told = {name: dict(ids[1]) for name, ids in rows if name in ours}
    return {name: ids for name, ids in told.items() if "ovsnet-spare" not in ids}


def facts_of(container: Container, network: str) -> Mapping[str, str]:
    """What must stand beside its port, by the engine's word."""
    told: Any = container.inspect()
    endpoint = told["NetworkSettings"]["Networks"][network]
    addresses = [f"{endpoint['IPAddress']}/{endpoint['IPPrefixLen']}"]
    if endpoint["GlobalIPv6Address"]:
        addresses.append(f"{endpoint['GlobalIPv6Address']}/{endpoint['GlobalIPv6PrefixLen']}")
    return {
        "ovsnet-owner": "ovsnet",
        "ovsnet-endpoint": endpoint["EndpointID"],
        "ovsnet-network": endpoint["NetworkID"],
        "ovsnet-network-name": network,
        "ovsnet-container": told["Id"],
        "ovsnet-container-name": container.name,
        "ovsnet-mac": endpoint["MacAddress"],
        "ovsnet-addresses": " ".join(addresses),
    }


@pytest.mark.row(29)
def test_every_port_carries_owner_container_endpoint_and_network(host: NamespaceHost) -> None:
    networks.create(host, "web", "10.29.0.0/24", *IPV6)
    networks.create(host, "db", "10.30.0.0/24", "-o", "vlan=30")
    c1, _ = networks.start(host, "c1", "c2", network="web")
    host.docker("network", "connect", "db", "c1")
    wanted = {
        networks.port_of(it, network): facts_of(it, network)
        for it, network in ((c1, "web"), (Container(host, "c2"), "web"), (c1, "db"))
    }

    wait_until(lambda: facts_on_ports(host) == wanted, 5, "the names beside the ports")

    host.docker("rename", "c1", "c9")
    wait_until(
        lambda: [it["ovsnet-container-name"] for it in facts_on_ports(host).values()].count("c9") == 2,
        5,
        "the new name beside both ports",
    )


@pytest.mark.row(29)
def test_ps_tells_from_the_switch_database_alone(fresh_host: NamespaceHost) -> None:
    """A new agent whose store does not answer: what it lists it can have from nowhere else."""
    host = fresh_host
    networks.create(host, "web", "10.29.0.0/24", *IPV6)
    networks.start(host, "c1", "c2", network="web")
    columns = ("container_id", "container", "network", "endpoint_id", "mac", "addresses", "port", "ofport")

    def listed() -> list[tuple[str, ...]]:
        done = host.ovsnet("ps", "--json", check=False)
        return [tuple(str(it[name]) for name in columns) for it in json.loads(done.stdout)] if done.ok else []

    wait_until(lambda: sorted(it[1] for it in listed()) == ["c1", "c2"], 5, "ps with names")
    before = listed()
    host.run("kill", "-STOP", str(host.agent.store_pid))
    host.agent.kill()

    wait_until(lambda: listed() == before, 30, "the same rows without a store")
    host.run("kill", "-CONT", str(host.agent.store_pid))
    host.agent.wait_ready()
    assert listed() == before
