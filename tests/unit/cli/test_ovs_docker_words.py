"""Every form of an `ovs-docker` command line, and what it means."""

from typing import Any

import pytest

from ovsnet.api.attach_orders import AttachOrder, DetachOrder, SetOrder
from ovsnet.cli.ovs_docker_words import Meaning, Usage, read
from ovsnet.model.errors import BadRequest

PLACE = ("add-port", "br-int", "eth1", "c474a0e2830e")
BARE: dict[str, Any] = {"target": "c474a0e2830e", "bridge": "br-int", "ifname": "eth1"}
EXAMPLE = (
    *("--ipaddress=192.168.1.2/24", "--gateway=192.168.1.1"),
    *("--macaddress=a2:c3:0d:49:7f:f8", "--mtu=1450"),
)


@pytest.mark.parametrize(
    ("words", "order"),
    [
        ((), {}),
        (EXAMPLE, {"addresses": ("192.168.1.2/24@192.168.1.1",), "mac": "a2:c3:0d:49:7f:f8", "mtu": "1450"}),
        (EXAMPLE[::-1], {"addresses": ("192.168.1.2/24@192.168.1.1",), "mac": "a2:c3:0d:49:7f:f8", "mtu": "1450"}),
        (("--ipaddress=192.168.1.2/24",), {"addresses": ("192.168.1.2/24",)}),
        (("--ipaddress=192.168.1.2",), {"addresses": ("192.168.1.2/32",)}),
        (("--ipaddress=2001:db8::2/64",), {"addresses": ("2001:db8::2/64",)}),
        (("--ipaddress=2001:db8::2",), {"addresses": ("2001:db8::2/128",)}),
        (
            ("--ipaddress=2001:db8::2/64", "--gateway=fe80::1"),
            {"addresses": ("2001:db8::2/64@fe80::1",)},
        ),
        (
            ("--ipaddress=192.168.1.2/24", "--gateway=10.0.0.1"),
            {"addresses": ("192.168.1.2/24@10.0.0.1",)},
        ),
        (("--macaddress=a2:c3:0d:49:7f:f8",), {"mac": "a2:c3:0d:49:7f:f8"}),
        (("--mtu=1450",), {"mtu": "1450"}),
        (("--mtu=1450", "--mtu=1400"), {"mtu": "1400"}),
        (("--ipaddress=", "--gateway=", "--macaddress=", "--mtu="), {}),
    ],
)
def test_add_port(words: tuple[str, ...], order: dict[str, Any]) -> None:
    assert read((*PLACE, *words)) == AttachOrder(**{**BARE, **order})


@pytest.mark.parametrize(
    ("words", "meaning"),
    [
        (("del-port", "br-int", "eth1", "web"), DetachOrder(target="web", ifname="eth1")),
        (("del-port", "br-int", "eth1", "web", "more"), DetachOrder(target="web", ifname="eth1")),
        (("del-ports", "br-int", "web"), DetachOrder(target="web", all=True, if_exists=True)),
        (("set-vlan", "br-int", "eth1", "web", "5"), SetOrder(target="web", ifname="eth1", vlan="5")),
        ((), Usage(0)),
        (("-h",), Usage(0)),
        (("--help",), Usage(0)),
        (("del-port", "br-int", "eth1"), Usage(1)),
        (("del-ports", "br-int"), Usage(1)),
        (("set-vlan", "br-int", "eth1", "web"), Usage(1)),
    ],
)
def test_the_other_verbs(words: tuple[str, ...], meaning: Meaning) -> None:
    assert read(words) == meaning


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("add-bridge", "br0"), 'unknown command "add-bridge" (use --help for help)'),
        (PLACE[:3], "add-port: not enough arguments (use --help for help)"),
        (("add-port", "", "eth1", "web"), "add-port: not enough arguments (use --help for help)"),
        ((*PLACE, "--vlan=5"), 'add-port: unknown option "--vlan=5"'),
        ((*PLACE, "--mtu", "1450"), 'add-port: unknown option "--mtu"'),
        ((*PLACE, "192.168.1.2/24"), 'add-port: unknown option "192.168.1.2/24"'),
        (
            (*PLACE, "--gateway=192.168.1.1"),
            "add-port: --gateway=192.168.1.1 leads nowhere without an address; add --ipaddress",
        ),
        (
            (*PLACE, "--ipaddress=192.168.1.300"),
            "add-port: '192.168.1.300' does not appear to be an IPv4 or IPv6 interface",
        ),
        (
            (*PLACE, "--ipaddress=192.168.1.2/24", "--gateway=home"),
            "add-port: 'home' does not appear to be an IPv4 or IPv6 address",
        ),
        (
            (*PLACE, "--ipaddress=192.168.1.2/24", "--gateway=fe80::1"),
            "add-port: --gateway=fe80::1 is of another IP version than --ipaddress=192.168.1.2/24",
        ),
    ],
)
def test_what_cannot_be_meant_is_named(words: tuple[str, ...], sentence: str) -> None:
    with pytest.raises(BadRequest) as caught:
        read(words)
    assert str(caught.value) == sentence
