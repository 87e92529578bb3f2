"""Multicast groups of the endpoints here: heard by messages they send anyway, asked for now and then, and written down.

    table reports ─► `heard` ─┐                                   ┌─► own store: Endpoint.listens ─► flows, publisher
                              ├─► Memberships (plain, with ends) ─┤
    time ─────────────────────┘                                   └─► queries to endpoints that were not asked lately

While the monitor or the switch is away nobody can be asked or heard: time stands still then, and nothing is given up.
Written down are changes only, so a restart begins with what was known, and the flows stay as they are. What happened
meanwhile comes with the answers to the queries at the start.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from operator import is_

import structlog

from ovsnet.control.commit import Committer
from ovsnet.control.multicast.memberships import SLOWEST_ANSWER, Memberships
from ovsnet.model.endpoint import Endpoint
from ovsnet.model.errors import OvsnetError
from ovsnet.model.host import SwitchFacts
from ovsnet.model.ids import EndpointId, Ofport
from ovsnet.model.network import Multicast
from ovsnet.model.state import State
from ovsnet.pipeline.membership import igmp_query, mld_query, said
from ovsnet.plan import names
from ovsnet.store.interface import Change, Put

BREATH = 0.05
"""Seconds from one look to the next: what many say at once is one commit."""
RETRY = 1.0
"""Seconds until a query or a commit that failed is tried again."""
STARTUP = 4
"""After the first query of all comes the next one this many times sooner than usual (RFC 3376 8.6)."""
ANSWERS = 100
"""A second, of all endpoints together: a hundred messages may wait for the agent, more are dropped."""
UNREAD = 10_000
"""Frames that are kept while the store is away."""
SendOut = Callable[[Sequence[bytes], Sequence[Ofport]], Awaitable[None]]
"""Send these frames out by each of these ports."""

log = structlog.get_logger("multicast")


class Groups:
    """The background task. `nudge` it when the store's or the switch's state changes."""

    def __init__(
        self, committer: Committer[State], switch: Callable[[], SwitchFacts], send_out: SendOut, period: float
    ) -> None:
        """`period`: seconds between two queries."""
        self._committer = committer
        self._switch = switch
        self._send_out = send_out
        self._period = period
        self._memberships = Memberships(period)
        self._nudged = asyncio.Event()
        self._unread: list[tuple[Ofport, bytes]] = []
        self._asked: frozenset[EndpointId] = frozenset()
        self._hears = False
        self._heard_at = float("-inf")
        self._ask_all_at = float("inf")
        self._trouble = ""
        self._seen: tuple[object, ...] = ()
        self._due = float("inf")

    def nudge(self) -> None:
        """Something changed. Cheap, and callable from anywhere."""
        self._nudged.set()

    def heard(self, frames: Sequence[tuple[Ofport, bytes]]) -> None:
        """Frames that endpoints sent, with the ports they came in by."""
        self._unread.extend(frames)
        del self._unread[:-UNREAD]
        self.nudge()

    def listening(self) -> None:
        """From now on nothing is missed; what was said before may have been: everybody is asked."""
        self._hears = True
        self._begin_anew()
        self.nudge()

    def deaf(self) -> None:
        """From now on nothing is heard, until `listening`."""
        self._hears = False

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            pause = BREATH
            try:
                await self._look()
            except OvsnetError as error:
                self._tell(str(error))
                pause = RETRY
            else:
                self._tell("")
            await asyncio.sleep(pause)
            await self._wait(retry=bool(self._trouble))

    async def _look(self) -> None:
        """Nothing is decided on a store that was never seen: what it holds would be taken for gone."""
        if not self._committer.available:
            return
        now = self._now()
        if self._hears and not self._trouble:
            self._heard_at = now
        if self._is_seen(now):
            return
        plugged = self._plugged()
        self._take(plugged, now)
        believed = self._heard_at
        self._memberships.expire(believed)
        changed = [it for it in plugged.values() if it.listens != self._memberships.listening(it.id, believed)]
        for it in changed:
            if self._memberships.listening(it.id, believed).muted:
                log.warning("container says too much of multicast groups: not heard for a while", container=it.title)
        if changed:
            await self._committer.commit(lambda state: (self._changes(state, believed), None))
        await self._ask(plugged, now)
        ends = (self._memberships.next_end(now), self._ask_all_at if self._hears else None)
        self._due = min((it for it in ends if it is not None), default=float("inf"))

    def _is_seen(self, now: float) -> bool:
        """Whether this was looked at last: most of what nudges us changes nothing here, and there may be thousands."""
        state = self._committer.snapshot()
        before, self._seen = self._seen, (state.endpoints, state.networks, self._switch().ofports, self._hears)
        same = len(before) == len(self._seen) and all(map(is_, before, self._seen))
        return same and not self._unread and not self._trouble and now < self._due

    def _take(self, plugged: Mapping[Ofport, Endpoint], now: float) -> None:
        unread, self._unread = self._unread, []
        self._memberships.keep({it.id for it in plugged.values()})
        for endpoint in plugged.values():
            self._memberships.recall(endpoint.id, endpoint.listens, now)
        for ofport, frame in unread:
            # What came from another host is that host's concern.
            endpoint_there, message = plugged.get(ofport), said(frame)
            if endpoint_there is not None and message is not None:
                self._memberships.take(endpoint_there.id, message, now)

    def _begin_anew(self) -> None:
        """Everybody is asked, and has a whole life to answer."""
        self._memberships.renew(self._heard_at, self._now())
        self._asked, self._seen = frozenset(), ()
        self._ask_all_at = self._now() + self._period / STARTUP

    def _changes(self, state: State, now: float) -> Sequence[Change]:
        here = {it.id for it in self._plugged().values()}
        found = [(it, self._memberships.listening(it.id, now)) for it in state.endpoints.values() if it.id in here]
        return [Put(replace(it, listens=listens)) for it, listens in found if it.plugged and it.listens != listens]

    async def _ask(self, plugged: Mapping[Ofport, Endpoint], now: float) -> None:
        """Those who were not asked since `listening`, and everybody when it is time."""
        if not self._hears:
            return
        if now >= self._ask_all_at:
            self._asked, self._ask_all_at = frozenset(), now + self._period
        fresh = [ofport for ofport, it in plugged.items() if it.id not in self._asked]
        if fresh:
            response = min(SLOWEST_ANSWER, max(1.0, len(fresh) / ANSWERS))
            await self._send_out([igmp_query(response), mld_query(response)], sorted(fresh))
        self._asked = frozenset(it.id for it in plugged.values())

    def _plugged(self) -> Mapping[Ofport, Endpoint]:
        """The endpoints on the switch whose network looks at who listens, by their ports."""
        state, ofports = self._committer.snapshot(), self._switch().ofports
        found: dict[Ofport, Endpoint] = {}
        for endpoint in state.endpoints.values():
            network = state.networks.get(endpoint.network_id)
            if network is None or not endpoint.plugged or network.options.multicast is not Multicast.SNOOP:
                continue
            ofport = ofports.get(names.port_name(endpoint, network))
            if ofport is not None:
                found[ofport] = endpoint
        return found

    async def _wait(self, *, retry: bool) -> None:
        """Until something changes, or time alone changes something."""
        pause = RETRY if retry else max(0.0, self._due - self._now())
        with suppress(TimeoutError):
            async with asyncio.timeout(None if pause == float("inf") else pause):
                await self._nudged.wait()
        self._nudged.clear()

    def _tell(self, reason: str) -> None:
        if reason and not self._trouble:
            log.warning("multicast groups are not followed", reason=reason)
        elif self._trouble and not reason:
            log.info("multicast groups are followed again")
            self._begin_anew()
        self._trouble = reason

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()
