"""Row 15: options of a network are judged when it is created."""

import pytest
from tests.rig.namespace_host import NamespaceHost
from tests.system import networks
from tests.system.traces import left_as, traces

REFUSED = {
    "unknown": (("colour=red",), ("'colour'", "mode, vlan, mtu, port, icc, egress")),
    "mode-later": (("mode=overlay",), ("mode=overlay", "not supported yet", "bridge")),
    "mode-later-too": (("mode=uplink",), ("mode=uplink", "not supported yet", "bridge")),
    "mode-never": (("mode=magic",), ("mode='magic'", "bridge")),
    "vlan-too-large": (("vlan=4095",), ("vlan='4095'", "1 to 4094")),
    "vlan-zero": (("vlan=0",), ("vlan='0'", "1 to 4094")),
    "mtu-too-small": (("mtu=10",), ("mtu='10'", "68 to 65535")),
    "mtu-no-number": (("mtu=big",), ("mtu='big'", "68 to 65535")),
    "port": (("port=tap",), ("port='tap'", "veth, internal")),
    "icc": (("icc=perhaps",), ("icc='perhaps'", "true, false")),
    "egress-later": (("egress=nat",), ("egress=nat", "not supported yet", "docker, none")),
    "empty": (("vlan=",), ("vlan=''", "1 to 4094")),
    "several": (("colour=red", "vlan=0", "mtu=1400"), ("'colour'", "vlan='0'")),
}


@pytest.mark.row(15)
@pytest.mark.parametrize("case", REFUSED)
def test_a_bad_option_is_refused_at_create_by_name_and_leaves_nothing(host: NamespaceHost, case: str) -> None:
    given, words = REFUSED[case]
    before = traces(host)

    refused = networks.create(
        host, "bad", "10.50.0.0/24", *(word for it in given for word in ("-o", it)), check=False
    )

    assert not refused.ok
    assert [word for word in words if word not in refused.stderr] == [], refused.stderr
    assert networks.names(host) == []
    left_as(host, before)
    networks.create(host, "good", "10.50.0.0/24")


@pytest.mark.row(15)
def test_an_mtu_too_small_for_ipv6_is_refused_with_ipv6_only(host: NamespaceHost) -> None:
    six = ("--ipv6", "--subnet", "fd00:50::/64")
    refused = networks.create(host, "bad", "10.50.0.0/24", *six, "-o", "mtu=1000", check=False)

    assert not refused.ok
    assert "1280" in refused.stderr
    networks.create(host, "good", "10.50.0.0/24", "-o", "mtu=1000")


@pytest.mark.row(15)
def test_an_internal_port_is_refused_with_the_reason_in_the_userspace_datapath(host: NamespaceHost) -> None:
    refused = networks.create(host, "bad", "10.50.0.0/24", "-o", "port=internal", check=False)

    assert not refused.ok
    assert "port=internal needs the kernel datapath" in refused.stderr
    assert "port=veth" in refused.stderr


@pytest.mark.row(15)
@pytest.mark.parametrize("option", ["mtu=1400", "com.docker.network.driver.mtu=1400"])
def test_the_mtu_holds_at_both_ends_and_for_packets(host: NamespaceHost, option: str) -> None:
    networks.create(host, "slim", "10.50.0.0/24", "-o", option)
    with host.container("c1", network="slim") as c1, host.container("c2", network="slim") as c2:
        assert networks.interfaces(c1)["eth0"].mtu == 1400
        port = networks.port_of(host, "c1", "slim")
        assert host.run("ip", "-j", "link", "show", port).json()[0]["mtu"] == 1400

        exact = ("ping", "-n", "-c", "1", "-W", "1", "-M", "do", c2.address("slim"), "-s")
        assert c1.inside(*exact, str(1400 - 28), check=False).ok
        assert not c1.inside(*exact, str(1400 - 27), check=False).ok


@pytest.mark.row(15)
def test_a_large_mtu_is_carried(host: NamespaceHost) -> None:
    networks.create(host, "jumbo", "10.50.0.0/24", "-o", "mtu=9000")
    with host.container("c1", network="jumbo") as c1, host.container("c2", network="jumbo") as c2:
        exact = ("ping", "-n", "-c", "1", "-W", "1", "-M", "do", "-s", str(9000 - 28), c2.address("jumbo"))

        assert c1.inside(*exact, check=False).ok


@pytest.mark.row(15)
def test_the_vlan_of_a_network_is_on_its_ports(host: NamespaceHost) -> None:
    networks.create(host, "office", "10.50.0.0/24", "-o", "vlan=42")
    with host.container("c1", network="office") as c1, host.container("c2", network="office") as c2:
        port = networks.port_of(host, "c1", "office")

        assert host.ovs_vsctl("get", "port", port, "tag").stdout.strip() == "42"
        assert c1.pings(c2.address("office"))


@pytest.mark.row(15)
def test_egress_none_gives_no_way_out(host: NamespaceHost) -> None:
    networks.create(host, "closed", "10.50.0.0/24", "-o", "egress=none")
    with host.container("c1", network="closed") as c1, host.container("c2", network="closed") as c2:
        assert networks.interfaces(c1).keys() == {"eth0"}
        assert networks.default_routes(c1) == []
        assert c1.pings(c2.address("closed"))
