"""Keeps leases: has a client run for everyone who wants one, and their interfaces have what the servers gave.

    wanted (stored) ─┐                      ┌─► client started, or told to release
                     ├─► round: want, have ─┤
    clients, files ──┘                      └─► addresses and routes inside

Woken by nudges: wanted changed, a client had news, a client ended. What is refused is tried again later. Nothing here
is waited for by anybody, least of all by an engine's call; and when the agent ends, the clients go on.
"""

import asyncio
import contextlib
from collections.abc import Callable, Collection, Mapping
from typing import Protocol

import structlog

from ovsnet.dhcp.clients import Running
from ovsnet.model.errors import OvsnetError
from ovsnet.model.ids import EndpointId
from ovsnet.model.lease import NOTHING, Given, Lease, Lessee

RETRY = 5.0
"""Seconds until what was refused is tried again, or a client that ended by itself is started again."""


class Interfaces(Protocol):
    """The interfaces that get addresses."""

    async def index_of(self, lessee: Lessee) -> int:
        """Which it is now; 0 while it is not there."""

    async def change(self, lessee: Lessee, before: Lease, after: Lease) -> None:
        """Have it change from one lease to another; ApplyError when it cannot."""


class Clients(Protocol):
    """The clients of this host."""

    def listening(self, heard: Callable[[], None]) -> contextlib.AbstractContextManager[None]: ...
    def running(self) -> Mapping[EndpointId, Running]: ...
    def remembered(self) -> frozenset[EndpointId]: ...
    def whose(self, lessee: EndpointId) -> Lessee | None: ...
    def lease(self, lessee: EndpointId) -> Lease: ...
    def given(self, lessee: EndpointId) -> Given: ...
    def note_given(self, lessee: EndpointId, given: Given) -> None: ...
    async def start(self, lessee: Lessee) -> None: ...
    async def end(self, running: Running) -> None: ...
    async def ended(self, running: Running) -> None: ...
    def forget(self, lessee: EndpointId) -> None: ...


class LeaseKeeper:
    """One host's leases. `wanted` tells who shall have one; it is asked in every round."""

    def __init__(
        self,
        wanted: Callable[[], Mapping[EndpointId, Lessee]],
        clients: Clients,
        interfaces: Interfaces,
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        """`changed` is called when `leases` or `troubles` are others."""
        self._wanted = wanted
        self._clients = clients
        self._interfaces = interfaces
        self._changed = changed
        self._nudged = asyncio.Event()
        self._busy: set[EndpointId] = set()
        self._missed: set[EndpointId] = set()
        self._watched: set[int] = set()
        self._not_before: dict[Lessee, float] = {}
        self._attempts: dict[Lessee, int] = {}
        # Of those who run already, from the beginning: nobody is cut off, and nobody may use any other address.
        self._leases = {it: clients.lease(it) for it in clients.remembered()}
        self._troubles: dict[EndpointId, str] = {}
        self._log = structlog.get_logger("dhcp")

    def nudge(self) -> None:
        """Something changed. Cheap, callable from anywhere on the loop, never blocks."""
        self._nudged.set()

    def leases(self) -> Mapping[EndpointId, Lease]:
        """What the interfaces have from servers."""
        return self._leases

    def troubles(self) -> Mapping[EndpointId, str]:
        """Why somebody has no lease, or not what it says."""
        return self._troubles

    async def give_back(self, lessees: Collection[EndpointId]) -> None:
        """Have these give back what they hold, while they still can: before their ports go."""
        running = self._clients.running()
        ending = [running[it] for it in lessees if it in running and it not in self._busy]
        not_before = asyncio.get_running_loop().time() + RETRY
        for it in ending:
            self._busy.add(it.lessee.id)
            self._not_before[it.lessee] = not_before
        async with asyncio.TaskGroup() as tasks:
            for it in ending:
                tasks.create_task(self._part_from(it))

    async def run(self) -> None:
        """Keep leases until cancelled; the clients are left running."""
        with self._clients.listening(self.nudge):
            async with asyncio.TaskGroup() as tasks:
                self.nudge()
                while True:
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(RETRY if self._troubles or self._not_before else None):
                            await self._nudged.wait()
                    self._nudged.clear()
                    self._round(tasks)

    def _round(self, tasks: asyncio.TaskGroup) -> None:
        """Begin what is to be done for everyone for whom nothing is being done."""
        now = asyncio.get_running_loop().time()
        self._not_before = {lessee: due for lessee, due in self._not_before.items() if due > now}
        wanted, running = self._wanted(), self._clients.running()
        self._attempts = {lessee: times for lessee, times in self._attempts.items() if wanted.get(lessee.id) == lessee}
        for it in running.values():
            if it.pid not in self._watched:
                self._watched.add(it.pid)
                tasks.create_task(self._watch(it))
        everyone = {*wanted, *running, *self._clients.remembered()}
        for gone in self._leases.keys() - everyone:
            del self._leases[gone]
        self._missed |= everyone & self._busy
        for lessee in everyone - self._busy:
            self._busy.add(lessee)
            tasks.create_task(self._settle(lessee, wanted.get(lessee), running.get(lessee)))

    async def _settle(self, lessee: EndpointId, wanted: Lessee | None, running: Running | None) -> None:
        before = self._troubles.get(lessee)
        try:
            if await self._step(lessee, wanted, running):
                self._note(lessee, self._complaint(wanted))
        except (OvsnetError, OSError) as error:
            self._note(lessee, str(error))
        self._free(lessee)
        if before != self._troubles.get(lessee):
            self._changed()

    async def _step(self, lessee: EndpointId, wanted: Lessee | None, running: Running | None) -> bool:
        """One step towards what is wanted, the next one follows in another round; False when its time has not come."""
        whose = self._clients.whose(lessee)
        if running is not None and running.lessee != wanted:
            await self._end(running)
            self.nudge()
        elif running is None and whose is not None and whose != wanted:
            await self._withdraw(whose)
            self.nudge()
        elif wanted is None:
            self._clients.forget(lessee)
        elif running is not None:
            await self._bring(wanted)
        elif wanted not in self._not_before and await self._interfaces.index_of(wanted):
            # A client that ends at once shall not be started over and over.
            self._not_before[wanted] = asyncio.get_running_loop().time() + RETRY
            await self._clients.start(wanted)
            self._attempts[wanted] = self._attempts.get(wanted, 0) + 1
            self.nudge()
        else:
            return False
        return True

    async def _part_from(self, running: Running) -> None:
        try:
            await self._end(running)
        except (OvsnetError, OSError) as error:
            self._note(running.lessee.id, str(error))
        finally:  # an engine's call may be over before: then a round goes on with it
            self._free(running.lessee.id)
            self.nudge()

    def _free(self, lessee: EndpointId) -> None:
        """Rounds may look at it again; one that could not is made up for."""
        self._busy.discard(lessee)
        if lessee in self._missed:
            self._missed.discard(lessee)
            self.nudge()

    async def _end(self, running: Running) -> None:
        await self._clients.end(running)
        await self._withdraw(running.lessee)

    async def _withdraw(self, lessee: Lessee) -> None:
        """Let the interface have nothing of its lease, which has been given back."""
        given = self._clients.given(lessee.id).lease
        with contextlib.suppress(OvsnetError):  # mostly the interface has gone, too
            await self._interfaces.change(lessee, given, NOTHING)
        self._clients.forget(lessee.id)
        self._learn(lessee.id, None)
        self._log.info("lease given back", interface=lessee.ifname, of=lessee.hostname, **_fields(given))

    async def _bring(self, lessee: Lessee) -> None:
        """Let the interface have what the servers gave last."""
        lease, known = self._clients.lease(lessee.id), self._clients.given(lessee.id)
        index = await self._interfaces.index_of(lessee)
        given = known.lease if known.index == index else NOTHING  # the reconciler may have made it anew
        self._learn(lessee.id, lease)  # before the interface has it: what is sent from there finds its way open
        if (lease.addresses, lease.routes) != (given.addresses, given.routes):
            await self._interfaces.change(lessee, given, lease)
            self._clients.note_given(lessee.id, Given(index, lease))
            what, which = ("lease obtained", lease) if lease.addresses else ("lease lost", given)
            self._log.info(what, interface=lessee.ifname, of=lessee.hostname, **_fields(which))
        if lease.addresses:
            self._attempts.pop(lessee, None)

    def _learn(self, lessee: EndpointId, lease: Lease | None) -> None:
        """It has this lease from now on, None for none."""
        if self._leases.get(lessee) == lease:
            return
        if lease is None:
            del self._leases[lessee]
        else:
            self._leases[lessee] = lease
        self._changed()

    async def _watch(self, running: Running) -> None:
        await self._clients.ended(running)
        self._watched.discard(running.pid)
        self.nudge()

    def _complaint(self, wanted: Lessee | None) -> str:
        """A client ends when nobody has answered it for half a minute; then another one is started, and we say so."""
        if wanted is None or self._attempts.get(wanted, 0) < 2:
            return ""
        where = f"{wanted.ifname} of {wanted.hostname or wanted.sandbox}"
        return f"{where}: no DHCP server answers; is there one behind that bridge, in that VLAN?"

    def _note(self, lessee: EndpointId, trouble: str) -> None:
        """One line when it breaks."""
        if not trouble:
            self._troubles.pop(lessee, None)
        elif self._troubles.get(lessee) != trouble:
            self._log.warning("no lease", reason=trouble)
            self._troubles[lessee] = trouble


def _fields(lease: Lease) -> dict[str, str]:
    return {"addresses": ", ".join(str(it) for it in lease.addresses), "server": lease.server}
