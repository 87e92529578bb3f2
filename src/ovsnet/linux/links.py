"""Applier: the kernel links of containers.

    pair made, down ─► offloads off, silenced ─► container's end marked ─► host's end marked and up
                                                  (and put inside, when it had been lost from there)

A pair gets its mark last, so that a mark means: finished. What a crash left before is recognised
(ownership.py).
"""

import asyncio
import socket
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Final, Self

from ovsnet.linux import interface
from ovsnet.linux.attempts import attempt, taken, unless_gone
from ovsnet.linux.linkmessage import Link
from ovsnet.linux.linktable import LinkTable
from ovsnet.linux.namespace import links_inside
from ovsnet.linux.netlink import Netlink, NewEnd
from ovsnet.linux.ownership import (
    CONDEMNED,
    HALF_MADE,
    INSIDE,
    NO_GROUP,
    OurLinks,
    Step,
    may_adopt,
    step_for_pair,
)
from ovsnet.linux.placement import Sandbox, name_taken_inside, sandbox_of
from ovsnet.linux.subscription import NEIGHBOUR
from ovsnet.model.delta import Delta
from ovsnet.model.errors import ApplyError, Unavailable
from ovsnet.model.host import LinkPlan, Placement
from ovsnet.model.network import PortKind

READY: Final = 0x1 | 0x100
"""IFF_UP, and IFF_PROMISC as Open vSwitch has its ports: whenever it changes the flag by itself, it looks at all of its
ports once more.
"""


class LinkApplier:
    """Owns the links whose alias begins with `mark`, in the network namespace where it was opened.

    Used as a context manager. All methods are called on the event loop's thread, `apply` once at a time.
    """

    def __init__(
        self,
        *,
        mark: str = "ovsnet:",
        appears_within: float = 1.0,
        netlink: Callable[[], Netlink] = Netlink,
    ) -> None:
        """`appears_within`: seconds that ovs-vswitchd has to make the device of an internal port."""
        self._mark = mark
        self._appears_within = appears_within
        self._netlink = netlink
        self._table = LinkTable(self._note)
        self._ours = OurLinks(mark)
        self._nudge: Callable[[], None] | None = None
        self._busy: frozenset[str] | None = None  # the names being applied; None when nothing is
        self._disturbed = False

    async def __aenter__(self) -> Self:
        self._table.open()
        await self._table.relist()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._table.close()

    def watch(self, changed: Callable[[], None]) -> None:
        """Call `changed` whenever `have` changes by somebody else's doing."""
        self._nudge = changed

    def have(self) -> Mapping[str, LinkPlan]:
        """Our links by name, as the kernel told last. A pair that is down has the MTU 0: it gets repaired."""
        return self._ours.plans()

    async def resync(self) -> None:
        """Read all links afresh; Unavailable when the kernel does not list them."""
        await self._table.relist()

    async def apply(self, delta: Delta[LinkPlan]) -> Sequence[ApplyError]:
        """Delete first, so that names are free; then make and repair. Returns what was refused."""
        wanted = {**delta.add, **delta.change}
        self._busy = frozenset((*wanted, *delta.remove))
        self._disturbed = False
        try:
            refused = await self._write(delta.remove, wanted.values())
        finally:
            self._table.look_at(self._busy)
            self._busy = None
        self._nudge_if_otherwise(wanted, refused)
        return refused

    # ---------------------------------------------------------------- what the kernel tells

    def _note(self, before: Link | None, after: Link | None, moved: bool) -> None:  # noqa: FBT001
        if not self._ours.take(before, after, moved=moved):
            return
        if self._busy is None:
            self._call_watcher()
        else:
            self._disturbed |= any(it is not None and it.name not in self._busy for it in (before, after))

    def _nudge_if_otherwise(self, wanted: Mapping[str, LinkPlan], refused: Sequence[ApplyError]) -> None:
        """Somebody may have undone one change while we made the others; what we did ourselves is no news."""
        have = self.have()
        told = {it.resource for it in refused}
        undone = any(have.get(name) != plan for name, plan in wanted.items() if name not in told)
        if self._disturbed or undone:
            self._call_watcher()

    def _call_watcher(self) -> None:
        if self._nudge is not None:
            self._nudge()

    # ---------------------------------------------------------------- writing

    async def _write(self, doomed: Iterable[str], wanted: Iterable[LinkPlan]) -> list[ApplyError]:
        try:
            async with self._netlink() as kernel:
                refused = await self._remove(kernel, doomed)
                async with asyncio.TaskGroup() as tasks:
                    settling = [tasks.create_task(attempt(it.name, self._settle(kernel, it))) for it in wanted]
                return refused + [error for it in settling if (error := it.result()) is not None]
        except OSError as error:
            raise Unavailable(NEIGHBOUR, f"no socket can be had: {error.strerror}") from error

    async def _remove(self, kernel: Netlink, names: Iterable[str]) -> list[ApplyError]:
        """Pairs go together in one step; the device of an internal port goes with its port, we only let it
        go.
        """
        pairs: list[Link] = []
        refused: list[ApplyError | None] = []
        for name in names:
            link = self._ours.here(name)
            self._ours.forget(name)
            if link is not None and link.kind == "veth":
                pairs.append(link)
            elif link is not None:
                refused.append(await attempt(name, unless_gone(kernel.change(name, alias=""))))
        refused += await _delete_pairs(kernel, pairs)
        return [it for it in refused if it is not None]

    async def _settle(self, kernel: Netlink, plan: LinkPlan) -> None:
        if plan.kind is PortKind.INTERNAL:
            await self._settle_internal(kernel, plan)
            return
        link = self._table.get(plan.name)
        step = step_for_pair(link, plan, self._mark)
        if step is Step.REFUSE and await self._far_end_is_ours(link, plan):
            step = Step.REPAIR
        if step is Step.REFUSE:
            raise ApplyError(plan.name, taken(link))
        if step is Step.REPAIR:
            pardoned = {"group": NO_GROUP} if link is not None and link.group == CONDEMNED else {}
            await kernel.change(plan.name, alias=plan.alias, mtu=plan.mtu, state="up", **pardoned)
            return
        if link is not None:
            await kernel.delete(link.index)
        await _make_pair(kernel, plan)

    async def _far_end_is_ours(self, near: Link | None, plan: LinkPlan) -> bool:
        """True for a pair of ours whose near end lost its mark: the far end still says whose it is."""
        with suppress(Unavailable):
            await self._table.relist()  # of ends that are down the kernel does not tell when they change
            far = [self._table.get(plan.peer)]
            if plan.placement is not None:
                far += await links_inside(plan.placement.sandbox)
            return any(near and it and it.peer == near.index and it.alias == plan.alias + INSIDE for it in far)
        return False

    async def _settle_internal(self, kernel: Netlink, plan: LinkPlan) -> None:
        if self._table.get(plan.name) is None and await self._is_inside(plan):
            self._ours.note_inside(plan)
            return
        link = await self._device(plan)
        if not may_adopt(link, self._mark):
            raise ApplyError(plan.name, taken(link))
        # Not up: on the host it would be one more interface of the host in the container's network.
        group = NO_GROUP if plan.placement is None else HALF_MADE
        await kernel.change(plan.name, alias=plan.alias, mtu=plan.mtu, group=group, **_address(plan))
        if plan.placement is not None:
            await _move_inside(kernel, link, plan, plan.placement)
            self._ours.note_inside(plan)

    async def _is_inside(self, plan: LinkPlan) -> bool:
        """Whether it is where it belongs; what was begun there is finished."""
        if plan.placement is None:
            return self._ours.is_inside(plan.name)
        inside = await links_inside(plan.placement.sandbox)
        link = next((it for it in inside if it.alias == plan.alias), None)
        if link is not None and link.group == HALF_MADE:
            async with sandbox_of(plan, plan.placement) as sandbox:
                await _finish(sandbox, plan, plan.placement)
        return link is not None

    async def _device(self, plan: LinkPlan) -> Link:
        try:
            return await self._table.appearance(plan.name, self._appears_within)
        except TimeoutError as error:
            reason = (
                f"ovs-vswitchd has not made the internal port's device within {self._appears_within:g} s;"
                f" 'ovs-vsctl get interface {plan.name} error' says why"
            )
            raise ApplyError(plan.name, reason) from error


async def _make_pair(kernel: Netlink, plan: LinkPlan) -> None:
    if plan.placement is None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ioctl:
            await kernel.make_veth(_near(plan), NewEnd(plan.peer, plan.mtu, mac=plan.mac))
            _prepare(plan, ioctl, plan.peer, ioctl)
            await kernel.change(plan.peer, alias=plan.alias + INSIDE)
    else:
        await _make_pair_inside(kernel, plan, plan.placement)
    await kernel.change(plan.name, alias=plan.alias, group=NO_GROUP, flags=READY, change=READY)


async def _make_pair_inside(kernel: Netlink, plan: LinkPlan, placement: Placement) -> None:
    async with sandbox_of(plan, placement) as sandbox:
        far = NewEnd(placement.ifname, plan.mtu, mac=plan.mac, namespace=sandbox.namespace)
        try:
            await kernel.make_veth(_near(plan), far)
        except FileExistsError as error:
            raise ApplyError(plan.name, name_taken_inside(placement), lasting=True) from error
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ioctl:
            _prepare(plan, ioctl, placement.ifname, sandbox.ioctl)
        await sandbox.finish(placement, plan.alias + INSIDE, plan.mtu)


def _near(plan: LinkPlan) -> NewEnd:
    return NewEnd(plan.name, plan.mtu, group=HALF_MADE)


def _prepare(plan: LinkPlan, here: socket.socket, far_name: str, there: socket.socket) -> None:
    """Before either end can carry a packet."""
    interface.silence(plan.name)
    if not plan.checksum_offload:
        interface.stop_transmit_offload(plan.name, here)
        interface.stop_transmit_offload(far_name, there)


async def _move_inside(kernel: Netlink, link: Link, plan: LinkPlan, placement: Placement) -> None:
    async with sandbox_of(plan, placement) as sandbox:
        await kernel.move(link.index, sandbox.namespace, placement.ifname)
        await _finish(sandbox, plan, placement)


async def _finish(sandbox: Sandbox, plan: LinkPlan, placement: Placement) -> None:
    """Of an internal port's device: it has had its mark since before it moved, so its group tells that it is done."""
    await sandbox.finish(placement, plan.alias, plan.mtu)
    await sandbox.kernel.change(placement.ifname, group=NO_GROUP)


async def _delete_pairs(kernel: Netlink, pairs: Sequence[Link]) -> list[ApplyError | None]:
    if len(pairs) == 1:
        return [await attempt(pairs[0].name, unless_gone(kernel.delete(pairs[0].index)))]
    refused = [await attempt(it.name, unless_gone(kernel.change(it.name, group=CONDEMNED))) for it in pairs]
    if pairs:
        condemned = [it.name for it, error in zip(pairs, refused, strict=True) if error is None]
        error = await attempt("", unless_gone(kernel.delete_group(CONDEMNED)))
        if error is not None:
            refused += [ApplyError(name, error.reason) for name in condemned]
    return refused


def _address(plan: LinkPlan) -> dict[str, str]:
    return {} if plan.mac is None else {"address": plan.mac}
