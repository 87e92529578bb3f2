"""The engine's messages, read."""

import json
from collections.abc import Mapping
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ovsnet.control.requests import AddressRequest, EndpointRequest, NetworkRequest, PoolRequest
from ovsnet.docker import wire
from ovsnet.model.addressing import AllocationKind
from ovsnet.model.errors import BadRequest
from ovsnet.model.ids import EndpointId, Mac, NetworkId, PoolId
from tests.unit.docker import messages

POOL_ID = "ovsnet-local|10.50.0.0/16|10.50.4.0/24"
KINDS = [
    wire.CreateNetwork,
    wire.NetworkNamed,
    wire.AllocateNetwork,
    wire.CreateEndpoint,
    wire.EndpointNamed,
    wire.Join,
    wire.RequestPool,
    wire.ReleasePool,
    wire.RequestAddress,
    wire.ReleaseAddress,
]


def encoded(message: object) -> bytes:
    return json.dumps(message).encode()


def network(name: str = "29.7 with everything", **changes: object) -> NetworkRequest:
    return wire.decode(wire.CreateNetwork, encoded(messages.CREATE_NETWORK[name] | changes)).request()


def endpoint(name: str = "nothing asked for", **changes: object) -> EndpointRequest:
    return wire.decode(wire.CreateEndpoint, encoded(messages.CREATE_ENDPOINT[name] | changes)).request()


def pool(name: str = "29.7 given", **changes: object) -> PoolRequest:
    return wire.decode(wire.RequestPool, encoded(messages.REQUEST_POOL[name] | changes)).request()


def address(name: str, **changes: object) -> AddressRequest:
    return wire.decode(wire.RequestAddress, encoded(messages.request_address(POOL_ID)[name] | changes)).request()


# -------------------------------------------------------------- networks


def test_a_network_with_everything() -> None:
    assert network() == NetworkRequest(
        id=NetworkId(messages.NETWORK),
        options={"com.docker.network.driver.mtu": "1400", "icc": "false"},
        internal=True,
        ipv4=IPv4Network("10.50.0.0/16"),
        gateway4=IPv4Address("10.50.0.1"),
        ipv6=IPv6Network("fd00:50::/64"),
        gateway6=IPv6Address("fd00:50::1"),
        space4="ovsnet-local",
        space6="ovsnet-local",
    )


def test_a_plain_network_of_the_oldest_engine() -> None:
    assert network("20.10 plain") == NetworkRequest(
        id=NetworkId(messages.NETWORK),
        ipv4=IPv4Network("172.19.0.0/16"),
        gateway4=IPv4Address("172.19.0.1"),
        options={},
        space4="LocalDefault",
    )


def test_the_null_ipam_driver_means_no_addresses() -> None:
    request = network("null IPAM driver")
    assert (request.ipv4, request.ipv6, request.gateway4, request.gateway6) == (None, None, None, None)


def test_an_ipv6_only_network() -> None:
    request = network("28 IPv6 only")
    assert (request.ipv4, request.ipv6) == (None, IPv6Network("fd00:51::/64"))


def test_swarm_ids_are_taken_as_they_are() -> None:
    assert network("swarm").id == messages.SWARM_NETWORK


def test_a_network_without_gateway() -> None:
    request = network(IPv4Data=[{"Pool": "10.50.0.0/16", "Gateway": ""}], IPv6Data=[{"Pool": "fd00:50::/64"}])
    assert (request.gateway4, request.gateway6) == (None, None)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"NetworkID": ""}, "NetworkID"),
        ({"NetworkID": "../../etc"}, "NetworkID"),
        ({"NetworkID": "a" * 300}, "NetworkID"),
        ({"NetworkID": 7}, r"\$\.NetworkID"),
        ({"NetworkID": None}, r"\$\.NetworkID"),
        ({"Options": []}, r"\$\.Options"),
        ({"Options": {"com.docker.network.generic": [1]}}, r"com\.docker\.network\.generic"),
        ({"Options": {"com.docker.network.generic": {"mtu": 1400}}}, "'mtu'"),
        ({"Options": {"com.docker.network.internal": "yes"}}, r"com\.docker\.network\.internal"),
        ({"IPv4Data": {}}, r"\$\.IPv4Data"),
        ({"IPv4Data": [{"Pool": 1}]}, r"\$\.IPv4Data\[0\]\.Pool"),
        ({"IPv4Data": [{"Pool": "10.50.0.1/16"}]}, r"IPv4Data\.Pool.*host bits"),
        ({"IPv4Data": [{"Pool": "fd00::/64"}]}, r"IPv4Data\.Pool"),
        ({"IPv6Data": [{"Pool": "fd00::/64", "Gateway": "fd00::1%eth0/64"}]}, r"IPv6Data\.Gateway"),
        (
            {"IPv4Data": [{"Pool": "10.1.0.0/24"}, {"Pool": "10.2.0.0/24"}]},
            r"one subnet .*10\.1\.0\.0/24, 10\.2\.0\.0/24",
        ),
    ],
)
def test_what_is_wrong_with_a_network_is_named(changes: Mapping[str, Any], words: str) -> None:
    with pytest.raises(BadRequest, match=words):
        network(**changes)


# ------------------------------------------------------------- endpoints


def test_an_endpoint_with_everything_asked_for() -> None:
    assert endpoint("everything asked for") == EndpointRequest(
        id=EndpointId(messages.ENDPOINT),
        network_id=NetworkId(messages.NETWORK),
        ipv4=IPv4Interface("10.60.0.99/24"),
        mac=Mac("02:42:aa:bb:cc:dd"),
        options={},
    )


def test_of_the_endpoint_options_only_the_users_are_kept() -> None:
    assert endpoint().options == {"vlan": "7"}


def test_an_endpoint_of_two_families() -> None:
    request = endpoint()
    assert (request.ipv4, request.ipv6) == (IPv4Interface("10.60.0.2/24"), IPv6Interface("fd00:60::2/64"))
    assert request.mac is None


@pytest.mark.parametrize("name", ["layer 2 only", "no interface"])
def test_an_endpoint_without_addresses(name: str) -> None:
    request = endpoint(name)
    assert (request.ipv4, request.ipv6, request.mac, request.options) == (None, None, None, {})


def test_the_interface_name_somebody_asks_for_is_seen() -> None:
    options = {"com.docker.network.endpoint.ifname": "lan0"}
    message = wire.decode(wire.CreateEndpoint, encoded(messages.CREATE_ENDPOINT["no interface"] | {"Options": options}))
    assert message.ifname == "lan0"
    assert message.request().options == {}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"EndpointID": "x/y"}, "EndpointID"),
        ({"Interface": {"Address": "10.60.0.300/24"}}, r"Interface\.Address"),
        ({"Interface": {"Address": "fd00::1/64"}}, r"Interface\.Address"),
        ({"Interface": {"AddressIPv6": "10.0.0.1/8"}}, r"Interface\.AddressIPv6"),
        ({"Interface": {"MacAddress": "01:00:5e:00:00:01"}}, "multicast"),
        ({"Interface": {"MacAddress": "AkKqu8zd"}}, "MAC address"),
        ({"Interface": {"MacAddress": 5}}, r"\$\.Interface\.MacAddress"),
        ({"Options": {"vlan": 7}}, "'vlan'"),
    ],
)
def test_what_is_wrong_with_an_endpoint_is_named(changes: Mapping[str, Any], words: str) -> None:
    with pytest.raises(BadRequest, match=words):
        endpoint(**changes)


# ------------------------------------------------------------------ IPAM


def test_a_given_pool() -> None:
    assert pool() == PoolRequest(
        space="ovsnet-local", subnet=IPv4Network("10.50.0.0/16"), sub_range=IPv4Network("10.50.4.0/24")
    )


def test_any_pool_of_either_family() -> None:
    assert pool("20.10 any") == PoolRequest(space="ovsnet-local")
    assert pool("29.7 any IPv6") == PoolRequest(space="ovsnet-local", v6=True)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"Pool": "10.50.0.1/16"}, r"Pool: .*host bits set; write 10\.50\.0\.0/16"),
        ({"Pool": "10.50"}, r"Pool: .*write it like"),
        ({"SubPool": "fd00::%1/64"}, "SubPool"),
        ({"Pool": ""}, "needs the Pool"),
        ({"AddressSpace": "a\x00b"}, "AddressSpace"),
        ({"AddressSpace": None}, r"\$\.AddressSpace"),
        ({"Options": {"io": "1"}}, "--ipam-opt 'io' is not known; known are: space"),
        ({"Options": {"space": ""}}, "space='' is not the name of an address space; use up to 63 letters"),
        ({"Options": {"space": "a/b"}}, "space='a/b' is not the name"),
        ({"Options": {"space": 7}}, "'space' is not a text"),
        ({"V6": "true"}, r"\$\.V6"),
    ],
)
def test_what_is_wrong_with_a_pool_is_named(changes: Mapping[str, Any], words: str) -> None:
    with pytest.raises(BadRequest, match=words):
        pool(**changes)


@pytest.mark.row(78)
def test_an_address_space_can_be_named() -> None:
    asked = pool(Options={"space": "Blue.2"})
    assert asked.space == "ovsnet-local/Blue.2"
    assert asked.subnet == IPv4Network("10.50.0.0/16")


def test_the_engines_own_ipam_options_pass() -> None:
    assert pool(Options={"com.docker.network.ipam.serial": "true"}).space == "ovsnet-local"


def test_a_gateway_is_told_from_the_rest() -> None:
    assert address("gateway") == AddressRequest(pool_id=PoolId(POOL_ID), kind=AllocationKind.GATEWAY)


@pytest.mark.parametrize("name", ["28 endpoint", "with MAC", "swarm"])
def test_any_address(name: str) -> None:
    assert address(name) == AddressRequest(pool_id=PoolId(POOL_ID))


def test_a_given_address() -> None:
    assert address("aux").address == IPv4Address("10.50.4.9")


def test_engines_from_29_on_tell_the_container() -> None:
    assert address("29 endpoint").holder == "c1"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"Address": "10.50.4.9/16"}, "Address"),
        ({"Address": "fe80::1%eth0"}, "names an interface"),
        ({"Address": 5}, r"\$\.Address"),
        ({"PoolID": None}, r"\$\.PoolID"),
        ({"Options": {"com.docker.network.endpoint.name": "c\n1"}}, r"endpoint\.name"),
    ],
)
def test_what_is_wrong_with_an_address_is_named(changes: Mapping[str, Any], words: str) -> None:
    with pytest.raises(BadRequest, match=words):
        address("28 endpoint", **changes)


def test_an_address_to_release_must_be_one() -> None:
    message = wire.decode(wire.ReleaseAddress, encoded({"PoolID": POOL_ID, "Address": "10.50.4.9"}))
    assert message.parsed() == IPv4Address("10.50.4.9")
    for text in ("", "10.50"):
        with pytest.raises(BadRequest, match="Address"):
            wire.decode(wire.ReleaseAddress, encoded({"PoolID": POOL_ID, "Address": text})).parsed()


# ------------------------------------------------------------ everything


@pytest.mark.parametrize("kind", KINDS)
def test_a_repeated_call_without_its_body_is_refused(kind: type[wire.Message]) -> None:
    with pytest.raises(BadRequest, match=r"has no body.*run the command again"):
        wire.decode(kind, b"")


@pytest.mark.parametrize("body", [b"{", b"nonsense", b'{"NetworkID":"\xff"}', b"\xef\xbb\xbf{}"])
def test_what_is_not_json_is_said_to_be_so(body: bytes) -> None:
    with pytest.raises(BadRequest, match="not JSON"):
        wire.decode(wire.NetworkNamed, body)


@pytest.mark.parametrize("body", [b"[]", b"null", b'"text"', b"5"])
def test_json_that_is_no_object_is_refused(body: bytes) -> None:
    with pytest.raises(BadRequest, match="Expected `object`"):
        wire.decode(wire.NetworkNamed, body)


def test_a_message_nested_without_end_is_refused() -> None:
    # Far more than Python 3.14 still reads, which has no limit but its stack.
    deep = b'{"NetworkID":"a","z":' + b"[" * 1_000_000 + b"]" * 1_000_000 + b"}"
    with pytest.raises(BadRequest, match="too deeply"):
        wire.decode(wire.NetworkNamed, deep)


def test_unknown_fields_of_newer_engines_are_no_error() -> None:
    message = wire.decode(wire.NetworkNamed, encoded({"NetworkID": "a", "Since30": {"x": [1]}}))
    assert message.network_id == "a"


def test_the_log_sees_the_ids_of_any_message() -> None:
    seen = wire.mentioned(encoded(messages.JOIN))
    assert (seen.network, seen.endpoint, seen.pool) == (messages.NETWORK, messages.ENDPOINT, None)
    assert wire.mentioned(b"{") == wire.Mentioned()
    assert wire.mentioned(b"") == wire.Mentioned()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)
FIELDS = "NetworkID EndpointID Options IPv4Data IPv6Data Interface SandboxKey AddressSpace Pool SubPool V6 PoolID"
NAMES = st.sampled_from([*FIELDS.split(), "Address"])


@given(kind=st.sampled_from(KINDS), message=st.dictionaries(NAMES | st.text(), JSON))
def test_whatever_is_sent_becomes_a_request_or_a_bad_request(kind: type[wire.Message], message: dict[str, Any]) -> None:
    try:
        read = wire.decode(kind, encoded(message))
        if isinstance(read, wire.CreateNetwork | wire.CreateEndpoint | wire.RequestPool | wire.RequestAddress):
            read.request()
    except BadRequest as refused:
        assert str(refused)  # noqa: PT017 - both outcomes are right, no other is


@given(kind=st.sampled_from(KINDS), body=st.binary())
def test_whatever_bytes_are_sent_are_read_or_refused(kind: type[wire.Message], body: bytes) -> None:
    try:
        wire.decode(kind, body)
    except BadRequest as refused:
        assert str(refused)  # noqa: PT017 - both outcomes are right, no other is


def test_ports_are_asked_for_as_the_engine_writes_them() -> None:
    ports = [
        {"Proto": 6, "IP": "", "Port": 80, "HostIP": "", "HostPort": 8000, "HostPortEnd": 8010},
        {"Proto": 17, "IP": "", "Port": 53, "HostIP": "127.0.0.1", "HostPort": 5353, "HostPortEnd": 5353},
        {"Proto": 132, "Port": 9, "HostIP": None, "HostPort": 0, "HostPortEnd": 0},
    ]
    message = {**messages.NAMED, "Options": {wire.PORTMAP: ports}}
    asked = wire.decode(wire.Program, json.dumps(message).encode()).request().ports
    assert [(it.transport, it.host and str(it.host), it.first, it.last, it.port) for it in asked] == [
        ("tcp", None, 8000, 8010, 80),
        ("udp", "127.0.0.1", 5353, 5353, 53),
        ("sctp", None, 0, 0, 9),
    ]
    assert wire.decode(wire.Program, json.dumps({**messages.NAMED, "Options": None}).encode()).request().ports == ()


@pytest.mark.parametrize("entry", [{"Proto": 1, "Port": 80}, {"Proto": "tcp", "Port": 80}, {"Proto": 6}, 8080])
def test_ports_that_make_no_sense_are_refused_by_the_fields_name(entry: object) -> None:
    body = json.dumps({**messages.NAMED, "Options": {wire.PORTMAP: [entry]}}).encode()
    with pytest.raises(BadRequest, match=wire.PORTMAP):
        wire.decode(wire.Program, body).request()
