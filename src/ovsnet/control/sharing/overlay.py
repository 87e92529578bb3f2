"""What this host needs to know of the others to forward packets, out of everything they share. Pure, remembered.

Only networks with a container here count, or in the routing domain of one, and of other hosts only those that live: a
thousand hosts that share nothing with this one cost it nothing.
"""

from collections import defaultdict
from collections.abc import Mapping
from operator import is_

from ovsnet.model.cluster import Cluster, RemoteEndpoint
from ovsnet.model.egress import led_into
from ovsnet.model.ids import HostName, IpAddress, SharedId
from ovsnet.model.overlay import NO_TRUNK, Overlay, TrunkPort, TunnelKind
from ovsnet.model.state import State


def used_networks(state: State) -> frozenset[SharedId]:
    """The shared networks that have a plugged endpoint on this host, or that such an endpoint is led into."""
    used = {it.network_id for it in state.endpoints.values() if it.plugged}
    reached = led_into(state.networks.values(), used)
    return frozenset(it.shared for it in state.networks.values() if it.id in reached and it.shared)


class OverlayView:
    """Makes the Overlay, and the same one as long as nothing in it changed."""

    def __init__(self, me: HostName) -> None:
        self._me = me
        self._large: tuple[object, ...] = ()
        self._small: tuple[object, ...] = ()
        self._parts: tuple[object, ...] = ()
        self._made: Overlay | None = None

    def overlay(
        self,
        state: State,
        cluster: Cluster,
        dead: frozenset[HostName],
        device: str,
        kind: TunnelKind,
        trunk: TrunkPort = NO_TRUNK,
        *,
        current: bool = True,
    ) -> Overlay | None:
        """None while this host is not a member (any more). `current`: the cluster is as its database has it now."""
        large = (state.endpoints, state.networks, cluster.members, cluster.endpoints, cluster.info)
        small = (dead, device, kind, trunk, current)
        if self._is_as_before(large, small):
            return self._made
        mine = cluster.members.get(self._me)
        if mine is None:
            self._parts, self._made = (), None
            return None
        peers = {it.name: it.vtep for it in cluster.members.values() if it.name != self._me and it.name not in dead}
        remotes = remotes_of(cluster, used_networks(state), peers)
        info = cluster.info
        parts = (mine.vtep, device, kind, info.udp_port, peers, remotes, trunk, current, info.encapsulation)
        if parts != self._parts:
            self._parts = parts
            self._made = Overlay(*parts)
        return self._made

    def _is_as_before(self, large: tuple[object, ...], small: tuple[object, ...]) -> bool:
        """Large values are compared by identity: they are immutable, a change makes new ones."""
        same = len(self._large) == len(large) and all(map(is_, self._large, large)) and self._small == small
        self._large, self._small = large, small
        return same


def remotes_of(
    cluster: Cluster, used: frozenset[SharedId], peers: Mapping[HostName, IpAddress]
) -> dict[SharedId, tuple[RemoteEndpoint, ...]]:
    """The endpoints of living peers on these networks, in the order of the cluster's state."""
    found: dict[SharedId, list[RemoteEndpoint]] = defaultdict(list)
    for it in cluster.endpoints.values():
        if it.network in used and it.host in peers:
            found[it.network].append(it)
    return {network: tuple(them) for network, them in found.items()}
