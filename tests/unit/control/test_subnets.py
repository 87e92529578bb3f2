"""Subnets on a host of a cluster: what they may not overlap."""

from dataclasses import replace
from ipaddress import IPv4Network, IPv6Network, ip_network

import pytest

from ovsnet.control.requests import PoolRequest
from ovsnet.model.errors import Conflict
from ovsnet.model.ids import SharedId, Vni
from ovsnet.settings import Settings
from tests.unit.control.sharing.member_hosts import DUAL, NET, members

SPACE = "ovsnet-local"


@pytest.mark.parametrize("subnet", ["10.20.0.0/24", "10.20.0.128/25", "10.0.0.0/8"])
async def test_a_subnet_of_the_cluster_is_refused_with_network_and_host(subnet: str) -> None:
    async with members() as hosts:
        asked = PoolRequest(SPACE, ip_network(subnet))
        message = r"overlaps 10\.20\.0\.0/24 of network web, .* \(made on host a\); use that network, or choose another"
        for host in hosts.hosts:
            with pytest.raises(Conflict, match=message):
                await host.addresses.request_pool(asked)


async def test_an_ipv6_subnet_of_the_cluster_is_refused_too() -> None:
    async with members(network=DUAL) as hosts:
        with pytest.raises(Conflict, match="network web"):
            await hosts[1].addresses.request_pool(PoolRequest(SPACE, IPv6Network("fd00:20::/48"), v6=True))


async def test_a_subnet_is_for_the_part_that_is_just_made_and_for_nobody_else() -> None:
    async with members() as hosts:
        network = replace(NET, id=SharedId("b2" * 32), vni=Vni(8), ipv4=IPv4Network("10.30.0.0/24"), name="db")
        await hosts.put(network)
        wanted = PoolRequest(SPACE, IPv4Network("10.30.0.0/24"))
        with hosts[1].shared.parts.expected(network):
            with pytest.raises(Conflict, match="network db"):
                await hosts[1].addresses.request_pool(replace(wanted, sub_range=IPv4Network("10.30.0.0/25")))
            with pytest.raises(Conflict, match="network web"):
                await hosts[1].addresses.request_pool(replace(wanted, subnet=NET.ipv4))
            assert (await hosts[1].addresses.request_pool(wanted)).subnet == wanted.subnet
        with pytest.raises(Conflict, match="network db"):
            await hosts[1].addresses.request_pool(wanted)


async def test_what_another_host_reaches_is_refused_to_nobody_who_asks_for_it() -> None:
    async with members() as hosts:
        other = hosts.store.snapshot().members[hosts[1].name]
        await hosts.put(replace(other, subnets=(ip_network("10.50.0.0/16"),)))
        wanted = PoolRequest(SPACE, ip_network("10.50.1.0/24"))
        assert (await hosts[0].addresses.request_pool(wanted)).subnet == wanted.subnet


async def test_an_automatic_subnet_overlaps_nothing_on_any_host() -> None:
    shared = replace(NET, ipv4=IPv4Network("10.192.0.0/24"), gateway4=None)
    settings = Settings(pools_v4=("10.192.0.0/22",), pool_prefix_v4=24)
    async with members(network=shared, settings=settings) as hosts:
        other = hosts.store.snapshot().members[hosts[1].name]
        await hosts.put(replace(other, subnets=(ip_network("10.192.1.0/24"),)))
        hosts[0].routes = (ip_network("10.192.2.0/25"),)
        assert str((await hosts[0].addresses.request_pool(PoolRequest(SPACE))).subnet) == "10.192.3.0/24"
        with pytest.raises(Conflict, match="no free /24 subnet"):
            await hosts[0].addresses.request_pool(PoolRequest(SPACE))


async def test_pools_of_this_host_alone_go_on_as_without_a_cluster() -> None:
    async with members() as hosts:
        pool = await hosts[0].addresses.request_pool(PoolRequest(SPACE, IPv4Network("10.60.0.0/24")))
        hosts[0].pools[4] = pool
        hosts[0].contact.cut()
        assert str(await hosts[0].ask()) == "10.60.0.1"
        assert str(await hosts[0].ask("10.60.0.9")) == "10.60.0.9"
        assert hosts.owners() == {}
