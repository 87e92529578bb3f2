"""What follows a round: one log line per transition, the announcement of endpoints that just came into force, and that
memory which the round has left free is given back.

The announcements have a task of their own: the next round does not wait for them.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

import structlog

from ovsnet.agent.heap import Heap
from ovsnet.model.attachment import Attachment
from ovsnet.model.endpoint import Endpoint
from ovsnet.model.errors import OvsnetError
from ovsnet.model.host import Medium, SwitchFacts
from ovsnet.model.ids import EndpointId, Ofport
from ovsnet.model.state import State
from ovsnet.plan import names
from ovsnet.reconcile.converge import Round

Announce = Callable[[Sequence[tuple[Ofport, Endpoint]]], Awaitable[None]]
"""Tell the neighbours of these endpoints, behind these ports, where they are now."""
AnnounceAttached = Callable[[Sequence[Attachment]], Awaitable[None]]
"""The same for attachments on bridges that are not our networks' one."""


async def _nobody(_: Sequence[Attachment]) -> None:
    """Where nothing is attached."""


class AfterRound:
    """Compares each round with the one before. The first one finds what was there before us: nothing to announce."""

    def __init__(
        self,
        snapshot: Callable[[], State],
        switch: Callable[[], SwitchFacts],
        announce: Announce,
        announce_attached: AnnounceAttached = _nobody,
    ) -> None:
        self._snapshot = snapshot
        self._switch = switch
        self._announce = announce
        self._announce_attached = announce_attached
        self._in_force: frozenset[EndpointId] | None = None
        self._wanted_since: Mapping[EndpointId, int] = {}
        self._fresh: asyncio.Queue[tuple[list[tuple[Ofport, Endpoint]], list[Attachment]]] = asyncio.Queue()
        self._heap = Heap()
        self._log = structlog.get_logger("reconcile")

    def __call__(self, before: Round, after: Round) -> None:
        """One round is over."""
        self._tell(before, after)
        if not after.failures_of(()):  # of single ports, only those are not in force that lack a number
            self._find_new(after)
        self._heap.tidy()

    async def run(self) -> None:
        """Announce what rounds find, until cancelled."""
        while True:
            endpoints, attached = await self._fresh.get()
            try:
                await self._announce(endpoints)
                await self._announce_attached(attached)
            except OvsnetError as error:
                self._log.warning("endpoints were not announced", count=len(endpoints), reason=str(error))

    def _tell(self, before: Round, after: Round) -> None:
        broken, was_broken = _reasons(after), _reasons(before)
        if broken != was_broken and broken:
            first = after.failures[0]
            self._log.warning(
                "not everything is in place",
                failures=len(broken),
                resource=first.resource,
                reason=first.reason,
            )
        elif was_broken and not broken:
            self._log.info("everything is in place again")
        elif after.written:
            self._log.debug("round", revision=after.revision, written=after.written)

    def _find_new(self, after: Round) -> None:
        state, ports = self._snapshot(), self._switch().ofports
        # A port that waited for its endpoint is there before the round that lets its packets in.
        since = self._wanted_since = {it: self._wanted_since.get(it, state.revision) for it in state.endpoints}
        plugged = {
            it.id: (ports[name], it)
            for it in state.endpoints.values()
            if it.plugged and since[it.id] <= after.revision and (name := _port_of(it, state)) in ports
        }
        attached = {
            it.id: it
            for it in state.attachments.values()
            if it.bridge and it.plugged and names.attachment_port(it) in ports
        }
        attached |= {it.id: it for it in state.attachments.values() if self._is_device(it, after, state.revision)}
        in_force = frozenset[EndpointId]().union(plugged, attached)
        fresh = in_force - self._in_force if self._in_force is not None else frozenset()
        self._in_force = in_force
        if fresh:
            news = [plugged[it] for it in fresh if it in plugged], [attached[it] for it in fresh if it in attached]
            self._fresh.put_nowait(news)

    def _is_device(self, it: Attachment, after: Round, revision: int) -> bool:
        """Whether it is no port of a switch and is in force: by this round, or by one before it was."""
        if it.medium in (Medium.PORT, Medium.DUMMY) or not it.plugged or after.failures_of((names.device(it.id),)):
            return False
        return after.revision == revision or it.id in (self._in_force or ())


def _reasons(done: Round) -> frozenset[str]:
    return frozenset(str(it) for it in done.failures)


def _port_of(endpoint: Endpoint, state: State) -> str:
    network = state.networks.get(endpoint.network_id)
    return names.port_name(endpoint, network) if network else ""
