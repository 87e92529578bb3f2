"""How many pairs wait as ports of our bridge, of which MTUs, and who takes which.

    endpoints, networks, switch ─► looked at ─┬─► a container is starting: nothing, it would wait for them
                                              ├─► one MTU has none left: made as soon as all that is wanted is in force
                                              ├─► some are missing: made when no endpoint came or went for a second
                                              └─► what fits nobody: dropped

Nobody waits for a spare: who finds none gets a pair of its own.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from ovsnet.control.commit import Committer
from ovsnet.ipam.macs import next_mac
from ovsnet.model.errors import OvsnetError
from ovsnet.model.host import SwitchFacts
from ovsnet.model.ids import EndpointId, Mac
from ovsnet.model.network import Network, PortKind
from ovsnet.model.spare import Spare
from ovsnet.model.state import State
from ovsnet.plan.links import may_offload
from ovsnet.store.interface import Change, Drop, Put

QUIET = 1.0
"""Seconds without an endpoint that comes or goes, after which a pool that is not empty is filled up."""
STARTING = 10.0
"""Seconds after its endpoint was made in which a container is believed to start, unless it has joined before."""
RETRY = 5.0
"""Seconds until what failed is tried again: a store that is older than we are has no table for it for days."""
PATIENCE = 30.0
"""Seconds the host has to make what is wanted by somebody, before spares are asked for."""
MTUS = 3
"""So many MTUs have spares, those that most networks have."""


class Host(Protocol):
    """The reconciler, as seen from here."""

    async def settled(self, revision: int, resources: Sequence[str], deadline: float) -> None:
        """Wait until `revision` is in force; raises what was refused."""


@dataclass(frozen=True, slots=True)
class New:
    """What new ones are made of: an id like those of endpoints, the time, and a prefix for MACs."""

    id: Callable[[], str]
    now: Callable[[], float]
    prefix: Callable[[], str]


@dataclass(frozen=True, slots=True)
class Want:
    """`count` for each MTU that networks need, all of them with this `offload`."""

    count: int
    offload: bool


class Spares:
    """The background task. `nudge` it when the store's or the switch's state changes."""

    def __init__(
        self, committer: Committer[State], host: Host, switch: Callable[[], SwitchFacts], new: New, count: int
    ) -> None:
        """`count`: how many of each MTU; 0 for none."""
        self._committer = committer
        self._host = host
        self._switch = switch
        self._new = new
        self._count = count
        self._nudged = asyncio.Event()
        self._endpoints: Mapping[EndpointId, object] | None = None
        self._quiet_since = float("-inf")

    def nudge(self) -> None:
        """Something changed. Cheap, and callable from anywhere."""
        self._nudged.set()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            self._nudged.clear()
            try:
                pause = await self._look()
            except OvsnetError:  # of the store or the host, which have said so where it matters
                pause = RETRY
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._nudged.wait()

    async def _look(self) -> float | None:
        """Seconds until the next look is due; None: when something changes."""
        state, want = self._committer.snapshot(), self._want()
        if want is None:
            return None
        lacking, quiet_in = lacks(state, want), self._rest(state)
        if not lacking and not misfits(state, want):
            return None
        age = self._new.now() - last_start(state)
        if 0 <= age < STARTING:  # below, the clock was set back
            return STARTING - age
        if lacking and quiet_in > 0 and all(missing < want.count for missing in lacking.values()):
            return quiet_in
        await self._host.settled(state.revision, (), PATIENCE)
        if self._committer.snapshot() is not state:
            return 0.0  # who came meanwhile goes first
        await self._committer.commit(lambda now: (filled(now, want, self._new), None))
        return None

    def _want(self) -> Want | None:
        """None while nothing can be decided: what the store or the switch has is not known."""
        switch = self._switch()
        known = self._committer.available and switch.available
        return Want(self._count, may_offload(switch)) if known else None

    def _rest(self, state: State) -> float:
        now = asyncio.get_running_loop().time()
        if self._endpoints is not state.endpoints:
            self._quiet_since = now if self._endpoints is not None else float("-inf")
            self._endpoints = state.endpoints
        return self._quiet_since + QUIET - now


# ---------------------------------------------------------------- deciding


def fitting(state: State, network: Network, *, offload: bool) -> Spare | None:
    """The oldest one that an endpoint of this network may take; None where there is none."""
    if network.options.port is not PortKind.VETH:
        return None
    taken = {it.mac for it in state.endpoints.values()}
    fit = (it for it in _by_age(state) if it.fits(network.options.mtu, offload=offload) and it.mac not in taken)
    return next(fit, None)


def macs_in_use(state: State) -> frozenset[Mac]:
    """MACs that are given already: to endpoints, to attachments, and to those that wait for an endpoint."""
    return frozenset(it.mac for those in (state.endpoints, state.attachments, state.spares) for it in those.values())


def lacks(state: State, want: Want) -> Mapping[int, int]:
    """How many are to be made, by MTU; none that is complete."""
    there = Counter(it.mtu for it in _kept(state, want))
    wanted = {mtu: want.count - there[mtu] for mtu in _mtus(state)}
    return {mtu: missing for mtu, missing in wanted.items() if missing > 0}


def last_start(state: State) -> float:
    """When the youngest endpoint was made whose container has not joined yet; long ago where there is none."""
    starting = (it.created_at for it in state.endpoints.values() if it.plugged and not it.sandbox)
    return max(starting, default=float("-inf"))


def misfits(state: State, want: Want) -> Sequence[Spare]:
    """Those that are not wanted."""
    kept = {it.id for it in _kept(state, want)}
    return [it for it in state.spares.values() if it.id not in kept]


def filled(state: State, want: Want, new: New) -> Sequence[Change]:
    """What makes the spares of this state those that are wanted."""
    changes: list[Change] = [Drop(it) for it in misfits(state, want)]
    counters, now = state.counters, new.now()
    in_use = macs_in_use(state)
    for mtu, missing in lacks(state, want).items():
        for _ in range(missing):
            mac, counters = next_mac(counters, new.prefix(), in_use)
            changes.append(Put(Spare(EndpointId(new.id()), mac, mtu, want.offload, now)))
    return [*changes, Put(counters)] if counters != state.counters else changes


def _kept(state: State, want: Want) -> Iterator[Spare]:
    room = Counter(dict.fromkeys(_mtus(state), want.count))
    for it in _by_age(state):
        if it.fits(it.mtu, offload=want.offload) and room[it.mtu] > 0:
            room[it.mtu] -= 1
            yield it


def _by_age(state: State) -> Sequence[Spare]:
    return sorted(state.spares.values(), key=lambda it: (it.created_at, it.id))


def _mtus(state: State) -> Sequence[int]:
    counted = Counter(it.options.mtu for it in state.networks.values() if it.options.port is PortKind.VETH)
    return sorted(counted, key=lambda mtu: (-counted[mtu], mtu))[:MTUS]
