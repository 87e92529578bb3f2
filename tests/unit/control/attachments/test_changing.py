"""What is attached can change while it runs."""

from dataclasses import replace

import pytest

from ovsnet.control.attachments.changing import Changing
from ovsnet.model.errors import ApplyError, BadRequest, Conflict, NotFound
from ovsnet.model.wishes import parse_words
from tests.states import WEB
from tests.unit.control.attachments.desk import Desk


class Changed(Desk):
    """A desk with somebody who changes things."""

    def __init__(self) -> None:
        super().__init__()
        self.there.start("c1")
        self.changing = Changing(self.committer, self, self.attachments, 1.0)

    async def change(self, words: str, ifname: str = "") -> None:
        await self.changing.change(replace(parse_words("c1", words), ifname=ifname))


@pytest.fixture
def desk() -> Changed:
    return Changed()


@pytest.mark.row(20, 24)
async def test_what_is_said_replaces_what_was_and_the_rest_stays(desk: Changed) -> None:
    before = await desk.attach("c1", "--bridge lan --ip 192.0.2.7/24 --vlan 10")
    await desk.change("--vlan 20 --mtu 1400")
    assert desk.only == replace(before, vlan=desk.only.vlan, mtu=1400)
    assert desk.only.vlan == 20
    await desk.change("--vlan none")
    assert desk.only.vlan == 0
    await desk.change("--trunk 10,20 --native 5")
    assert (desk.only.vlan, desk.only.tagging, desk.only.trunks) == (5, "native-untagged", (10, 20))
    await desk.change("--ip 192.0.2.8/24@192.0.2.1")
    assert list(map(str, desk.only.addresses)) == ["192.0.2.8/24"]


@pytest.mark.row(20)
async def test_what_cannot_be_leaves_it_as_it_was(desk: Changed) -> None:
    desk.there.start("c2")
    await desk.attach("c2", "--bridge lan --ip 192.0.2.9/24")
    await desk.attach("c1", "--bridge lan --ip 192.0.2.7/24")
    before = desk.state.attachments
    for words, kind in (("--ip 192.0.2.9/24", Conflict), ("--vlan 4095", BadRequest), ("", BadRequest)):
        with pytest.raises(kind):
            await desk.change(words)
    with pytest.raises(NotFound, match="no attached interface eth7; it has: eth1"):
        await desk.change("--vlan 20", "eth7")
    desk.refusal = ApplyError("ov", "the host says no")
    with pytest.raises(ApplyError):
        await desk.change("--vlan 20")
    assert desk.state.attachments == before


async def test_on_a_network_the_address_is_what_others_know(desk: Changed) -> None:
    await desk.with_network(WEB)
    await desk.attach("c1", "--network web")
    with pytest.raises(BadRequest, match="detach it and attach it anew"):
        await desk.change("--ip 10.20.0.99")
    with pytest.raises(BadRequest, match="more than the 1500 bytes"):
        await desk.change("--mtu 9000")
    await desk.change("--vlan 20")
    (endpoint,) = desk.state.endpoints.values()
    assert endpoint.vlan == 20


@pytest.mark.row(32)
async def test_routes_come_and_go(desk: Changed) -> None:
    await desk.attach("c1", "--bridge lan --ip 192.0.2.7/24")
    await desk.changing.add_route("c1", "", "10.9.0.0/16@192.0.2.1")
    with pytest.raises(Conflict, match=r"has a route to 10\.9\.0\.0/16 already"):
        await desk.changing.add_route("c1", "", "10.9.0.0/16@192.0.2.2")
    with pytest.raises(NotFound, match="no attached route"):
        await desk.changing.drop_route("c1", "eth1", "10.9.0.0/16@192.0.2.3")
    await desk.changing.drop_route("c1", "eth1", "10.9.0.0/16")
    assert desk.only.routes == ()
