"""Applier: what interfaces have inside, changed while they run: MTU, addresses, routes, rules, shape, whether they heed
routers.

An interface is made with all of it (placement.py); this is for what changes afterwards. Others give addresses to
interfaces in their own namespaces, too: of what is there only what we gave is ever taken away.
"""

import asyncio
import errno
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Final

from ovsnet.linux import interface, shaping
from ovsnet.linux.attempts import NOTHING_INSIDE, attempt, unless_gone
from ovsnet.linux.namespace import run_inside
from ovsnet.linux.netlink import Netlink
from ovsnet.linux.placement import Sandbox, sandbox_at, set_up_ipv6
from ovsnet.linux.sandboxes import is_alive
from ovsnet.model.delta import Delta
from ovsnet.model.errors import ApplyError
from ovsnet.model.host import InsidePlan, Routers, Rule

NO_RULE: Final = frozenset({errno.ENOENT})


class InsideApplier:
    """Believes what it wrote. A fresh one writes everything once more, which changes nothing where it is so already."""

    def __init__(self) -> None:
        self._have: dict[str, InsidePlan] = {}

    def have(self) -> Mapping[str, InsidePlan]:
        """What was written last."""
        return dict(self._have)

    async def resync(self) -> None:
        """There is nothing to read: what others did inside is their business."""

    async def apply(self, delta: Delta[InsidePlan]) -> Sequence[ApplyError]:
        """Write what differs. What is not wanted any more goes with its interface; only rules would stay."""
        gone = [it for name in delta.remove if (it := self._have.pop(name, None)) is not None]
        wanted = [*delta.add.values(), *delta.change.values()]
        async with asyncio.TaskGroup() as tasks:
            leaving = [tasks.create_task(attempt(it.name, _leave(it))) for it in gone]
            settling = [tasks.create_task(attempt(it.name, self._settle(it))) for it in wanted]
        return [error for it in (*leaving, *settling) if (error := it.result()) is not None]

    async def _settle(self, plan: InsidePlan) -> None:
        before = self._have.pop(plan.name, None)
        if before is None or (before.sandbox, before.ifname) != (plan.sandbox, plan.ifname):
            before = InsidePlan(plan.name, plan.sandbox, plan.ifname, mtu=0)
        async with sandbox_at(plan.name, plan.sandbox) as sandbox:
            await _change(sandbox, before, plan)
        self._have[plan.name] = plan


async def _leave(plan: InsidePlan) -> None:
    if plan.rules and is_alive(plan.sandbox):
        async with sandbox_at(plan.name, plan.sandbox) as sandbox:
            await _drop_rules(sandbox.kernel, plan.rules)


async def _drop_rules(kernel: Netlink, rules: Iterable[Rule]) -> None:
    for rule in rules:
        await unless_gone(kernel.drop_rule(rule), NO_RULE)


async def _change(sandbox: Sandbox, before: InsidePlan, plan: InsidePlan) -> None:
    kernel, name = sandbox.kernel, plan.ifname
    await _drop_rules(kernel, [it for it in before.rules if it not in plan.rules])
    for route in reversed(before.routes):
        if route not in plan.routes:
            await unless_gone(kernel.drop_route(name, route), NOTHING_INSIDE)
    for address in before.addresses:
        if address not in plan.addresses:
            await unless_gone(kernel.drop_address(name, address), NOTHING_INSIDE)
    if plan.mtu != before.mtu:
        await kernel.change(name, mtu=plan.mtu)
    if before.mtu and plan.routers is not before.routers and Routers.IGNORED in (before.routers, plan.routers):
        await run_inside(sandbox.namespace, lambda: _end_ipv6(name, plan.routers))
    if plan.routers is not before.routers or any(it.version == 6 for it in plan.addresses):
        await run_inside(sandbox.namespace, lambda: set_up_ipv6(plan))
    await _give(kernel, plan)
    if before.mtu == 0 or (before.shape, before.mtu) != (plan.shape, plan.mtu):
        await shaping.put(kernel, name, plan.shape, plan.mtu)


def _end_ipv6(name: str, routers: Routers) -> None:
    """An interface that begins to heed routers asks for them when IPv6 begins on it; one that ends loses what it had of
    them, with all else of IPv6, which is given again.
    """
    interface.allow_ipv6(name, allowed=False)
    if routers is Routers.IGNORED:
        interface.heed_no_routers(name)


async def _give(kernel: Netlink, plan: InsidePlan) -> None:
    """All of it, as the kernel takes routes away with the address they were reached by."""
    for address in plan.addresses:
        await kernel.add_address(plan.ifname, address)
    for route in plan.routes:
        await kernel.add_route(plan.ifname, route)
    for rule in plan.rules:
        with suppress(FileExistsError):
            await kernel.add_rule(rule)
