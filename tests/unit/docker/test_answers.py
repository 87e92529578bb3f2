"""What the engine is told."""

import json
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface

import msgspec

from ovsnet.control.requests import EndpointRequest, Joined
from ovsnet.docker import answers
from ovsnet.model.addressing import Pool
from ovsnet.model.ids import EndpointId, Mac, NetworkId, PoolId


def sent(answer: answers.Answer) -> object:
    return json.loads(msgspec.json.encode(answer))


def test_nothing_to_say_is_an_empty_object() -> None:
    assert sent(answers.Answer()) == {}


def test_a_refusal_is_read_by_both_sides_of_the_engine() -> None:
    assert sent(answers.refusal("no")) == {"Err": "no", "Error": "no"}


def test_a_refusal_is_never_empty_and_never_endless() -> None:
    assert answers.refusal("").err
    assert len(answers.refusal("x" * 1_000_000).err) == answers.MAX_TEXT


def test_a_mac_is_told_only_when_the_engine_has_none() -> None:
    asked = EndpointRequest(id=EndpointId("e"), network_id=NetworkId("n"))
    mac = Mac("0a:00:00:00:00:01")
    assert sent(answers.endpoint_created(asked, mac)) == {"Interface": {"MacAddress": mac}}
    assert sent(answers.endpoint_created(replace(asked, mac=mac), mac)) == {"Interface": {}}


def test_join_names_the_interface_and_leaves_out_what_is_not_there() -> None:
    assert sent(answers.join_answer(Joined(source="vabc", prefix="eth"))) == {
        "InterfaceName": {"SrcName": "vabc", "DstPrefix": "eth"}
    }


def test_join_gives_gateways_without_prefix_length() -> None:
    joined = Joined("vabc", "eth", IPv4Address("10.1.0.1"), IPv6Address("fd00::1"), no_gateway_bridge=True)
    assert sent(answers.join_answer(joined)) == {
        "InterfaceName": {"SrcName": "vabc", "DstPrefix": "eth"},
        "Gateway": "10.1.0.1",
        "GatewayIPv6": "fd00::1",
        "DisableGatewayService": True,
    }


def test_join_gives_routes_on_the_link() -> None:
    joined = Joined("vabc", "eth", routes=(IPv4Network("169.254.83.83/32"),))
    assert sent(answers.join_answer(joined)) == {
        "InterfaceName": {"SrcName": "vabc", "DstPrefix": "eth"},
        "StaticRoutes": [{"Destination": "169.254.83.83/32", "RouteType": 1}],
    }


def test_pools_and_addresses() -> None:
    pool = Pool(id=PoolId("s|10.1.0.0/16|"), space="s", subnet=IPv4Network("10.1.0.0/16"))
    assert sent(answers.pool_answer(pool)) == {"PoolID": "s|10.1.0.0/16|", "Pool": "10.1.0.0/16"}
    assert sent(answers.address_answer(IPv4Interface("10.1.0.7/16"))) == {"Address": "10.1.0.7/16"}
    assert sent(answers.address_answer(IPv6Interface("fd00::7/64"))) == {"Address": "fd00::7/64"}


def test_capabilities_are_said_even_where_they_are_false_or_empty() -> None:
    capabilities = answers.IpamCapabilities(requires_mac=False, requires_replay=False)
    assert sent(capabilities) == {"RequiresMACAddress": False, "RequiresRequestReplay": False}
    scopes = answers.NetworkCapabilities(scope="local", connectivity_scope="")
    assert sent(scopes) == {"Scope": "local", "ConnectivityScope": ""}
    assert sent(answers.OperInfo({})) == {"Value": {}}
