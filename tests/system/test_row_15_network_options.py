"""Row 15: options of a network are judged when it is created."""

import pytest
from tests.rig.container import Container
from tests.rig.namespace_host import NamespaceHost
from tests.system import networks
from tests.system.traces import left_as, traces

IPV6 = ("--ipv6", "--subnet", "fd00:50::/64")
REFUSED = {
    ("colour=red",): ("'colour'", "mode, vlan, mtu, vni, port, icc, egress"),
    ("mode=uplink",): ("mode=uplink needs the NIC", "-o uplink=NIC"),
    ("mode=uplink", "uplink=eth9"): ("eth9 is no uplink", "ovsnet uplink add eth9"),
    ("uplink=eth0",): ("mode=uplink only", "mode=bridge"),
    ("mode=magic",): ("mode='magic'", "bridge"),
    ("vlan=4095",): ("vlan='4095'", "1 to 4094"),
    ("vlan=0",): ("vlan='0'", "1 to 4094"),
    ("vlan=",): ("vlan=''", "1 to 4094"),
    ("mtu=10",): ("mtu='10'", "68 to 65535"),
    ("mtu=big",): ("mtu='big'", "68 to 65535"),
    ("port=tap",): ("port='tap'", "veth, internal"),
    ("port=internal",): ("port=internal needs the kernel datapath", "port=veth"),
    ("icc=perhaps",): ("icc='perhaps'", "true, false"),
    ("egress=lan",): ("egress=lan goes with mode=uplink only",),
    ("egress=magic",): ("egress='magic'", "docker, nat, routed, none, lan"),
    ("colour=red", "vlan=0", "mtu=1400"): ("'colour'", "vlan='0'"),
    ("mtu=1000", "icc=true"): ("mtu=1000", "IPv6", "1280"),
}


def create(host: NamespaceHost, options: tuple[str, ...]) -> str:
    """Why a network with these options is refused; "" when it is not."""
    words = (word for it in options for word in ("-o", it))
    done = networks.create(host, "bad", "10.50.0.0/24", *IPV6, *words, check=False)
    return "" if done.ok else done.stderr


@pytest.mark.row(15)
def test_bad_options_are_refused_at_create_by_name_and_leave_nothing(host: NamespaceHost) -> None:
    before = traces(host)

    said = {options: create(host, options) for options in REFUSED}

    silent = {options: text for options, text in said.items() if not all(it in text for it in REFUSED[options])}
    assert silent == {}
    assert networks.names(host) == []
    left_as(host, before)
    networks.create(host, "good", "10.50.0.0/24", *IPV6)


def carries(sender: Container, receiver: Container, network: str, size: int) -> bool:
    """Whether an IP packet of this size arrives without being cut."""
    exact = ("ping", "-n", "-c", "1", "-W", "1", "-M", "do", "-s", str(size - 28))
    return sender.inside(*exact, receiver.address(network), check=False).ok


@pytest.mark.row(15)
def test_the_mtu_holds_at_both_ends_and_for_packets(host: NamespaceHost) -> None:
    networks.create(host, "slim", "10.50.0.0/24", "-o", "mtu=1400", "-o", "egress=none")
    networks.create(host, "jumbo", "10.51.0.0/24", "-o", "com.docker.network.driver.mtu=9000", "-o", "egress=none")
    c1, c2 = networks.start(host, "c1", "c2", network="slim")
    for it in (c1, c2):
        host.docker("network", "connect", "jumbo", it.name)

    assert {name: it.mtu for name, it in networks.interfaces(c1).items()} == {"eth0": 1400, "eth1": 9000}
    for network, mtu in (("slim", 1400), ("jumbo", 9000)):
        port = networks.port_of(c1, network)
        assert host.run("ip", "-j", "link", "show", port).json()[0]["mtu"] == mtu
        assert carries(c1, c2, network, mtu)
        assert not carries(c1, c2, network, mtu + 1)
