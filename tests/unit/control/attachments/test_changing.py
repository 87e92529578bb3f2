"""What is attached can change while it runs."""

from dataclasses import replace

import pytest

from ovsnet.control.attachments.changing import Changing
from ovsnet.model.errors import ApplyError, BadRequest, Conflict, NotFound
from ovsnet.model.network import NetworkOptions
from ovsnet.model.routing import rule_words
from ovsnet.model.shaping import UNSHAPED, Shape
from ovsnet.model.wishes import Wish, parse_words
from tests.states import WEB
from tests.unit.control.attachments.desk import Desk


class Changed(Desk):
    """A desk with somebody who changes things."""

    def __init__(self) -> None:
        super().__init__()
        self.there.start("c1")
        self.changing = Changing(self.committer, self, self.attachments, 1.0)

    async def change(self, words: str, ifname: str = "") -> None:
        await self.changing.change(parse_words("c1", f"{words} --ifname {ifname}" if ifname else words))


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


@pytest.mark.row(75, 77)
async def test_servers_and_routers_are_asked_or_not_any_more(desk: Changed) -> None:
    await desk.attach("c1", "--bridge lan --dhcp")
    await desk.change("--dhcp both")
    assert (desk.only.dhcp, desk.only.slaac) == ((4, 6), False)
    await desk.changing.change(Wish(target="c1"), slaac=True)
    await desk.change("--dhcp off")
    assert (desk.only.dhcp, desk.only.slaac) == ((), True)
    with pytest.raises(BadRequest, match="1000 is too small for IPv6"):
        await desk.change("--mtu 1000")
    await desk.changing.change(Wish(target="c1"), slaac=False)
    assert not desk.only.slaac


@pytest.mark.row(32)
async def test_rules_come_and_go_and_no_two_interfaces_have_the_same(desk: Changed) -> None:
    await desk.attach("c1", "--bridge lan --ip 192.0.2.7/24 --route 'default@192.0.2.1 table 100' --rule 'table 9'")
    await desk.changing.add_rule("c1", "", "from 192.0.2.0/24 table 100")
    with pytest.raises(Conflict, match="has this rule already"):
        await desk.changing.add_rule("c1", "", "from 192.0.2.0/24 lookup 100")
    with pytest.raises(Conflict, match="eth1 of c1 has the rule 'from all table 9' already"):
        await desk.attach("c1", "--bridge lan --rule 'table 9'")
    with pytest.raises(NotFound, match="no attached rule 'from all table 8'"):
        await desk.changing.drop_rule("c1", "", "table 8")
    await desk.changing.drop_rule("c1", "", "table 9")
    assert [rule_words(it) for it in desk.only.rules] == ["from 192.0.2.0/24 table 100"]


@pytest.mark.row(33)
async def test_each_part_of_a_shape_changes_by_itself(desk: Changed) -> None:
    await desk.attach("c1", "--bridge lan --rate 20mbit --loss 30%")
    await desk.change("--delay '50ms 10ms'")
    assert desk.only.shape == Shape(20_000_000, 30, 50_000, 10_000)
    await desk.change("--rate 0 --delay 0")
    assert desk.only.shape == Shape(loss=30)
    await desk.change("--loss 0")
    assert desk.only.shape == UNSHAPED


@pytest.mark.row(33)
async def test_what_the_kernel_cannot_do_is_said_before_anything_changes(desk: Changed) -> None:
    desk.kernel_lacks = {"netem"}
    with pytest.raises(Conflict, match=r"loss and delay need .* sch_netem"):
        await desk.attach("c1", "--bridge lan --loss 1%")
    assert not desk.state.attachments
    await desk.attach("c1", "--bridge lan --rate 1gbit")
    before = desk.only
    with pytest.raises(Conflict, match="sch_netem"):
        await desk.change("--delay 1s")
    assert desk.only == before


@pytest.mark.row(33)
async def test_an_internal_port_has_no_rate(desk: Changed) -> None:
    with pytest.raises(BadRequest, match="internal port, whose rate cannot be bound; use --port veth"):
        await desk.attach("c1", "--bridge lan --port internal --rate 1mbit")
    await desk.attach("c1", "--bridge lan --port internal --loss 1%")
    with pytest.raises(BadRequest, match="use --port veth"):
        await desk.change("--rate 1mbit")


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


@pytest.mark.row(22, 32)
async def test_a_default_route_takes_the_place_of_the_one_there_was(desk: Changed) -> None:
    await desk.attach("c1", "--bridge lan --ip 192.0.2.7/24@192.0.2.1 --ip 2001:db8::7/64@2001:db8::1")
    await desk.changing.add_route("c1", "", "default@192.0.2.254")
    assert set(map(str, desk.only.gateways)) == {"192.0.2.254", "2001:db8::1"}
    with pytest.raises(NotFound, match=r"no attached route to 0\.0\.0\.0/0"):
        await desk.changing.drop_route("c1", "", "default@192.0.2.1")
    await desk.changing.drop_route("c1", "", "0.0.0.0/0@192.0.2.254")
    assert list(map(str, desk.only.gateways)) == ["2001:db8::1"]
    for words, says in (("default", "say by which gateway"), ("::/0@192.0.2.1", "different families")):
        with pytest.raises(BadRequest, match=says):
            await desk.changing.add_route("c1", "", words)


@pytest.mark.row(32)
async def test_of_several_interfaces_a_route_goes_to_the_one_that_has_its_gateway(desk: Changed) -> None:
    await desk.attach("c1", "--bridge lan --ip 192.0.2.7/24")
    await desk.attach("c1", "--bridge lan --ip 198.51.100.7/24")
    changed = await desk.changing.add_route("c1", "", "10.9.0.0/16@198.51.100.1")
    assert changed.ifname == "eth2"
    with pytest.raises(Conflict, match="several attached interfaces: eth1, eth2"):
        await desk.changing.add_route("c1", "", "10.9.0.0/16@203.0.113.1")


@pytest.mark.row(33, 85)
async def test_on_a_network_with_a_rate_that_counts_where_none_is_said(desk: Changed) -> None:
    await desk.with_network(replace(WEB, options=NetworkOptions(rate=20_000_000)))
    made = [await desk.attach("c1", f"--network web {it}") for it in ("", "--rate 0", "--rate 1mbit --loss 1%")]
    assert [it.shape for it in made] == [Shape(20_000_000), UNSHAPED, Shape(1_000_000, 1)]
