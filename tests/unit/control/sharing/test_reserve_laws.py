"""Whatever hosts do, in whatever order: no address is given twice, and none is lost."""

import asyncio
from contextlib import suppress
from dataclasses import replace
from ipaddress import IPv4Network

from hypothesis import given, settings
from hypothesis import strategies as st

from ovsnet.model.errors import OvsnetError
from ovsnet.model.ids import IpAddress
from ovsnet.settings import Settings
from tests.unit.control.sharing.member_hosts import NET, Host, Members, members, quiet

SMALL = replace(NET, ipv4=IPv4Network("10.20.0.0/28"))
HOSTS = "abc"

hosts = st.integers(0, len(HOSTS) - 1)
steps = st.one_of(
    st.tuples(st.just("ask"), hosts, st.integers(1, 6)),
    st.tuples(st.just("name"), hosts, st.integers(0, 15)),
    st.tuples(st.just("release"), hosts, st.integers(0, 15)),
    st.tuples(st.just("cut"), hosts, st.just(0)),
    st.tuples(st.just("mend"), hosts, st.just(0)),
    st.tuples(st.just("later"), hosts, st.sampled_from([1, 30, 61, 500])),
    st.tuples(st.just("silence"), hosts, st.booleans()),
)


@settings(max_examples=120, deadline=None)
@given(st.lists(st.lists(steps, min_size=1, max_size=3), max_size=25), st.sampled_from([0, 2, 8]))
def test_no_address_is_given_twice_and_none_is_lost(turns: list[list[tuple[str, int, int]]], reserve: int) -> None:
    asyncio.run(_play(turns, Settings(address_reserve=reserve, attach_deadline=1.0)))


async def _play(turns: list[list[tuple[str, int, int]]], options: Settings) -> None:
    async with members(HOSTS, SMALL, options) as cluster:
        for turn in turns:
            await asyncio.gather(*(_step(cluster, *it) for it in turn))
            _check(cluster)
        for host in cluster.hosts:
            host.contact.mend()
        await quiet()
        for host in cluster.hosts:
            for address in _held(host):
                await host.release(address)
        for host in cluster.hosts:
            await quiet()
            await host.later(1000)
        assert cluster.owners() == {}


async def _step(cluster: Members, what: str, number: int, argument: int) -> None:
    host = cluster[number]
    with suppress(OvsnetError):
        match what:
            case "ask":
                outcomes = await asyncio.gather(*(host.ask() for _ in range(argument)), return_exceptions=True)
                assert not [it for it in outcomes if not isinstance(it, OvsnetError | IpAddress)]
            case "name":
                await host.ask(f"10.20.0.{argument}")
            case "release":
                held = sorted(_held(host), key=int)
                if held:
                    await host.release(held[argument % len(held)])
            case "cut":
                host.contact.cut()
            case "mend":
                host.contact.mend()
            case "later":
                await host.later(argument)
            case _:
                (cluster.net.dead.add if argument else cluster.net.dead.discard)(host.name)


def _check(cluster: Members) -> None:
    seen: set[IpAddress] = set()
    owners = cluster.owners()
    for host in cluster.hosts:
        held = _held(host)
        assert not held & seen
        assert all(owners[str(it)] == host.name for it in held)
        seen |= held


def _held(host: Host) -> set[IpAddress]:
    held = {it.address for it in host.local.snapshot().allocations.values() if it.held}
    return {it for it in held if it != SMALL.gateway4}
