"""Networks of all hosts: making, having and removing them."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

import pytest

from ovsnet.control.commit import Committer
from ovsnet.control.networks import Networks
from ovsnet.control.requests import NetworkRequest, PoolRequest
from ovsnet.ipam.vnis import free_vni
from ovsnet.model.addressing import LOCAL_SPACE, Allocation, AllocationKind, Pool
from ovsnet.model.cluster import Cluster, Member
from ovsnet.model.errors import BadRequest, Conflict, NotFound, OvsnetError, Unavailable
from ovsnet.model.host import Datapath, SwitchFacts
from ovsnet.model.ids import NetworkId, SharedId, Vni, pool_id
from ovsnet.model.network import Mode
from ovsnet.model.state import State
from ovsnet.store.interface import Change, Put
from ovsnet.store.local import LOCAL
from ovsnet.store.memory import MemoryStore
from ovsnet.store.shared import SHARED
from tests.unit.control.sharing.hosts import (
    OTHER,
    REQUEST,
    SHOP,
    A,
    B,
    C,
    Host,
    cluster_store,
    container,
    make_part,
    member,
    pair,
    part_request,
    published,
)


class BrokenStore(MemoryStore[State]):
    """A store of this host that takes nothing."""

    async def commit(self, base: State, changes: Sequence[Change]) -> State:
        raise Unavailable("the store", "it is stopped")


class AwayStore(MemoryStore[Cluster]):
    """A store of the cluster whose members cannot be reached."""

    async def commit(self, base: Cluster, changes: Sequence[Change]) -> Cluster:
        raise Unavailable("the cluster's database", "no voter answers")


# ---------------------------------------------------------------- making


async def test_in_a_cluster_a_network_is_one_of_all_hosts() -> None:
    a, b = pair()
    made = await a.networks.create(REQUEST)
    shared = b.everywhere[SHOP]
    assert (made.shared, made.vni, made.options) == (SHOP, shared.vni, shared.options)
    assert (shared.origin, shared.options.mode, shared.options.mtu) == (A, Mode.OVERLAY, 1450)
    assert (shared.ipv4, shared.ipv6) == (REQUEST.ipv4, REQUEST.ipv6)
    assert (shared.gateway4, shared.gateway6) == (REQUEST.gateway4, REQUEST.gateway6)
    assert shared.name == "", "the engine tells it later"


async def test_a_bridge_network_stays_on_its_host() -> None:
    a, b = pair()
    made = await a.networks.create(replace(REQUEST, options={"mode": "bridge", "vlan": "7"}, space4="LocalDefault"))
    assert (made.shared, made.options.mode, made.options.mtu) == ("", Mode.BRIDGE, 1500)
    assert not b.everywhere


async def test_making_it_again_changes_nothing() -> None:
    a, _ = pair()
    request = replace(REQUEST, options={"vni": "77", "mtu": "1400"})
    first = await a.networks.create(request)
    before = (a.state, a.shared.snapshot())
    assert await a.networks.create(request) == first
    assert (a.state, a.shared.snapshot()) == before


async def test_making_it_again_otherwise_is_refused() -> None:
    a, _ = pair()
    await a.networks.create(REQUEST)
    with pytest.raises(Conflict, match="other settings"):
        await a.networks.create(replace(REQUEST, internal=True))
    assert SHOP in a.everywhere


async def test_ip_range_and_aux_addresses_come_from_the_pools_asked_for_before() -> None:
    a, _ = pair()
    assert REQUEST.ipv4
    sub_range = IPv4Network("10.40.0.128/25")
    pool = Pool(pool_id(LOCAL_SPACE, REQUEST.ipv4, sub_range), LOCAL_SPACE, REQUEST.ipv4, sub_range)
    aux = [Allocation(pool.id, IPv4Address(f"10.40.0.{it}"), AllocationKind.RESERVED) for it in (20, 3)]
    gateway = Allocation(pool.id, IPv4Address("10.40.0.1"), AllocationKind.GATEWAY)
    await a.store.commit(a.state, [Put(pool), *(Put(it) for it in (*aux, gateway))])
    await a.networks.create(REQUEST)
    shared = a.everywhere[SHOP]
    assert (shared.range4, shared.range6) == (sub_range, None)
    assert shared.reserved == (IPv4Address("10.40.0.20"), IPv4Address("10.40.0.3"))


async def test_two_hosts_that_want_overlapping_subnets_at_once_do_not_both_get_them() -> None:
    shared = cluster_store()
    door, gate = Host(A, shared), Host(B, SlowStore(shared))
    wider = replace(OTHER, ipv4=IPv4Network("10.40.0.0/16"))
    late = asyncio.gather(gate.networks.create(wider), return_exceptions=True)
    await asyncio.sleep(0)  # it has decided now, and commits later
    await door.networks.create(REQUEST)
    (refused,) = await late
    assert isinstance(refused, Conflict)
    assert "subnet 10.40.0.0/16 overlaps 10.40.0.0/24 of network 515151515151, made on host a" in str(refused)
    assert list(shared.snapshot().networks) == [SHOP]
    assert not gate.state.networks


class SlowStore(MemoryStore[Cluster]):
    """Another host's view of the same store: it commits a moment later than it decided."""

    def __init__(self, store: MemoryStore[Cluster]) -> None:
        self._store = store

    def snapshot(self) -> Cluster:
        return self._store.snapshot()

    async def commit(self, base: Cluster, changes: Sequence[Change]) -> Cluster:
        for _ in range(10):
            await asyncio.sleep(0)
        return await self._store.commit(base, changes)


async def test_one_that_was_made_while_another_waited_its_turn_is_no_left_over() -> None:
    """The second has looked at its host before the first was there, and decides after that."""
    a = Host(A, SlowStore(cluster_store()))
    await asyncio.gather(a.networks.create(REQUEST), a.networks.create(OTHER))
    assert set(a.everywhere) == {SHOP, SharedId(OTHER.id)}


async def test_an_overlap_in_ipv6_alone_is_refused_too() -> None:
    a, b = pair()
    await a.networks.create(REQUEST)
    six = replace(OTHER, ipv6=IPv6Network("fd00:40::/80"), space6=LOCAL_SPACE)
    with pytest.raises(Conflict, match="subnet fd00:40::/80 overlaps fd00:40::/64"):
        await b.networks.create(six)


async def test_numbers_are_unique_among_all_hosts_and_may_be_chosen() -> None:
    a, b = pair()
    await a.networks.create(replace(OTHER, id=NetworkId("77" * 32), options={"mode": "bridge", "vni": "5001"}))
    await a.networks.create(replace(REQUEST, options={"vni": "5000"}))
    with pytest.raises(Conflict, match=r"vni=5000 is the number of network 515151515151 \(made on host a\)"):
        await b.networks.create(replace(OTHER, options={"vni": "5000"}))
    with pytest.raises(Conflict, match="vni=5000"):
        await b.networks.create(replace(OTHER, options={"vni": "5000", "mode": "bridge"}))
    with pytest.raises(Conflict, match="vni=5001 is the number of network 777777777777"):
        await a.networks.create(replace(OTHER, options={"vni": "5001"}))
    assert (await b.networks.create(replace(OTHER, options={"vni": "5001"}))).vni == 5001


async def test_numbers_of_networks_made_on_two_hosts_are_unique() -> None:
    a, b = pair()
    for number in range(300):
        subnet = IPv4Network((0x0A000000 + number * 16, 28))
        request = NetworkRequest(NetworkId(f"{number:064x}"), ipv4=subnet, space4=LOCAL_SPACE)
        await (a, b)[number % 2].networks.create(request)
    assert len({it.vni for it in a.everywhere.values()}) == 300


@pytest.mark.row(50)
def test_five_thousand_networks_have_unique_numbers_far_above_4094() -> None:
    taken = set[Vni]()
    for number in range(5000):
        taken.add(free_vni(NetworkId(f"{number:064x}"), taken))
    assert len(taken) == 5000
    assert max(taken) > 2**20


# ---------------------------------------------------------------- what it may be


@pytest.mark.row(61)
@pytest.mark.parametrize(
    ("members", "mtu"),
    [
        ((member(A), member(B)), 1450),
        ((member(A, mtu=9000), member(B, mtu=9000)), 8950),
        ((member(A, mtu=9000), member(B)), 1450),
        ((member(A, vtep=IPv6Address("2001:db8::1")), member(B)), 1430),
    ],
)
async def test_the_mtu_is_what_fits_into_the_narrowest_tunnel(members: tuple[Member, ...], mtu: int) -> None:
    a, _ = pair(*members)
    assert (await a.networks.create(REQUEST)).options.mtu == mtu
    assert a.everywhere[SHOP].options.mtu == mtu
    given = replace(OTHER, options={"com.docker.network.driver.mtu": str(mtu)})
    assert (await a.networks.create(given)).options.mtu == mtu
    wider = replace(OTHER, id=NetworkId("73" * 32), ipv4=IPv4Network("10.42.0.0/24"), options={"mtu": str(mtu + 1)})
    with pytest.raises(BadRequest, match=f"mtu={mtu + 1} does not fit: .*use at most {mtu}, or leave mtu out"):
        await a.networks.create(wider)


async def test_an_underlay_too_narrow_for_ipv6_is_told() -> None:
    a, _ = pair(member(A, mtu=1300), member(B))
    with pytest.raises(BadRequest, match="mtu=1250 is too small for IPv6"):
        await a.networks.create(REQUEST)
    assert (await a.networks.create(OTHER)).options.mtu == 1250


@pytest.mark.parametrize(
    "request_",
    [
        replace(REQUEST, space4="LocalDefault"),
        replace(REQUEST, space6="LocalDefault"),
        NetworkRequest(id=NetworkId(SHOP), space4="null"),
    ],
)
async def test_addresses_of_another_ipam_driver_are_refused(request_: NetworkRequest) -> None:
    a, _ = pair()
    with pytest.raises(BadRequest, match="add --ipam-driver ovsnet, or -o mode=bridge"):
        await a.networks.create(request_)
    assert not a.everywhere


async def test_a_vlan_is_refused() -> None:
    a, _ = pair()
    with pytest.raises(BadRequest, match="vlan=30 does not go with mode=overlay"):
        await a.networks.create(replace(REQUEST, options={"vlan": "30"}))


# ---------------------------------------------------------------- half a network


async def test_what_this_host_cannot_keep_is_taken_back_from_the_others() -> None:
    shared = cluster_store()
    a = Host(A, shared, BrokenStore(LOCAL))
    with pytest.raises(Unavailable, match="the store is not available"):
        await a.networks.create(REQUEST)
    assert not shared.snapshot().networks


async def test_what_a_killed_agent_left_half_made_is_not_in_the_way() -> None:
    a, b = pair()
    await a.networks.create(REQUEST)
    fresh = Host(A, a.shared)  # its store never heard of the network
    again = replace(REQUEST, id=NetworkId("99" * 32))
    with pytest.raises(Conflict, match="overlaps"):
        await b.networks.create(again)
    await fresh.networks.create(again)
    assert list(a.everywhere) == [SharedId(again.id)]


async def test_two_networks_that_are_being_made_at_once_leave_each_other_alone() -> None:
    a, _ = pair()
    await asyncio.gather(a.networks.create(REQUEST), a.networks.create(OTHER))
    assert set(a.everywhere) == {SHOP, SharedId(OTHER.id)}


async def test_without_the_cluster_no_network_is_made_and_the_user_reads_what_goes_on() -> None:
    a = Host(A, AwayStore(SHARED, cluster_store().snapshot()))
    with pytest.raises(Unavailable, match="cannot be made or removed now, and running ones go on"):
        await a.networks.create(REQUEST)
    assert not a.state.networks
    assert (await a.networks.create(replace(REQUEST, options={"mode": "bridge"}))).shared == ""


async def test_a_host_that_was_taken_out_of_the_cluster_makes_none() -> None:
    a, _ = pair(member(B), member(C))
    with pytest.raises(Conflict, match="host a is not a member of the cluster any more"):
        await a.networks.create(REQUEST)


async def test_one_that_cannot_lead_out_as_asked_is_seen_by_nobody() -> None:
    a, _ = pair()
    with pytest.raises(BadRequest, match="egress=nat does not go with --internal"):
        await a.networks.create(replace(REQUEST, options={"egress": "nat"}, internal=True))
    with pytest.raises(BadRequest, match="egress=routed does not go with mode=underlay"):
        await a.networks.create(replace(REQUEST, options={"egress": "routed", "mode": "underlay", "vlan": "20"}))
    with pytest.raises(BadRequest, match="domain=shop does not go with egress=docker"):
        await a.networks.create(replace(REQUEST, options={"domain": "shop"}))
    assert not a.everywhere
    made = await a.networks.create(replace(REQUEST, options={"egress": "nat", "domain": "shop"}))
    assert (made.options.egress, made.options.domain) == ("nat", "shop")


# ---------------------------------------------------------------- the other hosts' part


async def test_another_host_takes_everything_from_the_cluster() -> None:
    a, b = pair()
    await a.networks.create(replace(REQUEST, options={"icc": "false", "egress": "none", "vni": "5000"}, internal=True))
    part = await make_part(b, b.everywhere[SHOP], 0xB1)
    (origin,) = a.state.networks.values()
    assert part == replace(origin, id=part.id)
    assert await make_part(b, b.everywhere[SHOP], 0xB1) == part


async def test_a_subnet_that_is_not_the_networks_is_refused() -> None:
    a, b = pair()
    await a.networks.create(REQUEST)
    another = replace(part_request(b.everywhere[SHOP], 0xB1), ipv4=IPv4Network("10.41.0.0/24"))
    asked = PoolRequest(LOCAL_SPACE, b.everywhere[SHOP].ipv6)
    message = r"has the subnet 10\.40\.0\.0/24, not 10\.41\.0\.0/24"
    with b.sharing.parts.expected(b.everywhere[SHOP]):
        b.sharing.parts.given(asked)
        with pytest.raises(BadRequest, match=message):
            await b.networks.create(another)


async def test_a_host_that_cannot_have_its_ports_says_so() -> None:
    a, b = pair()
    await a.networks.create(replace(REQUEST, options={"port": "internal"}))
    b.datapath = Datapath.USERSPACE
    with pytest.raises(BadRequest, match="needs the kernel datapath"):
        await make_part(b, b.everywhere[SHOP], 0xB1)


async def test_a_bridge_network_makes_room_for_the_number_of_a_shared_one() -> None:
    a, b = pair()
    alone = await b.networks.create(replace(OTHER, options={"mode": "bridge", "vni": "5000"}))
    await a.networks.create(replace(REQUEST, options={"vni": "5000"}))
    part = await make_part(b, b.everywhere[SHOP], 0xB1)
    assert part.vni == 5000
    assert b.state.networks[alone.id].vni not in (0, 5000)


async def test_a_part_the_engine_forgot_gives_way_to_the_new_one() -> None:
    a, b = pair()
    await a.networks.create(REQUEST)
    old = await make_part(b, b.everywhere[SHOP], 0xB1)
    await b.store.commit(b.state, [Put(container(1, old))])
    new = await make_part(b, b.everywhere[SHOP], 0xB2)
    assert (list(b.state.networks), list(b.state.endpoints)) == ([new.id], [])


# ---------------------------------------------------------------- removing


async def both() -> tuple[Host, Host]:
    """The network on a, where it was made, and on b."""
    a, b = pair()
    await a.networks.create(REQUEST)
    await make_part(b, b.everywhere[SHOP], 0xB1)
    return a, b


@pytest.mark.parametrize("on_origin", [True, False])
async def test_an_unused_network_goes_from_all_hosts_wherever_it_is_removed(on_origin: bool) -> None:
    a, b = await both()
    here = a if on_origin else b
    (part,) = here.state.networks
    await here.networks.delete(part)
    assert not here.everywhere
    assert not here.state.networks


@pytest.mark.row(6)
@pytest.mark.parametrize("on_origin", [True, False])
async def test_a_network_in_use_elsewhere_stays_and_the_users_are_named(on_origin: bool) -> None:
    a, b = await both()
    here = a if on_origin else b
    rows = [published(1, C, SHOP, "web1", "web"), published(2, C, SHOP)]
    await a.shared.commit(a.shared.snapshot(), [Put(it) for it in rows])
    (part,) = here.state.networks
    with pytest.raises(
        Conflict, match=r"in use on host c \(020202020202, web1\).* is back on this host within seconds"
    ):
        await here.networks.delete(part)
    assert SHOP in here.everywhere
    assert not here.state.networks, "the engine has forgotten it"


async def test_what_this_host_published_of_containers_that_are_gone_is_no_use() -> None:
    a, _ = await both()
    await a.shared.commit(a.shared.snapshot(), [Put(published(1, A, SHOP, "gone"))])
    await a.networks.delete(NetworkId(SHOP))
    assert not a.everywhere
    assert not a.shared.snapshot().endpoints


async def test_without_the_cluster_the_part_goes_and_the_network_stays() -> None:
    a, _ = await both()
    away = Host(A, AwayStore(SHARED, a.shared.snapshot()), a.store)
    with pytest.raises(OvsnetError, match=r"cannot be made or removed now.* is back on this host within seconds"):
        await away.networks.delete(NetworkId(SHOP))
    assert not a.state.networks
    assert SHOP in a.everywhere


async def test_deleting_what_the_cluster_has_forgotten_takes_the_part() -> None:
    _, b = await both()
    await b.sharing.release(SHOP, ())
    (part,) = b.state.networks
    await b.networks.delete(part)
    assert not b.state.networks


@pytest.mark.parametrize("key", ["shop", SHOP, SHOP[:12]])
async def test_a_network_is_removed_by_name_or_id(key: str) -> None:
    a, b = await both()
    await a.shared.commit(a.shared.snapshot(), [Put(replace(a.everywhere[SHOP], name="shop"))])
    assert (await b.networks.remove(key)).id == SHOP
    assert not a.everywhere
    assert a.state.networks, "its agent lets its engine do that"


async def test_removing_by_name_is_refused_while_a_container_anywhere_uses_it() -> None:
    a, b = await both()
    (part,) = b.state.networks.values()
    await b.store.commit(b.state, [Put(container(7, part, name="db"))])
    await a.shared.commit(a.shared.snapshot(), [Put(published(1, C, SHOP, "web1"))])
    with pytest.raises(Conflict, match=r"in use on host b \(db\) and host c \(web1\); stop these containers first"):
        await b.networks.remove(SHOP)
    assert SHOP in a.everywhere


async def test_what_is_no_network_of_the_cluster_is_not_removed() -> None:
    a, _ = await both()
    alone = await a.networks.create(replace(OTHER, options={"mode": "bridge"}))
    with pytest.raises(BadRequest, match="with 'docker network rm'"):
        await a.networks.remove(alone.id)
    with pytest.raises(NotFound, match="is not known in the cluster; 'ovsnet network ls' lists them"):
        await a.networks.remove("nosuch")
    with pytest.raises(NotFound):
        await a.networks.remove("")
    without = Networks(Committer(MemoryStore(LOCAL)), SwitchFacts, lambda: 0.0)
    with pytest.raises(BadRequest, match="with 'docker network rm'"):
        await without.remove("web")


async def test_a_beginning_of_two_ids_names_none() -> None:
    a, _ = await both()
    await a.networks.create(replace(OTHER, id=NetworkId("5151ff")))
    with pytest.raises(NotFound, match="is not the beginning of one network's id only"):
        await a.networks.remove("5151")
