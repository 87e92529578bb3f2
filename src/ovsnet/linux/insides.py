"""Applier: what interfaces have inside, changed while they run: MTU, addresses, routes, rules, shape, whether they heed
routers.

An interface is made with all of it (placement.py); this is for what changes afterwards. Others give addresses to
interfaces in their own namespaces, too: of what is there only what we gave is ever taken away. What we may have given
is remembered until that is certain, also by the next process (journal.py).
"""

import asyncio
import errno
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import astuple, replace
from ipaddress import ip_address, ip_interface, ip_network
from typing import Any, Final, TypeVar

from ovsnet.linux import interface, shaping
from ovsnet.linux.attempts import NOTHING_INSIDE, attempt, unless_gone
from ovsnet.linux.journal import Journal
from ovsnet.linux.namespace import run_inside
from ovsnet.linux.netlink import Netlink
from ovsnet.linux.placement import Sandbox, sandbox_at, set_up_ipv6
from ovsnet.linux.sandboxes import is_alive
from ovsnet.model.delta import Delta
from ovsnet.model.errors import ApplyError, BadRequest
from ovsnet.model.host import InsidePlan, Route, Routers, Rule
from ovsnet.model.routing import parse_rule, rule_words
from ovsnet.model.shaping import UNSHAPED, Shape

T = TypeVar("T")

NO_RULE: Final = frozenset({errno.ENOENT})


UNSURE: Final = 0
"""Reported as the MTU where not all was written, so that it differs from whatever is wanted."""


class InsideApplier:
    """Believes what it wrote. A fresh one writes everything once more, which changes nothing where it is so already."""

    def __init__(self, journal: Journal | None = None) -> None:
        self._journal = journal or Journal()
        self._have: dict[str, InsidePlan] = {}
        # Plans each of which may be in force, in parts.
        self._begun = {key: it for key, note in self._journal.read() if (it := _recalled(key, note))}

    def have(self) -> Mapping[str, InsidePlan]:
        """What was written last, and what was begun."""
        begun = {name: replace(plans[-1], mtu=UNSURE) for name, plans in self._begun.items()}
        return {**begun, **self._have}

    async def resync(self) -> None:
        """There is nothing to read: what others did inside is their business."""

    async def apply(self, delta: Delta[InsidePlan]) -> Sequence[ApplyError]:
        """Write what differs. What is not wanted any more goes with its interface; but rules would stay, and a bound
        where only that is taken back.
        """
        wanted = [*delta.add.values(), *delta.change.values()]
        async with asyncio.TaskGroup() as tasks:
            leaving = [tasks.create_task(attempt(name, self._leave(name))) for name in delta.remove]
            settling = [tasks.create_task(attempt(it.name, self._settle(it))) for it in wanted]
        return [error for it in (*leaving, *settling) if (error := it.result()) is not None]

    async def _settle(self, plan: InsidePlan) -> None:
        sure = plan.name in self._have
        place = (plan.sandbox, plan.ifname)
        before = [it for it in self._given(plan.name) if (it.sandbox, it.ifname) == place]
        self._begin(plan.name, (*before, plan))
        async with sandbox_at(plan.name, plan.sandbox) as sandbox:
            await _change(sandbox, before, plan, anew=not (sure and before))
        self._journal.note(plan.name, _noted([plan]))
        self._have[plan.name] = plan
        del self._begun[plan.name]

    async def _leave(self, name: str) -> None:
        given = self._given(name)
        self._begin(name, given)
        for plan in (it for it in given if is_alive(it.sandbox) and (it.rules or it.shape != UNSHAPED)):
            async with sandbox_at(name, plan.sandbox) as sandbox:
                await _drop_rules(sandbox.kernel, plan.rules)
                await unless_gone(shaping.put(sandbox.kernel, plan.ifname, UNSHAPED, plan.mtu))
        del self._begun[name]
        self._journal.strike(name)

    def _given(self, name: str) -> tuple[InsidePlan, ...]:
        return (self._have[name],) if name in self._have else self._begun.get(name, ())

    def _begin(self, name: str, plans: tuple[InsidePlan, ...]) -> None:
        """From now on nothing is certain but that it is of these."""
        self._have.pop(name, None)
        self._begun[name] = tuple(dict.fromkeys(plans))
        self._journal.note(name, _noted(self._begun[name]))


def _noted(plans: Iterable[InsidePlan]) -> Sequence[Mapping[str, Any]]:
    """What we would have to take away. What an interface has once is written anew in any case."""
    return [
        {
            "sandbox": it.sandbox,
            "ifname": it.ifname,
            "addresses": [str(address) for address in it.addresses],
            "routes": [(str(one.destination), str(one.gateway or ""), one.table) for one in it.routes],
            "rules": [rule_words(rule) for rule in it.rules],
            "routers": it.routers,
            "shape": astuple(it.shape),
        }
        for it in plans
    ]


def _recalled(name: str, note: Sequence[Mapping[str, Any]]) -> tuple[InsidePlan, ...]:
    """None of what is no such note."""
    try:
        return tuple(
            InsidePlan(
                name,
                it["sandbox"],
                it["ifname"],
                mtu=UNSURE,
                addresses=tuple(map(ip_interface, it["addresses"])),
                routes=tuple(
                    Route(ip_network(to), ip_address(by) if by else None, table) for to, by, table in it["routes"]
                ),
                rules=tuple(map(parse_rule, it["rules"])),
                routers=Routers(it["routers"]),
                shape=Shape(*it["shape"]),
            )
            for it in note
        )
    except (KeyError, TypeError, ValueError, BadRequest):
        return ()


async def _drop_rules(kernel: Netlink, rules: Iterable[Rule], but: Collection[Rule] = ()) -> None:
    for rule in rules:
        if rule not in but:
            await unless_gone(kernel.drop_rule(rule), NO_RULE)


def _of_all(several: Iterable[Iterable[T]]) -> Sequence[T]:
    """Each once, in their order."""
    return list(dict.fromkeys(one for it in several for one in it))


async def _change(sandbox: Sandbox, before: Sequence[InsidePlan], plan: InsidePlan, *, anew: bool) -> None:
    """From what may be in force; `anew`: whatever that is."""
    kernel, name = sandbox.kernel, plan.ifname
    await _drop_rules(kernel, _of_all(it.rules for it in before), but=plan.rules)
    for route in reversed(_of_all(it.routes for it in before)):
        if route not in plan.routes:
            await unless_gone(kernel.drop_route(name, route), NOTHING_INSIDE)
    for address in _of_all(it.addresses for it in before):
        if address not in plan.addresses:
            await unless_gone(kernel.drop_address(name, address), NOTHING_INSIDE)
    if anew or any(it.mtu != plan.mtu for it in before):
        await kernel.change(name, mtu=plan.mtu)
    others = {it.routers for it in before} - {plan.routers}
    if others and Routers.IGNORED in (*others, plan.routers):
        await run_inside(sandbox.namespace, lambda: _end_ipv6(name, plan.routers))
    heeds = anew and plan.routers is not Routers.IGNORED
    if others or heeds or any(it.version == 6 for it in plan.addresses):
        await run_inside(sandbox.namespace, lambda: set_up_ipv6(plan))
    await _give(kernel, plan)
    if anew or any((it.shape, it.mtu) != (plan.shape, plan.mtu) for it in before):
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
