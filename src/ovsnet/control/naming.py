"""Names and labels, which the engine does not tell its drivers: taken from its lists and events, afterwards."""

from collections.abc import Sequence
from dataclasses import replace

from ovsnet.control.commit import Committer
from ovsnet.engine.events import EngineFacts
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
