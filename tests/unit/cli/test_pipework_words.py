"""Every example of pipework's documentation, and what else its command line may say."""

import pytest

from ovsnet.api.attach_orders import AttachOrder, RouteOrder, RuleOrder, SetOrder
from ovsnet.cli.pipework_words import ChangeRoute, Kind, Meaning, Syntax, WaitHere, mac_of, read
from ovsnet.model.errors import BadRequest

HOST = {
    "eth0": Kind.UPLINK,
    "eth1": Kind.NIC,
    "eth2": Kind.NIC,
    "eth3": Kind.NIC,
    "ovsbr0": Kind.OVS_BRIDGE,
    "lan": Kind.OVS_BRIDGE,
    "docker0": Kind.LINUX_BRIDGE,
    "wlan0": Kind.WIRELESS,
    "ib0": Kind.IPOIB,
}
MACS = {"00:f3:15:4a:42:c8": "eth1"}
GUEST = "9b1c5a0d8e3f"


def meaning(line: str) -> Meaning:
    return read(line.split(), lambda it: HOST.get(it, Kind.ABSENT), lambda it: MACS.get(it, ""))


def order(**fields: object) -> AttachOrder:
    return AttachOrder(**{"target": GUEST, "ifname": "eth1", **fields})  # type: ignore[arg-type]


DOCUMENTED = {
    f"br1 {GUEST} 192.168.1.1/24": order(bridge="br1", addresses=("192.168.1.1/24",)),
    "br1 web1 192.168.12.23/24": order(target="web1", bridge="br1", addresses=("192.168.12.23/24",)),
    f"br1 -i eth2 {GUEST} 192.168.1.1/24": order(bridge="br1", ifname="eth2", addresses=("192.168.1.1/24",)),
    f"br1 -i eth2 -l hostapp1 {GUEST} 192.168.1.1/24": order(
        bridge="br1", ifname="eth2", host_ifname="hostapp1", addresses=("192.168.1.1/24",)
    ),
    f"br1 {GUEST} 192.168.4.25/20": order(bridge="br1", addresses=("192.168.4.25/20",)),
    f"br1 {GUEST} 192.168.4.25/20@192.168.4.1": order(bridge="br1", addresses=("192.168.4.25/20@192.168.4.1",)),
    f"eth2 {GUEST} 50.19.169.157/24": order(macvlan="eth2", addresses=("50.19.169.157/24",)),
    f"eth3 {GUEST} 107.22.140.5/24": order(macvlan="eth3", addresses=("107.22.140.5/24",)),
    f"eth0 {GUEST} 10.1.1.234/24@10.1.1.254": order(uplink="eth0", addresses=("10.1.1.234/24@10.1.1.254",)),
    "--wait": WaitHere("eth1"),
    "--wait -i ib0": WaitHere("ib0"),
    f"br1 {GUEST} 0/0": order(bridge="br1"),
    f"eth1 {GUEST} dhclient": order(macvlan="eth1", dhcp="v4"),
    f"eth1 {GUEST} dhclient-f": order(macvlan="eth1", dhcp="v4"),
    f"eth1 {GUEST} udhcpc": order(macvlan="eth1", dhcp="v4"),
    f"eth1 {GUEST} udhcpc-f": order(macvlan="eth1", dhcp="v4"),
    f"eth1 {GUEST} dhcpcd": order(macvlan="eth1", dhcp="v4"),
    f"eth1 {GUEST} dhcp": order(macvlan="eth1", dhcp="v4"),
    f"eth1 {GUEST} dhcp:-f": order(macvlan="eth1", dhcp="v4"),
    f"eth0 {GUEST} 192.168.1.2/24 26:2e:71:98:60:8f": order(
        uplink="eth0", addresses=("192.168.1.2/24",), mac="26:2e:71:98:60:8f"
    ),
    f"br0 {GUEST} dhcp fa:de:b0:99:52:1c": order(bridge="br0", dhcp="v4", mac="fa:de:b0:99:52:1c"),
    f"eth0 {GUEST} dhcp U:myhost.foo.com": order(uplink="eth0", dhcp="v4", mac="02:72:6c:cd:9b:8d"),
    f"ovsbr0 {GUEST} dhcp @10": order(bridge="ovsbr0", dhcp="v4", vlan="10"),
    f"ovsbr0 {GUEST} 192.168.1.2/24": order(bridge="ovsbr0", addresses=("192.168.1.2/24",)),
    f"route {GUEST} add 10.0.5.6/24 via 192.168.2.1": ChangeRoute(
        "add", RouteOrder(target=GUEST, route="10.0.5.0/24@192.168.2.1")
    ),
    f"--direct-phys eth1 {GUEST} 192.168.1.2/24": order(nic="eth1", addresses=("192.168.1.2/24",)),
    f"--direct-phys mac:00:f3:15:4a:42:c8 -i container0 {GUEST} 0/0": order(nic="eth1", ifname="container0"),
    f"dummy {GUEST} 192.168.21.101/24@192.168.21.1": order(dummy=True, addresses=("192.168.21.101/24@192.168.21.1",)),
    f"rule {GUEST} add from 172.19.0.2/32 table 1": ChangeRoute(
        "add", RuleOrder(target=GUEST, rule="from 172.19.0.2/32 table 1")
    ),
    f"rule {GUEST} add to 172.19.0.2/32 table 1": ChangeRoute(
        "add", RuleOrder(target=GUEST, rule="to 172.19.0.2/32 table 1")
    ),
    f"tc {GUEST} qdisc add dev eth0 root netem loss 30%": SetOrder(target=GUEST, ifname="eth0", loss="30%"),
    f"route {GUEST} replace default via 10.2.3.5": ChangeRoute(
        "add", RouteOrder(target=GUEST, route="default@10.2.3.5")
    ),
    f"mac:00:f3:15:4a:42:c8 -i container0 {GUEST} 0/0": order(macvlan="eth1", ifname="container0"),
}


@pytest.mark.parametrize("line", DOCUMENTED)
def test_a_documented_example(line: str) -> None:
    assert meaning(line) == DOCUMENTED[line]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (f"ib0 {GUEST} 10.10.10.10/24", r"ib0 is InfiniBand \(IPoIB\)"),
        (f"ib0 {GUEST} 10.10.10.10/24 @8001", r"ib0 is InfiniBand \(IPoIB\)"),
    ],
)
def test_a_documented_example_that_is_refused_says_what_by_name(line: str, reason: str) -> None:
    with pytest.raises(BadRequest, match=f"^{reason}.*not supported"):
        meaning(line)


@pytest.mark.parametrize(
    ("line", "fields"),
    [
        (f"ovs7 {GUEST} 10.0.0.1/8", {"bridge": "ovs7", "addresses": ("10.0.0.1/8",)}),
        (f"lan {GUEST} 10.0.0.1/8", {"bridge": "lan", "addresses": ("10.0.0.1/8",)}),
        (f"lan -a 6 {GUEST} 2001:db8::1/64", {"bridge": "lan", "addresses": ("2001:db8::1/64",)}),
        (f"lan -l lanapp -i eth7 {GUEST} 0/0", {"bridge": "lan", "ifname": "eth7", "host_ifname": "lanapp"}),
        (f"lan {GUEST} 0/0 26:2e:71:98:60:8f@10", {"bridge": "lan", "mac": "26:2e:71:98:60:8f", "vlan": "10"}),
        (f"lan {GUEST} 0/0 U:web@10", {"bridge": "lan", "mac": mac_of("web"), "vlan": "10"}),
        (f"eth0 {GUEST} 0/0 @10", {"uplink": "eth0", "vlan": "10"}),
        (f"mac:00:F3:15:4A:42:C8 {GUEST} 0/0", {"macvlan": "eth1"}),
    ],
)
def test_what_is_not_in_its_examples(line: str, fields: dict[str, object]) -> None:
    assert meaning(line) == order(**fields)


@pytest.mark.parametrize(
    ("words", "change"),
    [
        ("add 10.0.5.0/24", ChangeRoute("add", RouteOrder(target=GUEST, route="10.0.5.0/24"))),
        (
            "add 10.0.5.0/24 via 192.168.2.1 dev eth2",
            ChangeRoute("add", RouteOrder(target=GUEST, ifname="eth2", route="10.0.5.0/24@192.168.2.1")),
        ),
        (
            "add default via 192.168.2.1 table 1",
            ChangeRoute("add", RouteOrder(target=GUEST, route="default@192.168.2.1 table 1")),
        ),
        (
            "add default via 192.168.2.1 dev eth2",
            ChangeRoute("add", RouteOrder(target=GUEST, ifname="eth2", route="default@192.168.2.1")),
        ),
        ("del 10.0.5.0/24", ChangeRoute("del", RouteOrder(target=GUEST, route="10.0.5.0/24"))),
        (
            "delete 2001:db8::/64 dev eth2",
            ChangeRoute("del", RouteOrder(target=GUEST, ifname="eth2", route="2001:db8::/64")),
        ),
    ],
)
def test_routes_that_can_be_remembered(words: str, change: ChangeRoute) -> None:
    assert meaning(f"route {GUEST} {words}") == change


@pytest.mark.parametrize(
    "words",
    [
        "show",
        "add",
        "add 10.0.5.0/24 via",
        "add 10.0.5.0/24 metric 7",
        "replace 10.0.5.0/24 via 192.168.2.1",
        "flush all",
    ],
)
def test_other_words_about_routes_are_refused_by_name(words: str) -> None:
    with pytest.raises(BadRequest, match=f"^route '{words}' is not supported"):
        meaning(f"route {GUEST} {words}")


@pytest.mark.parametrize("line", ["", "br1", f"br1 {GUEST}", f"br1 -i eth2 {GUEST}", "br1 -i eth2", "--direct-phys"])
def test_too_few_words_show_the_syntax(line: str) -> None:
    assert meaning(line) == Syntax()


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        (f"eno1 {GUEST} 0/0", "I do not know how to setup interface eno1."),
        (
            f"br1 {GUEST} 192.168.1.1",
            "The IP address should include a netmask. Maybe you meant 192.168.1.1/24 ?",
        ),
        (f"br1 {GUEST} fleet", "The IP address should include a netmask. Maybe you meant fleet/24 ?"),
        (
            f"mac:00:00:00:00:00:01 {GUEST} 0/0",
            "Mac address 00:00:00:00:00:01 specified for interface but no host interface matched.",
        ),
        (f"br1 {GUEST} 2001:db8::1/64", "2001:db8::1/64 is no address of family 4; add -a 6"),
        (f"br1 -a 6 {GUEST} 10.0.0.1/8", "10.0.0.1/8 is no address of family 6; add -a 4"),
        (f"br1 -a inet {GUEST} 10.0.0.1/8", "-a inet is no address family; 4 or 6"),
        (f"br1 {GUEST} 10.0.0.x/8", "'10.0.0.x/8' does not appear to be an IPv4 or IPv6 interface"),
        (
            f"br1 {GUEST} dhcp:-x",
            "options of a DHCP client are not supported: '-x'; write dhcp alone",
        ),
        (
            f"docker0 {GUEST} 0/0",
            (
                "docker0 is a Linux bridge, and only Open vSwitch bridges are used: name another one, which is made "
                "if it is not there"
            ),
        ),
        (
            f"eth1 {GUEST} 0/0 @10",
            "a VLAN of eth1 can be had when it is an uplink: 'ovsnet uplink add eth1' makes it one",
        ),
        (f"wlan0 {GUEST} 0/0", "wlan0 is wireless, where an access point takes frames of one MAC only: not supported"),
    ],
)
def test_what_cannot_be_meant_is_named(line: str, sentence: str) -> None:
    with pytest.raises(BadRequest) as caught:
        meaning(line)
    assert str(caught.value) == sentence


def test_a_text_always_gives_the_mac_that_pipework_documents() -> None:
    assert mac_of("myhost.foo.com") == "02:72:6c:cd:9b:8d"


@pytest.mark.parametrize(
    ("words", "fields"),
    [
        ("qdisc change dev eth1 root netem delay 50ms 10ms loss 1%", {"delay": "50ms 10ms", "loss": "1%"}),
        ("qdisc del dev eth1 root", {"delay": "0", "loss": "0"}),
        ("qdisc del dev eth1 root netem", {"delay": "0", "loss": "0"}),
    ],
)
def test_traffic_that_can_be_remembered(words: str, fields: dict[str, str]) -> None:
    assert meaning(f"tc {GUEST} {words}") == SetOrder(target=GUEST, ifname="eth1", **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "line",
    [
        "rule web show",
        "rule web add",
        "tc web qdisc show",
        "tc web qdisc add dev eth1 root netem",
        "tc web qdisc add dev eth1 root netem corrupt 1%",
        "tc web qdisc add dev eth1 root tbf rate 1mbit",
    ],
)
def test_other_commands_of_the_guest_are_refused_by_name(line: str) -> None:
    command, _, words = line.split(maxsplit=2)
    with pytest.raises(BadRequest, match=f"^{command} '{words}' is not supported"):
        meaning(line)
