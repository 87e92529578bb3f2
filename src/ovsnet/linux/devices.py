"""Applier: attached interfaces that are no port of a switch: dummies, macvlans, ipvlans, and NICs of the host.

    dummy, macvlan, ipvlan   made inside ─► the rest ─► marked
    NIC                      marked, with the name it has here ─► moved inside ─► the rest
                             back: moved here, or the kernel has done so when its namespace ended ─► its old name

Made ones go with their namespace. A NIC comes back from one that ends under the name it had inside, a moment later; its
mark says what it was called. What was begun and not finished is finished, or taken away when nobody wants it any more,
by this process or the next one (journal.py).
"""

import asyncio
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Final

from ovsnet.linux.attempts import attempt
from ovsnet.linux.journal import Journal
from ovsnet.linux.linkmessage import Link
from ovsnet.linux.namespace import links_inside, list_links
from ovsnet.linux.netlink import Netlink
from ovsnet.linux.ownership import HALF_MADE, NO_GROUP
from ovsnet.linux.placement import Sandbox, name_taken_inside, sandbox_at
from ovsnet.linux.sandboxes import OWN, is_alive
from ovsnet.model.delta import Delta
from ovsnet.model.errors import ApplyError
from ovsnet.model.host import DevicePlan, Medium, Placement

NIC_MARK: Final = "ovsnet-nic "
MODES: Final[Mapping[Medium, Mapping[str, str | int]]] = {
    Medium.DUMMY: {},
    Medium.MACVLAN: {"macvlan_mode": "bridge"},
    Medium.IPVLAN: {"ipvlan_mode": 0},
}
"""Those on one NIC reach each other; ipvlan works at layer 2, so that a NIC's neighbours find it by ARP."""


@dataclass(frozen=True, slots=True)
class NicMark:
    """The alias of a NIC that is somebody's: of which plan, what it is called here, and the alias it had."""

    plan: str
    name: str
    alias: str = ""

    def __str__(self) -> str:
        return f"{NIC_MARK}{self.plan} {self.name} {self.alias}".rstrip()

    @classmethod
    def read(cls, link: Link) -> "NicMark | None":
        """None for a link that is not marked so."""
        if not link.alias.startswith(NIC_MARK):
            return None
        plan, name, alias = [*link.alias.removeprefix(NIC_MARK).split(" ", 2), "", ""][:3]
        return cls(plan, name, alias)


class DeviceApplier:
    """Believes what it wrote, and looks whether it is still there when it is asked to. `known`: what is said to be
    there. What an earlier process noted in the journal is finished once more.
    """

    def __init__(self, known: Mapping[str, DevicePlan] | None = None, journal: Journal | None = None) -> None:
        self._have = dict(known or {})
        self._journal = journal or Journal()
        noted = ((key, _recalled(key, note)) for key, note in self._journal.read())
        self._begun = {key: it for key, it in noted if it is not None and key not in self._have}

    def have(self) -> Mapping[str, DevicePlan]:
        """What was written, NICs that came back and have another name yet, and what was begun: as if it were nowhere,
        so that it differs from what is wanted.
        """
        return {**{name: replace(it, sandbox="") for name, it in self._begun.items()}, **self._have}

    async def resync(self) -> None:
        """Forget what is gone, and find NICs of ours that have come back."""
        for plan in [*self._have.values()]:
            if plan.medium is not Medium.NIC and await _inside(plan) is None:
                del self._have[plan.name]
        for link in list_links():
            mark = NicMark.read(link)
            if mark is not None:
                self._have[mark.plan] = DevicePlan(mark.plan, Medium.NIC, mark.name)

    async def apply(self, delta: Delta[DevicePlan]) -> Sequence[ApplyError]:
        """First what goes, as a NIC may go from one container to another."""
        async with asyncio.TaskGroup() as tasks:
            going = [tasks.create_task(attempt(it, self._end(self._known(it)))) for it in delta.remove]
        wanted = [*delta.add.values(), *delta.change.values()]
        async with asyncio.TaskGroup() as tasks:
            coming = [tasks.create_task(attempt(it.name, self._settle(it))) for it in wanted]
        return [error for it in (*going, *coming) if (error := it.result()) is not None]

    def _known(self, name: str) -> DevicePlan:
        return self._have[name] if name in self._have else self._begun[name]

    async def _settle(self, plan: DevicePlan) -> None:
        before = self._have.get(plan.name) or self._begun.get(plan.name)
        if before is not None and before.sandbox != plan.sandbox:
            await self._end(before)
        async with sandbox_at(plan.name, plan.sandbox) as sandbox:
            link = await _inside(plan)
            if plan.medium is Medium.NIC and link is None:
                _must(plan)  # before it is noted: without one nothing was begun
            self._have.pop(plan.name, None)
            self._begun[plan.name] = plan
            self._journal.note(plan.name, _noted(plan))
            if link is not None and link.group != HALF_MADE:
                await sandbox.finish(plan.place, link.alias, link.mtu)  # of a NIC only that tells whether it was
            elif plan.medium is Medium.NIC:
                await _move_inside(sandbox, plan)
            else:
                await _make(sandbox, plan, link)
        self._have[plan.name] = self._begun.pop(plan.name)

    async def _end(self, plan: DevicePlan) -> None:
        link = await _inside(plan)
        if link is not None and plan.name in self._have:  # it may stay after all, and be no more what it was
            self._begun[plan.name] = self._have.pop(plan.name)
        if plan.medium is Medium.NIC:
            await _bring_home(plan, link)
        elif link is not None:
            async with sandbox_at(plan.name, plan.sandbox) as sandbox:
                await sandbox.kernel.delete_there(link.index)
        self._have.pop(plan.name, None)
        self._begun.pop(plan.name, None)
        self._journal.strike(plan.name)


def _noted(plan: DevicePlan) -> Mapping[str, str]:
    """All that is needed to find it and to take it away."""
    return {
        "medium": plan.medium,
        "nic": plan.nic,
        "sandbox": plan.sandbox,
        "alias": plan.alias,
        "ifname": plan.ifname,
    }


def _recalled(name: str, note: Mapping[str, str]) -> DevicePlan | None:
    """None of what is no such note."""
    try:
        place = Placement(note["sandbox"], note["ifname"], ())
        medium = Medium(note["medium"])
        return DevicePlan(name, medium, note["nic"], note["sandbox"], note["alias"], place=place)
    except (KeyError, TypeError, ValueError):
        return None


async def _inside(plan: DevicePlan) -> Link | None:
    """The interface where it belongs: with its mark, or half made."""
    if not plan.sandbox or not is_alive(plan.sandbox):
        return None
    links = await links_inside(plan.sandbox)
    half = (it for it in links if it.group == HALF_MADE and it.name == plan.ifname)
    return next((it for it in links if _is_of(it, plan)), None) or next(half, None)


def _is_of(link: Link, plan: DevicePlan) -> bool:
    mark = NicMark.read(link)
    return link.alias == plan.alias if mark is None else mark.plan == plan.name


# ---------------------------------------------------------------- made ones


async def _make(sandbox: Sandbox, plan: DevicePlan, half_made: Link | None) -> None:
    if half_made is not None:
        await sandbox.kernel.delete_there(half_made.index)
    given = {"mtu": plan.mtu, "group": HALF_MADE, **({} if plan.medium is Medium.IPVLAN else {"address": plan.mac})}
    async with _maker(sandbox, plan) as (kernel, more):
        try:
            await kernel.make(plan.medium, plan.ifname, {**MODES[plan.medium], **given, **more})
        except FileExistsError as error:
            raise ApplyError(plan.name, name_taken_inside(plan.place), lasting=True) from error
    await sandbox.finish(plan.place, plan.alias, plan.mtu)
    await sandbox.kernel.change(plan.ifname, group=NO_GROUP)


@asynccontextmanager
async def _maker(sandbox: Sandbox, plan: DevicePlan) -> AsyncIterator[tuple[Netlink, dict[str, int]]]:
    """Where it is made: one on a NIC beside that, and straight into its namespace."""
    if plan.medium is Medium.DUMMY:
        yield sandbox.kernel, {}
        return
    async with Netlink() as kernel:
        yield kernel, {"link": _must(plan).index, "net_ns_fd": sandbox.namespace}


# ---------------------------------------------------------------- NICs


async def _move_inside(sandbox: Sandbox, plan: DevicePlan) -> None:
    link = _must(plan)
    # The kernel would move it all the same, under the name it has here.
    if any(it.name == plan.ifname for it in await links_inside(plan.sandbox)):
        raise ApplyError(plan.name, name_taken_inside(plan.place), lasting=True)
    mark = NicMark.read(link) or NicMark(plan.name, plan.nic, link.alias)
    async with Netlink() as kernel:
        await kernel.change(link.name, alias=str(mark), state="down")
        await kernel.move(link.index, sandbox.namespace, plan.ifname)
    await sandbox.finish(plan.place, str(mark), link.mtu)


async def _bring_home(plan: DevicePlan, inside: Link | None) -> None:
    """From its namespace, or, where that has ended, from what the kernel called it here."""
    if inside is not None:
        async with sandbox_at(plan.name, plan.sandbox) as sandbox:
            await sandbox.kernel.change(inside.name, state="down")
            await _move_home(sandbox, inside, plan)
    link = _here(plan)
    if link is None and any(it.name == plan.nic for it in list_links()):
        return  # somebody gave it back, without our mark
    if link is None:
        raise ApplyError(plan.name, f"the NIC {plan.nic} has not come back yet from the namespace it was in")
    mark = NicMark.read(link)
    async with Netlink() as kernel:
        if link.name != plan.nic:
            await kernel.change_at(link.index, state="down")
            try:
                await kernel.change_at(link.index, ifname=plan.nic)
            except FileExistsError as error:
                reason = (
                    f"the NIC {plan.nic} has come back as {link.name}, as there is another {plan.nic} now; rename that"
                )
                raise ApplyError(plan.name, reason) from error
        await kernel.change_at(link.index, alias=mark.alias if mark else "")


async def _move_home(sandbox: Sandbox, inside: Link, plan: DevicePlan) -> None:
    here = os.open(OWN, os.O_RDONLY | os.O_CLOEXEC)
    try:
        await sandbox.kernel.move(inside.index, here, plan.nic)
    except FileExistsError as error:
        reason = f"the NIC {plan.nic} cannot come back, as there is another {plan.nic} now; rename that"
        raise ApplyError(plan.name, reason) from error
    finally:
        os.close(here)


def _here(plan: DevicePlan) -> Link | None:
    """The NIC on the host, by its mark."""
    return next((it for it in list_links() if (mark := NicMark.read(it)) and mark.plan == plan.name), None)


def _must(plan: DevicePlan) -> Link:
    """The NIC on the host."""
    by_name = (it for it in list_links() if it.name == plan.nic)
    link = _here(plan) or next(by_name, None)
    if link is None:
        raise ApplyError(plan.name, f"this host has no interface {plan.nic} now")
    return link
