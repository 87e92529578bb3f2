"""Where the vxlan devices of this network namespace send which MAC, kept current by the kernel's own events."""

from collections.abc import Callable

from ovsnet.linux.fdbmessage import EVERYBODY, NEWNEIGH, Forward, Message, list_request, messages
from ovsnet.linux.subscription import Subscription
from ovsnet.model.ids import IpAddress

EVENTS_OF_NEIGHBOURS = 4
"""RTMGRP_NEIGH."""

Forwards = frozenset[tuple[str, IpAddress]]
"""As in TunnelPlan. An entry that is not one of those we write has its oddity after the MAC, so that it differs."""


class ForwardTable:
    """The entries of all vxlan devices. `on_change` hears the device's index at every single change."""

    def __init__(self, on_change: Callable[[int], None], *, deadline: float = 5.0) -> None:
        """`deadline` is in seconds and holds for each listing."""
        self._on_change = on_change
        self._kernel = Subscription(
            self,
            messages,
            what="forwarding entries",
            groups=EVENTS_OF_NEIGHBOURS,
            request=list_request,
            deadline=deadline,
        )
        # By device, MAC; several entries for one MAC only where what is for everybody goes to.
        self._entries: dict[int, dict[str, dict[Forward, Forward]]] = {}
        self._listed: set[Forward] = set()  # seen since the listing began
        self._as_planned: dict[int, Forwards] = {}

    def open(self) -> None:
        """Subscribe to the events. Nothing is listed yet."""
        self._kernel.open()

    def close(self) -> None:
        """Stop listening; what is known stays."""
        self._kernel.close()

    async def relist(self) -> None:
        """Read all entries afresh; Unavailable when the kernel does not list them in time."""
        await self._kernel.relist()

    def drain(self) -> None:
        """Take in everything the kernel has sent up to now."""
        self._kernel.drain()

    def of(self, index: int) -> Forwards:
        """The entries of one device."""
        known = self._as_planned.get(index)
        if known is None:
            every = self._entries.get(index, {}).values()
            known = frozenset(_as_planned(it) for entries in every for it in entries.values())
            self._as_planned[index] = known
        return known

    # ---------------------------------------------------------------- what the subscription calls

    def begin(self) -> None:
        """A listing begins."""
        self._listed = set()

    def take(self, message: Message) -> None:
        """One entry was listed, came, changed or went."""
        if message.forward is None:
            return
        if message.type == NEWNEIGH:
            self._put(message.forward)
        else:
            self._drop(message.forward)

    def end(self) -> None:
        """The listing is complete: what was not listed is gone."""
        known = [it for macs in self._entries.values() for entries in macs.values() for it in entries]
        for forward in set(known) - self._listed:
            self._drop(forward)

    def _put(self, forward: Forward) -> None:
        self._listed.add(forward)
        entries = self._entries.setdefault(forward.index, {}).setdefault(forward.mac, {})
        before = entries.get(forward)
        if before is not None and before.lasts == forward.lasts:
            return
        if forward.single:
            entries.clear()  # of the one it takes the place of the kernel says nothing
        entries.pop(forward, None)
        entries[forward] = forward
        self._changed(forward.index)

    def _drop(self, forward: Forward) -> None:
        self._listed.discard(forward)
        macs = self._entries.get(forward.index, {})
        entries = macs.get(forward.mac, {})
        if entries.pop(forward, None) is None:
            return
        if not entries:
            del macs[forward.mac]
        if not macs:
            del self._entries[forward.index]
        self._changed(forward.index)

    def _changed(self, index: int) -> None:
        self._as_planned.pop(index, None)
        self._on_change(index)


def _as_planned(forward: Forward) -> tuple[str, IpAddress]:
    mac = "" if forward.mac == EVERYBODY else forward.mac
    oddity = forward.odd if forward.lasts else f"{forward.odd} ages".strip()
    return (f"{mac} {oddity}" if oddity else mac, forward.vtep)
