"""Row 4: a container takes a port that was made before it came, and another one is made."""

import pytest
from tests.rig.namespace_host import NamespaceHost
from tests.rig.process import wait_until
from tests.system import networks
from tests.system.networks import BRIDGE
from tests.system.traces import clean

COUNT = 4
"""The setting's default."""


def waiting(host: NamespaceHost) -> frozenset[str]:
    """The ports that nobody has yet."""
    mark = "external_ids:ovsnet-spare=true"
    return frozenset(host.ovs_vsctl("--bare", "--columns=name", "find", "port", mark).stdout.split())


@pytest.mark.row(4)
def test_containers_take_ports_that_wait_and_others_wait_then(host: NamespaceHost) -> None:
    networks.create(host, "web", "10.20.0.0/24", "-o", "vlan=20")
    wait_until(lambda: len(waiting(host)) == COUNT, 5, "pairs that wait")
    before = waiting(host)
    clean(host)

    c1, c2 = networks.start(host, "c1", "c2", network="web")

    taken = {networks.port_of(it, "web") for it in (c1, c2)}
    assert taken <= before
    assert c1.pings(c2.address("web"))
    assert networks.tag_of(c1, "web") == "20"
    wait_until(lambda: len(waiting(host)) == COUNT, 10, "others that wait")
    assert not taken & waiting(host)
    clean(host)

    host.agent.kill()
    host.agent.wait_ready()
    assert len(waiting(host)) == COUNT
    assert c1.pings(c2.address("web"))

    host.remove_containers()
    host.docker("network", "rm", "web")
    wait_until(lambda: host.ovs_vsctl("list-ports", BRIDGE).stdout == "", 10, "no port where there is no network")
