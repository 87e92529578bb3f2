"""One round: plan, diff, apply by phase, collect what was refused."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ovsnet.model.delta import Delta, Differ
from ovsnet.model.errors import ApplyError, Unavailable
from ovsnet.model.host import HostFacts, HostPlan
from ovsnet.model.state import State
from ovsnet.pipeline.flow import Resource
from ovsnet.reconcile.appliers import Applier
from ovsnet.reconcile.phases import PHASES, Does, Kind, Phase

Plan = Callable[[State, HostFacts], HostPlan]
Compared = Mapping[Kind, tuple[Mapping[str, Any], Mapping[str, Any]]]
"""Want and have of every kind."""
Compile = Callable[[State, HostFacts], Mapping[str, Resource]]


@dataclass(frozen=True, slots=True)
class Round:
    """What one round did: the revision it was for, how many resources it wrote, what was refused, and which kinds'
    neighbours did not answer.
    """

    revision: int = -1
    written: int = 0
    failures: tuple[ApplyError, ...] = ()
    away: frozenset[Kind] = frozenset()

    @property
    def clean(self) -> bool:
        """True when everything wanted is in force."""
        return not self.failures

    def failures_of(self, resources: Sequence[str]) -> tuple[ApplyError, ...]:
        """Failures of these resources, and of whole kinds (a neighbour that does not answer)."""
        return tuple(it for it in self.failures if it.resource in resources or it.resource in list(Kind))


class Converger:
    """Makes the host match the state. Holds no state of its own but the plan of the last round, as a cache."""

    def __init__(
        self,
        appliers: Mapping[Kind, Applier[Any]],
        snapshot: Callable[[], State],
        facts: Callable[[], HostFacts],
        plan: Plan,
        compile_flows: Compile,
    ) -> None:
        self._appliers = appliers
        self._snapshot = snapshot
        self._facts = facts
        self._plan = plan
        self._compile = compile_flows
        self._planned: tuple[State, HostFacts, dict[Kind, Mapping[str, Any]]] | None = None
        self._differs: Mapping[Kind, Differ[Any]] = {kind: Differ() for kind in Kind}

    def want(self, state: State, facts: HostFacts) -> Mapping[Kind, Mapping[str, Any]]:
        """Everything that must be there, by kind; the same values are not planned twice."""
        if self._planned is None or not _alike(self._planned[0], state) or self._planned[1] != facts:
            host = self._plan(state, facts)
            wanted: dict[Kind, Mapping[str, Any]] = {
                Kind.BRIDGES: host.bridges,
                Kind.LINKS: host.links,
                Kind.DEVICES: host.devices,
                Kind.INSIDES: host.insides,
                Kind.TUNNELS: host.tunnels,
                Kind.PORTS: host.ports,
                Kind.FLOWS: self._compile(state, facts) if host.bridges else {},
                Kind.UPLINKS: host.uplinks,
                Kind.FIREWALL: host.firewall,
            }
            self._planned = (state, facts, wanted)
        return self._planned[2]

    async def resync(self, kinds: Sequence[Kind]) -> list[ApplyError]:
        """Read the host afresh for these kinds."""
        failures = []
        for kind in kinds:
            if kind is Kind.FLOWS and not self._appliers[Kind.BRIDGES].have():
                continue  # no bridge, no flows: the first round of a fresh host has nothing to read
            try:
                await self._appliers[kind].resync()
            except Unavailable as error:
                failures.append(ApplyError(kind, str(error)))
        return failures

    async def round(self) -> Round:
        """Apply what differs. The facts are read again before each phase: a port's number appears on the way."""
        state = self._snapshot()
        written = 0
        failures: list[ApplyError] = []
        away: set[Kind] = set()
        for phase in PHASES:
            delta = self._delta(phase, state)
            if not delta:
                continue
            try:
                refused = await self._apply(phase.kind, delta)
            except Unavailable as error:
                refused = [ApplyError(phase.kind, str(error))]
                away.add(phase.kind)
            written += max(0, len(delta) - len(refused))
            failures += refused
        return Round(state.revision, written, tuple(failures), frozenset(away))

    def revision(self) -> int:
        """Of the state as it is wanted now."""
        return self._snapshot().revision

    def compared(self) -> Compared:
        """What is wanted and what is there, by kind, as far as the appliers know."""
        want = self.want(self._snapshot(), self._facts())
        return {kind: (want[kind], self._appliers[kind].have()) for kind in Kind}

    def _delta(self, phase: Phase, state: State) -> Delta[Any]:
        want, have = self.want(state, self._facts())[phase.kind], self._appliers[phase.kind].have()
        whole = self._differs[phase.kind].diff(want, have)
        nothing: Mapping[str, Any] = {}
        return Delta(
            add=_only(phase, whole.add) if phase.does is not Does.UNMAKES else nothing,
            change=_only(phase, whole.change) if phase.does is not Does.UNMAKES else nothing,
            remove=whole.remove if phase.does is not Does.MAKES else nothing,
        )

    async def _apply(self, kind: Kind, delta: Delta[Any]) -> Sequence[ApplyError]:
        refused = await self._appliers[kind].apply(delta)
        if kind is Kind.FLOWS:  # a flow does not say whose it is: nobody may believe to be in force
            return [ApplyError(kind, str(error)) for error in refused[:1]]
        return refused


def _only(phase: Phase, resources: Mapping[str, Any]) -> Mapping[str, Any]:
    if phase.only is None:
        return resources
    return {key: value for key, value in resources.items() if value.kind is phase.only}


def _alike(one: State, other: State) -> bool:
    """Whether one plan is good for both: addresses come and go at every start, and no plan depends on them."""
    return one is other or (
        one.networks is other.networks
        and one.endpoints is other.endpoints
        and one.attachments is other.attachments
        and one.bounds is other.bounds
        and one.spares is other.spares
        and one.exports is other.exports
        and one.imports is other.imports
        and one.uplinks is other.uplinks
    )
