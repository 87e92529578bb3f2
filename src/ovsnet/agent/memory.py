"""What this host must know of its cluster to go on as before when it starts while the database is out of reach.

Written down when it changed, at most once in a while: members, networks, the addresses leased to this host, and the
endpoints on networks that have a container here.
"""

import asyncio
import time
from collections.abc import Callable, Iterator
from operator import is_
from pathlib import Path
from typing import Any

import structlog

from ovsnet.cluster.identity import write_private
from ovsnet.control.sharing.overlay import used_networks
from ovsnet.model.cluster import Cluster
from ovsnet.model.ids import HostName
from ovsnet.model.state import State
from ovsnet.store.lastseen import LastSeen
from ovsnet.store.shared import SHARED

log = structlog.get_logger("cluster")

PAUSE = 2.0
"""Seconds between two writes: a burst of starting containers is one."""
SHARE = 20.0
"""How many times as long as a write kept a processor busy it is at least until the next one. A host that is busy with
other things does not count: it must not begin with what it knew long ago.
"""


class Memory:
    """Of one host. Nothing is written unless `run` runs."""

    def __init__(self, path: Path, me: HostName, local: Callable[[], State]) -> None:
        self._path = path
        self._me = me
        self._local = local
        self._file = LastSeen(SHARED, path)
        self._nudged = asyncio.Event()
        self._cluster: Cluster | None = None
        self._looked_at: tuple[object, ...] = ()
        self._written = b""
        self._cost = 0.0

    def recall(self) -> Cluster | None:
        """What was written down last; None when nothing was."""
        return self._file.load()

    def note(self, cluster: Cluster) -> None:
        """The present state, from the database itself."""
        self._cluster = cluster
        self._nudged.set()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self._nudged.wait()
            self._nudged.clear()
            self._cost = 0.0
            await self.write()
            await asyncio.sleep(max(PAUSE, SHARE * self._cost))

    async def write(self) -> None:
        """What was noted last, unless it is what was written last."""
        cluster, here = self._cluster, self._local()
        if cluster is None or not cluster.info.id or self._is_as_before(cluster, here):
            return
        try:
            # Of many endpoints it takes a while; all of it is values that never change.
            self._written = await asyncio.to_thread(self._save, cluster, here, self._written)
        except OSError as error:
            self._looked_at = ()
            log.warning("the cluster as it is cannot be written down", file=str(self._path), reason=str(error))

    def _is_as_before(self, cluster: Cluster, here: State) -> bool:
        """Compared by identity: most changes are signs of life, which are not kept."""
        parts = (cluster.info, cluster.members, cluster.networks, cluster.leases, cluster.endpoints)
        seen, before = (*parts, here.endpoints, here.networks), self._looked_at
        self._looked_at = seen
        return len(seen) == len(before) and all(map(is_, seen, before))

    def _save(self, cluster: Cluster, here: State, before: bytes) -> bytes:
        began = time.thread_time()
        content = self._file.encode(needed(cluster, here, self._me))
        if content != before:
            write_private(self._path, content)
        self._cost = time.thread_time() - began
        return content


def needed(cluster: Cluster, here: State, me: HostName) -> Iterator[Any]:
    """The part of the cluster's state that this host cannot do without."""
    used = used_networks(here)
    yield cluster.info
    yield from cluster.members.values()
    yield from cluster.networks.values()
    yield from (it for it in cluster.leases.values() if it.host == me)
    yield from (it for it in cluster.endpoints.values() if it.network in used or it.host == me)
