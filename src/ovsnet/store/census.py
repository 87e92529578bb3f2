"""What a host does not keep in mind of the cluster, asked of its database once: for people, and before a removal.

A member follows the endpoints and leases of its own networks only (decision 32). Of the others it is asked rarely how
many there are, whose, and what they are called.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

from ovsnet.model.cluster import Cluster, RemoteEndpoint, SharedNetwork
from ovsnet.model.ids import NOT_SHARED, HostName, SharedId
from ovsnet.ovsdb.question import Local, transact
from ovsnet.store.codec import UNREADABLE, decode_names
from ovsnet.store.shared import SHARED
from ovsnet.store.vocabulary import RowOf

COLUMNS = ("endpoint_id", "network", "host", "mac", "ipv4", "ipv6", "names", "created_at")
"""Of an endpoint, all but the reference to its member."""
Rows = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Counts:
    """How many published endpoints and leased addresses each host has; hosts with none are left out."""

    endpoints: Mapping[HostName, int]
    leases: Mapping[HostName, int]


def counts_in(cluster: Cluster) -> Counts:
    """Of a state that has everything."""
    return Counts(
        Counter(it.host for it in cluster.endpoints.values()), Counter(it.host for it in cluster.leases.values())
    )


class Census:
    """Asks the server at a Unix socket; every question may raise Unavailable or ApplyError."""

    def __init__(self, socket: str, cluster: Callable[[], Cluster], row_of: RowOf, *, deadline: float) -> None:
        """`cluster` has all networks; `deadline` in seconds holds for each question."""
        self._place = Local(socket)
        self._cluster = cluster
        self._row_of = row_of
        self._deadline = deadline

    async def counts(self) -> Counts:
        """Of all hosts."""
        columns = ["_uuid", "host"]  # a row that equals another one is told once (RFC 7047 5.2.2)
        endpoints, leases = await self._select(("Endpoint", [], columns), ("Lease", [], columns))
        return Counts(_by_host(endpoints), _by_host(leases))

    async def users(self, network: SharedId) -> Mapping[HostName, Sequence[str]]:
        """What has been published on this network: by host, the names of its containers."""
        (rows,) = await self._select(("Endpoint", [self._on(network)], ["host", "names", "endpoint_id"]))
        users: dict[HostName, list[str]] = defaultdict(list)
        for it in rows:
            users[HostName(it["host"])].append(_name(it))
        return users

    async def published(self, network: SharedId = NOT_SHARED) -> Cluster:
        """The cluster as it is known here, but with every endpoint of this network, or of any."""
        endpoints = await self.endpoints(network)
        return replace(self._cluster(), endpoints={it.id: it for it in endpoints})

    async def endpoints(self, network: SharedId = NOT_SHARED) -> Sequence[RemoteEndpoint]:
        """All that have been published, on one network or on any."""
        networks = {str(self._row_of(SharedNetwork, it)): it for it in self._cluster().networks}
        where = [self._on(network)] if network else []
        (rows,) = await self._select(("Endpoint", where, COLUMNS))
        return [it for it in (_endpoint(row, networks) for row in rows) if it is not None]

    def _on(self, network: SharedId) -> Sequence[object]:
        return ("network", "==", ("uuid", str(self._row_of(SharedNetwork, network))))

    async def _select(self, *questions: tuple[str, Sequence[object], Sequence[str]]) -> list[Rows]:
        operations = [
            {"op": "select", "table": table, "where": where, "columns": columns} for table, where, columns in questions
        ]
        answers = await transact(self._place, SHARED.database, operations, deadline=self._deadline)
        return [it["rows"] for it in answers]


def _by_host(rows: Rows) -> Mapping[HostName, int]:
    return Counter(HostName(it["host"]) for it in rows)


def _name(row: Mapping[str, Any]) -> str:
    try:
        names = decode_names(row["names"])
    except UNREADABLE:
        names = ()
    return names[0] if names else str(row["endpoint_id"])[:12]


def _endpoint(row: Mapping[str, Any], networks: Mapping[str, SharedId]) -> RemoteEndpoint | None:
    """None for a row that makes no sense: the log has it where it is followed."""
    try:
        shown = SimpleNamespace(
            endpoint_id=row["endpoint_id"],
            network=SimpleNamespace(net_id=networks[row["network"][1]]),
            host=row["host"],
            member=SimpleNamespace(name=row["host"]),
            mac=row["mac"],
            ipv4=_at_most_one(row["ipv4"]),
            ipv6=_at_most_one(row["ipv6"]),
            names=row["names"],
            listens="",  # not asked for: an older database has no such column, and who asks here forwards nothing
            created_at=row["created_at"],
        )
        endpoint: RemoteEndpoint = SHARED.shapes[RemoteEndpoint].decode(shown)
    except (KeyError, *UNREADABLE):
        return None
    return endpoint


def _at_most_one(value: Any) -> list[Any]:
    """A set as JSON has it (RFC 7047 5.1): one element stands for itself."""
    return list(value[1]) if isinstance(value, list) else [value]
