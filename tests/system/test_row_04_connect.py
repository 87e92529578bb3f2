"""Row 4: a running container is attached and detached."""

import pytest
from tests.rig.namespace_host import NamespaceHost
from tests.rig.process import wait_until
from tests.system import networks
from tests.system.traces import clean, left_as, traces


@pytest.mark.row(4)
def test_connect_brings_an_interface_and_one_port_and_disconnect_takes_both_away(host: NamespaceHost) -> None:
    networks.create(host, "web", "10.20.0.0/24", "-o", "egress=none")
    networks.create(host, "db", "10.30.0.0/24", "-o", "egress=none")
    c1 = host.start_container("c1", network="web")
    d1 = host.start_container("d1", network="db")
    before, inside = traces(host), networks.interfaces(c1)

    host.docker("network", "connect", "db", "c1")

    assert networks.interfaces(c1).keys() - inside.keys() == {"eth1"}
    assert traces(host).ports - before.ports == {networks.port_of(c1, "db")}
    assert c1.pings(d1.address("db"))
    clean(host)

    host.docker("network", "disconnect", "db", "c1")

    assert networks.interfaces(c1) == inside
    left_as(host, before)


def holder_of(host: NamespaceHost, address: str) -> str:
    """The container an address is held for, as far as the engine's events have told; "" before."""
    return "".join(it["holder"] for it in networks.ask(host, "leases") if it["address"] == address)


@pytest.mark.row(4)
def test_the_address_of_a_detached_container_can_be_given_to_another(host: NamespaceHost) -> None:
    networks.create(host, "db", "10.30.0.0/24")
    c1, c2 = networks.start(host, "c1", "c2", network="none")
    for it in (c1, c2):
        host.docker("network", "disconnect", "none", it.name)
    host.docker("network", "connect", "--ip", "10.30.0.77", "db", "c1")
    wait_until(lambda: holder_of(host, "10.30.0.77") == "c1", 5, "the agent knows whose 10.30.0.77 is")
    taken = host.docker("network", "connect", "--ip", "10.30.0.77", "db", "c2", check=False)
    assert not taken.ok
    assert "address 10.30.0.77" in taken.stderr
    assert "held by container c1" in taken.stderr

    host.docker("network", "disconnect", "db", "c1")
    host.docker("network", "connect", "--ip", "10.30.0.77", "db", "c2")

    assert c2.address("db") == "10.30.0.77"
    host.docker("network", "connect", "db", "c1")
    assert c1.pings("10.30.0.77")


@pytest.mark.row(4)
def test_detaching_one_container_does_not_touch_another(host: NamespaceHost) -> None:
    networks.create(host, "db", "10.30.0.0/24")
    _, c2 = networks.start(host, "c1", "c2", network="db")
    kept = (networks.port_of(c2, "db"), networks.interfaces(c2))

    host.docker("network", "disconnect", "-f", "db", "c1")

    assert (networks.port_of(c2, "db"), networks.interfaces(c2)) == kept
    clean(host)
