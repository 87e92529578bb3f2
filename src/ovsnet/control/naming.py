"""Names and labels, which the engine does not tell its drivers: taken from its lists and events, afterwards.

Aliases (`--network-alias`) are in no list: each container is asked for once, beside everything else, because one that
is starting or stuck does not answer. They are only needed where other hosts are.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial

from ovsnet.control.commit import Committer
from ovsnet.engine.facts import EngineFacts
from ovsnet.model.errors import OvsnetError
from ovsnet.model.ids import EndpointId
from ovsnet.model.state import State
from ovsnet.store.interface import Change, Put


class Naming:
    """Writes into networks and endpoints what people call them."""

    def __init__(self, committer: Committer[State]) -> None:
        self._committer = committer

    async def learn(self, facts: EngineFacts) -> None:
        """Take over the names of what the engine and we both know."""
        await self._committer.commit(lambda state: (names_to_learn(state, facts), None))


def names_to_learn(state: State, facts: EngineFacts) -> Sequence[Change]:
    """The networks and endpoints whose names or labels differ from what the engine says."""
    changes: list[Change] = []
    for network in state.networks.values():
        told = facts.networks.get(network.id)
        if told is None:
            continue
        named = replace(network, name=told.name, labels=tuple(sorted(told.labels.items())))
        if named != network:
            changes.append(Put(named))
    for endpoint in state.endpoints.values():
        seen = facts.endpoints.get(endpoint.id)
        if seen is None:
            continue
        held = replace(
            endpoint,
            container_id=seen.container_id,
            container_name=seen.container_name,
            compose_service=seen.compose_service,
        )
        if held != endpoint:
            changes.append(Put(held))
    return changes


AskAliases = Callable[[str], Awaitable[Mapping[EndpointId, Sequence[str]]]]
"""The names of this container, by its id, on each of its networks, by endpoint."""
AT_ONCE = 4
"""Containers that are asked for at the same time, so that a stuck one does not hold up the others."""


class Aliases:
    """The background task that fills `Endpoint.aliases` on networks of the cluster. Give it every listing."""

    def __init__(self, committer: Committer[State], ask: AskAliases) -> None:
        """`ask` has a short deadline of its own; what it refuses is asked again after the next listing."""
        self._committer = committer
        self._ask = ask
        self._facts = EngineFacts()
        self._listed = asyncio.Event()
        self._known: set[EndpointId] = set()

    def consider(self, facts: EngineFacts) -> None:
        """The newest listing of the engine."""
        self._facts = facts
        self._listed.set()

    async def run(self) -> None:
        """Ask for what is not known yet, until cancelled."""
        while True:
            await self._listed.wait()
            self._listed.clear()
            # An alias stays what it is as long as its endpoint: asked once, it is not asked again.
            self._known &= self._facts.endpoints.keys()
            await self._ask_all(containers_to_ask(self._committer.snapshot(), self._facts, self._known))

    async def _ask_all(self, containers: Iterable[str]) -> None:
        turn = asyncio.Semaphore(AT_ONCE)
        async with asyncio.TaskGroup() as group:
            for container in containers:
                group.create_task(self._ask_one(container, turn))

    async def _ask_one(self, container: str, turn: asyncio.Semaphore) -> None:
        async with turn:
            try:
                told = await self._ask(container)
                await self._committer.commit(partial(_take_aliases, told))
            except OvsnetError:
                return
            self._known |= told.keys()


def containers_to_ask(state: State, facts: EngineFacts, known: Iterable[EndpointId]) -> Sequence[str]:
    """The containers with an endpoint on a network of the cluster whose other names nobody asked for yet."""
    shared = {it.id for it in state.networks.values() if it.shared}
    unknown = [
        it.id
        for it in state.endpoints.values()
        if it.network_id in shared and not it.aliases and it.id in facts.endpoints and it.id not in known
    ]
    return list(dict.fromkeys(facts.endpoints[it].container_id for it in unknown))


def _take_aliases(told: Mapping[EndpointId, Sequence[str]], state: State) -> tuple[Sequence[Change], None]:
    known = [(state.endpoints[it], tuple(names)) for it, names in told.items() if it in state.endpoints]
    return [Put(replace(endpoint, aliases=names)) for endpoint, names in known if endpoint.aliases != names], None
