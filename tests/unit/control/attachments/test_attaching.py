"""What can be attached where, and who is named when it cannot."""

from dataclasses import replace
from types import MappingProxyType

import pytest

from ovsnet.control.attachments.deciding import remark
from ovsnet.model.errors import ApplyError, BadRequest, Conflict, NotFound, OvsnetError, Unavailable
from ovsnet.model.host import Datapath, OtherBridge
from ovsnet.model.network import NetworkOptions
from ovsnet.model.uplink import Phase
from ovsnet.plan import names
from tests.states import WEB
from tests.unit.control.attachments.desk import Desk


@pytest.fixture
def desk() -> Desk:
    made = Desk()
    made.there.start("c1")
    return made


async def refusal(desk: Desk, target: str, words: str, kind: type[OvsnetError] = Conflict) -> str:
    before = desk.state
    with pytest.raises(kind) as refused:
        await desk.attach(target, words)
    after = desk.state
    assert (after.attachments, after.endpoints) == (before.attachments, before.endpoints)
    return str(refused.value)


@pytest.mark.row(17, 21)
async def test_an_interface_on_a_bridge(desk: Desk) -> None:
    made = await desk.attach("c1", "--bridge lan --ip 192.0.2.7/24@192.0.2.1")
    assert desk.only == made
    assert (made.ifname, made.mac, made.sandbox) == ("eth1", "0a:11:22:00:00:00", "/run/docker/netns/1")
    assert not made.makes_bridge
    assert desk.waited == [(names.host_end(made.id), names.inside(names.host_end(made.id)))]


@pytest.mark.row(47)
async def test_an_interface_on_the_lan_behind_a_nic(desk: Desk) -> None:
    said = await refusal(desk, "c1", "--uplink eth0 --dhcp")
    assert "it is no uplink; 'ovsnet uplink add eth0' makes it one" in said
    await desk.with_uplink(Phase.TRYING)
    assert "it is trying; try again" in await refusal(desk, "c1", "--uplink eth0 --dhcp")
    await desk.with_uplink(Phase.IN_FORCE)
    made = await desk.attach("c1", "--uplink eth0 --vlan 20 --dhcp")
    assert (made.bridge, made.vlan, made.dhcp) == ("lan", 20, (4,))


@pytest.mark.row(17)
async def test_the_same_a_second_time_is_refused(desk: Desk) -> None:
    words = "--bridge lan --ip 192.0.2.7/24 --ifname eth5"
    await desk.attach("c1", words)
    said = await refusal(desk, "c1", words)
    assert "c1 has an interface eth5 already, attached to bridge lan" in said
    assert "ovsnet detach c1 eth5" in said


@pytest.mark.row(17)
async def test_a_name_that_the_engine_gave_is_refused_and_passed_over(desk: Desk) -> None:
    desk.there.inside["/run/docker/netns/1"] = frozenset({"lo", "eth0", "eth1"})
    assert "has an interface eth1 already, which is not an attached one" in await refusal(
        desk, "c1", "--bridge lan --ifname eth1"
    )
    assert (await desk.attach("c1", "--bridge lan")).ifname == "eth2"


@pytest.mark.row(17)
async def test_a_bridge_that_is_not_there_is_made(desk: Desk) -> None:
    made = await desk.attach("c1", "--bridge new")
    assert made.makes_bridge
    assert desk.waited == [(names.host_end(made.id), names.inside(names.host_end(made.id)), "new")]
    assert "no bridge of Open vSwitch" in await refusal(desk, "c1", "--bridge docker0")
    assert "use --network" in await refusal(desk, "c1", "--bridge br-ovsnet", BadRequest)


@pytest.mark.row(17)
async def test_nothing_is_decided_while_nobody_knows_which_bridges_there_are(desk: Desk) -> None:
    desk.switch = replace(desk.switch, available=False)
    await refusal(desk, "c1", "--bridge lan", Unavailable)


@pytest.mark.row(21, 23)
async def test_one_address_or_mac_has_one_holder_in_a_segment(desk: Desk) -> None:
    desk.there.start("c2")
    await desk.attach("c1", "--bridge lan --ip 192.0.2.7/24 --mac 02:00:00:00:00:01")
    assert "address 192.0.2.7 is held by eth1 of c1" in await refusal(desk, "c2", "--bridge lan --ip 192.0.2.7/16")
    assert "MAC address 02:00:00:00:00:01 is held by eth1 of c1" in await refusal(
        desk, "c2", "--bridge lan --mac 02:00:00:00:00:01"
    )
    await desk.attach("c2", "--bridge lan --ip 192.0.2.7/24 --vlan 20")
    assert "is held by" in await refusal(desk, "c2", "--bridge lan --ip 192.0.2.7/24 --trunk 20")


@pytest.mark.row(16, 24)
async def test_a_bridge_keeps_its_mtu_unless_another_is_asked_for(desk: Desk) -> None:
    made = await desk.attach("c1", "--bridge lan")
    assert (made.mtu, remark(made, 9000)) == (9000, "")
    smaller = await desk.attach("c1", "--bridge lan --mtu 1500")
    assert "has an MTU of 9000, the smallest of its ports: 1500" in remark(smaller, 9000)
    assert "what is larger gets lost" in remark(made, 1500)
    assert (await desk.attach("c1", "--bridge new")).mtu == 1500


@pytest.mark.row(25)
async def test_a_port_has_the_name_that_was_asked_for_or_there_is_none(desk: Desk) -> None:
    made = await desk.attach("c1", "--bridge lan --host-ifname web-c1")
    assert names.attachment_port(made) == "web-c1"
    assert "the port web-c1 is that of eth1 of c1" in await refusal(desk, "c1", "--bridge lan --host-ifname web-c1")
    assert "makes by itself" in await refusal(desk, "c1", "--bridge lan --host-ifname ovdns", BadRequest)


@pytest.mark.row(103)
async def test_internal_ports_need_the_bridges_kernel_datapath(desk: Desk) -> None:
    made = await desk.attach("c1", "--bridge lan --port internal --ifname lan5")
    assert names.attachment_port(made) == "lan5"
    slow = {"lan": OtherBridge(Datapath.USERSPACE)}
    desk.switch = replace(desk.switch, bridges=MappingProxyType(slow))
    assert "needs the kernel datapath" in await refusal(desk, "c1", "--bridge lan --port internal", BadRequest)


@pytest.mark.row(17, 21)
async def test_an_interface_on_a_network_is_an_endpoint_with_addresses_of_its_pools(desk: Desk) -> None:
    await desk.with_network(WEB)
    made = await desk.attach("c1", "--network web")
    (endpoint,) = desk.state.endpoints.values()
    assert (endpoint.id, endpoint.plugged, endpoint.container_name) == (made.id, True, "c1")
    assert {str(endpoint.ipv4), str(endpoint.ipv6)} == set(map(str, made.addresses))
    assert desk.held() == {str(it.ip) for it in made.addresses}

    pinned = await desk.attach("c1", "--network web --ip 10.20.0.77")
    assert "10.20.0.77/24" in map(str, pinned.addresses)
    before = desk.held()
    assert "address 10.20.0.77 of network web is held by container c1" in await refusal(
        desk, "c1", "--network web --ip 10.20.0.77"
    )
    assert desk.held() == before


@pytest.mark.row(21, 24)
@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("--ip 10.99.0.1", "10.99.0.1"),
        ("--ip 10.20.0.9/16", "has the subnet 10.20.0.0/24"),
        ("--ip 10.20.0.9 --ip 10.20.0.10", "one address of a family"),
        ("--mtu 9000", "more than the 1500 bytes"),
    ],
)
async def test_what_does_not_fit_a_network_takes_no_address(desk: Desk, words: str, says: str) -> None:
    await desk.with_network(WEB)
    assert says in await refusal(desk, "c1", f"--network web {words}", BadRequest)
    assert desk.held() == set()


async def test_a_network_with_addresses_of_another_driver_is_the_engines_business(desk: Desk) -> None:
    await desk.store.commit(desk.state, [])
    await desk.with_network(replace(WEB, ipv4=None, ipv6=None, gateway4=None, gateway6=None))
    other = replace(WEB, id=replace(WEB).id[::-1], vni=WEB.vni + 1, name="other", options=NetworkOptions())  # type: ignore[arg-type]
    from ovsnet.store.interface import Put  # noqa: PLC0415

    await desk.store.commit(desk.state, [Put(other)])
    assert "another IPAM driver" in await refusal(desk, "c1", "--network other", BadRequest)
    assert "does not exist" in await refusal(desk, "c1", "--network nowhere", NotFound)


@pytest.mark.row(26)
async def test_a_network_without_addresses_gives_none(desk: Desk) -> None:
    await desk.with_network(replace(WEB, ipv4=None, ipv6=None, gateway4=None, gateway6=None))
    assert (await desk.attach("c1", "--network web")).addresses == ()


@pytest.mark.row(8, 17)
async def test_what_the_host_refuses_leaves_nothing(desk: Desk) -> None:
    await desk.with_network(WEB)
    desk.refusal = ApplyError("ov", "the host says no")
    await refusal(desk, "c1", "--network web", ApplyError)
    await refusal(desk, "c1", "--bridge lan", ApplyError)
    assert desk.held() == set()


@pytest.mark.row(18)
async def test_detaching_gives_everything_back(desk: Desk) -> None:
    await desk.with_network(WEB)
    await desk.attach("c1", "--network web")
    await desk.attach("c1", "--bridge lan --ifname lan0")
    with pytest.raises(Conflict, match=r"several attached interfaces: eth1, lan0"):
        await desk.attachments.detach("c1")
    with pytest.raises(NotFound, match=r"no attached interface eth7; it has: eth1, lan0"):
        await desk.attachments.detach("c1", "eth7")
    assert await desk.attachments.detach("c1", "eth7", if_exists=True) == []

    await desk.attachments.detach("c1", every=True)

    assert (desk.state.attachments, desk.state.endpoints, desk.held()) == ({}, {}, set())
    with pytest.raises(NotFound, match="it has: none"):
        await desk.attachments.detach("c1", every=True)
    with pytest.raises(NotFound, match="no container 'c9'"):
        await desk.attachments.detach("c9", every=True)
    assert await desk.attachments.detach("c9", every=True, if_exists=True) == []


@pytest.mark.row(27)
async def test_a_container_is_one_by_whatever_it_is_called(desk: Desk) -> None:
    desk.there.start("shop-web-1", service="web")
    made = await desk.attach("web", "--bridge lan")
    assert made.target.name == "shop-web-1"
    assert "already" in await refusal(desk, made.target.id[:12], "--bridge lan --ifname eth1")
    assert "already" in await refusal(desk, "shop-web-1", "--bridge lan --ifname eth1")
    assert len(await desk.attachments.detach(made.target.id[:12], "eth1")) == 1
    desk.there.start("shop-web-2", service="web")
    assert "several containers: shop-web-1, shop-web-2" in await refusal(desk, "web", "--bridge lan")


@pytest.mark.row(27)
async def test_a_name_is_whose_it_is_now_and_also_works_while_the_engine_is_away(desk: Desk) -> None:
    old = await desk.attach("c1", "--bridge lan")
    desk.there.containers["old"] = replace(desk.there.containers.pop("c1"), name="old")
    desk.there.start("c2")
    desk.there.containers["c1"] = replace(desk.there.containers.pop("c2"), name="c1")
    with pytest.raises(NotFound, match="it has: none"):
        await desk.attachments.detach("c1")
    desk.there.away = True
    assert [it.id for it in await desk.attachments.detach("c1")] == [old.id]


@pytest.mark.row(37)
async def test_a_container_in_anothers_namespace_stands_for_that_one(desk: Desk) -> None:
    desk.there.start("c2", network=f"container:{desk.there.containers['c1'].id}")
    assert (await desk.attach("c2", "--bridge lan")).target.name == "c1"


async def test_the_hosts_own_namespace_is_nobodys(desk: Desk) -> None:
    desk.there.start("c3", network="host")
    assert "the host's own network" in await refusal(desk, "c3", "--bridge lan", BadRequest)
    desk.there.births["1"] = "boot"
    assert "the host's own network" in await refusal(desk, "pid:1", "--bridge lan", BadRequest)
    assert "no process 77" in await refusal(desk, "pid:77", "--bridge lan", NotFound)
    assert "no network namespace 'blue' (/run/netns/blue)" in await refusal(
        desk, "netns:blue", "--bridge lan", NotFound
    )
