"""Row 103: the kind of port is chosen per network; what needs the kernel datapath says so where there is none."""

import pytest
from tests.rig.namespace_host import NamespaceHost
from tests.system import networks
from tests.system.traces import left_as, traces


@pytest.mark.row(103)
def test_internal_ports_are_refused_on_the_userspace_datapath_with_the_reason(host: NamespaceHost) -> None:
    before = traces(host)

    refused = networks.create(host, "fast", "10.103.0.0/24", "-o", "port=internal", check=False)

    assert not refused.ok
    assert "port=internal needs the kernel datapath" in refused.stderr
    assert "port=veth" in refused.stderr
    left_as(host, before)


@pytest.mark.row(103)
def test_veth_is_the_kind_one_gets_and_can_ask_for(host: NamespaceHost) -> None:
    networks.create(host, "plain", "10.103.0.0/24", "-o", "egress=none")
    networks.create(host, "asked", "10.104.0.0/24", "-o", "egress=none", "-o", "port=veth")
    c1 = host.start_container("c1", network="plain")
    host.docker("network", "connect", "asked", "c1")

    for network in ("plain", "asked"):
        port = networks.port_of(c1, network)
        assert host.run("ip", "-d", "-j", "link", "show", port).json()[0]["linkinfo"]["info_kind"] == "veth"
