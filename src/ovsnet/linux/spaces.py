"""Address spaces whose gateways are on this host: the routing table of each, and who is routed by it.

    ip rule: mark of the space ─► its table ─► 10.20.0.0/24 dev ovgw…     what is not in it: the host's usual one

The rules about packets (spacerules.py) see to the marks. Routes come with a gateway's addresses (placement.py), and are
put back here.
"""

import asyncio
from collections.abc import Collection, Iterable, Mapping
from ipaddress import ip_network

from ovsnet.linux import interface
from ovsnet.linux.attempts import unless_gone
from ovsnet.linux.hostlists import ways
from ovsnet.linux.insides import NO_RULE
from ovsnet.linux.namespace import list_links
from ovsnet.linux.netlink import Netlink
from ovsnet.model.egress import Passage
from ovsnet.model.host import Route, Rule
from ovsnet.model.ids import IpNetwork
from ovsnet.model.spaces import FIRST, MARKED, is_ours, mark_of, table_of

REFLECTED = ("ipv4/fwmark_reflect", "ipv6/fwmark_reflect")
"""What the kernel itself says of a packet (ICMP errors) has the packet's mark, so it goes to whoever has sent it."""
Way = tuple[str, IpNetwork]
"""The interface, and the subnet that is on it."""


async def some_there() -> bool:
    """Whether anything of ours is there."""
    async with Netlink() as kernel:
        return bool(await _rules(kernel))


async def there(passages: Iterable[Passage]) -> bool:
    """Whether all is as it must be, as far as the gateways' interfaces are there."""
    apart = [it for it in passages if it.space]
    if not all(interface.checks_sources_by_mark(it.device) for it in apart):
        return False
    if apart and any(interface.setting(it) == "0" for it in REFLECTED):
        return False
    async with Netlink() as kernel:
        return await _rules(kernel) == _wanted(apart) and not await _missing(apart)


async def put(passages: Iterable[Passage]) -> None:
    """Make it so; OSError when something is refused."""
    apart = [it for it in passages if it.space]
    for it in apart:
        interface.check_sources_by_mark(it.device)
    for path in REFLECTED if apart else ():
        interface.set_setting(path, "1")
    async with Netlink() as kernel:
        have, want = await _rules(kernel), _wanted(apart)
        for rule in have - want:
            await unless_gone(kernel.drop_rule(rule), NO_RULE)
        for rule in want - have:
            await kernel.add_rule(rule)
        for (device, subnet), table in (await _missing(apart)).items():
            await unless_gone(kernel.add_route(device, Route(subnet, table=table)))


def _wanted(apart: Collection[Passage]) -> frozenset[Rule]:
    return frozenset(
        Rule(subnet.version, table_of(it.space), mark=mark_of(it.space), mask=MARKED, priority=FIRST)
        for it in apart
        for subnet in it.subnets
    )


async def _rules(kernel: Netlink) -> frozenset[Rule]:
    return frozenset([it async for it in kernel.rules() if is_ours(it.table)])


async def _missing(apart: Collection[Passage]) -> Mapping[Way, int]:
    """The table of each route that is not there, although its interface is."""
    if not apart:
        return {}
    indexes = {it.name: it.index for it in list_links()}
    have = await asyncio.to_thread(_led)
    return {
        (it.device, subnet): table_of(it.space)
        for it in apart
        for subnet in it.subnets
        if it.device in indexes and (indexes[it.device], table_of(it.space), subnet) not in have
    }


def _led() -> frozenset[tuple[int, int, IpNetwork]]:
    """Interface, table and destination of the routes of all spaces."""
    return frozenset((it.index, it.table, ip_network(it.subnet)) for it in ways() if is_ours(it.table))
