"""Who may make a NIC of the host the uplink of a bridge, and how that is tried.

    add   neighbours answer? ─► guard ─► commit "trying" ─► moved ─► they answer? ─► guard off ─► commit "in force"
                                             └──────── no ───────────► commit "leaving" ─► put back ─► forgotten
    rm    record what is there ─► commit "leaving" ─► put back ─► forgotten

What is found at the start that is not "in force" is put back: nobody watches over it any more.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol

import structlog

from ovsnet.control.commit import Committer
from ovsnet.control.uplink_networks import check_unused, held_by_host, networks_on
from ovsnet.control.uplink_rules import Moved, Situation, Wish, decide, going_back, stays_alone
from ovsnet.model.errors import ApplyError, Conflict, NotFound, OvsnetError, Unavailable
from ovsnet.model.ids import IpAddress
from ovsnet.model.state import State
from ovsnet.model.uplink import Hold, HostAddress, HostRoute, Phase, Uplink, UplinkPlan
from ovsnet.store.interface import Change, Drop, Put

BEFORE = 4.0
"""Seconds a neighbour has to answer before anything is done: the kernel asks three times, a second apart."""
TO_MOVE = 20.0
"""Seconds the reconciler has to move addresses, either way."""
SPARE = 4.0
"""Seconds before the guard's that we give up ourselves: putting back takes some."""
TO_TELL = 0.5
"""Seconds of a trial kept back, so that who did not answer can be named."""
AGAIN = 5.0
"""Seconds until what could not be put back is looked at again, unless something is committed before."""

log = structlog.get_logger("uplinks")


class Host(Protocol):
    """The reconciler, as seen from here."""

    async def settled(self, revision: int, resources: Sequence[str], deadline: float) -> None:
        """Wait until `revision` is in force for these resources; raises what was refused."""


class Trial(Protocol):
    """A move with a guard."""

    async def keep(self) -> None: ...
    async def lost(self) -> None: ...
    async def was_put_back(self) -> None: ...


class Trials(Protocol):
    """Who starts guards."""

    @property
    def nics(self) -> frozenset[str]: ...
    def guarded(self, uplink: Uplink, seconds: float, /) -> AbstractAsyncContextManager[Trial]: ...


class Here(Protocol):
    """This host as it is."""

    def situation(self, nic: str, bridge: str, /) -> Situation:
        """Everything that decides whether the NIC may become the uplink of that bridge."""

    def moved(self, uplink: Uplink, /) -> Moved | None:
        """What the bridge's port has, when all has been moved to it."""

    async def answers(self, address: IpAddress, device: str, neighbour: bool, deadline: float, /) -> bool:  # noqa: FBT001
        """Whether it answers within that many seconds."""


@dataclass(frozen=True, slots=True)
class _News:
    addresses: tuple[HostAddress, ...]
    routes: tuple[HostRoute, ...]
    boot: str

    def known(self, uplink: Uplink) -> Uplink:
        """The uplink with this."""
        return replace(uplink, addresses=self.addresses, routes=self.routes, boot=self.boot)


class Uplinks:
    """The one writer of uplinks."""

    def __init__(
        self,
        committer: Committer[State],
        reconciler: Host,
        trials: Trials,
        here: Here,
        clock: Callable[[], float],
    ) -> None:
        self._committer = committer
        self._reconciler = reconciler
        self._trials = trials
        self._here = here
        self._clock = clock
        self._busy: set[str] = set()
        self._news: dict[str, _News] = {}
        self._told: dict[str, str] = {}
        self._changed = False
        self._nudged = asyncio.Event()

    def nudge(self) -> None:
        """Something changed."""
        self._nudged.set()

    def look(self) -> None:
        """Somebody may have changed what the port of an uplink's bridge has."""
        self._changed = True
        self._nudged.set()

    def note(self, plan: UplinkPlan, addresses: Sequence[HostAddress], routes: Sequence[HostRoute], boot: str) -> None:
        """The applier has moved these."""
        self._news[plan.nic] = _News(tuple(addresses), tuple(routes), boot)
        self._nudged.set()

    # ------------------------------------------------------------ what people order

    async def add(self, wish: Wish) -> str:
        """Make a NIC an uplink; what was done, in words. Conflict when it was put back, with the reason."""
        known = self._committer.snapshot().uplinks
        self._refuse_busy(wish.nic)
        there = known.get(wish.nic)
        if there is not None and there.phase is Phase.IN_FORCE and wish.bridge in ("", there.bridge):
            return f"{wish.nic} is the uplink of {there.bridge} already: nothing was to be done."
        uplink = decide(wish, self._here.situation(wish.nic, wish.bridge), known, self._clock())
        with _claimed(self._busy, wish.nic):
            if uplink.phase is Phase.IN_FORCE:
                await self._put(uplink)
                return _noted(uplink)
            answering = await self._answering(wish, uplink)
            return await self._try(replace(uplink, probes=tuple(answering)), wish)

    async def remove(self, nic: str) -> str:
        """Have the NIC as it was before; what was done, in words."""
        self._refuse_busy(nic)
        uplink = self._committer.snapshot().uplinks.get(nic)
        if uplink is None:
            raise NotFound(f"{nic} is no uplink; 'ovsnet uplink ls' lists those there are")
        check_unused(nic, self._committer.snapshot())
        if uplink.hold is Hold.NOTED:
            await self._committer.commit(partial(_forgotten, uplink))
            return f"{nic} is not an uplink of ours any more; it stays in {uplink.bridge} as it was."
        stays_alone(uplink, self._here.situation(nic, uplink.bridge))
        with _claimed(self._busy, nic):
            await self._take_back(going_back(uplink, self._here.moved(uplink)))
        return f"{nic} has its addresses and routes back, and is a port of {uplink.bridge} no more."

    # ------------------------------------------------------------ trying

    async def _answering(self, wish: Wish, uplink: Uplink) -> list[IpAddress]:
        """Who answers before the move, and so must do afterwards; Conflict when nobody does."""
        if not uplink.addresses:
            return []
        asked = [wish.probe] if wish.probe else list(uplink.gateways)
        heard = await self._ask(uplink, asked, uplink.nic, BEFORE)
        if heard or wish.force:
            return heard
        if not asked:
            raise Conflict(
                f"no default gateway is reached through {wish.nic}, so nothing would tell whether the move went well; "
                "name a neighbour that answers with --probe, or use --force"
            )
        raise Conflict(
            f"{', '.join(map(str, asked))} does not answer on {wish.nic} now, so nothing would tell whether the move "
            "went well; name a neighbour that answers with --probe, or use --force if you can reach this host otherwise"
        )

    async def _try(self, uplink: Uplink, wish: Wish) -> str:
        async with self._trials.guarded(uplink, wish.commit_within) as trial:
            trouble: OvsnetError | None = None
            try:
                await self._put(uplink)
                await self._confirm(uplink, trial, max(wish.commit_within - SPARE, wish.commit_within / 2))
                await trial.keep()
            except OvsnetError as error:
                trouble = error
            if trouble is None:
                await self._put(replace(self._now(uplink), phase=Phase.IN_FORCE))
                return _done(uplink)
            await self._take_back(uplink)
            await trial.was_put_back()
        raise Conflict(f"{uplink.nic} was not moved to {uplink.bridge}, and is as it was: {trouble}")

    async def _confirm(self, uplink: Uplink, trial: Trial, deadline: float) -> None:
        """Returns when it is moved and everybody answers; raises why not."""
        try:
            async with asyncio.timeout(deadline):
                await _unless_lost(trial, self._moved_and_heard(uplink, deadline))
        except TimeoutError:
            raise Conflict(f"nobody confirmed it within {deadline:g} s") from None

    async def _moved_and_heard(self, uplink: Uplink, deadline: float) -> None:
        clock = asyncio.get_running_loop().time
        end = clock() + deadline - TO_TELL
        await self._reconciler.settled(self._committer.snapshot().revision, [uplink.nic], TO_MOVE)
        heard = await self._ask(uplink, uplink.probes, uplink.bridge, max(TO_TELL, end - clock()))
        silent = [str(it) for it in uplink.probes if it not in heard]
        if silent:
            raise Conflict(f"{', '.join(silent)} answered before, and does not through {uplink.bridge}")

    async def _ask(self, uplink: Uplink, asked: Sequence[IpAddress], device: str, deadline: float) -> list[IpAddress]:
        heard: list[IpAddress] = []

        async def ask(address: IpAddress) -> None:
            if await self._here.answers(address, device, is_neighbour(address, uplink), deadline):
                heard.append(address)

        async with _together() as group:
            for address in asked:
                group.create_task(ask(address))
        return [it for it in asked if it in heard]

    # ------------------------------------------------------------ what was begun is ended

    async def run(self) -> None:
        """Put back what nobody watches over, and keep the record true; until cancelled."""
        while True:
            self._nudged.clear()
            try:
                await self._keep_record()
                if self._changed:
                    self._changed = False
                    await self._record_changes()
                for uplink in [*self._committer.snapshot().uplinks.values()]:
                    if uplink.phase is not Phase.IN_FORCE and uplink.nic not in self._busy:
                        await self._end(uplink)
            except OvsnetError as error:
                log.warning("uplinks are not as they should be", reason=str(error))
            with suppress(TimeoutError):
                async with asyncio.timeout(AGAIN if self._told else None):
                    await self._nudged.wait()

    async def _end(self, uplink: Uplink) -> None:
        with _claimed(self._busy, uplink.nic):
            try:
                await self._take_back(uplink)
            except (ApplyError, Unavailable) as error:
                if self._told.get(uplink.nic) != str(error):
                    log.warning("an uplink is not put back yet", interface=uplink.nic, reason=str(error))
                self._told[uplink.nic] = str(error)
                return
        self._told.pop(uplink.nic, None)
        log.info("an uplink that was not confirmed is put back", interface=uplink.nic, bridge=uplink.bridge)

    async def _keep_record(self) -> None:
        """What was moved after a boot, or because it came to the NIC, is what must be moved the next time."""
        for nic, news in [*self._news.items()]:
            self._news.pop(nic, None)
            await self._committer.commit(partial(self._recorded, nic, news.known))

    async def _record_changes(self) -> None:
        """What somebody gives the bridge's port later goes back with the rest, and is there again on another device.

        A port that has nothing is one that is going, or was told to by somebody who has other plans with it.
        """
        for uplink in [*self._committer.snapshot().uplinks.values()]:
            if uplink.phase is not Phase.IN_FORCE or uplink.hold is Hold.NOTED or uplink.nic in self._busy:
                continue
            there = partial(_with, moved=self._here.moved(uplink))
            await self._committer.commit(partial(self._recorded, uplink.nic, there))

    def _recorded(self, nic: str, found: Callable[[Uplink], Uplink], state: State) -> tuple[Sequence[Change], None]:
        """What is found of one that is in force, and that no container gets an address which the host has by now. One
        that is put back, or has been meanwhile, stays what it is.
        """
        uplink = state.uplinks.get(nic)
        if uplink is None or uplink.phase is not Phase.IN_FORCE:
            return (), None
        now = found(uplink)
        if now == uplink:
            return (), None
        known = replace(state, uplinks={**state.uplinks, nic: now})
        held = [put for it in networks_on(nic, known) for put in held_by_host(it, known, self._clock())]
        return [Put(now), *held], None

    # ------------------------------------------------------------ the store

    async def _take_back(self, uplink: Uplink) -> None:
        leaving = replace(uplink, phase=Phase.LEAVING)
        await self._committer.commit(partial(_left, leaving))
        await self._reconciler.settled(self._committer.snapshot().revision, [uplink.nic], TO_MOVE)
        await self._drop(leaving)

    async def _put(self, uplink: Uplink) -> None:
        await self._committer.commit(lambda _: ([Put(uplink)], None))

    async def _drop(self, uplink: Uplink) -> None:
        await self._committer.commit(lambda state: ([Drop(state.uplinks.get(uplink.nic, uplink))], None))

    def _now(self, uplink: Uplink) -> Uplink:
        return self._committer.snapshot().uplinks.get(uplink.nic, uplink)

    def _refuse_busy(self, nic: str) -> None:
        leaving = self._committer.snapshot().uplinks.get(nic)
        if nic in self._busy or (leaving is not None and leaving.phase is not Phase.IN_FORCE):
            raise Conflict(f"{nic} is being moved right now; wait, and look with 'ovsnet uplink ls'")


def is_neighbour(address: IpAddress, uplink: Uplink) -> bool:
    """Whether it is asked directly."""
    on_link = (it.address.network for it in uplink.addresses if it.address.version == address.version)
    return address.is_link_local or address in uplink.gateways or any(address in it for it in on_link)


def _with(uplink: Uplink, moved: Moved | None) -> Uplink:
    """The uplink as it goes back; the very same where nothing is another."""
    now = going_back(uplink, moved)
    same = set(now.addresses) == set(uplink.addresses) and set(now.routes) == set(uplink.routes)
    return uplink if same else now


def _left(leaving: Uplink, state: State) -> tuple[Sequence[Change], None]:
    """It is put back from now on. A network may have come since somebody looked."""
    known = state.uplinks.get(leaving.nic)
    if known is not None and known.phase is Phase.IN_FORCE:
        check_unused(leaving.nic, state)
    return [Put(leaving)], None


def _forgotten(uplink: Uplink, state: State) -> tuple[Sequence[Change], None]:
    check_unused(uplink.nic, state)
    return [Drop(state.uplinks.get(uplink.nic, uplink))], None


def _noted(uplink: Uplink) -> str:
    if uplink.hold is Hold.NOTED:
        return f"{uplink.nic} is in the bridge {uplink.bridge} already: that is noted, and nothing was changed."
    return f"{uplink.nic} was found to be the uplink of {uplink.bridge} already, and is known as that again."


def _done(uplink: Uplink) -> str:
    held = ", ".join(str(it.address) for it in uplink.addresses) or "no addresses"
    heard = f"; {', '.join(map(str, uplink.probes))} answers" if uplink.probes else ""
    return f"{uplink.nic} is the uplink of {uplink.bridge}, which has {held} now{heard}."


async def _unless_lost(trial: Trial, confirmed: Awaitable[None]) -> None:
    """Wait for the second; Conflict when the guard goes before."""

    async def watch() -> None:
        await trial.lost()
        raise Conflict("the guard of the move is gone")

    async with _together() as group:
        watching = group.create_task(watch())
        await confirmed
        watching.cancel()


@asynccontextmanager
async def _together() -> AsyncIterator[asyncio.TaskGroup]:
    """Tasks of which the first trouble is raised as it is."""
    trouble: list[OvsnetError] = []
    try:
        async with asyncio.TaskGroup() as group:
            yield group
    except* OvsnetError as errors:
        trouble += _flat(errors)
    if trouble:
        raise trouble[0]


def _flat(errors: BaseExceptionGroup[OvsnetError]) -> list[OvsnetError]:
    return [it for one in errors.exceptions for it in (_flat(one) if isinstance(one, BaseExceptionGroup) else [one])]


@contextmanager
def _claimed(busy: set[str], nic: str) -> Iterator[None]:
    """Nobody else does anything with the NIC while this lasts."""
    busy.add(nic)
    try:
        yield
    finally:
        busy.discard(nic)
