"""Targets come and go, and what is attached to them with them. Labels of containers are taken at their word here.

    the engine lists ─┐
    a mount changes ──┼─► look: where is each target now? ─► store ─► reconciler plugs, or unplugs
    a process ends ───┘         is it gone for good? ─► forgotten

A namespace is looked at before the engine is asked: while the one we know is there, nothing is to be found out. So a
burst of events costs nothing, and an engine that is away harms nothing.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from ipaddress import IPv4Address
from typing import Protocol

import structlog

from ovsnet.control import gone
from ovsnet.control.attachments import deciding
from ovsnet.control.attachments.attaching import Attachments
from ovsnet.control.attachments.targets import Namespaces
from ovsnet.control.commit import Committer
from ovsnet.engine.facts import EngineContainer, EngineFacts, Inspected
from ovsnet.model.attachment import Attachment, Target, TargetKind
from ovsnet.model.errors import OvsnetError, Unavailable
from ovsnet.model.ids import EndpointId, short
from ovsnet.model.state import State
from ovsnet.model.wishes import parse_words
from ovsnet.store.interface import Change, Put

FIRST_PAUSE, LAST_PAUSE = 0.1, 5.0
"""Seconds until what did not answer is asked again: a container that was locked, a switch that is away. Doubled each
time, up to the last.
"""

log = structlog.get_logger("attach")


class Engine(gone.Engine, Protocol):
    """The engine, as seen from here."""

    async def inspect(self, name: str, *, deadline: float = ...) -> Inspected | None:
        """One container; None when there is none."""


class Following:
    """The task. Give it every listing, and nudge it when a namespace may have come or gone."""

    def __init__(
        self,
        committer: Committer[State],
        attachments: Attachments,
        engine: Engine,
        namespaces: Namespaces,
        follow_pids: Callable[[Collection[str]], None] = lambda _: None,
        names_at: IPv4Address | None = None,
    ) -> None:
        """`follow_pids`: from now on nudge when these processes end; `names_at`: where containers ask for names."""
        self._names_at = names_at
        self._committer = committer
        self._attachments = attachments
        self._engine = engine
        self._containers = gone.Gone(engine)
        self._namespaces = namespaces
        self._follow_pids = follow_pids
        self._facts = EngineFacts()
        self._nudged = asyncio.Event()
        self._unsure = False
        self._pause = FIRST_PAUSE
        self._turn = asyncio.Lock()
        self._complaints: dict[tuple[str, str], str] = {}
        self._looked = asyncio.Event()

    def consider(self, facts: EngineFacts) -> None:
        """The newest listing of the engine."""
        self._facts = facts
        self._nudged.set()

    def nudge(self) -> None:
        """A namespace may have come or gone."""
        self._nudged.set()

    def warnings(self) -> tuple[str, ...]:
        """Labels that cannot be followed, for people."""
        return tuple(sorted(self._complaints.values()))

    async def next_look(self) -> None:
        """Return after the next look."""
        await self._looked.wait()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self._wait()
            self._nudged.clear()
            try:
                await self.look()
            except OvsnetError as error:
                self._unsure = True
                log.warning("attachments were not compared with their targets", reason=str(error))
            self._looked.set()
            self._looked = asyncio.Event()

    async def look(self) -> None:
        """Compare every target with what is known of it."""
        async with self._turn:
            self._unsure = False
            await self._look()

    async def _look(self) -> None:
        attachments = self._committer.snapshot().attachments
        if attachments:
            await self._look_at(attachments)
        await self._obey_labels()
        state = self._committer.snapshot()
        self._follow_pids({it.target.id for it in state.attachments.values() if it.target.kind is TargetKind.PID})

    async def _wait(self) -> None:
        self._pause = min(2 * self._pause, LAST_PAUSE) if self._unsure else FIRST_PAUSE
        try:
            async with asyncio.timeout(self._pause if self._unsure else None):
                await self._nudged.wait()
        except TimeoutError:
            return

    # ------------------------------------------------------------ where targets are

    async def _look_at(self, attachments: Mapping[EndpointId, Attachment]) -> None:
        targets = {(it.target.kind, it.target.id, it.target.birth): it for it in attachments.values()}
        gone = await self._gone([it.target for it in targets.values()])
        moved: dict[EndpointId, Attachment] = {}
        for key, sample in targets.items():
            mine = [it for it in attachments.values() if (it.target.kind, it.target.id, it.target.birth) == key]
            if sample.target in gone:
                for it in mine:
                    log.info("its target is gone for good", interface=it.title)
                    await self._attachments.drop(it, wait=False, forget=True)
                continue
            now = await self._now(sample)
            moved.update({it.id: after for it in mine if (after := now(it)) != it})
        if moved:
            await self._attachments.part_from([it for it in attachments.values() if _leaves(it, moved.get(it.id, it))])
            await self._committer.commit(lambda state: (_take(state, moved, self._names_at), None))

    async def _gone(self, targets: Sequence[Target]) -> Collection[Target]:
        """Those that do not come back: processes that ended, containers that were removed."""
        ended = [it for it in targets if it.kind is TargetKind.PID and self._namespaces.birth_of(it.id) != it.birth]
        containers = [it for it in targets if it.kind is TargetKind.CONTAINER]
        removed = await self._containers.among({it.id for it in containers}, self._facts)
        return [*ended, *(it for it in containers if it.id in removed)]

    async def _now(self, known: Attachment) -> Callable[[Attachment], Attachment]:
        """What becomes of every attachment of this one's target."""
        target, sandbox = known.target, await self._sandbox(known)
        running = self._facts.containers.get(target.id) if target.kind is TargetKind.CONTAINER else None
        if running is not None:
            target = replace(target, name=running.name or target.name, service=running.service)

        def after(it: Attachment) -> Attachment:
            detached = it.detached and sandbox == it.sandbox
            return replace(it, target=target, sandbox=sandbox, detached=detached)

        return after

    async def _sandbox(self, known: Attachment) -> str:
        if known.sandbox and self._namespaces.is_alive(known.sandbox):
            return known.sandbox
        match known.target.kind:
            case TargetKind.PID:
                return self._namespaces.of_process(known.target.id)
            case TargetKind.NETNS:
                return known.target.id if self._namespaces.is_alive(known.target.id) else ""
            case TargetKind.CONTAINER:
                return await self._of_container(known.target)

    async def _of_container(self, target: Target) -> str:
        if target.id not in self._facts.containers or not self._facts.complete:
            return ""
        try:
            seen = await self._engine.inspect(target.id)
        except OvsnetError:
            self._unsure = True
            return ""
        return seen.sandbox if seen is not None and self._namespaces.is_alive(seen.sandbox) else ""

    # ------------------------------------------------------------ labels

    async def _obey_labels(self) -> None:
        """Every container that runs has what its labels ask for; one that cannot be understood is told of, once."""
        asked = {(it.id, label): it for it in self._facts.containers.values() for label in it.wishes}
        self._complaints = {key: text for key, text in self._complaints.items() if key in asked}
        if not asked:
            return
        have = {(it.target.id, it.label) for it in self._committer.snapshot().attachments.values() if it.label}
        for key, container in asked.items():
            if key not in have:
                await self._obey(container, key[1])

    async def _obey(self, container: EngineContainer, label: str) -> None:
        key = (container.id, label)
        try:
            wish = parse_words(f"{TargetKind.CONTAINER}:{container.id}", container.wishes[label])
            await self._attachments.attach(wish, wait=False, label=label)
        except OvsnetError as error:
            text = f"Container {container.name or short(container.id)}: label {label} cannot be followed: {error}."
            if self._complaints.get(key) != text:
                log.warning("a label cannot be followed", container=container.name, label=label, reason=str(error))
            self._complaints[key] = text
            self._unsure |= isinstance(error, Unavailable)
        else:
            self._complaints.pop(key, None)


def _leaves(before: Attachment, after: Attachment) -> bool:
    return bool(before.sandbox) and before.sandbox != after.sandbox


def _take(state: State, moved: Mapping[EndpointId, Attachment], names_at: IPv4Address | None) -> Sequence[Change]:
    """Of each that is still wanted as it was: the place it is in now."""
    changes: list[Change] = []
    for attachment_id, after in moved.items():
        known, endpoint = state.attachments.get(attachment_id), state.endpoints.get(attachment_id)
        if known is None:
            continue
        # Put aside meanwhile: that counts, unless its container has started anew.
        detached = known.detached and after.sandbox == known.sandbox
        now = replace(known, target=after.target, sandbox=after.sandbox, detached=detached)
        changes.append(Put(now))
        if endpoint is not None:
            changes.append(Put(deciding.placed(endpoint, now, state, names_at)))
    return changes
