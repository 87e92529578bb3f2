"""`ovsnet set CONTAINER NETWORK --rate`: an interface that the engine made gets another bound while it runs.

The order is remembered for the container: at its next start the engine gives it another endpoint, and says nothing of
the one before. It is forgotten with the container, or with the network.
"""

from collections.abc import Collection, Sequence
from contextlib import suppress

import structlog

from ovsnet.control.commit import Committer
from ovsnet.control.endpoints import Host, check_rate
from ovsnet.control.gone import Engine, Gone
from ovsnet.control.kernel import Kernel
from ovsnet.engine.facts import EngineFacts
from ovsnet.model.attaching import parse_target
from ovsnet.model.attachment import Target, TargetKind
from ovsnet.model.bound import Bound
from ovsnet.model.called import Known, called
from ovsnet.model.endpoint import Endpoint
from ovsnet.model.errors import BadRequest, Conflict, NotFound, OvsnetError
from ovsnet.model.network import find_network
from ovsnet.model.shaping import Shape, parse_rate
from ovsnet.model.state import State
from ovsnet.plan import names
from ovsnet.store.interface import Change, Drop, Put

log = structlog.get_logger("bounds")


class Bounds:
    """Changes one bound at a time."""

    def __init__(
        self, committer: Committer[State], host: Host, engine: Engine, kernel: Kernel, deadline: float
    ) -> None:
        """`deadline` in seconds, until a change is in force."""
        self._committer = committer
        self._host = host
        self._gone = Gone(engine)
        self._kernel = kernel
        self._deadline = deadline

    def meant(self, target: str, name: str) -> Endpoint | None:
        """The endpoint of a container on the network of that name, or its only one; None where nothing but an attached
        interface can be meant. NotFound when the container is not on that network.
        """
        return _meant(self._committer.snapshot(), target, name)

    async def change(self, endpoint: Endpoint, rate: str) -> Bound:
        """Bound it so, from now on; what the host refuses is put back."""
        if not rate:
            raise BadRequest(f"of {endpoint.title}'s interface the engine says all but the rate; say --rate RATE")
        bound = Bound(endpoint.container_id, endpoint.network_id, parse_rate(rate))
        await self._kernel.check(Shape(bound.rate))
        before = await self._committer.commit(lambda state: _decide(state, endpoint, bound))
        state = self._committer.snapshot()
        if before == bound or not endpoint.plugged:
            return bound
        port = names.port_name(endpoint, find_network(state.networks, endpoint.network_id))
        try:
            await self._host.settled(state.revision, (port, names.inside(port)), self._deadline)
        except OvsnetError:
            await self._committer.commit(lambda now: (_put_back(now, before, bound), None))
            raise
        log.info("bounded", container=endpoint.title, port=port, rate=bound.rate)
        return bound

    async def forget_gone(self, facts: EngineFacts) -> None:
        """Forget what was ordered for containers that are no more; the engine lists those that run."""
        ordered = {it.container_id for it in self._committer.snapshot().bounds.values()}
        with suppress(OvsnetError):  # the next listing is as good
            gone = await self._gone.among(ordered, facts)
            if gone:
                await self._committer.commit(lambda state: (_forget(state, gone), None))


def _meant(state: State, target: str, name: str) -> Endpoint | None:
    kind, who = parse_target(target)
    if kind is not TargetKind.CONTAINER:
        return None
    mine = endpoints_of(state, who)
    attached = [it for it in state.attachments.values() if it.target.kind is kind and _is_called(it.target, who)]
    if any(name in ("", it.ifname) for it in attached):
        return None
    try:
        network = find_network(state.networks, name) if name else None
    except NotFound:
        if attached or not mine:
            return None
        raise NotFound(
            f"{who} has no interface {name}, and is on no network {name}; it is on {_titles(mine, state)}"
        ) from None
    there = [it for it in mine if network is None or it.network_id == network.id]
    # An attached one has a name to be called by.
    chosen = [it for it in there if it.id not in state.attachments] or there
    if len(chosen) > 1:
        raise Conflict(f"{who} has several interfaces on networks: {_titles(chosen, state)}; name one")
    if not chosen and network is not None:
        where = f"it is on {_titles(mine, state)}" if mine else "one that does not run is on none: start it first"
        raise NotFound(f"container {who} is not on network {network.title}; {where}")
    return chosen[0] if chosen else None


def endpoints_of(state: State, who: str) -> Sequence[Endpoint]:
    """Those that are plugged, of the container that is called so."""
    found = called(
        who,
        state.endpoints.values(),
        lambda it: Known([it.container_name], it.compose_service, [it.container_id]),
    )
    containers = {it.container_id: it.title for it in found}
    if len(containers) > 1:
        raise Conflict(f"{who!r} could be any of {', '.join(sorted(containers.values()))}; name one of them")
    return [it for it in found if it.plugged]


def _is_called(target: Target, who: str) -> bool:
    return who in (target.name, target.service) or target.id.startswith(who)


def _decide(state: State, endpoint: Endpoint, bound: Bound) -> tuple[Sequence[Change], Bound | None]:
    network = state.networks.get(endpoint.network_id)
    if network is None or endpoint.id not in state.endpoints:
        raise NotFound(f"{endpoint.title} has left the network meanwhile")
    check_rate(network, bound.rate)
    before = state.bounds.get(bound.key)
    return ((Put(bound),) if before != bound else ()), before


def _put_back(state: State, before: Bound | None, bound: Bound) -> Sequence[Change]:
    if state.bounds.get(bound.key) != bound:
        return ()
    return (Drop(bound) if before is None else Put(before),)


def _forget(state: State, containers: Collection[str]) -> Sequence[Change]:
    return [Drop(it) for it in state.bounds.values() if it.container_id in containers]


def _titles(endpoints: Sequence[Endpoint], state: State) -> str:
    known = (state.networks.get(it.network_id) for it in endpoints)
    return ", ".join(sorted(it.title for it in known if it is not None))
