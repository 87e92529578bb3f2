"""Row 13: what the interface is called inside the container."""

import pytest
from tests.rig.namespace_host import NamespaceHost
from tests.rig.process import wait_until
from tests.system import networks

IFNAME = "com.docker.network.endpoint.ifname"


@pytest.mark.row(13)
def test_interfaces_are_numbered_from_eth0(host: NamespaceHost) -> None:
    for number, name in enumerate(("one", "two", "three")):
        networks.create(host, name, f"10.2{number}.0.0/24", "-o", "egress=none")
    c1 = host.start_container("c1", network="one")
    host.docker("network", "connect", "two", "c1")
    host.docker("network", "connect", "three", "c1")

    inside = networks.interfaces(c1)

    assert {name: it.mac for name, it in inside.items()} == {
        "eth0": c1.mac("one"),
        "eth1": c1.mac("two"),
        "eth2": c1.mac("three"),
    }


@pytest.mark.row(13)
def test_a_name_of_ones_own_is_answered_by_a_warning_where_the_engine_drops_it(host: NamespaceHost) -> None:
    networks.create(host, "web", "10.20.0.0/24", "-o", "egress=none")
    c1 = host.start_container("c1", network="none")
    host.docker("network", "disconnect", "none", "c1")
    said = len(host.agent.log())

    host.docker("network", "connect", "--driver-opt", f"{IFNAME}=lan7", "web", "c1")

    assert networks.interfaces(c1).keys() == {"eth0"}
    warning = wait_until(
        lambda: [line for line in host.agent.log()[said:].splitlines() if "lan7" in line],
        5,
        "a word about the name lan7 in the agent's log",
    )[0]
    assert "warning" in warning
    assert "interface name" in warning
