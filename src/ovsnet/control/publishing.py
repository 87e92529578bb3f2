"""Ports of this host that lead to containers: who may have which, from ProgramExternalConnectivity to Leave.

    wish ─► candidates that no container of ours has ─► claimed on this host ─► committed ─► in force
                                                         (nobody else has it)

A port is the container's as long as the endpoint says so in the store: the agent may go and come meanwhile.
"""

import random
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from ovsnet.control.commit import Committer
from ovsnet.control.endpoints import Host, let_go_of_ports
from ovsnet.model.egress import FIREWALL, leads_out
from ovsnet.model.endpoint import Endpoint
from ovsnet.model.errors import Conflict, NotFound, OvsnetError
from ovsnet.model.ids import EndpointId, NetworkId
from ovsnet.model.publication import PortWish, Publication, check_wish, publications
from ovsnet.model.state import State
from ovsnet.store.interface import Change, Put

EPHEMERAL = range(32768, 61000)
"""Where a port is looked for that nobody named: the kernel's own choice by default."""
TRIES = 200
"""Ports of the host that are tried for one that nobody named; more, and the host has none."""


class HostPorts(Protocol):
    """The ports of this host, as seen from here."""

    def claim(self, wanted: Collection[Publication], /) -> None:
        """Hold all of them until `settle`; Conflict names who has one of them."""

    def settle(self, claimed: Collection[Publication], /) -> None:
        """What is in the store is held from now on, and nothing else."""


@dataclass(frozen=True, slots=True)
class PublishRequest:
    """ProgramExternalConnectivity: the network is the endpoint's way out."""

    network_id: NetworkId
    endpoint_id: EndpointId
    ports: tuple[PortWish, ...] = ()


class Publishing:
    """Publishes for one endpoint at a time, and takes back."""

    def __init__(self, committer: Committer[State], host: Host, ports: HostPorts, *, deadline: float) -> None:
        """`deadline` in seconds, until a port is in force."""
        self._committer = committer
        self._host = host
        self._ports = ports
        self._deadline = deadline

    async def publish(self, request: PublishRequest) -> tuple[Publication, ...]:
        """Returns when the ports lead to the container; what is refused leaves none of them behind. Of networks that
        lead out by Docker or the LAN nothing is wanted here.
        """
        state = self._committer.snapshot()
        network = state.networks.get(request.network_id)
        if not request.ports or network is None or not leads_out(network):
            return ()
        chosen = self._claimed(state, _endpoint(state, request.endpoint_id), request.ports)
        try:
            await self._put(request.endpoint_id, chosen)
            await self._host.settled(self._committer.snapshot().revision, (FIREWALL,), self._deadline)
        except OvsnetError:
            await self.revoke(request.endpoint_id)
            raise
        finally:
            self._ports.settle(chosen)
        return chosen

    async def revoke(self, endpoint_id: EndpointId) -> None:
        """None of its ports leads to it any more, and they are free; of an unknown one none does."""

        def decide(state: State) -> tuple[Sequence[Change], bool]:
            known = state.endpoints.get(endpoint_id)
            if known is None or not known.published:
                return (), False
            return (Put(replace(known, published=())),), True

        if await self._committer.commit(decide):
            await let_go_of_ports(self._host, self._committer.snapshot().revision)

    def _claimed(self, state: State, endpoint: Endpoint, wishes: Sequence[PortWish]) -> tuple[Publication, ...]:
        versions = [it.version for it in (endpoint.ipv4, endpoint.ipv6) if it is not None]
        chosen: list[Publication] = []
        try:
            for wish in sorted(wishes, key=lambda it: (it.last - it.first, not it.first)):
                check_wish(wish, versions)
                chosen += self._one(state, endpoint, wish, versions, chosen)
        except OvsnetError:
            self._ports.settle(chosen)
            raise
        return tuple(chosen)

    def _one(
        self, state: State, endpoint: Endpoint, wish: PortWish, versions: Sequence[int], chosen: Sequence[Publication]
    ) -> tuple[Publication, ...]:
        """The wish with the first port of the host that can be had; the last refusal where none can."""
        refusal: OvsnetError | None = None
        for number in _candidates(endpoint, wish):
            wanted = publications(wish, number, versions)
            try:
                check_free(state, endpoint.id, wanted, chosen)
                self._ports.claim(wanted)
            except Conflict as error:
                refusal = error
                continue
            return wanted
        if refusal is None or wish.first == wish.last != 0:
            raise refusal or Conflict(f"port {wish.title}: there is none")
        raise Conflict(f"port {wish.title}: none is free; of the last one: {refusal}") from refusal

    async def _put(self, endpoint_id: EndpointId, chosen: tuple[Publication, ...]) -> None:
        def decide(state: State) -> tuple[Sequence[Change], None]:
            known = _endpoint(state, endpoint_id)
            check_free(state, endpoint_id, chosen)
            wanted = replace(known, published=chosen)
            return ((Put(wanted),) if wanted != known else ()), None

        await self._committer.commit(decide)


def check_free(
    state: State, endpoint_id: EndpointId, wanted: Collection[Publication], chosen: Collection[Publication] = ()
) -> None:
    """Conflict where another container of ours has one of these ports, or this one already."""
    for it in wanted:
        for other in state.endpoints.values():
            if other.id != endpoint_id and other.plugged and any(it.collides(one) for one in other.published):
                raise Conflict(
                    f"port {it.title} of this host is taken by container {other.title}; choose another port, or stop "
                    "that container"
                )
        for export in state.exports.values():
            if it.collides(export.publication):
                raise Conflict(
                    f"port {it.title} of this host leads to {export.title} by 'ovsnet publish'; choose another port, "
                    f"or 'ovsnet unpublish {export.publication.title}'"
                )
        if any(it.collides(one) for one in chosen):
            raise Conflict(f"port {it.title} of this host is asked for twice; leave one out")


def _candidates(endpoint: Endpoint, wish: PortWish) -> Iterator[int]:
    """First what it has already, as when a call is repeated."""
    if wish.first:
        had = [it.host_port for it in endpoint.published if wish.first <= it.host_port <= wish.last]
        yield from dict.fromkeys((*(it for it in had if wish.first < wish.last), *range(wish.first, wish.last + 1)))
        return
    same = (it for it in endpoint.published if (it.transport, it.port) == (wish.transport, wish.port))
    yield from dict.fromkeys(it.host_port for it in same if wish.host in (None, it.host))
    yield from random.sample(EPHEMERAL, TRIES)


def _endpoint(state: State, endpoint_id: EndpointId) -> Endpoint:
    endpoint = state.endpoints.get(endpoint_id)
    if endpoint is None or not endpoint.plugged:
        raise NotFound(f"endpoint {endpoint_id[:12]} is not known to ovsnet; start the container again")
    return endpoint
