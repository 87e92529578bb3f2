"""The cluster side of a member's agent: what it builds and runs beside what every agent has.

    cluster.sock ─► store ─┬─► overlay ─► reconciler (tunnels, flows)
                           ├─► presence (who lives), steward (who votes)
     our own store ────────┼─► publisher (what runs here), reserve (addresses held ahead)
     the engine ───────────┴─► replicas (every network in every engine), aliases
     other members' agents ──► door

A host that is in no cluster has none of it.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from ipaddress import ip_address
from operator import is_
from time import time

import structlog

from ovsnet import __version__
from ovsnet.agent import lan, tunnels
from ovsnet.agent.credentials import troubles
from ovsnet.agent.database_server import DatabaseServer
from ovsnet.agent.memory import Memory
from ovsnet.agent.scene import Scene
from ovsnet.agent.shared_store import cluster_store
from ovsnet.agent.trunk import OthersPorts, Trunk
from ovsnet.cluster import peer_server
from ovsnet.cluster.identity import Membership, identity_files
from ovsnet.cluster.keyfiles import authority_fingerprint
from ovsnet.cluster.peers import Peers
from ovsnet.cluster.process import cluster_socket
from ovsnet.cluster.recovery import replaced
from ovsnet.cluster.sighting import Sighting, shown
from ovsnet.control.commit import Committer
from ovsnet.control.membership.leaving import Leaving
from ovsnet.control.membership.liveness import Liveness
from ovsnet.control.membership.members import About, Members
from ovsnet.control.membership.path_sizes import PathSizes
from ovsnet.control.membership.paths import Paths
from ovsnet.control.membership.presence import HostFacts as Said
from ovsnet.control.membership.presence import Presence
from ovsnet.control.membership.standing import Standing
from ovsnet.control.membership.steward import Steward, Terms
from ovsnet.control.membership.succession import Succession
from ovsnet.control.naming import Aliases
from ovsnet.control.sharing.fence import Fence
from ovsnet.control.sharing.interest import Interest
from ovsnet.control.sharing.leases import Leases
from ovsnet.control.sharing.overlay import OverlayView
from ovsnet.control.sharing.peer_addresses import PeerAddresses
from ovsnet.control.sharing.publishing import Publisher
from ovsnet.control.sharing.records import Records
from ovsnet.control.sharing.replicas import Replicas
from ovsnet.control.sharing.reserve import Reserve
from ovsnet.control.sharing.shared_addresses import SharedAddresses
from ovsnet.control.sharing.shared_networks import SharedNetworks, TrunkView
from ovsnet.dns.service import Names
from ovsnet.dns.tables import Disguised
from ovsnet.dns.tables import Here as Asking
from ovsnet.engine.client import Engine
from ovsnet.engine.facts import EngineFacts
from ovsnet.linux.tunnelends import Ends, TunnelEnds, ends_of
from ovsnet.linux.underlay import Underlay, path_mtu, underlay_of
from ovsnet.model.cluster import Member
from ovsnet.model.errors import OvsnetError, Unavailable
from ovsnet.model.host import SwitchFacts
from ovsnet.model.ids import EndpointId, HostName, IpNetwork, SharedId
from ovsnet.model.overlay import Overlay, TunnelKind
from ovsnet.model.paths import Path
from ovsnet.model.state import State
from ovsnet.observe.cluster import ClusterFacts
from ovsnet.observe.findings import Level
from ovsnet.observe.member_words import behind, fenced
from ovsnet.settings import Settings
from ovsnet.store.census import Census
from ovsnet.store.ovsdb import OvsdbStore

RETRY = 2.0
"""Seconds until the door for other members is opened again: its address may not be on an interface yet."""
COUNTING = 10.0
"""Seconds the cluster's database has to tell what this host does not follow."""
FIRST_SIGHT = 2.0
"""Seconds the cluster's database has at the start: it is newer than what was written down of it."""

log = structlog.get_logger("cluster")


@dataclass(frozen=True, slots=True)
class Here:
    """What the agent has anyway. `nudge` wakes the reconciler."""

    store: OvsdbStore[State]
    committer: Committer[State]
    engine: Engine
    switch: Callable[[], SwitchFacts]
    host_networks: Callable[[], Awaitable[Collection[IpNetwork]]]
    nudge: Callable[[], None]
    paths: Callable[[], Mapping[str, Path]]
    """What the switch knows of the ways to other hosts' tunnel ends, by their addresses."""
    ports: OthersPorts
    """What others have on the switch."""
    disguised: Disguised


class Fabric:
    """One member's view of its cluster."""

    def __init__(self, settings: Settings, membership: Membership, here: Here) -> None:
        self.me = HostName(membership.host)
        self.address = membership.address
        self._settings = settings
        self._membership = membership
        self._here = here
        self._files = identity_files(settings)
        self._underlay: Underlay | None = None
        self._view = OverlayView(self.me)
        self._shown: tuple[Overlay | None, frozenset[EndpointId]] = (None, frozenset())
        self.memory = Memory(self._files.seen, self.me, here.store.snapshot)
        self.store = cluster_store(settings, last_seen=self.memory.recall())
        self.committer = Committer(self.store)
        self.peers = Peers(self._files, settings.cluster_port)
        self.liveness = Liveness(self.me, settings.dead_after, settings.heartbeat_period)
        self._scene = Scene()
        self.trunk = Trunk(settings, here.store.snapshot, here.switch, here.ports)
        self._build_addresses()
        self._build_parts()
        self.store.watch(self._changed)
        here.store.watch(self._changed_here)

    def _build_addresses(self) -> None:
        settings, local = self._settings, self._here.store.snapshot
        self.leases = Leases(self.committer, self.me, self._known)
        self.interest = Interest(self.store, local, self.leases.mine, self.me, deadline=settings.store_deadline)
        self.census = Census(str(cluster_socket(settings)), self.store.snapshot, self.store.row_of, deadline=COUNTING)
        self.reserve = Reserve(self.leases, local, time, settings)
        asking = PeerAddresses(self.peers, self.committer.snapshot)
        trunk = TrunkView(self.trunk.obstacle, self.trunk.mtu, lambda: self.store.has_all_columns(Member))
        self.networks = SharedNetworks(self.committer, self.me, self.census.users, trunk, __version__)
        self.addresses = SharedAddresses(
            self.leases, self.reserve, asking, settings, self.dead, self.interest.network, self.networks.parts
        )

    def _build_parts(self) -> None:
        settings, here, server = self._settings, self._here, DatabaseServer(self._settings)
        self.fence = Fence(self.me, self.store.snapshot)
        self.names = Names(
            settings,
            here=Asking(self.me, here.store.snapshot, here.disguised),
            cluster=self.store.snapshot,
            dead=self.dead,
            changed=here.nudge,
        )
        self.ends = TunnelEnds(settings.instance, self._ends)
        self._guarded: tuple[object, ...] = ()
        self.records = Records(self.committer, self.me)
        self.publisher = Publisher(self.committer, self.wanted, self.me)
        self.replicas = Replicas(here.engine, here.committer, self.store, self.me, self.networks.parts)
        self.aliases = Aliases(here.committer, here.engine.aliases)
        self.presence = Presence(
            self.committer, self.me, self.liveness, self._said, settings.heartbeat_period, self._changed
        )
        about = About(self.me, rows_of=self.interest.host)
        self.steward = Steward(
            self.committer,
            server,
            self._files,
            self._membership,
            self.peers,
            self.dead,
            Terms(settings.heartbeat_period, __version__),
        )
        self.succession = Succession(
            self.committer,
            self.steward,
            self.peers,
            self.liveness.silence,
            partial(replaced, self._files),
            settings.heartbeat_period,
        )
        self.standing = Standing(self.committer, self.steward, self.peers, self.me, settings.heartbeat_period)
        self.members = Members(self.committer, self._files, self.peers, about, self.dead, self.reserve, self.succession)
        self.path_sizes = PathSizes(self.me, self.store.snapshot, self.overlay, path_mtu, settings.path_period)
        self.paths = Paths(self.me, self.store.snapshot, self.dead, here.paths, self.path_sizes)
        self.leaving = Leaving(
            self.committer,
            self.members,
            server,
            self._files,
            self.me,
            here.store.snapshot,
            here.engine.remove_network,
        )

    # ------------------------------------------------------------ what the rest of the agent sees

    @property
    def vtep_device(self) -> str:
        """The interface that has this host's tunnel end; "" while it is not found."""
        return self._underlay.device if self._underlay else ""

    def dead(self) -> frozenset[HostName]:
        """The members that give no sign of life."""
        return self.liveness.dead

    def wanted(self) -> State:
        """What this host was asked for, as far as it may be in force."""
        return self.fence.permitted(self._here.store.snapshot())

    def overlay(self) -> Overlay | None:
        """The way to other hosts; the same value as long as nothing in it changed."""
        trunk, current = self.trunk.port(), self.store.available
        wanted, cluster, kind = self.wanted(), self.store.snapshot(), self._kind()
        return self._view.overlay(wanted, cluster, self.liveness.dead, self.vtep_device, kind, trunk, current=current)

    def _known(self) -> frozenset[SharedId]:
        """The networks of which this host knows every lease and endpoint."""
        return self.interest.known()

    def facts(self) -> ClusterFacts:
        """What people are shown."""
        now = asyncio.get_running_loop().time()
        cluster = self.store.snapshot()
        silence = {it: quiet for it in cluster.members if (quiet := self.liveness.silence(it, now)) is not None}
        stewards = [it for it in (self.steward.problem, self.succession.problem) if it]
        stewards += troubles(self._files, self.me, Level.PROBLEM)
        return ClusterFacts(
            me=self.me,
            cluster=cluster,
            available=self.store.available,
            reason=self.store.reason,
            leader=self.steward.leader,
            dead=self.liveness.dead,
            silence=silence,
            paths=self.paths.known(),
            waiting=self.publisher.lag,
            problems=(
                *(*stewards, *self.replicas.problems(), *self._fenced(), *self._unpublished()),
                *(*self.trunk.problems(), *self._stuck_tunnels()),
            ),
            warnings=(
                *tunnels.warnings(self._settings, self._here.switch(), self._underlay, cluster.info.encapsulation),
                *self.trunk.warnings(),
                *behind(self.steward.behind, __version__),
                *self._on_the_way(),
            ),
        )

    def _on_the_way(self) -> tuple[str, ...]:
        expiring = troubles(self._files, self.me, Level.WARNING)
        return (*expiring, *self.paths.warnings(), *self._open_ends())

    def _unpublished(self) -> tuple[str, ...]:
        """Told apart where the reason is not that nothing at all can be written."""
        can = self.store.available and self.me in self.store.snapshot().members
        return self.publisher.problems() if can else ()

    def _kind(self) -> TunnelKind:
        return tunnels.tunnel_kind(self._settings, self._here.switch(), self.store.snapshot().info.encapsulation)

    def _stuck_tunnels(self) -> Iterator[str]:
        return tunnels.problems(self._kind(), self._here.switch(), self._underlay, self._here.ports.foreign_carrier)

    def _fenced(self) -> tuple[str, ...]:
        if self.me not in self.store.snapshot().members:
            return ()
        here = self._here.store.snapshot().endpoints
        return fenced([it.title for key, it in here.items() if key in self.fence.fenced])

    async def counted(self) -> ClusterFacts:
        """With the numbers of all hosts, as far as the database tells them."""
        facts = self.facts()
        with suppress(OvsnetError):
            return replace(facts, counts=await self.census.counts())
        return facts

    async def learn(self, facts: EngineFacts) -> None:
        """The newest listing of the engine."""
        self.replicas.consider(facts)
        self.aliases.consider(facts)

    # ------------------------------------------------------------ running

    async def prepare(self) -> None:
        """Returns when this host may be compared with what is wanted: before, tunnels in use would be taken down.

        `run` must run. A database that does not come soon is not waited for: what was last seen of it has to do.
        """
        with suppress(OvsnetError):
            await self._said()
        with suppress(OvsnetError):
            await self.store.wait_ready(FIRST_SIGHT)
            await self.interest.settled()

    async def run(self) -> None:
        """Until cancelled."""
        async with self.peers, asyncio.TaskGroup() as group:
            group.create_task(self._follow_cluster())
            parts = (self.presence, self.steward, self.succession, self.standing)
            for part in (*parts, self.reserve, self.publisher, self.replicas, self.aliases):
                group.create_task(part.run())
            group.create_task(self.path_sizes.run())
            group.create_task(self.ends.run())
            group.create_task(self.memory.run())
            group.create_task(self.names.run())
            group.create_task(self._keep(self._door, "other members cannot reach this agent"))
            if self._settings.mdns:
                group.create_task(self._keep(self._announced, "this member cannot be announced on the LAN"))

    async def _follow_cluster(self) -> None:
        """First what our own store says: of the cluster we ask for what it has on the networks that are used here."""
        with suppress(OvsnetError):
            await self._here.store.wait_ready(FIRST_SIGHT)
        self.interest.follow()
        await self.store.run()

    async def _keep(self, entered: Callable[[], AbstractAsyncContextManager[None]], trouble: str) -> None:
        """Stay in it, as soon as the address is there; what keeps us out is told once."""
        told = ""
        while True:
            try:
                async with entered():
                    await asyncio.get_running_loop().create_future()
            except OvsnetError as error:
                if str(error) != told:
                    log.warning(trouble, reason=str(error))
                told = str(error)
                await asyncio.sleep(RETRY)

    @asynccontextmanager
    async def _door(self) -> AsyncIterator[None]:
        address = ip_address(self._membership.address)
        async with peer_server.serve(self.members, self._files, address, self._settings.cluster_port):
            log.info("agent serves other members", address=str(address), port=self._settings.cluster_port)
            yield

    @asynccontextmanager
    async def _announced(self) -> AsyncIterator[None]:
        address, port = ip_address(self._membership.address), self._settings.cluster_port
        fingerprint = shown(authority_fingerprint(self._files))
        async with lan.announced(Sighting(self._membership.cluster_id, fingerprint, self.me, address, port)):
            log.info("member is announced on the LAN", address=str(address))
            yield

    def _changed(self) -> None:
        """Something the hosts share changed, or the database came or went, or somebody died."""
        self.interest.follow()
        self.presence.nudge()
        if self._scene.is_another(self.store.snapshot(), self.store.available, self.dead(), self.steward.leader):
            for part in (self.steward, self.succession, self.standing, self.replicas):
                part.nudge()
        self._changed_here()
        guarded = (self.store.snapshot().members, self._underlay)
        if not all(map(is_, guarded, self._guarded or (None, None))):
            self._guarded = guarded
            self.ends.nudge()
        if self.store.available:
            self.memory.note(self.store.snapshot())
        shown = (self.overlay(), self.fence.fenced)
        if shown[0] is not self._shown[0] or shown[1] != self._shown[1]:
            self._shown = shown
            self._here.nudge()
            self.path_sizes.nudge()

    def _ends(self) -> Ends | None:
        cluster = self.store.snapshot()
        return ends_of({it.vtep for it in cluster.members.values()}, self.vtep_device, cluster.info.udp_port)

    def _open_ends(self) -> tuple[str, ...]:
        what = "Containers of this host can send into the cluster's tunnels as if they were a member"
        return (f"{what}: the rules against it are not in place ({self.ends.problem}).",) if self.ends.problem else ()

    def _changed_here(self) -> None:
        """Our own store changed; the reconciler hears of that by itself."""
        self.interest.follow()
        self.publisher.nudge()
        self.reserve.nudge()

    async def _said(self) -> Said:
        underlay = await underlay_of(ip_address(self._membership.vtep))
        trunk_changed = await self.trunk.look()
        if underlay is None:
            raise Unavailable(f"the VTEP {self._membership.vtep}", "no interface of this host has this address")
        if underlay != self._underlay or trunk_changed:
            self._underlay = underlay
            self._changed()
        return Said(__version__, underlay.mtu, await self._here.host_networks(), self.trunk.mtu())
