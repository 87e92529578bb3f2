"""Applier of uplinks: moves what a NIC has to the bridge it becomes a port of, and back.

    there:  bridge ─► its device up ─► NIC plugged ─► addresses ─► routes ─► NIC deaf ─► NIC empty ─► "settled"
    back:   addresses ─► routes ─► NIC heard ─► NIC unplugged ─► device empty ─► bridge gone

The host has every address at every moment, so that no connection ends. Each step looks what is there and writes the
difference: whoever breaks off, between any two, is continued, in either direction, by another process.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from ovsnet.model.delta import Delta
from ovsnet.model.errors import ApplyError, Unavailable
from ovsnet.model.uplink import Hold, HostAddress, HostRoute, UplinkPlan, device_mark
from ovsnet.plan.uplinks import moving

Moved = Callable[[UplinkPlan, Sequence[HostAddress], Sequence[HostRoute], str], None]
"""Told what was moved to the bridge's port, and in which boot."""


class Interface(Protocol):
    """A link of this host."""

    @property
    def index(self) -> int: ...
    @property
    def up(self) -> bool: ...
    @property
    def mac(self) -> str: ...


class Has(Protocol):
    """What an interface has."""

    @property
    def link(self) -> Interface: ...
    @property
    def addresses(self) -> tuple[HostAddress, ...]: ...
    @property
    def routes(self) -> tuple[HostRoute, ...]: ...


class Bridges(Protocol):
    """The switch (`ovs.uplinks`)."""

    def plugged(self, plan: UplinkPlan, /) -> bool: ...
    def exists(self, plan: UplinkPlan, /) -> bool: ...
    def fault(self, plan: UplinkPlan, /) -> str: ...
    def settled(self, plan: UplinkPlan, /) -> str: ...
    def tso(self) -> bool: ...
    async def make(self, plan: UplinkPlan, mac: str, /) -> None: ...
    async def plug(self, plan: UplinkPlan, /) -> None: ...
    async def settle(self, plan: UplinkPlan, told: str, /) -> None: ...
    async def unplug(self, plan: UplinkPlan, /) -> None: ...
    async def unmake(self, plan: UplinkPlan, /) -> None: ...


class Nics(Protocol):
    """The kernel (`linux.nics`)."""

    def read(self, name: str, /) -> Has | None: ...
    def boot(self) -> str: ...
    async def is_shut(self, plan: UplinkPlan, /) -> bool: ...
    async def ready(self, plan: UplinkPlan, /) -> None: ...
    def give(self, name: str, addresses: Sequence[HostAddress], /) -> None: ...
    def lead(self, name: str, routes: Sequence[HostRoute], /) -> None: ...
    def take(self, name: str, addresses: Sequence[HostAddress], routes: Sequence[HostRoute], /) -> None: ...
    async def shut(self, plan: UplinkPlan, /, *, tso: bool) -> None: ...
    async def open(self, plan: UplinkPlan, /) -> None: ...
    def speak_ipv6(self, plan: UplinkPlan, /, *, spoken: bool) -> None: ...


class UplinkApplier:
    """`turn` is held while something is changed: the guard of a trial may want to change the same."""

    def __init__(
        self,
        bridges: Bridges,
        nics: Nics,
        turn: Callable[[], AbstractAsyncContextManager[None]],
        moved: Moved = lambda *_: None,
    ) -> None:
        self._bridges = bridges
        self._nics = nics
        self._turn = turn
        self._moved = moved
        self._believed: dict[str, UplinkPlan] = {}

    def have(self) -> Mapping[str, UplinkPlan]:
        """What was found to be as it must be, as far as the switch's database still says so."""
        return {nic: plan for nic, plan in self._believed.items() if self._bridges.plugged(plan) is plan.moved}

    async def resync(self) -> None:
        """Look at everything that is believed; Unavailable when the kernel does not tell."""
        for nic, plan in [*self._believed.items()]:
            if not await self._is_so(plan):
                self._believed.pop(nic, None)

    async def apply(self, delta: Delta[UplinkPlan]) -> Sequence[ApplyError]:
        """Move there and back; what is not wanted any more has been put back before."""
        for nic in delta.remove:
            self._believed.pop(nic, None)
        return [error for it in (*delta.add.values(), *delta.change.values()) if (error := await self._attempt(it))]

    async def _attempt(self, plan: UplinkPlan) -> ApplyError | None:
        self._believed.pop(plan.nic, None)
        try:
            async with self._turn():
                if not await self._is_so(plan):
                    await (self._move(plan) if plan.moved else self._put_back(plan))
        except ApplyError as error:
            return error if error.resource == plan.nic else ApplyError(plan.nic, str(error))
        except Unavailable as error:
            return ApplyError(plan.nic, str(error))
        self._believed[plan.nic] = plan
        return None

    # ------------------------------------------------------------ looking

    async def _is_so(self, plan: UplinkPlan) -> bool:
        nic, there = self._nics.read(plan.nic), self._nics.read(plan.bridge)
        if not plan.moved:
            back = nic is None or set(plan.addresses) <= set(nic.addresses)
            return (
                back and not self._bridges.plugged(plan) and not (plan.hold is Hold.OWN and self._bridges.exists(plan))
            )
        if nic is None or there is None or not there.link.up or nic.addresses or self._bridges.fault(plan):
            return False
        done = self._bridges.plugged(plan) and self._bridges.settled(plan) == self._mark(there)
        return done and await self._nics.is_shut(plan)

    def _mark(self, there: Has) -> str:
        return device_mark(self._nics.boot(), there.link.index)

    def _must(self, name: str) -> Has:
        found = self._nics.read(name)
        if found is None:
            raise ApplyError(name, "there is no such interface")
        return found

    # ------------------------------------------------------------ changing

    async def _move(self, plan: UplinkPlan) -> None:
        nic = self._must(plan.nic)
        await self._bridges.make(plan, nic.link.mac)
        await self._nics.ready(plan)
        there = self._must(plan.bridge)
        settled = self._bridges.plugged(plan) and self._bridges.settled(plan) == self._mark(there)
        addresses, routes = nic.addresses, nic.routes
        if not settled:
            addresses, routes = moving(plan, nic.addresses, nic.routes, self._nics.boot())
        await self._bridges.plug(plan)
        if fault := self._bridges.fault(plan):
            raise ApplyError(plan.nic, fault)
        refused = self._have_there(plan.bridge, addresses, routes, surplus=not settled and plan.hold is Hold.OWN)
        await self._nics.shut(plan, tso=self._bridges.tso())
        nic = self._must(plan.nic)
        self._nics.take(plan.nic, nic.addresses, nic.routes)
        self._nics.speak_ipv6(plan, spoken=False)
        if refused:  # only now: half of it would be worse for whoever is reached by the rest
            raise refused
        if not settled:
            self._moved(plan, addresses, routes, self._nics.boot())
        await self._bridges.settle(plan, self._mark(there))

    async def _put_back(self, plan: UplinkPlan) -> None:
        """The kernel's part first: it needs no switch."""
        if self._nics.read(plan.nic) is not None:
            self._nics.speak_ipv6(plan, spoken=True)
            refused = self._have_there(plan.nic, plan.addresses, plan.routes, surplus=True)
            await self._nics.open(plan)
            if refused:
                raise refused
        await self._bridges.unplug(plan)
        there = self._nics.read(plan.bridge)
        if there is not None:
            all_of_it = plan.hold is Hold.OWN
            self._nics.take(
                plan.bridge,
                there.addresses if all_of_it else plan.addresses,
                there.routes if all_of_it else plan.routes,
            )
        await self._bridges.unmake(plan)

    def _have_there(
        self, name: str, addresses: Sequence[HostAddress], routes: Sequence[HostRoute], *, surplus: bool
    ) -> ApplyError | None:
        """Returns why one was refused, when all others are there. `surplus`: routes that came with the addresses and
        were not there before go.
        """
        refused = None
        have = set(self._must(name).addresses)
        try:
            self._nics.give(name, [it for it in addresses if it not in have])
        except ApplyError as error:
            refused = error
        present = self._must(name).routes
        try:
            self._nics.lead(name, [it for it in routes if it not in present])
        except ApplyError as error:
            refused = refused or error
        if surplus:
            self._nics.take(name, (), [it for it in self._must(name).routes if it not in routes])
        return refused
