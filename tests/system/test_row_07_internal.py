"""Row 7: an internal network has no way out."""

import pytest
from tests.rig.namespace_host import NamespaceHost
from tests.system import networks
from tests.system.traces import clean

OUTSIDE = "172.31.0.1"
OUTSIDE6 = "2001:db8::1"


@pytest.mark.row(7)
def test_an_internal_network_has_no_way_out_and_works_inside(host: NamespaceHost) -> None:
    networks.create(host, "vault", "10.40.0.0/24", "--internal", "--ipv6", "--subnet", "fd00:40::/64")
    networks.create(host, "web", "10.20.0.0/24")
    c1, c2 = networks.start(host, "c1", "c2", network="vault")
    assert networks.interfaces(c1).keys() == {"eth0"}
    assert networks.default_routes(c1) == []
    assert c1.inside("ip", "-6", "route", "show", "default").stdout == ""

    assert c1.pings(c2.address("vault"))
    assert c1.pings(c2.address6("vault"))
    assert not c1.pings(OUTSIDE)
    assert not c1.pings(OUTSIDE6)
    clean(host)

    # The outside is there for who may leave; here a route added by hand leads nowhere.
    out = host.start_container("out", network="web")
    assert out.pings(OUTSIDE, count=3)
    c1.inside("ip", "route", "add", "default", "via", "10.40.0.1")
    assert not c1.pings(OUTSIDE, count=2)
    assert not c1.pings(out.address("web"), count=2)
