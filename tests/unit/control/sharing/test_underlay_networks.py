"""Networks of all hosts without a tunnel: what they need, and what is refused."""

from dataclasses import replace

import pytest

from ovsnet.model.cluster import Cluster, Member
from ovsnet.model.errors import BadRequest, Conflict
from ovsnet.model.network import Mode
from ovsnet.observe.cluster import ClusterFacts, warnings_of
from tests.unit.control.sharing.hosts import OTHER, REQUEST, SHOP, A, B, C, Host, make_part, member, pair

pytestmark = pytest.mark.row(65)

LAN = replace(REQUEST, options={"mode": "underlay", "vlan": "65"})
OTHER_LAN = replace(OTHER, options=LAN.options)
TRUNKED = (member(A, mtu=1450, trunk_mtu=9000), member(B, trunk_mtu=1500), member(C))


def hosts(*members: Member) -> tuple[Host, Host]:
    return pair(*(members or TRUNKED))


async def test_it_is_a_network_of_all_hosts_with_the_mtu_of_the_narrowest_trunk() -> None:
    a, b = hosts()
    made = await a.networks.create(LAN)
    assert (made.options.mode, made.options.vlan, made.options.mtu) == (Mode.UNDERLAY, 65, 1500)
    assert b.everywhere[SHOP].options == made.options
    part = await make_part(b, b.everywhere[SHOP], 1)
    assert (part.shared, part.vni, part.options) == (SHOP, made.vni, made.options)


async def test_making_it_again_changes_nothing() -> None:
    a, _ = hosts()
    first = await a.networks.create(LAN)
    before = (a.state, a.shared.snapshot())
    assert await a.networks.create(LAN) == first
    assert (a.state, a.shared.snapshot()) == before


async def test_an_mtu_that_a_trunk_does_not_take_is_refused() -> None:
    a, _ = hosts()
    with pytest.raises(BadRequest, match="mtu=1501 does not fit: the trunk of host b takes 1500 bytes"):
        await a.networks.create(replace(LAN, options={**LAN.options, "mtu": "1501"}))
    smaller = replace(LAN, options={**LAN.options, "mtu": "1400"})
    assert (await a.networks.create(smaller)).options.mtu == 1400


async def test_without_a_vlan_it_is_refused() -> None:
    a, _ = hosts()
    with pytest.raises(BadRequest, match=r"mode=underlay needs the VLAN.*add -o vlan=N"):
        await a.networks.create(replace(LAN, options={"mode": "underlay"}))
    assert not a.everywhere


async def test_one_vlan_is_one_network_whoever_makes_the_other() -> None:
    a, b = hosts()
    await a.networks.create(LAN)
    with pytest.raises(Conflict, match=r"vlan=65 is that of network \w+, made on host a.*choose another VLAN"):
        await b.networks.create(OTHER_LAN)
    assert list(a.everywhere) == [SHOP]
    await b.networks.create(replace(OTHER_LAN, options={"mode": "underlay", "vlan": "66"}))
    assert len(a.everywhere) == 2


async def test_a_vlan_of_one_hosts_own_network_is_another_matter() -> None:
    a, _ = hosts()
    await a.networks.create(replace(OTHER_LAN, options={"mode": "bridge", "vlan": "65"}, space4="LocalDefault"))
    assert (await a.networks.create(LAN)).options.vlan == 65


async def test_a_host_without_a_trunk_makes_none_and_has_no_part_of_one() -> None:
    a, b = hosts()
    a.no_trunk = b.no_trunk = 'this host has none: name a NIC, like trunk = "eth1"'
    with pytest.raises(BadRequest, match=r"mode=underlay, which needs a trunk on every host, and this host has none"):
        await a.networks.create(LAN)
    assert not a.everywhere
    a.no_trunk = ""
    await a.networks.create(LAN)
    with pytest.raises(BadRequest, match=r"network 515151515151 of the cluster has mode=underlay.*this host has none"):
        await make_part(b, b.everywhere[SHOP], 1)
    assert not b.state.networks
    b.no_trunk = ""
    assert (await make_part(b, b.everywhere[SHOP], 1)).shared == SHOP


async def test_while_members_run_an_older_version_none_is_made() -> None:
    a, _ = hosts()
    a.all_new = False
    with pytest.raises(Conflict, match=r"version of ovsnet that does not know it.*upgrade them first"):
        await a.networks.create(LAN)
    assert not a.everywhere


async def test_the_own_trunk_counts_before_the_cluster_has_heard_of_it() -> None:
    a, _ = hosts(member(A), member(B))
    assert (await a.networks.create(LAN)).options.mtu == 9000
    a.trunk_mtu = 1400
    narrower = replace(OTHER_LAN, options={"mode": "underlay", "vlan": "66"})
    assert (await a.networks.create(narrower)).options.mtu == 1400


async def test_outside_a_cluster_there_is_none() -> None:
    a, _ = hosts()
    a.networks._shared = None  # noqa: SLF001 - as on a host that is in no cluster
    with pytest.raises(BadRequest, match=r"mode=underlay: this host is in no cluster"):
        await a.networks.create(LAN)


async def test_hosts_without_a_trunk_or_with_a_narrower_one_are_told() -> None:
    a, _ = hosts(member(A, trunk_mtu=1500), member(B, trunk_mtu=1500))
    await a.networks.create(LAN)
    (network,) = a.everywhere.values()
    later = Cluster(
        members={it.name: it for it in (member(A, trunk_mtu=1500), member(B, trunk_mtu=1400), member(C))},
        networks={SHOP: replace(network, name="lan")},
    )
    told = list(warnings_of(ClusterFacts(me=A, cluster=later, available=True)))
    narrow, without = told
    assert narrow == (
        "Network lan has an MTU of 1500 bytes and the trunk of host b has room for 1400: larger packets to it are "
        "lost. Raise the MTU of its interface to 1500, or make the network anew."
    )
    assert without == (
        "Host c has no trunk, which network lan needs: no container there can be on it. "
        "'ovsnet status' there says what to do."
    )
