"""Every engine has every network of the cluster: made where it is missing, removed where the cluster has forgotten it.

    cluster's networks ─┐
                        ├─► to_do (plain) ─► engine: create, remove ─► our own driver: CreateNetwork, DeleteNetwork
    engine's networks ──┘

Runs beside the drivers, never within a call of theirs: the engine calls them while it does what is asked here. What is
decided on is a listing that began after our last change; the one we follow only says that a look is worth it.
"""

import asyncio
from collections.abc import Awaitable, Container, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol

import structlog

from ovsnet.control.commit import Committer
from ovsnet.control.networks import network_removal
from ovsnet.control.sharing.parts import Parts
from ovsnet.engine.facts import EngineEndpoint, EngineFacts, EngineNetwork, NetworkSpec, SubnetSpec
from ovsnet.model.addressing import LOCAL_SPACE, space_of
from ovsnet.model.cluster import Cluster, SharedNetwork
from ovsnet.model.errors import Conflict, OvsnetError, Unavailable
from ovsnet.model.ids import NOT_SHARED, HostName, IpAddress, IpNetwork, NetworkId, SharedId
from ovsnet.model.state import State
from ovsnet.store.interface import Change, Drop, Store

DRIVER = "ovsnet"
"""Our name as network driver and as IPAM driver."""
REMEDY = "what is in the way must go from this host, then it is tried again within seconds"
FIRST_RETRY, LAST_RETRY = 1.0, 16.0
"""Seconds until what the engine refused is tried again: doubled each time, up to the last."""
SETTLED = 2.0
"""Seconds a part that our store still has must be missing in the engine until it counts as forgotten there: an engine
lists a network no more from the moment it begins to remove it, and asks our driver after that.
"""


class Engine(Protocol):
    """The engine, as seen from here."""

    async def networks(self) -> Mapping[NetworkId, EngineNetwork]:
        """What it has now."""

    async def create_network(self, spec: NetworkSpec, /) -> NetworkId:
        """Make a network; Conflict when its name is taken."""

    async def remove_network(self, network_id: NetworkId, /) -> None:
        """Remove a network; Conflict while containers are on it."""


@dataclass(frozen=True, slots=True)
class ToDo:
    """What must change so that the engine has what the cluster has; `blocked` says in words what cannot be done yet."""

    make: Mapping[SharedId, SharedNetwork]
    remove: Mapping[NetworkId, EngineNetwork]
    blocked: Mapping[NetworkId, str]

    def __bool__(self) -> bool:
        """True when something can be done about it."""
        return bool(self.make or self.remove)


@dataclass(frozen=True, slots=True)
class Trouble:
    """What went wrong with one network, for people, and when it is tried again (seconds of the loop's clock).

    Without a text nothing went wrong: it is only looked at once more.
    """

    text: str
    pause: float
    due: float


class Replicas:
    """The background task. `nudge` it when the cluster's state changes, and give it every listing of the engine."""

    def __init__(
        self, engine: Engine, committer: Committer[State], cluster: Store[Cluster], me: HostName, parts: Parts
    ) -> None:
        """`parts` are those the drivers look at."""
        self._engine = engine
        self._committer = committer
        self._cluster = cluster
        self._me = me
        self._parts = parts
        self._facts = EngineFacts()
        self._nudged = asyncio.Event()
        self._troubles: dict[str, Trouble] = {}
        self._blocked: Mapping[NetworkId, str] = {}
        self._log = structlog.get_logger("networks")

    def nudge(self) -> None:
        """Something changed. Cheap, and callable from anywhere."""
        self._nudged.set()

    def consider(self, facts: EngineFacts) -> None:
        """The newest listing of the engine."""
        self._facts = facts
        self.nudge()

    def problems(self) -> tuple[str, ...]:
        """What keeps this host's engine from having what the cluster has, a sentence for each network."""
        return (*(it.text for it in self._troubles.values() if it.text), *self._blocked.values())

    async def run(self) -> None:
        """Follow the cluster until cancelled."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout_at(min((it.due for it in self._troubles.values()), default=None)):
                    await self._nudged.wait()
            self._nudged.clear()
            try:
                await self._look()
            except OvsnetError as error:  # the engine's or our store's, and both tell when they are back
                self._log.info("networks of the cluster wait", reason=str(error))
                self._postpone()

    async def _look(self) -> None:
        if not self._ready():
            self._postpone()
        elif self._due(self._to_do(self._facts.networks)):
            await self._act(self._due(self._to_do(await self._engine.networks())))

    def _ready(self) -> bool:
        """Nothing may be concluded from what is missing in a state that is not the present one."""
        cluster = self._cluster.snapshot()
        return bool(
            self._facts.complete and self._cluster.available and cluster.info.id and self._me in cluster.members
        )

    def _to_do(self, listed: Mapping[NetworkId, EngineNetwork]) -> ToDo:
        return to_do(self._cluster.snapshot(), self._committer.snapshot(), listed, self._facts.endpoints.values())

    def _due(self, todo: ToDo) -> ToDo:
        """The part whose time has come; a network that needs nothing any more is no trouble any more."""
        now = asyncio.get_running_loop().time()
        self._blocked = todo.blocked
        known = {key: it for key, it in self._troubles.items() if key in todo.make or key in todo.remove}
        here = {it.shared for it in self._committer.snapshot().networks.values()}
        vanished = {str(key): Trouble("", FIRST_RETRY, now + SETTLED) for key in todo.make if key in here}
        self._troubles = vanished | known
        later = {key for key, it in self._troubles.items() if it.due > now}
        return ToDo(
            {key: it for key, it in todo.make.items() if key not in later},
            {key: it for key, it in todo.remove.items() if key not in later},
            todo.blocked,
        )

    def _postpone(self) -> None:
        due = asyncio.get_running_loop().time() + LAST_RETRY
        self._troubles = {key: replace(it, due=due) for key, it in self._troubles.items()}

    async def _act(self, todo: ToDo) -> None:
        for gone in todo.remove.values():
            await self._try(gone.id, gone.name, self._engine.remove_network(gone.id))
        for network in todo.make.values():
            await self._try(network.id, network.name, self._make(network))

    async def _make(self, network: SharedNetwork) -> None:
        await self._committer.commit(partial(_without_left_over, network))
        with self._parts.expected(network):
            await self._engine.create_network(spec_of(network))

    async def _try(self, key: str, name: str, change: Awaitable[object]) -> None:
        """Remember what was refused; Unavailable ends the round, as nothing else would do any better."""
        try:
            await change
        except OvsnetError as error:
            self._remember(key, error)
            if isinstance(error, Unavailable):
                raise
        else:
            self._troubles.pop(key, None)
            self._log.info("the engine has what the cluster has", network=name)

    def _remember(self, key: str, error: OvsnetError) -> None:
        known = self._troubles.get(key)
        pause = min(2 * known.pause, LAST_RETRY) if known else FIRST_RETRY
        text = f"{error}; {REMEDY}" if isinstance(error, Conflict) else str(error)
        if known is None or known.text != text:
            self._log.warning("the engine has not what the cluster has", reason=text)
        self._troubles[key] = Trouble(text, pause, asyncio.get_running_loop().time() + pause)


# ---------------------------------------------------------------- deciding


def to_do(
    cluster: Cluster, state: State, listed: Mapping[NetworkId, EngineNetwork], endpoints: Iterable[EngineEndpoint]
) -> ToDo:
    """Compare the cluster's networks with the engine's parts of them; what is no part of one is not looked at."""
    parts = {it.id: _part_of(it, cluster, state) for it in listed.values() if it.driver == DRIVER}
    have = set(parts.values())
    gone = {key: listed[key] for key, shared in parts.items() if shared and shared not in cluster.networks}
    users = _users(endpoints, gone)
    blocked = {
        key: f"network {it.name} was removed from the cluster and stays on this host while containers are on it: "
        f"stop {', '.join(sorted(users[key]))}"
        for key, it in gone.items()
        if key in users
    }
    blocked |= {
        key: f"network {listed[key].name}: this host's engine has it and its store does not, as after a loss of state; "
        f"'docker network rm {listed[key].name}' here, and it is made again within seconds"
        for key, shared in parts.items()
        if shared in cluster.networks and key not in state.networks
    }
    blocked |= _namesakes(listed.values(), [key for key, shared in parts.items() if shared in cluster.networks])
    return ToDo(
        make={key: it for key, it in cluster.networks.items() if it.name and key not in have},
        remove={key: it for key, it in gone.items() if key not in users},
        blocked=blocked,
    )


def _namesakes(listed: Iterable[EngineNetwork], parts: Sequence[NetworkId]) -> Mapping[NetworkId, str]:
    """An engine takes a second network of one name when both are made at the same moment, and uses neither by name."""
    named: dict[str, list[NetworkId]] = {}
    for it in listed:
        named.setdefault(it.name, []).append(it.id)
    return {
        ids[
            0
        ]: f"network {name}: this host's engine has more than one of this name, made at the same moment on several "
        f"hosts; remove all but one of {', '.join(it[:12] for it in sorted(ids))} with 'docker network rm'"
        for name, ids in named.items()
        if len(ids) > 1 and not set(ids).isdisjoint(parts)
    }


def _part_of(network: EngineNetwork, cluster: Cluster, state: State) -> SharedId:
    """The network of the cluster this one is a part of, "" for one of this host alone."""
    if SharedId(network.id) in cluster.networks:
        return SharedId(network.id)
    known = state.networks.get(network.id)
    if known is not None:
        return known.shared
    # Of one that our store has lost nothing is left to know it by but its name.
    return next((it.id for it in cluster.networks.values() if it.name == network.name), NOT_SHARED)


def _users(endpoints: Iterable[EngineEndpoint], networks: Container[NetworkId]) -> Mapping[NetworkId, list[str]]:
    users: dict[NetworkId, list[str]] = {}
    for endpoint in endpoints:
        if endpoint.network_id in networks:
            users.setdefault(endpoint.network_id, []).append(endpoint.container_name or endpoint.container_id[:12])
    return users


def _without_left_over(network: SharedNetwork, state: State) -> tuple[Sequence[Change], None]:
    """What this host still knows of a part that its engine forgot while no agent ran: it would be in the way."""
    old = [it for it in state.networks.values() if it.shared == network.id]
    space = space_of(LOCAL_SPACE, network.space)
    pools = [it for it in state.pools.values() if it.space == space and it.serves(network)] if old else []
    changes: list[Change] = [change for it in old for change in network_removal(state, it.id)]
    for pool in pools:
        changes += [*(Drop(it) for it in state.allocations_of(pool.id)), Drop(pool)]
    return changes, None


def spec_of(network: SharedNetwork) -> NetworkSpec:
    """What the engine is asked for: what somebody asked the first one. We take it from the cluster again."""
    v4 = _subnet_spec(network, network.ipv4, network.range4, network.gateway4)
    v6 = _subnet_spec(network, network.ipv6, network.range6, network.gateway6)
    return NetworkSpec(
        name=network.name,
        driver=DRIVER,
        ipam_driver=DRIVER,
        subnets=tuple(it for it in (v4, v6) if it is not None),
        labels=dict(network.labels),
        options=dict(network.asked),
        ipam_options={"space": network.space} if network.space else {},
        internal=network.internal,
    )


def _subnet_spec(
    network: SharedNetwork, subnet: IpNetwork | None, ip_range: IpNetwork | None, gateway: IpAddress | None
) -> SubnetSpec | None:
    if subnet is None:
        return None
    reserved = tuple(it for it in network.reserved if it.version == subnet.version)
    return SubnetSpec(subnet, ip_range, gateway, reserved)
