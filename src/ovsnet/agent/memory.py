"""What this host must know of its cluster to go on as before when it starts while the database is out of reach.

Written down when it changed, at most once in a while: members, networks, the addresses leased to this host, and the
endpoints on networks that have a container here.
"""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ovsnet.cluster.identity import write_private
from ovsnet.control.overlay import used_networks
from ovsnet.model.cluster import Cluster
from ovsnet.model.ids import HostName
from ovsnet.model.state import State
from ovsnet.store.lastseen import LastSeen
from ovsnet.store.shared import SHARED

PAUSE = 2.0
"""Seconds between two writes: a burst of starting containers is one."""


class Memory:
    """Of one host. Nothing is written unless `run` runs."""

    def __init__(self, path: Path, me: HostName, local: Callable[[], State]) -> None:
        self._path = path
        self._me = me
        self._local = local
        self._file = LastSeen(SHARED, path)
        self._nudged = asyncio.Event()
        self._cluster: Cluster | None = None
        self._written = b""

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
            self._write()
            await asyncio.sleep(PAUSE)

    def _write(self) -> None:
        if self._cluster is None or not self._cluster.info.id:
            return
        content = self._file.encode(needed(self._cluster, self._local(), self._me))
        if content != self._written:
            write_private(self._path, content)
            self._written = content


def needed(cluster: Cluster, here: State, me: HostName) -> Iterator[Any]:
    """The part of the cluster's state that this host cannot do without."""
    used = used_networks(here)
    yield cluster.info
    yield from cluster.members.values()
    yield from cluster.networks.values()
    yield from (it for it in cluster.leases.values() if it.host == me)
    yield from (it for it in cluster.endpoints.values() if it.network in used or it.host == me)
