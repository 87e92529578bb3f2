"""Which endpoints and leases of the cluster this host knows: those of the networks it uses, and its own.

    networks of our endpoints, those they are led into, and
    those of the addresses leased to us ─────────────────────────┐
    what a request is about just now ────────────────────────────┴─► condition ─► the database sends these rows only

So a host costs itself what its own networks have, however large the cluster is (decision 32). Who needs the rows of a
network that is not used here yet asks for it and waits until they are here (`network`), and so does who takes out a
host (`host`).
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from operator import is_
from typing import Any, Protocol
from uuid import UUID

from ovsnet.ipam.leasing import Family
from ovsnet.model.cluster import Cluster
from ovsnet.model.egress import led_into
from ovsnet.model.errors import Unavailable
from ovsnet.model.ids import HostName, SharedId
from ovsnet.model.state import State
from ovsnet.ovsdb.replica import Only
from ovsnet.store.shared import rows_about
from ovsnet.store.vocabulary import Kind


class Rows(Protocol):
    """The cluster's database, as far as it is about how much of it is followed."""

    def snapshot(self) -> Cluster:
        """What is known now."""

    def narrow(self, only: Only) -> None:
        """Have only these rows from now on."""

    @property
    def narrowed(self) -> bool:
        """True once every row that was asked for last is in the snapshot."""

    def row_of(self, kind: Kind, key: Any) -> UUID:
        """The row that holds a value, or is to hold it."""


class Interest:
    """Of one host. `follow` it at every change of either store."""

    def __init__(
        self,
        rows: Rows,
        local: Callable[[], State],
        held: Callable[[], Mapping[Family, object]],
        me: HostName,
        *,
        deadline: float,
    ) -> None:
        """`held`: the addresses leased to this host, the same value while they are the same; `deadline`: seconds that
        somebody waits.
        """
        self._rows = rows
        self._local = local
        self._held = held
        self._me = me
        self._deadline = deadline
        self._seen: tuple[object, ...] = (None,) * 3
        self._used: frozenset[SharedId] = frozenset()
        self._asked: Counter[SharedId] = Counter()
        self._hosts: Counter[HostName] = Counter()
        self._wanted: tuple[frozenset[SharedId], frozenset[HostName]] = (frozenset(), frozenset())
        self._named_by: object = None
        self._known: tuple[frozenset[SharedId], frozenset[HostName]] = (frozenset(), frozenset())
        self._waiters: list[asyncio.Future[None]] = []

    def known(self) -> frozenset[SharedId]:
        """The networks of which everything is known; the same value while they are the same."""
        return self._known[0]

    def follow(self) -> None:
        """Something changed here or in the cluster. Cheap while it is of no concern."""
        networks = self._networks()
        wanted = (networks, frozenset({self._me, *self._hosts}))
        names = self._rows.snapshot().networks  # their rows may be others now
        if wanted != self._wanted or names is not self._named_by:
            self._wanted, self._named_by = wanted, names
            self._rows.narrow(rows_about(*wanted, self._rows.row_of))
            self._know(*(known & now for known, now in zip(self._known, wanted, strict=True)))
        if self._rows.narrowed:
            self._know(*wanted)

    async def settled(self) -> None:
        """Returns once everything is known that this host needs; Unavailable when that takes too long."""
        self.follow()
        await self._in_time(lambda: self._known == self._wanted)

    @asynccontextmanager
    async def network(self, network: SharedId) -> AsyncIterator[None]:
        """While the block runs, everything about this network is known; Unavailable when that takes too long."""
        async with self._asking(self._asked, network, lambda: network in self._known[0]):
            yield

    @asynccontextmanager
    async def host(self, host: HostName) -> AsyncIterator[None]:
        """While the block runs, everything of this host is known; Unavailable when that takes too long."""
        async with self._asking(self._hosts, host, lambda: host in self._known[1]):
            yield

    @asynccontextmanager
    async def _asking(self, asked: Counter[Any], key: Any, there: Callable[[], bool]) -> AsyncIterator[None]:
        asked[key] += 1
        try:
            self.follow()
            await self._in_time(there)
            yield
        finally:
            asked[key] -= 1
            if not asked[key]:
                del asked[key]
            self.follow()

    async def _in_time(self, there: Callable[[], bool]) -> None:
        try:
            async with asyncio.timeout(self._deadline):
                await self._until(there)
        except TimeoutError:
            reason = f"it did not tell within {self._deadline:g} s what other hosts have"
            raise Unavailable("the cluster's database", reason) from None

    async def _until(self, there: Callable[[], bool]) -> None:
        while not there():
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            await waiter

    def _networks(self) -> frozenset[SharedId]:
        state, held = self._local(), self._held()
        seen = (state.endpoints, state.networks, held)
        if not all(map(is_, seen, self._seen)):
            self._seen = seen
            used = {it.network_id for it in state.endpoints.values()}
            reached = led_into(state.networks.values(), used)
            here = {it.shared for it in state.networks.values() if it.shared and it.id in reached}
            self._used = frozenset(here.union(network for network, _ in held))
        return self._used.union(self._asked)

    def _know(self, networks: frozenset[Any], hosts: frozenset[Any]) -> None:
        if (networks, hosts) == self._known:
            return
        self._known = (networks, hosts)
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)
