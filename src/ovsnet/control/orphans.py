"""Orphans: what the engine forgot without telling us (docs/docker-protocol.md), collected against its own list.

Nothing is collected at first sight: between CreateEndpoint and the end of a container's start the engine does not
list the endpoint yet. What it has not known for `age` seconds, in every complete list of that time, is dropped. So is a
network of the cluster whose origin never gave it a name: its creation broke off there, and no other host has it.
"""

from collections.abc import Callable, Iterable, Sequence

from ovsnet.control.commit import Committer
from ovsnet.control.networks import network_removal
from ovsnet.control.sharing.shared_networks import SharedNetworks, unfinished
from ovsnet.engine.events import EngineFacts
from ovsnet.model.addressing import Allocation, AllocationKind, Pool
from ovsnet.model.cluster import SharedNetwork
from ovsnet.model.endpoint import Endpoint
from ovsnet.model.ids import IpAddress, NetworkId, PoolId
from ovsnet.model.network import Network
from ovsnet.model.state import State
from ovsnet.store.interface import Change, Drop

Suspect = Network | Endpoint | Pool | Allocation
"""Of this host; those of the cluster are told apart, as another store keeps them."""
SuspectKey = tuple[str, object]


class Orphans:
    """Remembers since when the engine has not known a thing, and drops it when that is long enough."""

    def __init__(
        self,
        committer: Committer[State],
        clock: Callable[[], float],
        age: float,
        shared: SharedNetworks | None = None,
    ) -> None:
        """`clock` and `age` are in seconds; `shared` is None on a host that is in no cluster."""
        self._shared = shared
        self._committer = committer
        self._clock = clock
        self._age = age
        self._since: dict[SuspectKey, float] = {}

    async def consider(self, facts: EngineFacts) -> int:
        """Look at one complete list of the engine; returns how many orphans were dropped."""
        if not facts.complete:
            return 0
        unknown = [_key(it) for it in unknown_to_engine(self._committer.snapshot(), facts)]
        half_made = self._half_made(facts)
        ripe = self._ripe([*unknown, *(_key(it) for it in half_made)])
        if not ripe:
            return 0
        count = await self._committer.commit(lambda state: _collect(state, facts, ripe))
        doomed = [it.id for it in half_made if _key(it) in ripe]
        return count + (await self._shared.take_back(doomed) if self._shared and doomed else 0)

    def _ripe(self, keys: Iterable[SuspectKey]) -> frozenset[SuspectKey]:
        """Those that have been suspect for long enough; who is not in `keys` begins anew."""
        now = self._clock()
        self._since = {key: self._since.get(key, now) for key in keys}
        return frozenset(key for key, since in self._since.items() if now - since >= self._age)

    def _half_made(self, facts: EngineFacts) -> Sequence[SharedNetwork]:
        return unfinished(self._shared.snapshot(), self._shared.me, facts.networks) if self._shared else ()


def unknown_to_engine(state: State, facts: EngineFacts) -> Sequence[Suspect]:
    """What we hold and the engine does not list."""
    suspects: list[Suspect] = [it for it in state.networks.values() if it.id not in facts.networks]
    # Of attachments the engine knows nothing: they go with their containers (attachments/following.py).
    known = facts.endpoints.keys() | state.attachments.keys()
    suspects += [it for it in state.endpoints.values() if it.id not in known]
    subnets = facts.subnets
    pools = {it.id for it in state.pools.values() if (it.space_name, it.subnet) not in subnets}
    suspects += [state.pools[it] for it in pools]
    used = facts.addresses | _addresses_of_endpoints(state)
    spaces = {it.id: it.space_name for it in state.pools.values()}
    suspects += [
        it
        for it in state.allocations.values()
        if it.pool_id in pools
        or (it.kind is AllocationKind.ENDPOINT and it.held and (spaces.get(it.pool_id, ""), it.address) not in used)
    ]
    return suspects


def _addresses_of_endpoints(state: State) -> frozenset[tuple[str, IpAddress]]:
    """With the name of the address space."""
    spaces = {key: it.space for key, it in state.networks.items()}
    faces = ((it, face) for it in state.endpoints.values() for face in (it.ipv4, it.ipv6))
    return frozenset((spaces.get(it.network_id, ""), face.ip) for it, face in faces if face is not None)


def _collect(state: State, facts: EngineFacts, ripe: frozenset[SuspectKey]) -> tuple[Sequence[Change], int]:
    """Decide again on the newest state: what came back to life in between is not in `unknown` any more."""
    doomed = {_key(it): it for it in unknown_to_engine(state, facts) if _key(it) in ripe}
    changes: dict[SuspectKey, Change] = {}
    for suspect in doomed.values():
        for change in _removal(state, suspect):
            changes[_key(change.value)] = change  # type: ignore[arg-type]
    return tuple(changes.values()), len(doomed)


def _removal(state: State, suspect: Suspect) -> Sequence[Change]:
    match suspect:
        case Network():
            return network_removal(state, NetworkId(suspect.id))
        case Pool():
            return (*(Drop(it) for it in state.allocations_of(PoolId(suspect.id))), Drop(suspect))
        case _:
            return (Drop(suspect),)


def _key(value: Suspect | SharedNetwork) -> SuspectKey:
    match value:
        case Allocation():
            return ("allocation", value.key)
        case _:
            return (type(value).__name__, value.id)
