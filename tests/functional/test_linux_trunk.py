"""What a NIC is asked before it becomes the trunk, in a namespace of its own."""

from collections.abc import Iterator

import pytest
from tests.functional.kernel import ip, private_host

from ovsnet.linux.trunk import bring_up, look_at
from ovsnet.model.errors import Unavailable

pytestmark = [pytest.mark.functional, pytest.mark.row(65)]


@pytest.fixture(autouse=True)
def host() -> Iterator[None]:
    """With a NIC that is free and down, one with an address, one in a bridge, and one with the default route."""
    with private_host():
        for name in ("free", "busy", "member", "uplink"):
            ip("link", "add", name, "mtu", "1600", "type", "veth", "peer", "name", f"{name}-far")
        ip("link", "add", "bridge", "type", "bridge")
        ip("link", "set", "member", "master", "bridge")
        ip("addr", "add", "192.0.2.1/24", "dev", "busy")
        ip("link", "set", "uplink", "up")
        ip("route", "add", "default", "dev", "uplink")
        yield


async def test_a_free_nic_is_taken_as_it_is_and_brought_up() -> None:
    before = await look_at("free")
    assert (before.there, before.up, before.mtu, before.obstacle) == (True, False, 1600, "")
    await bring_up("free")
    after = await look_at("free")
    # Its link-local address is no address of the host.
    assert (after.up, after.obstacle) == (True, "")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("busy", "has the address 192.0.2.1"),
        ("member", "is a port of 'bridge' (bridge)"),
        ("uplink", "the default route of this host leads through interface 'uplink'"),
        ("nowhere", "has no interface 'nowhere'"),
    ],
)
async def test_any_other_is_refused_in_words(name: str, words: str) -> None:
    assert words in (await look_at(name)).obstacle


async def test_an_ipv6_default_route_counts_too() -> None:
    ip("link", "set", "free", "up")
    ip("-6", "route", "add", "default", "dev", "free")
    assert "default route" in (await look_at("free")).obstacle


async def test_one_that_is_gone_cannot_be_brought_up() -> None:
    with pytest.raises(Unavailable, match="it cannot be brought up"):
        await bring_up("nowhere")
