"""The ways to the other hosts as far as anything is known of them, by whoever looks. Pure but for what it is given.

    kind ovs:     Open vSwitch watches the tunnel itself (BFD, plan/paths.py)
    kind kernel:  the other end is asked now and then (module path_sizes), which says nothing of its UDP port

A way that is down changes nothing but what people are told: there is no other way, and who lives is decided by signs of
life.
"""

import time
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Protocol

from ovsnet.model.cluster import Cluster, Member
from ovsnet.model.ids import HostName
from ovsnet.model.paths import Path, PathState


class Probes(Protocol):
    """Who asks the other ends."""

    def paths(self) -> Mapping[HostName, Path]:
        """What was found out."""

    def warnings(self) -> tuple[str, ...]:
        """The same in sentences."""


class Paths:
    """`watched` is what the switch knows, by the address of the far end."""

    def __init__(
        self,
        me: HostName,
        cluster: Callable[[], Cluster],
        dead: Callable[[], Collection[HostName]],
        watched: Callable[[], Mapping[str, Path]],
        probes: Probes,
    ) -> None:
        self._me = me
        self._cluster = cluster
        self._dead = dead
        self._watched = watched
        self._probes = probes

    def known(self) -> Mapping[HostName, Path]:
        """Of members; of those nobody looks at, nothing."""
        return {**self._probes.paths(), **self._by_switch()}

    def warnings(self) -> tuple[str, ...]:
        """Ways to hosts that live and are not as they should be: of a dead one nothing is expected."""
        return (*self._lost(), *self._probes.warnings())

    def _lost(self) -> Iterator[str]:
        cluster, dead = self._cluster(), self._dead()
        mine = cluster.members.get(self._me)
        for name, path in sorted(self._by_switch().items()):
            if mine is not None and path.state is PathState.DOWN and name not in dead:
                yield _sentence(mine, cluster.members[name], path, cluster.info.udp_port)

    def _by_switch(self) -> dict[HostName, Path]:
        seen = self._watched()
        return {it.name: seen[str(it.vtep)] for it in self._cluster().members.values() if str(it.vtep) in seen}


def _sentence(mine: Member, other: Member, path: Path, port: int) -> str:
    since = "" if path.since is None else time.strftime(" since %Y-%m-%d %H:%M:%S UTC", time.gmtime(path.since))
    why = f" ({path.diagnostic})" if path.diagnostic else ""
    return (
        f"The tunnel path to host {other.name} is down{since}{why}: containers here and there do not reach each other, "
        f"though the host lives. Look for what stops UDP port {port} between {mine.vtep} and {other.vtep}."
    )
