"""Which DHCP client is one for an interface, by its command line."""

import pytest

from ovsnet.linux.caretakers import looks_after

LINKS = ("lo", "eth0", "eth1")


@pytest.mark.row(48)
@pytest.mark.parametrize(
    ("words", "is_for"),
    [
        (["dhclient", "-4", "-pf", "/run/dhclient.eth0.pid", "eth0"], True),
        (["dhclient", "eth1"], False),
        (["dhclient"], True),
        (["dhcpcd: eth0 [ip4] [ip6]"], True),
        (["dhcpcd: eth1 [ip4]"], False),
        (["dhcpcd: [manager] [ip4] [ip6]"], True),
        (["udhcpc", "-i", "eth0", "-f"], True),
    ],
)
def test_it_names_the_interface_or_none(words: list[str], is_for: bool) -> None:
    assert looks_after(words, "eth0", LINKS) is is_for
