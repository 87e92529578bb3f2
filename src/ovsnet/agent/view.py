"""The agent as the API sees it."""

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address

from ovsnet import __version__
from ovsnet.agent import lan
from ovsnet.agent.attached import AttachedSide
from ovsnet.agent.fabric import Fabric
from ovsnet.agent.logs import Ring
from ovsnet.api.orders import Orders
from ovsnet.cluster.sighting import Sighting
from ovsnet.engine.client import Engine
from ovsnet.engine.events import Follower
from ovsnet.engine.facts import EngineFacts
from ovsnet.linux.lan import lan_addresses
from ovsnet.model.cluster import Cluster
from ovsnet.model.errors import ApplyError
from ovsnet.model.host import PortPlan, SwitchFacts
from ovsnet.model.ids import NOT_SHARED, SharedId
from ovsnet.model.state import State
from ovsnet.observe.cluster import ClusterFacts
from ovsnet.observe.drift import DriftItem, compare
from ovsnet.observe.nearby import Around
from ovsnet.observe.status import AgentFacts
from ovsnet.observe.uplinks import networks_without
from ovsnet.ovs.ports import PortApplier
from ovsnet.ovs.switch import Switch
from ovsnet.reconcile.loop import Loop
from ovsnet.settings import Settings
from ovsnet.store.ovsdb import OvsdbStore
from ovsnet.store.process import store_file

LISTEN = 3.0
"""Seconds `ovsnet cluster discover` listens; the first answer comes after one."""
PATIENCE = 8.0
"""Seconds `ovsnet check` waits for a round of the reconciler."""


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of the agent that have something to tell."""

    store: OvsdbStore[State]
    switch: Switch
    ports: PortApplier
    loop: Loop
    follower: Follower
    attached: AttachedSide
    fabric: Fabric | None = None


class View:
    """Values of this moment (see api.views.AgentView)."""

    def __init__(self, parts: Parts, engine: Engine, settings: Settings, ring: Ring, orders: Orders) -> None:
        self._parts = parts
        self._engine = engine
        self._settings = settings
        self._ring = ring
        self._orders = orders
        self._began = time.monotonic()
        self._engine_version = ""

    @property
    def settings(self) -> Settings:
        """The settings in force."""
        return self._settings

    @property
    def orders(self) -> Orders:
        """Who carries out what is ordered."""
        return self._orders

    def cluster(self) -> ClusterFacts:
        """What is known of the cluster."""
        return self._parts.fabric.facts() if self._parts.fabric else ClusterFacts()

    async def counted_cluster(self) -> ClusterFacts:
        """What is known of the cluster, with the numbers of all hosts."""
        return await self._parts.fabric.counted() if self._parts.fabric else ClusterFacts()

    async def published(self, network: SharedId = NOT_SHARED) -> Cluster:
        """The cluster with everything that has been published on this network, or on any."""
        return await self._parts.fabric.census.published(network) if self._parts.fabric else Cluster()

    async def meet_engine(self, facts: EngineFacts) -> None:
        """Ask an engine that came (back) what it is: it may have been upgraded meanwhile."""
        if not facts.complete:
            self._engine_version = ""
        elif not self._engine_version:
            self._engine_version = (await self._engine.version()).version

    async def around(self) -> Around:
        """Listen for members on the LAN."""
        on = [*await lan_addresses()]
        if self._parts.fabric and ip_address(self._parts.fabric.address) not in on:
            on.append(ip_address(self._parts.fabric.address))
        heard: list[Sighting] = []
        await lan.look_around(on, LISTEN, heard.append)
        return Around(on, heard)

    def agent(self) -> AgentFacts:
        """What the agent knows of itself and its neighbours."""
        facts = self._parts.follower.facts
        return AgentFacts(
            version=__version__,
            pid=os.getpid(),
            uptime=time.monotonic() - self._began,
            bridge=self._settings.bridge,
            ready=self._parts.loop.last.revision >= 0,
            last_round=self._parts.loop.last_seconds,
            store_available=self._parts.store.available,
            store_path=str(store_file(self._settings)),
            store_reason=self._parts.store.reason,
            engine_reachable=facts.complete,
            engine_version=self._engine_version,
            warnings=(*self._parts.attached.warnings(), *networks_without(self._parts.store.snapshot())),
        )

    def state(self) -> State:
        """The desired state."""
        return self._parts.store.snapshot()

    def switch(self) -> SwitchFacts:
        """Open vSwitch as its database shows it."""
        return self._parts.switch.facts()

    def ports(self) -> Mapping[str, PortPlan]:
        """Our ports on the switch."""
        return self._parts.ports.have()

    def failures(self) -> Sequence[ApplyError]:
        """What the host refused in the last round."""
        return self._parts.loop.last.failures

    async def drift(self) -> Sequence[DriftItem]:
        """Read the host afresh and name what is not as wanted; the reconciler repairs it right afterwards."""
        compared = await self._parts.loop.compared(PATIENCE)
        return tuple(item for kind, (want, have) in compared.items() for item in compare(kind, want, have))

    def recent_log(self) -> Sequence[str]:
        """The last lines of the log."""
        return self._ring.lines()
