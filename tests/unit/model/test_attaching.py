"""What the words of an `ovsnet attach` mean, and which of them make no sense."""

import shlex
from contextlib import suppress
from ipaddress import ip_address, ip_interface, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ovsnet.api.attach_orders import SetOrder
from ovsnet.model.attaching import AskedAddress, Wanted, parse_target, parse_wish, parse_wished_mac
from ovsnet.model.attachment import Attachment, Tagging, Target, TargetKind
from ovsnet.model.errors import BadRequest
from ovsnet.model.host import Medium, Route
from ovsnet.model.ids import EndpointId, IpNetwork, Mac
from ovsnet.model.network import PortKind
from ovsnet.model.wishes import WORDS, Wish, parse_words


def wanted(words: str, target: str = "c1") -> Wanted:
    return parse_wish(parse_words(target, words))


def complaint(words: str, target: str = "c1") -> str:
    with pytest.raises(BadRequest) as refused:
        wanted(words, target)
    return str(refused.value)


@pytest.mark.row(21, 22)
def test_addresses_of_both_families_with_their_gateways() -> None:
    found = wanted("--bridge lan --ip 192.0.2.7/24@192.0.2.1 --ip 192.0.2.8/24 --ip=2001:db8::7/64@fe80::1")
    assert [(it.ip, it.prefix) for it in found.addresses] == [
        (ip_address("192.0.2.7"), 24),
        (ip_address("192.0.2.8"), 24),
        (ip_address("2001:db8::7"), 64),
    ]
    assert found.gateways == (ip_address("192.0.2.1"), ip_address("fe80::1"))


@pytest.mark.row(21)
def test_an_address_on_a_network_has_the_networks_prefix_where_it_names_none() -> None:
    (address,) = wanted("--network web --ip 10.20.0.9").addresses
    assert address == AskedAddress(ip_address("10.20.0.9"))
    assert address.on(24) == ip_interface("10.20.0.9/24")


@pytest.mark.row(75)
@pytest.mark.parametrize(
    ("words", "families"),
    [("", ()), ("--dhcp", (4,)), ("--dhcp v6", (6,)), ("--dhcp=both", (4, 6)), ("--dhcp v4", (4,))],
)
def test_addresses_from_a_server_of_the_lan(words: str, families: tuple[int, ...]) -> None:
    assert wanted(f"--bridge lan {words}").dhcp == families


@pytest.mark.row(34, 35, 36)
@pytest.mark.parametrize(
    ("words", "meaning"),
    [
        ("--bridge lan", (Medium.PORT, "")),
        ("--dummy --rate 0", (Medium.DUMMY, "")),
        ("--nic eth3", (Medium.NIC, "eth3")),
        ("--nic mac:0A:00:00:00:00:01 --loss 1%", (Medium.NIC, "mac:0a:00:00:00:00:01")),
        ("--macvlan eth3 --dhcp", (Medium.MACVLAN, "eth3")),
        ("--ipvlan eth3 --slaac", (Medium.IPVLAN, "eth3")),
    ],
)
def test_what_is_no_port_of_a_switch(words: str, meaning: tuple[Medium, str]) -> None:
    found = wanted(words)
    assert (found.medium, found.nic) == meaning


@pytest.mark.row(20)
@pytest.mark.parametrize(
    ("words", "meaning"),
    [
        ("", (0, Tagging.ACCESS, ())),
        ("--vlan 20", (20, Tagging.ACCESS, ())),
        ("--trunk 10,20-22", (0, Tagging.TRUNK, (10, 20, 21, 22))),
        ("--trunk 10 --native 5", (5, Tagging.NATIVE, (10,))),
        ("--vlan 20 --qinq", (20, Tagging.QINQ, ())),
    ],
)
def test_ways_to_be_in_vlans(words: str, meaning: tuple[int, Tagging, tuple[int, ...]]) -> None:
    found = wanted(f"--bridge lan {words}")
    assert (found.vlan, found.tagging, found.trunks) == meaning


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("", "--network NET, --bridge BR, --uplink NIC, --dummy, --nic NIC, --macvlan NIC or --ipvlan NIC"),
        ("--dummy --bridge lan", "one of them only"),
        ("--dummy --vlan 5 --rate 1mbit", "--vlan, --rate: only for a port of Open vSwitch; not with --dummy"),
        ("--dummy --dhcp", "--dhcp: not with --dummy: nobody is there to ask"),
        ("--ipvlan eth3 --dhcp", "a server would see the NIC's MAC"),
        ("--nic eth3 --mac auto:x", "--mac: not with --nic, which has the NIC's MAC"),
        ("--nic eth3 --mtu 1400", "--mtu: not with --nic, which keeps what it has"),
        ("--nic mac:eth3", "eth3"),
        ("--macvlan a/b", "cannot be an interface's name"),
        ("--network web --bridge lan", "one of them only"),
        ("--uplink eth0 --bridge lan", "one of them only"),
        ("--bridge lan --ip 192.0.2.7", "prefix length is missing; perhaps 192.0.2.7/24?"),
        ("--uplink eth0 --ip 192.0.2.7", "prefix length is missing; perhaps 192.0.2.7/24?"),
        ("--bridge lan --ip 192.0.2.300/24", "--ip '192.0.2.300/24'"),
        ("--bridge lan --ip 192.0.2.255/24", "network or broadcast address of 192.0.2.0/24"),
        ("--bridge lan --ip 224.0.0.5/24", "no address of an interface"),
        ("--bridge lan --ip 192.0.2.7/24@fe80::1", "different families"),
        ("--bridge lan --ip 192.0.2.7/24@here", "'here' is not the address of a gateway"),
        ("--bridge lan --ip 192.0.2.7/24@192.0.2.7", "its own gateway"),
        ("--bridge lan --ip 192.0.2.7/24@192.0.2.1 --ip 192.0.2.8/24@192.0.2.2", "is the default gateway"),
        ("--bridge lan --ip 192.0.2.7/24 --ip 192.0.2.7/16", "given twice"),
        ("--bridge lan --vlan 4095", "--vlan '4095' is not a VLAN id; use a whole number from 1 to 4094"),
        ("--bridge lan --vlan 0", "--vlan '0'"),
        ("--bridge lan --trunk 10,4095", "--trunk '4095'"),
        ("--bridge lan --trunk 20-10", "ends before it begins"),
        ("--bridge lan --native 5", "only with --trunk"),
        ("--bridge lan --trunk 5 --vlan 6", "neither with --vlan"),
        ("--bridge lan --qinq", "needs the VLAN of the outer tag"),
        ("--network web --trunk 10", "only with --bridge"),
        ("--network web --port internal", "only with --bridge"),
        ("--bridge lan --port tap", "'tap' is not known"),
        ("--bridge lan --mtu 9", "--mtu '9' is not an MTU"),
        ("--bridge lan --mtu 1000 --ip 2001:db8::7/64", "too small for IPv6"),
        ("--bridge lan --mac 01:00:5e:00:00:01", "multicast"),
        ("--bridge lan --mac auto:", "like auto:web1"),
        ("--bridge lan --ifname sixteen_letters_", "more than 15 characters"),
        ("--bridge lan --host-ifname this-name-is-long", "more than 15 characters"),
        ("--bridge lan --ifname a/b", "cannot be an interface's name"),
        ("--bridge lan --ifname lo", "cannot be an interface's name"),
        ("--bridge a/b", "cannot be a bridge's name"),
        ("--bridge lan --route 10.0.0.1/8", "--route '10.0.0.1/8'"),
        ("--bridge lan --route 10.0.0.0/8@fe80::1", "different families"),
        ("--bridge lan --route default@192.0.2.1", "given with the address"),
        ("--bridge lan --brigde lan", "'--brigde' is not known"),
        ("--bridge lan --bridge wan", "given twice"),
        ("--bridge lan --ip", "--ip needs a value"),
        ("--bridge lan --qinq=1", "takes no value"),
        ("--bridge 'lan", "cannot be taken apart"),
        ("--bridge lan --rate 1m", "--rate '1m': the unit must be one of bit, kbit, mbit, gbit"),
        ("--bridge lan --rate 100mbps", "--rate '100mbps': the unit"),
        ("--bridge lan --rate 1bit", "from 8kbit to 32gbit"),
        ("--bridge lan --rate fast", "--rate 'fast' cannot be understood; write it like 100mbit"),
        ("--bridge lan --loss 101%", "--loss '101%': give percent"),
        ("--bridge lan --loss 1ms", "--loss '1ms': give percent"),
        ("--bridge lan --delay 50", "--delay '50': the unit must be one of us, ms, s"),
        ("--bridge lan --delay 61s", "more than 60s"),
        ("--bridge lan --delay '5ms 10ms'", "cannot vary by more than itself"),
        ("--bridge lan --delay '5ms 1ms 1ms'", "a time, and one for how much it varies"),
        ("--network web --dhcp --slaac", "--dhcp, --slaac: only with --bridge"),
        ("--bridge lan --dhcp ipv4", "--dhcp 'ipv4' is not known; use one of: v4, v6, both"),
        ("--bridge lan --slaac --mtu 1000", "too small for IPv6"),
        ("--bridge lan --dhcp both --mtu 1000", "too small for IPv6"),
    ],
)
@pytest.mark.fault("vlan-4095")
def test_what_makes_no_sense_is_refused_by_name(words: str, says: str) -> None:
    assert says in complaint(words)


@pytest.mark.row(23)
def test_a_mac_from_a_text_is_the_same_for_ever_and_as_pipework_makes_it() -> None:
    assert parse_wished_mac("auto:web1") == "02:66:ee:60:6d:50"  # echo web1 | md5sum
    assert parse_wished_mac("auto:web2") != parse_wished_mac("auto:web1")
    assert parse_wished_mac("0A-00-00-00-00-01") == "0a:00:00:00:00:01"


@pytest.mark.row(38)
@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("c1", (TargetKind.CONTAINER, "c1")),
        ("pid:017", (TargetKind.PID, "17")),
        ("netns:blue", (TargetKind.NETNS, "blue")),
        ("netns:/run/netns/blue", (TargetKind.NETNS, "/run/netns/blue")),
    ],
)
def test_targets(text: str, meaning: tuple[TargetKind, str]) -> None:
    assert parse_target(text) == meaning


@pytest.mark.parametrize("text", ["", "pid:", "pid:x", "pid:0", "netns:a/b", "netns:..", "lxc:web"])
def test_what_is_no_target(text: str) -> None:
    with pytest.raises(BadRequest):
        parse_target(text)


def test_a_change_is_asked_for_in_the_same_words() -> None:
    assert {*SetOrder.__struct_fields__} <= {*Wish.__struct_fields__}


def test_every_word_fills_a_field_of_its_own() -> None:
    fields = [it.field for it in WORDS.values()]
    assert sorted([*fields, "target"]) == sorted(Wish.__struct_fields__)


def attachment(addresses: str, gateways: str = "", routes: tuple[Route, ...] = ()) -> Attachment:
    return Attachment(
        id=EndpointId("ab" * 32),
        target=Target(TargetKind.CONTAINER, "c1" * 32, "c1"),
        ifname="eth1",
        mac=Mac("0a:00:00:00:00:01"),
        bridge="lan",
        addresses=tuple(ip_interface(it) for it in addresses.split()),
        gateways=tuple(ip_address(it) for it in gateways.split()),
        routes=routes,
        port=PortKind.VETH,
    )


def hops(found: Attachment) -> list[tuple[str, str]]:
    return [(str(it.destination), str(it.gateway or "")) for it in found.all_routes]


@pytest.mark.row(22)
def test_a_gateway_of_the_subnet_needs_no_route_of_its_own() -> None:
    assert hops(attachment("192.0.2.7/24", "192.0.2.1")) == [("0.0.0.0/0", "192.0.2.1")]
    assert hops(attachment("2001:db8::7/64", "fe80::1")) == [("::/0", "fe80::1")]


@pytest.mark.row(22)
@pytest.mark.fault("ipv6-gateway-as-ipv4")
def test_a_gateway_outside_is_reached_by_a_host_route_of_its_family() -> None:
    assert hops(attachment("192.0.2.7/32 2001:db8::7/128", "198.51.100.1 2001:db8:1::1")) == [
        ("198.51.100.1/32", ""),
        ("2001:db8:1::1/128", ""),
        ("0.0.0.0/0", "198.51.100.1"),
        ("::/0", "2001:db8:1::1"),
    ]


def network(text: str) -> IpNetwork:
    return ip_network(text)


@pytest.mark.row(32)
def test_routes_come_before_the_default_and_after_the_way_to_their_gateways() -> None:
    route = Route(network("10.9.0.0/16"), ip_address("198.51.100.9"))
    assert hops(attachment("192.0.2.7/24", "192.0.2.1", (route,))) == [
        ("198.51.100.9/32", ""),
        ("10.9.0.0/16", "198.51.100.9"),
        ("0.0.0.0/0", "192.0.2.1"),
    ]


@given(
    st.text(max_size=30),
    st.lists(st.sampled_from([*WORDS, "x", "192.0.2.7/24", "@", "20", "auto:x"]) | st.text(max_size=9)),
)
def test_whatever_is_said_is_understood_or_refused_in_words(target: str, said: list[str]) -> None:
    with suppress(BadRequest):
        parse_wish(parse_words(target, shlex.join(said)))
    with suppress(BadRequest):
        parse_words(target, " ".join(said))
