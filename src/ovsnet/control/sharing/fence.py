"""What this host must not forward for, though its own store wants it: addresses that now are another host's. Pure."""

from collections.abc import Callable
from dataclasses import replace
from operator import is_
from types import MappingProxyType

from ovsnet.control.sharing.leases import unleased
from ovsnet.model.cluster import Cluster
from ovsnet.model.ids import EndpointId, HostName
from ovsnet.model.state import State


class Fence:
    """Shows the state without the endpoints that must keep still; the very same value while there are none."""

    def __init__(self, me: HostName, cluster: Callable[[], Cluster]) -> None:
        self._me = me
        self._cluster = cluster
        self._inputs: tuple[object, ...] = ()
        self._shown: State | None = None
        self.fenced: frozenset[EndpointId] = frozenset()

    def permitted(self, state: State) -> State:
        """The state as far as it may be in force; what is fenced is not plugged in it."""
        cluster = self._cluster()
        inputs = (state, cluster.leases, cluster.members)
        if self._shown is None or not all(map(is_, inputs, self._inputs)):
            self._inputs = inputs
            self.fenced = unleased(state, cluster, self._me)
            self._shown = self._without(state)
        return self._shown

    def _without(self, state: State) -> State:
        if not self.fenced:
            return state
        endpoints = {
            key: replace(it, plugged=False) if key in self.fenced else it for key, it in state.endpoints.items()
        }
        return replace(state, endpoints=MappingProxyType(endpoints))
