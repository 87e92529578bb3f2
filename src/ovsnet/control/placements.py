"""What an interface is called inside its container: seen there once it runs, so that a lost one can be put back."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import replace

from ovsnet.control.commit import Committer
from ovsnet.engine.events import EngineFacts
from ovsnet.model.endpoint import Endpoint
from ovsnet.model.errors import OvsnetError
from ovsnet.model.ids import EndpointId, Mac
from ovsnet.model.state import State
from ovsnet.store.interface import Change, Put

FindInside = Callable[[str, Collection[Mac]], Awaitable[Mapping[Mac, str]]]
"""Names of the interfaces with these MACs in the namespace at this path."""


class Placements:
    """Fills `Endpoint.ifname` of endpoints whose container runs."""

    def __init__(self, committer: Committer[State], find_inside: FindInside) -> None:
        self._committer = committer
        self._find_inside = find_inside

    async def observe(self, facts: EngineFacts) -> None:
        """Look into every container whose interface names are not known yet; one that just died is left alone."""
        found: dict[EndpointId, str] = {}
        for sandbox, endpoints in _unplaced(self._committer.snapshot(), facts).items():
            try:
                names = await self._find_inside(sandbox, [it.mac for it in endpoints])
            except OvsnetError:
                continue
            found.update({it.id: names[it.mac] for it in endpoints if it.mac in names})
        if found:
            await self._committer.commit(lambda state: (_place(state, found), None))


def _unplaced(state: State, facts: EngineFacts) -> Mapping[str, Sequence[Endpoint]]:
    by_sandbox: dict[str, list[Endpoint]] = {}
    for endpoint in state.endpoints.values():
        if endpoint.plugged and endpoint.sandbox and not endpoint.ifname and endpoint.id in facts.endpoints:
            by_sandbox.setdefault(endpoint.sandbox, []).append(endpoint)
    return by_sandbox


def _place(state: State, found: Mapping[EndpointId, str]) -> Sequence[Change]:
    known = (state.endpoints.get(it) for it in found)
    return [Put(replace(it, ifname=found[it.id])) for it in known if it is not None and it.plugged]
