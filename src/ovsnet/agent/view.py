"""The agent as the API sees it."""

import os
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ovsnet import __version__
from ovsnet.agent.logs import Ring
from ovsnet.engine.client import Engine
from ovsnet.engine.facts import EngineFacts
from ovsnet.model.errors import ApplyError, Unavailable
from ovsnet.model.host import PortPlan, SwitchFacts
from ovsnet.model.state import State
from ovsnet.observe.drift import DriftItem, compare, seen_twice
from ovsnet.observe.status import AgentFacts
from ovsnet.reconcile.phases import Kind
from ovsnet.settings import Settings
from ovsnet.store.process import store_file

if TYPE_CHECKING:
    from ovsnet.agent.main import Agent


PATIENCE = 10.0
"""Seconds `ovsnet check` waits for a round of the reconciler."""


class View:
    """Values of this moment (see api.views.AgentView)."""

    def __init__(self, agent: "Agent", engine: Engine, settings: Settings, ring: Ring) -> None:
        self._agent = agent
        self._engine = engine
        self._settings = settings
        self._ring = ring
        self._began = time.monotonic()
        self._engine_version = ""

    @property
    def settings(self) -> Settings:
        """The settings in force."""
        return self._settings

    async def meet_engine(self, facts: EngineFacts) -> None:
        """Ask an engine that came (back) what it is: it may have been upgraded meanwhile."""
        if not facts.complete:
            self._engine_version = ""
        elif not self._engine_version:
            self._engine_version = (await self._engine.version()).version

    def agent(self) -> AgentFacts:
        """What the agent knows of itself and its neighbours."""
        facts = self._agent.follower.facts
        return AgentFacts(
            version=__version__,
            pid=os.getpid(),
            uptime=time.monotonic() - self._began,
            bridge=self._settings.bridge,
            ready=self._agent.loop.last.revision >= 0,
            last_round=self._agent.loop.last_seconds,
            store_available=self._agent.store.available,
            store_path=str(store_file(self._settings)),
            store_reason=self._agent.store.reason,
            engine_reachable=facts.complete,
            engine_version=self._engine_version,
        )

    def state(self) -> State:
        """The desired state."""
        return self._agent.store.snapshot()

    def switch(self) -> SwitchFacts:
        """Open vSwitch as its database shows it."""
        return self._agent.switch.facts()

    def ports(self) -> Mapping[str, PortPlan]:
        """Our ports on the switch."""
        return self._agent.ports.have()

    def failures(self) -> Sequence[ApplyError]:
        """What the host refused in the last round."""
        return self._agent.loop.last.failures

    async def drift(self) -> Sequence[DriftItem]:
        """Read the host afresh, let the reconciler repair what it can, and name what is still not as wanted."""
        loop = self._agent.loop
        loop.nudge(*Kind)
        await loop.finished_round(PATIENCE)
        if not self._agent.switch.facts().available:
            raise Unavailable("Open vSwitch", self._agent.switch.facts().reason)
        first = self._look()
        if not first:
            return first
        loop.nudge(*Kind)
        await loop.finished_round(PATIENCE)
        return seen_twice(first, self._look())

    def _look(self) -> tuple[DriftItem, ...]:
        want = self._agent.converger.want(self.state(), self._agent.facts())
        have = self._agent.converger.have()
        return tuple(item for kind in Kind for item in compare(kind, want[kind], have[kind]))

    def recent_log(self) -> Sequence[str]:
        """The last lines of the log."""
        return self._ring.lines()
