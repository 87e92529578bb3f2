"""Row 14: options of one endpoint."""

import pytest
from tests.rig.namespace_host import NamespaceHost
from tests.system import networks
from tests.system.traces import clean, left_as, traces


def tag_of(host: NamespaceHost, container: str, network: str) -> str:
    """What `ovs-vsctl` shows as the VLAN of the container's port."""
    return host.ovs_vsctl("get", "port", networks.port_of(host, container, network), "tag").stdout.strip()


def connect(host: NamespaceHost, name: str, *options: str) -> None:
    host.docker("network", "connect", *(word for it in options for word in ("--driver-opt", it)), "web", name)


@pytest.mark.row(14)
def test_the_vlan_of_an_endpoint_is_shown_by_the_switch_and_separates(host: NamespaceHost) -> None:
    networks.create(host, "web", "10.20.0.0/24")
    with (
        host.container("plain", network="web") as plain,
        host.container("red1") as red1,
        host.container("red2") as red2,
        host.container("blue") as blue,
    ):
        connect(host, "red1", "vlan=20")
        connect(host, "red2", "vlan=20")
        connect(host, "blue", "vlan=30")

        tags = [tag_of(host, name, "web") for name in ("plain", "red1", "red2", "blue")]
        assert tags == ["[]", "20", "20", "30"]
        red = red1.address("web")
        assert red2.pings(red)
        assert not blue.pings(red)
        assert not plain.pings(red)
        assert not red1.pings(plain.address("web"))
        clean(host)


@pytest.mark.row(14)
def test_an_endpoints_vlan_overrides_its_networks(host: NamespaceHost) -> None:
    networks.create(host, "web", "10.20.0.0/24", "-o", "vlan=10")
    with host.container("usual", network="web") as usual, host.container("other") as other:
        connect(host, "other", "vlan=20")

        assert (tag_of(host, "usual", "web"), tag_of(host, "other", "web")) == ("10", "20")
        assert not other.pings(usual.address("web"))


@pytest.mark.row(14)
@pytest.mark.parametrize(
    ("option", "words"),
    [
        ("vlam=20", ("vlam", "known are: vlan")),
        ("vlan=4095", ("vlan", "4095", "1 to 4094")),
        ("vlan=0", ("vlan", "1 to 4094")),
        ("vlan=red", ("vlan", "red")),
    ],
)
def test_an_option_that_cannot_be_is_refused_by_name_and_leaves_nothing(
    host: NamespaceHost, option: str, words: tuple[str, ...]
) -> None:
    networks.create(host, "web", "10.20.0.0/24")
    with host.container("c1") as c1:
        before, inside = traces(host), networks.interfaces(c1)

        refused = host.docker("network", "connect", "--driver-opt", option, "web", "c1", check=False)

        assert not refused.ok
        assert [word for word in words if word not in refused.stderr] == [], refused.stderr
        assert networks.interfaces(c1) == inside
        left_as(host, before)
