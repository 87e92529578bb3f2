"""The zone as it is now: made anew when something changed, for the part that changed."""

from collections.abc import Callable

from ovsnet.dns.tables import ClusterNames, Here, LocalNames
from ovsnet.dns.zone import Zone
from ovsnet.model.cluster import Cluster
from ovsnet.model.ids import HostName
from ovsnet.model.state import State

REST = 1e-5
"""Seconds that names of other hosts may be old, for each endpoint of the cluster: 100 000 are read once a second."""


class Moment:
    """Makes zones. What changes on this host is in the next one; what changes elsewhere after a rest."""

    def __init__(
        self,
        here: Here,
        cluster: Callable[[], Cluster],
        dead: Callable[[], frozenset[HostName]],
        clock: Callable[[], float],
        *,
        domain: str,
    ) -> None:
        """`dead` are the members whose endpoints are left out; `clock` counts seconds."""
        self._here = here
        self._cluster, self._dead = cluster, dead
        self._clock = clock
        self._domain = domain
        self._made_of = (State(), Cluster(), frozenset[HostName]())
        self._shared = self._read(*self._made_of[1:])
        self._zone = Zone(LocalNames(State()), self._shared, domain=domain)
        self._read_at: float | None = None

    def zone(self) -> Zone:
        """The names of this moment; the same value while nothing changed."""
        state, cluster, dead = self._here.state(), self._cluster(), self._dead()
        local, before, were_dead = self._made_of
        if (dead != were_dead or _differ(cluster, before)) and self._rested(before):
            self._shared, self._read_at = self._read(cluster, dead), self._clock()
        elif state is local:
            return self._zone
        else:
            cluster, dead = before, were_dead
        self._made_of = (state, cluster, dead)
        self._zone = Zone(LocalNames(state, self._here.disguised), self._shared, domain=self._domain)
        return self._zone

    def _rested(self, before: Cluster) -> bool:
        return self._read_at is None or self._clock() - self._read_at >= REST * len(before.endpoints)

    def _read(self, cluster: Cluster, dead: frozenset[HostName]) -> ClusterNames:
        return ClusterNames(cluster, here=self._here.name, dead=dead, domain=self._domain)


def _differ(one: Cluster, other: Cluster) -> bool:
    """Whether anything that has a name is another: most changes of a cluster are signs of life."""
    return (
        one.endpoints is not other.endpoints or one.records is not other.records or one.networks is not other.networks
    )
