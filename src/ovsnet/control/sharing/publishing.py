"""What other hosts need to know of this one's endpoints, kept the same in the cluster's database.

    local endpoints, plugged, on networks of the cluster ─┐
                                                          ├─► difference (plain) ─► one commit
    rows of the cluster that carry this host's name ──────┘

Level-triggered: lost and doubled nudges do no harm, and what could not be written while the database was away is
written when it is back. The names of networks that were made here go the same way.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import structlog

from ovsnet.control.commit import Committer
from ovsnet.model.cluster import Cluster, RemoteEndpoint
from ovsnet.model.endpoint import Endpoint
from ovsnet.model.errors import OvsnetError
from ovsnet.model.ids import EndpointId, HostName, NetworkId, SharedId
from ovsnet.model.state import State
from ovsnet.store.interface import Change, Drop, Put

BATCH = 500
"""Rows of one commit: a host that comes back with thousands must not exceed the deadline of one."""
FIRST_RETRY, LAST_RETRY = 0.25, 8.0
"""Seconds until what was refused is tried again: doubled each time, up to the last."""


class Publisher:
    """The background task. `nudge` it when the local or the cluster's state changes, or when a store comes back."""

    def __init__(self, cluster: Committer[Cluster], local: Callable[[], State], me: HostName) -> None:
        self._cluster = cluster
        self._local = local
        self._me = me
        self._nudged = asyncio.Event()
        self._seen: tuple[Any, ...] = ()
        self._reason = ""
        self._published_revision = -1
        self._log = structlog.get_logger("publishing")

    def nudge(self) -> None:
        """Something changed. Cheap, and callable from anywhere."""
        self._nudged.set()

    @property
    def published_revision(self) -> int:
        """The revision of the local state that other hosts know; -1 before the first."""
        return self._published_revision

    @property
    def lag(self) -> int:
        """How many changes of this host the others do not know yet."""
        return len(to_publish(self._local(), self._cluster.snapshot(), self._me))

    def problems(self) -> tuple[str, ...]:
        """Why other hosts do not know of this one's endpoints, for people; nothing while they do."""
        if self._cluster.snapshot().info.id and self._me not in self._cluster.snapshot().members:
            return (f"host {self._me} is not a member of the cluster any more: what runs here is not published",)
        return (f"changes wait to be published: {self._reason}",) if self._reason else ()

    async def run(self) -> None:
        """Publish until cancelled."""
        pause: float | None = None
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._nudged.wait()
            self._nudged.clear()
            try:
                await self._publish()
            except OvsnetError as error:
                self._tell(str(error))
                pause = min(2 * pause, LAST_RETRY) if pause else FIRST_RETRY
            else:
                pause = None

    async def _publish(self) -> None:
        """Nothing is tried while the database is away: a commit would keep others waiting that want to tell so."""
        if not self._cluster.available:
            self._tell("the cluster's database does not answer")
            return
        while not self._is_old():
            if not await self._cluster.commit(self._decide):
                # Nothing was written, so nothing was waited for: this is still what was decided on.
                self._published_revision = self._local().revision
                self._seen = self._sight()
        self._tell("")

    def _decide(self, cluster: Cluster) -> tuple[Sequence[Change], int]:
        changes = to_publish(self._local(), cluster, self._me)
        return changes[:BATCH], len(changes)

    def _sight(self) -> tuple[Any, ...]:
        """The parts of both states that matter, by identity: other hosts' beats and leases come all the time."""
        local, cluster = self._local(), self._cluster.snapshot()
        return (local.endpoints, local.networks, cluster.endpoints, cluster.networks, cluster.members)

    def _is_old(self) -> bool:
        now = self._sight()
        return len(self._seen) == len(now) and all(a is b for a, b in zip(self._seen, now, strict=True))

    def _tell(self, reason: str) -> None:
        if reason and not self._reason:
            self._log.warning("changes wait to be published", reason=reason)
        elif self._reason and not reason:
            self._log.info("all changes are published again")
        self._reason = reason


def to_publish(state: State, cluster: Cluster, me: HostName) -> list[Change]:
    """The changes after which the cluster says of this host what is true. None for a host that is no member."""
    if me not in cluster.members:
        return []
    want = {it.id: it for it in _wanted(state, cluster, me)}
    have = {it.id: it for it in cluster.endpoints.values() if it.host == me}
    changes: list[Change] = [Drop(it) for key, it in have.items() if key not in want]
    changes += [Put(it) for key, it in want.items() if have.get(key) != it]
    return [*changes, *_names(state, cluster, me)]


def _wanted(state: State, cluster: Cluster, me: HostName) -> Iterator[RemoteEndpoint]:
    shared = {key: it.shared for key, it in state.networks.items() if it.shared in cluster.networks}
    for endpoint in state.endpoints.values():
        if endpoint.plugged and endpoint.network_id in shared:
            yield _published(endpoint, shared[endpoint.network_id], me)


def _published(endpoint: Endpoint, network: SharedId, me: HostName) -> RemoteEndpoint:
    names = (endpoint.container_name, endpoint.compose_service, *endpoint.aliases)
    return RemoteEndpoint(
        id=EndpointId(endpoint.id),
        network=network,
        host=me,
        mac=endpoint.mac,
        ipv4=endpoint.ipv4.ip if endpoint.ipv4 else None,
        ipv6=endpoint.ipv6.ip if endpoint.ipv6 else None,
        names=tuple(dict.fromkeys(it for it in names if it)),
        listens=endpoint.listens,
        created_at=endpoint.created_at,
    )


def _names(state: State, cluster: Cluster, me: HostName) -> Iterator[Change]:
    """What the engine said of the networks that were made here; with a name they are made on the other hosts."""
    for shared in cluster.networks.values():
        part = state.networks.get(NetworkId(shared.id)) if shared.origin == me else None
        if part is not None and part.name and (part.name, part.labels) != (shared.name, shared.labels):
            yield Put(replace(shared, name=part.name, labels=part.labels))
