"""Applier: the kernel's vxlan devices, one for each network that reaches other hosts through the kernel.

    device made, down, in our group ─► where it sends what ─► alias, MTU ─► silenced ─► up

What was not finished differs from what is wanted, and is finished in the next round. Only another VNI, address,
interface or UDP port needs another device; everything else is changed under the running one.
"""

import socket
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from types import TracebackType
from typing import Self

from ovsnet.linux import interface
from ovsnet.linux.attempts import attempt, taken, unless_gone
from ovsnet.linux.forwardtable import ForwardTable
from ovsnet.linux.linkmessage import Link
from ovsnet.linux.linktable import LinkTable
from ovsnet.linux.netlink import Netlink
from ovsnet.linux.subscription import NEIGHBOUR
from ovsnet.linux.vxlan import (
    OUR_GROUP,
    as_plan,
    forwarding_changes,
    is_in_the_way,
    is_our_tunnel,
    is_same_device,
    reason_of,
)
from ovsnet.model.delta import Delta
from ovsnet.model.errors import ApplyError, Unavailable
from ovsnet.model.host import TunnelPlan


class TunnelApplier:
    """Owns the vxlan devices with our mark, in the network namespace where it was opened.

    Used as a context manager. All methods are called on the event loop's thread, `apply` once at a time.
    """

    def __init__(self, *, mark: str = "ovsnet:", netlink: Callable[[], Netlink] = Netlink) -> None:
        """`mark` is what the aliases of all our links begin with."""
        self._mark = mark
        self._netlink = netlink
        self._links = LinkTable(self._link_changed)
        self._forwards = ForwardTable(self._forwards_changed)
        self._nudge: Callable[[], None] | None = None
        self._ours: set[int] = set()  # indices
        self._busy = False

    async def __aenter__(self) -> Self:
        self._links.open()
        self._forwards.open()
        await self.resync()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._links.close()
        self._forwards.close()

    def watch(self, changed: Callable[[], None]) -> None:
        """Call `changed` whenever `have` changes by somebody else's doing."""
        self._nudge = changed

    def have(self) -> Mapping[str, TunnelPlan]:
        """Our devices by name, as the kernel told last. One that is down has the MTU 0: it gets repaired."""
        ours = (it for index in self._ours if (it := self._links.at(index)) is not None)
        return {it.name: self._plan_of(it) for it in ours}

    async def resync(self) -> None:
        """Read all devices afresh and where they send what; Unavailable when the kernel does not list them."""
        await self._links.relist()
        await self._forwards.relist()

    async def apply(self, delta: Delta[TunnelPlan]) -> Sequence[ApplyError]:
        """Delete first, so that VNIs are free; then make and change. Returns what was refused."""
        wanted = {**delta.add, **delta.change}
        expected = {name: plan for name, plan in self.have().items() if name not in delta.remove} | wanted
        self._busy = True
        try:
            refused = await self._write(delta.remove, wanted.values())
        finally:
            self._links.look_at((*wanted, *delta.remove))
            self._forwards.drain()
            self._busy = False
        if any(self.have().get(name) != plan for name, plan in expected.items() if name not in wanted):
            self._call_watcher()  # somebody changed others meanwhile
        return [*refused, *self._undone(wanted, refused)]

    # ---------------------------------------------------------------- what the kernel tells

    def _link_changed(self, before: Link | None, after: Link | None, _moved: bool) -> None:  # noqa: FBT001
        was = {it.index for it in (before,) if it is not None and it.index in self._ours}
        now = {it.index for it in (after,) if it is not None and is_our_tunnel(it, self._mark)}
        self._ours = self._ours - was | now
        if was or now:
            self._call_watcher()

    def _forwards_changed(self, index: int) -> None:
        if index in self._ours:
            self._call_watcher()

    def _call_watcher(self) -> None:
        """Not of what we do ourselves: `apply` looks at the result."""
        if self._nudge is not None and not self._busy:
            self._nudge()

    def _undone(self, wanted: Mapping[str, TunnelPlan], refused: Sequence[ApplyError]) -> list[ApplyError]:
        """What is not as it was written: a refusal like others, tried again like others, and not at once for ever."""
        told = {it.resource for it in refused}
        have = self.have()
        return [
            ApplyError(name, "the kernel does not show it as it was written; somebody else changes it at the same time")
            for name, plan in wanted.items()
            if name not in told and have.get(name) != plan
        ]

    def _plan_of(self, link: Link) -> TunnelPlan:
        device = self._links.at(link.vxlan.device) if link.vxlan is not None else None
        return as_plan(link, device, self._forwards.of(link.index))

    # ---------------------------------------------------------------- writing

    async def _write(self, doomed: Iterable[str], wanted: Iterable[TunnelPlan]) -> list[ApplyError]:
        try:
            async with self._netlink() as kernel:
                refused = [await attempt(name, self._remove(kernel, name)) for name in doomed]
                refused += [await attempt(it.name, self._settle(kernel, it)) for it in wanted]
        except OSError as error:
            raise Unavailable(NEIGHBOUR, f"no socket can be had: {error.strerror}") from error
        return [it for it in refused if it is not None]

    async def _remove(self, kernel: Netlink, name: str) -> None:
        link = self._links.get(name)
        if link is not None and is_our_tunnel(link, self._mark):
            await unless_gone(kernel.delete(link.index))

    async def _settle(self, kernel: Netlink, plan: TunnelPlan) -> None:
        try:
            await self._settle_or_fail(kernel, plan)
        except OSError as error:
            raise ApplyError(plan.name, reason_of(error, plan, self._links.all())) from error

    async def _settle_or_fail(self, kernel: Netlink, plan: TunnelPlan) -> None:
        link = await self._device(kernel, plan)
        have = self._plan_of(link)
        await kernel.forward(link.index, forwarding_changes(plan.forwards, have.forwards))
        if replace(have, forwards=plan.forwards) != plan:
            await kernel.change(plan.name, alias=plan.alias, mtu=plan.mtu)
            _prepare(plan.name)  # after the MTU, which may bring IPv6 back
            await kernel.change(plan.name, state="up")

    async def _device(self, kernel: Netlink, plan: TunnelPlan) -> Link:
        """The device that has the name, if it will do, or one made anew."""
        link = self._links.get(plan.name)
        if link is not None and not is_our_tunnel(link, self._mark):
            raise ApplyError(plan.name, taken(link))
        if link is not None and is_same_device(self._plan_of(link), plan):
            return link
        below = self._links.get(plan.device)
        if below is None:
            raise ApplyError(
                plan.name, f"the interface '{plan.device}' for the tunnel address {plan.local} is not there"
            )
        ours = (it for index in self._ours if (it := self._links.at(index)) is not None)
        for stale in [it for it in ours if it is link or is_in_the_way(it, plan)]:
            await unless_gone(kernel.delete(stale.index))
        await kernel.make_vxlan(plan, device=below.index, group=OUR_GROUP)
        return self._made(plan)

    def _made(self, plan: TunnelPlan) -> Link:
        self._links.look_at([plan.name])
        self._forwards.drain()
        link = self._links.get(plan.name)
        if link is None:
            raise ApplyError(plan.name, "somebody deleted the device as soon as it was made")
        return link


def _prepare(name: str) -> None:
    """Before it can carry a packet."""
    interface.silence(name)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ioctl:
        interface.set_joining(name, ioctl, joined=False)  # ovs-vswitchd without TSO drops what is larger than the MTU
