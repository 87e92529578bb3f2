"""Networks with mode=uplink: what they may be, and what keeps their uplink."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Network

import pytest

from ovsnet.control.commit import Committer
from ovsnet.control.endpoints import Beside, Endpoints
from ovsnet.control.networks import Networks
from ovsnet.control.requests import EndpointRequest, NetworkRequest
from ovsnet.model.addressing import LOCAL_SPACE, AllocationKind, Pool
from ovsnet.model.errors import BadRequest, Conflict
from ovsnet.model.host import Datapath, SwitchFacts
from ovsnet.model.ids import EndpointId, NetworkId, pool_id
from ovsnet.model.network import Egress
from ovsnet.model.state import State
from ovsnet.model.uplink import Hold, HostAddress, Phase, Uplink
from ovsnet.plan.uplinks import plan_of
from ovsnet.store.interface import Drop, Put
from ovsnet.store.local import LOCAL
from ovsnet.store.memory import MemoryStore
from tests.fakes.slowstore import SlowStore
from tests.unit.control.test_uplinks import World
from tests.unit.plan.test_uplinks import ETH0

pytestmark = pytest.mark.row(47)

WORDS = {"mode": "uplink", "uplink": "eth0"}
BARE = NetworkRequest(id=NetworkId("c3" * 32), options=WORDS)
SUBNET = IPv4Network("192.0.2.0/24")
STATIC = replace(BARE, ipv4=SUBNET, gateway4=IPv4Address("192.0.2.1"), space4=LOCAL_SPACE)
POOL = Pool(pool_id(LOCAL_SPACE, SUBNET, None), LOCAL_SPACE, SUBNET)
WITH_UPLINK = State(uplinks={"eth0": ETH0}, pools={POOL.id: POOL})


class Ready:
    """A reconciler that is done at once."""

    async def settled(self, revision: int, resources: Sequence[str], deadline: float) -> None: ...

    def reachable(self) -> bool:
        return True


def networks(start: State = WITH_UPLINK, datapath: Datapath = ETH0.datapath) -> tuple[Networks, Committer[State]]:
    committer = Committer(MemoryStore(LOCAL, start))
    return Networks(committer, lambda: SwitchFacts(datapath=datapath), lambda: 1000.0), committer


async def test_its_way_out_is_the_router_and_its_mtu_that_of_the_nic() -> None:
    door, committer = networks()
    made = await door.create(STATIC)
    assert made.options.egress is Egress.LAN
    assert made.options.mtu == ETH0.settings.mtu
    assert await door.create(STATIC) == made
    assert committer.snapshot().networks[made.id] == made


async def test_the_hosts_own_addresses_are_not_for_containers() -> None:
    door, committer = networks()
    await door.create(STATIC)
    (held,) = committer.snapshot().allocations.values()
    assert (held.address, held.kind) == (ETH0.addresses[0].address.ip, AllocationKind.RESERVED)


async def test_the_container_is_told_of_the_router_and_stays_out_of_the_gateway_bridge() -> None:
    door, committer = networks()
    await door.create(STATIC)
    endpoints = Endpoints(committer, Ready(), clock=lambda: 1.0, new_prefix=lambda: "0a:00:00", deadline=1.0)
    own = IPv4Interface("192.0.2.9/24")
    made = await endpoints.create(EndpointRequest(EndpointId("1" * 64), STATIC.id, ipv4=own))
    joined = await endpoints.join(STATIC.id, made.id, "/run/1")
    assert (joined.gateway4, joined.gateway6, joined.publishes) == (STATIC.gateway4, None, False)
    assert not joined.no_gateway_bridge, "the engine makes none where there is a gateway"
    with pytest.raises(BadRequest, match="VLAN of its own"):
        await endpoints.create(EndpointRequest(EndpointId("2" * 64), STATIC.id, options={"vlan": "7"}))


async def test_leases_are_given_back_before_the_port_goes() -> None:
    door, committer = networks()
    await door.create(replace(BARE, options={**WORDS, "dhcp": "v4"}))
    plugged: list[bool] = []

    async def give_back(ids: object) -> None:
        plugged.extend(it.plugged for it in committer.snapshot().endpoints.values())

    host = Ready()
    endpoints = Endpoints(
        committer,
        host,
        clock=lambda: 1.0,
        new_prefix=lambda: "0a:00:00",
        deadline=1.0,
        beside=Beside(give_back=give_back),
    )
    made = await endpoints.create(EndpointRequest(EndpointId("1" * 64), BARE.id))
    await endpoints.leave(BARE.id, made.id)
    await endpoints.leave(BARE.id, EndpointId("2" * 64))
    assert plugged == [True]
    assert not committer.snapshot().endpoints[made.id].plugged


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"uplink": ""}, "uplink='' is no name of an interface"),
        ({"uplink": "eth1"}, "eth1 is no uplink of this host yet: 'ovsnet uplink add eth1' makes it one"),
        ({"icc": "false"}, "icc=false does not go with mode=uplink"),
        ({"egress": "docker"}, "the LAN's router is the way out"),
        ({"egress": "none", "slaac": "true"}, "egress=none does not go with dhcp and slaac"),
        ({"dhcp": "v5"}, "use one of: v4, v6, both"),
        ({"mtu": "9000"}, "mtu=9000 does not fit: eth0 has room for 1500"),
        ({"mode": "bridge"}, "uplink=eth0 goes with mode=uplink only, and this one has mode=bridge"),
    ],
)
async def test_what_cannot_be_is_refused(options: dict[str, str], words: str) -> None:
    door, committer = networks()
    with pytest.raises((BadRequest, Conflict), match=words):
        await door.create(replace(BARE, options=WORDS | options))
    assert committer.snapshot() == WITH_UPLINK


async def test_addresses_come_from_one_place() -> None:
    door, _ = networks()
    with pytest.raises(BadRequest, match="IPv4 addresses come either from --subnet or from the LAN"):
        await door.create(replace(STATIC, options={**WORDS, "dhcp": "both"}))
    with pytest.raises(BadRequest, match="IPv6 addresses come either"):
        await door.create(replace(BARE, ipv6=IPv6Network("2001:db8::/64"), options={**WORDS, "slaac": "true"}))
    assert (await door.create(replace(STATIC, options={**WORDS, "slaac": "true"}))).options.slaac


async def test_a_nic_alone_and_an_internal_lan_are_refused() -> None:
    door, _ = networks()
    with pytest.raises(BadRequest, match="needs the NIC"):
        await door.create(replace(BARE, options={"mode": "uplink"}))
    with pytest.raises(BadRequest, match="--internal"):
        await door.create(replace(BARE, internal=True))


async def test_one_vlan_of_an_uplink_is_one_network() -> None:
    door, _ = networks()
    await door.create(BARE)
    for vlan in ("20", "30"):
        await door.create(replace(BARE, id=NetworkId(vlan * 32), options={**WORDS, "vlan": vlan}))
    with pytest.raises(Conflict, match="network 202020202020 is in VLAN 20 of eth0 already"):
        await door.create(replace(BARE, id=NetworkId("d4" * 32), options={**WORDS, "vlan": "20"}))


async def test_a_bridge_of_another_datapath_or_one_that_is_being_moved_is_refused() -> None:
    door, _ = networks(datapath=Datapath.KERNEL)
    with pytest.raises(Conflict, match="between which no packet passes"):
        await door.create(BARE)
    door, _ = networks(State(uplinks={"eth0": replace(ETH0, phase=Phase.LEAVING)}))
    with pytest.raises(Conflict, match="is being moved right now"):
        await door.create(BARE)


async def test_an_uplink_with_networks_stays() -> None:
    door, committer = networks()
    made = await door.create(BARE)
    world = World(ETH0)
    world.store = MemoryStore(LOCAL, committer.snapshot())
    world.uplinks = type(world.uplinks)(Committer(world.store), world, world, world, lambda: 1.0)
    with pytest.raises(Conflict, match=f"eth0 is the uplink of the networks {made.title}; 'docker network rm'"):
        await world.uplinks.remove("eth0")


def slow(*known: Uplink) -> tuple[World, Networks]:
    world = World()
    world.store = SlowStore(LOCAL, State(uplinks={it.nic: it for it in known}, pools={POOL.id: POOL}))
    committer = Committer(world.store)
    world.uplinks = type(world.uplinks)(committer, world, world, world, lambda: 1.0)
    return world, Networks(committer, lambda: SwitchFacts(datapath=ETH0.datapath), lambda: 1000.0)


async def test_a_network_of_an_uplink_that_went_meanwhile_is_refused() -> None:
    world, door = slow(ETH0)
    committer = world.uplinks._committer  # noqa: SLF001 - the very one: its lock is what is waited for
    leaving = committer.commit(lambda _: ([Drop(ETH0)], None))
    _, refused = await asyncio.gather(leaving, door.create(BARE), return_exceptions=True)
    assert isinstance(refused, Conflict)
    assert world.store.snapshot().networks == {}


@pytest.mark.parametrize("hold", [Hold.OWN, Hold.NOTED])
async def test_an_uplink_stays_when_a_network_came_meanwhile(hold: Hold) -> None:
    uplink = replace(ETH0, hold=hold)
    world, door = slow(uplink)
    made, refused = await asyncio.gather(door.create(BARE), world.uplinks.remove("eth0"), return_exceptions=True)
    assert isinstance(refused, Conflict)
    assert made in world.store.snapshot().networks.values()
    assert (world.known, world.moves) == ({"eth0": uplink}, [])


async def test_an_address_that_the_host_gets_later_is_not_for_containers_either() -> None:
    world, door = slow(ETH0)
    await door.create(STATIC)
    later = HostAddress(IPv4Interface("192.0.2.99/24"))
    world.uplinks.note(plan_of(ETH0, moved=True), (later,), ETH0.routes, "this boot")
    await world.uplinks._keep_record()  # noqa: SLF001 - one look of the task
    held = {it.address for it in world.store.snapshot().allocations.values() if it.kind is AllocationKind.RESERVED}
    assert held == {ETH0.addresses[0].address.ip, later.address.ip}


async def test_what_is_recorded_does_not_bring_back_an_uplink_that_goes() -> None:
    world, _ = slow(ETH0)
    world.uplinks.note(plan_of(ETH0, moved=True), (), ETH0.routes, "this boot")
    going = world.uplinks._committer.commit(lambda _: ([Put(replace(ETH0, phase=Phase.LEAVING))], None))  # noqa: SLF001
    await asyncio.gather(going, world.uplinks._keep_record())  # noqa: SLF001
    assert world.known["eth0"].phase is Phase.LEAVING
