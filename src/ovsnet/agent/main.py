"""Builds everything and runs it: the only place that names concrete classes.

    databases, links ─► store is known ─► reconciler ─► doors (plugin socket, API) ─► engine ─► ready
    stop: doors answer what they have, then everything else ends

Nothing is compared with the host before the store was seen once: an empty snapshot would take everything down.
The doors open even when switch or store are away: the engine then gets a sentence instead of a closed socket.
"""

import asyncio
import gc
import os
import socket
import time
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path

import structlog

from ovsnet import __version__
from ovsnet.agent import logs, supervise
from ovsnet.agent.after_round import AfterRound
from ovsnet.agent.appliers import quiet_appliers
from ovsnet.agent.askers import Askers
from ovsnet.agent.attached import AttachedSide, announce_inside
from ovsnet.agent.calls import Behind, plugin_calls, spares_of
from ovsnet.agent.compose import compiler, planner
from ovsnet.agent.fabric import Fabric, Here
from ovsnet.agent.operator import Sides, operator
from ovsnet.agent.own_store import own_store
from ovsnet.agent.services import Services
from ovsnet.agent.uplink_view import UplinkView
from ovsnet.agent.uplinks import Trials
from ovsnet.agent.uplinks import applier as uplink_applier
from ovsnet.agent.view import Parts, View
from ovsnet.api.server import serve
from ovsnet.cluster.identity import identity_files, read_membership
from ovsnet.control.addresses import Addresses
from ovsnet.control.attachments import devices
from ovsnet.control.commit import Committer
from ovsnet.control.egress import Exposure
from ovsnet.control.multicast.groups import Groups
from ovsnet.control.naming import Naming
from ovsnet.control.networks import Networks
from ovsnet.control.orphans import Orphans
from ovsnet.control.placements import Placements
from ovsnet.control.uplinks import Uplinks
from ovsnet.docker.calls import Calls
from ovsnet.docker.server import PluginServer
from ovsnet.engine.client import Engine
from ovsnet.engine.events import Follower
from ovsnet.engine.facts import EngineFacts
from ovsnet.linux.hostchanges import HostChanges
from ovsnet.linux.hostports import HostPorts
from ovsnet.linux.links import LinkApplier
from ovsnet.linux.namespace import find_inside
from ovsnet.linux.neighbour import forget
from ovsnet.linux.nft import RuleChanges
from ovsnet.linux.nics import Nics
from ovsnet.linux.routes import host_networks
from ovsnet.linux.tunnels import TunnelApplier
from ovsnet.model.delta import diff
from ovsnet.model.endpoint import Endpoint
from ovsnet.model.errors import OvsnetError, Unavailable
from ovsnet.model.gateways import gateways, reached_by
from ovsnet.model.host import Datapath, HostFacts
from ovsnet.model.ids import Ofport
from ovsnet.model.state import State
from ovsnet.model.uplink import Hold, HostAddress, HostRoute, UplinkPlan
from ovsnet.ovs.announce import announce
from ovsnet.ovs.openflow import FlowApplier
from ovsnet.ovs.ports import PortApplier
from ovsnet.ovs.programs import management_socket
from ovsnet.ovs.receivebuffers import ReceiveBuffers
from ovsnet.ovs.reportwatch import send_out, watch_reports
from ovsnet.ovs.switch import Switch
from ovsnet.ovs.uplinks import Uplinks as UplinkBridges
from ovsnet.plan.uplinks import plan_uplinks
from ovsnet.reconcile.converge import Converger, Round
from ovsnet.reconcile.loop import Loop
from ovsnet.reconcile.phases import Kind
from ovsnet.settings import Settings

JOIN_MARGIN = 1.5
"""Seconds of a call's deadline kept back, so that a join that failed can be withdrawn and answered."""
SLOW_SWITCH = 12.0
"""Seconds an ovs-vswitchd that lives may need for one change: a burst of starting containers holds it up."""
RARELY = (50_000, 5, 200)
"""When cycles are looked for (gc.set_threshold). There are few, and hundreds of thousands of values that live long: by
Python's own figures half of the time that reading a large cluster takes goes into looking through them again. What
was in use at the first look, such as a request to the kernel, is looked at once more soon.
"""
FIRST_CONTACT = 10.0
"""Seconds the store has at the start before the doors open without it."""
SWITCH_CONTACT = 1.0
"""And the switch, whose database is looked at meanwhile."""


async def run(settings: Settings, listener: socket.socket) -> int:
    """Serve until SIGTERM or SIGINT; returns the exit code."""
    gc.set_threshold(*RARELY)
    ring = logs.configure(settings)
    async with AsyncExitStack() as stack, supervise.until_told_to_stop() as stop:
        links = await stack.enter_async_context(LinkApplier())
        tunnels = await stack.enter_async_context(TunnelApplier())
        engine = await stack.enter_async_context(Engine(settings.docker_socket, driver="ovsnet"))
        agent = Agent(settings, Neighbours(links, tunnels, engine, ring), stop)
        await agent.run(listener)
    return 0


@dataclass(frozen=True, slots=True)
class Neighbours:
    """What was opened before the agent is built and is closed after it."""

    links: LinkApplier
    tunnels: TunnelApplier
    engine: Engine
    ring: logs.Ring


class Agent:
    """Everything of one host, wired together. Ends when `stop` is set."""

    def __init__(self, settings: Settings, to: Neighbours, stop: asyncio.Event) -> None:
        self._settings = settings
        self._stop = stop
        self.fabric: Fabric | None = None
        self._log = structlog.get_logger("agent")
        self.store = own_store(settings)
        self.switch = Switch(settings, patience=SLOW_SWITCH)
        self.flows = FlowApplier(
            settings.bridge,
            settings.ovs_run_dir,
            is_ours=lambda: self.switch.ports.our_bridge() is not None,
            deadline=SLOW_SWITCH,
        )
        self.ports = PortApplier(self.switch)
        self.buffers = ReceiveBuffers(self.switch, settings.receive_buffer, settings.ovs_run_dir)
        self.trials, self.host_ports = Trials(settings), HostPorts()
        self.uplink_applier = uplink_applier(settings, self.switch, self._note_move)
        self.converger = Converger(
            {
                **quiet_appliers(settings, self.switch, self.host_ports),
                Kind.LINKS: to.links,
                Kind.TUNNELS: to.tunnels,
                Kind.PORTS: self.ports,
                Kind.FLOWS: self.flows,
                Kind.UPLINKS: self.uplink_applier,
            },
            self.wanted,
            self.facts,
            planner(settings.bridge, settings.instance),
            compiler(),
        )
        self.after_round = AfterRound(self.store.snapshot, self.switch.facts, self._announce, announce_inside)
        self.loop = Loop(
            self.converger,
            retry=settings.retry_period,
            resync=settings.resync_period,
            after_round=self._after_round,
            grace=settings.attach_deadline - JOIN_MARGIN,
        )
        self.committer = Committer(self.store)
        self.naming, self.spares = Naming(self.committer), spares_of(settings, self.committer, self, self.switch.facts)
        self.groups = Groups(self.committer, self.switch.facts, self._send_out, settings.multicast_period)
        self.placements = Placements(self.committer, find_inside)
        self.follower = Follower(to.engine, self._learn, relist_every=settings.orphan_period)
        self.fabric = self._fabric(to.engine)
        shared = self.fabric.networks if self.fabric else None
        self.orphans = Orphans(self.committer, time.monotonic, settings.orphan_age, shared)
        self.uplinks = self._uplinks()
        addresses = self.fabric.addresses if self.fabric else None
        self.addresses = Addresses(self.committer, time.time, host_networks, settings, shared=addresses)
        names_at = self._names_at()
        self.attached = AttachedSide(settings, self.committer, self, to.engine, self.switch, self.addresses, names_at)
        self.networks, self.services = self._networks(), self._services(to.engine)
        parts = Parts(self.store, self.switch, self.ports, self.loop, self.follower, self.attached, self.fabric)
        self.view = View(parts, to.engine, settings, to.ring, operator(settings, self.fabric, self._sides(), stop.set))
        self._watch(to)

    def _watch(self, to: Neighbours) -> None:
        """Who hears of which changes."""
        self.store.watch(self.attached.leases.nudge)
        self.attached.watch(self.loop.nudge)
        for nudge in (self.loop.nudge, self.groups.nudge, self.spares.nudge):
            self.store.watch(nudge)
            self.switch.watch(nudge)
        to.links.watch(self.loop.nudge)
        to.tunnels.watch(self.loop.nudge)

    def _networks(self) -> Networks:
        shared, kernel = self.fabric.networks if self.fabric else None, self.attached.kernel
        return Networks(self.committer, self.switch.facts, time.time, shared, host_networks, kernel)

    def _services(self, engine: Engine) -> Services:
        return Services(self.committer, self, engine, self.host_ports, self._settings.attach_deadline)

    def _sides(self) -> Sides:
        exposure = Exposure(self.committer, self, host_networks, deadline=self._settings.attach_deadline)
        return Sides(self.networks, exposure, self.attached, self.uplinks, self.services)

    def _uplinks(self) -> Uplinks:
        view = UplinkView(Nics(self._settings.instance), UplinkBridges(self.switch), self.switch.facts, self._reserved)
        uplinks = Uplinks(self.committer, self, self.trials, view, time.time)
        self.store.watch(uplinks.nudge)
        return uplinks

    def _note_move(
        self, plan: UplinkPlan, addresses: Sequence[HostAddress], routes: Sequence[HostRoute], boot: str
    ) -> None:
        held = ", ".join(str(it.address) for it in addresses)
        self._log.info("addresses moved", interface=plan.nic, bridge=plan.bridge, addresses=held, routes=len(routes))
        self.uplinks.note(plan, addresses, routes, boot)

    def _reserved(self) -> Mapping[str, str]:
        """Interfaces that may not be moved, and why."""
        found = {
            **devices.reserved(self.store.snapshot()),
            self._settings.bridge: f"{self._settings.bridge} is our own bridge, for containers; choose another one",
        }
        if self._settings.trunk:
            found[self._settings.trunk] = (
                f"{self._settings.trunk} is the trunk of this host (setting trunk); give that up first, and name the "
                "bridge as the trunk afterwards"
            )
        device = self.fabric.vtep_device if self.fabric else ""
        if device:
            found[device] = (
                f"{device} has the tunnel end of this member of the cluster, which cannot be moved yet; leave the "
                "cluster, move it, and join with the bridge as --vtep"
            )
        return found

    def _fabric(self, engine: Engine) -> Fabric | None:
        """The cluster side, on a host that is a member of one."""
        membership = read_membership(identity_files(self._settings))
        if membership is None:
            return None
        nudge, switch = self.loop.nudge, self.switch
        here = Here(
            self.store,
            self.committer,
            engine,
            switch.facts,
            host_networks,
            nudge,
            switch.paths,
            switch.ports,
            Askers(switch.ports).disguised,
        )
        return Fabric(self._settings, membership, here)

    def wanted(self) -> State:
        """What must be in force on this host."""
        return self.fabric.wanted() if self.fabric else self.store.snapshot()

    def facts(self) -> HostFacts:
        """What planning may depend on."""
        if self.fabric is None:
            return HostFacts(self.switch.facts(), leased=self.attached.borrowed(), trials=self.trials.nics)
        overlay, names = self.fabric.overlay(), self.fabric.names.facts()
        leased, trials = self.attached.borrowed(), self.trials.nics
        return HostFacts(self.switch.facts(), overlay, names, leased=leased, trials=trials)

    def reachable(self) -> bool:
        """Whether the switch answers, and did in the last round: its database may, and ovs-vswitchd may not."""
        return self.switch.facts().available and not self.loop.last.failures_of(())

    async def settled(self, revision: int, resources: Sequence[str], deadline: float) -> None:
        """See Loop.settled."""
        await self.loop.settled(revision, resources, deadline)

    async def run(self, listener: socket.socket) -> None:
        """From the first contact with the neighbours to the last answer."""
        doors = PluginServer(self._calls(), self._settings)
        control_socket = Path(self._settings.run_dir) / f"flow-monitor.{os.getpid()}.ctl"
        nudge = self.loop.nudge
        async with asyncio.TaskGroup() as group:
            background = [
                group.create_task(self.store.run()),
                group.create_task(self.switch.run()),
                group.create_task(self._reconcile()),
                group.create_task(self.flows.watch(nudge, lambda: nudge(Kind.FLOWS), control_socket)),
                group.create_task(self.after_round.run()),
                group.create_task(self.buffers.run()),
                group.create_task(self.groups.run()),
                group.create_task(self.spares.run()),
                group.create_task(self._hear_reports()),
                group.create_task(self.follower.run()),
                group.create_task(self.uplinks.run()),
                group.create_task(self.attached.run()),
            ]
            if self.fabric is not None:
                background.append(group.create_task(self.fabric.run()))
            await self._first_contact()
            async with serve(self.view):
                await doors.start(listener)
                supervise.notify("READY=1")
                self._log.info("agent serves", version=__version__, socket=self._settings.plugin_socket)
                await self._stop.wait()
                supervise.notify("STOPPING=1")
                await doors.stop()
            for task in background:
                task.cancel()
        self._log.info("agent stopped")

    async def _first_contact(self) -> None:
        try:
            await self.store.wait_ready(FIRST_CONTACT)
        except Unavailable as error:
            self._log.error("the store is away; requests fail until it answers", reason=error.reason)
        with suppress(Unavailable):  # whoever asks in the first moment shall not be told that it is away
            await self.switch.wait_ready(SWITCH_CONTACT)

    async def _reconcile(self) -> None:
        while not self.store.available:
            try:
                await self.store.wait_ready(FIRST_CONTACT)
            except Unavailable:
                continue
        await self._uplinks_first()
        if self.fabric is not None:
            await self.fabric.prepare()
        await self.attached.prepare()
        with HostChanges(self._look_at_uplinks), RuleChanges(self._look_at_rules):
            await self.loop.run()

    async def _uplinks_first(self) -> None:
        """After a boot this host may be reached through nothing else, and so reach nobody either."""
        wanted = plan_uplinks(self.store.snapshot(), HostFacts())
        if not wanted:
            return
        with suppress(OvsnetError):  # the first round meets the same, and says so
            await self.switch.wait_ready(FIRST_CONTACT)
            await self.uplink_applier.apply(diff(wanted, self.uplink_applier.have()))

    def _look_at_uplinks(self, name: str) -> None:
        """An interface changed; "": perhaps any."""
        uplinks = self.store.snapshot().uplinks.values()
        if uplinks and (not name or any(name in (it.nic, it.bridge) for it in uplinks)):
            self.loop.nudge(Kind.UPLINKS)
            self.uplinks.look()

    def _look_at_rules(self) -> None:
        """A packet filter rule of this host changed: without ours gateways are closed, or open, and it would hear each
        packet of an uplink twice.
        """
        if gateways(self.store.snapshot()):
            self.loop.nudge(Kind.FIREWALL)
        uplinks = self.store.snapshot().uplinks.values()
        if any(it.datapath is Datapath.USERSPACE and it.hold is not Hold.NOTED for it in uplinks):
            self.loop.nudge(Kind.UPLINKS)

    async def _learn(self, facts: EngineFacts) -> None:
        """Take up what the engine says; nothing of it is needed to serve."""
        await self.view.meet_engine(facts)
        await self.naming.learn(facts)
        await self.placements.observe(facts)
        self.attached.learn(facts)
        self._look_at_rules()  # an engine that came back has made its own anew, and of legacy ones nobody hears
        await self.attached.bounds.forget_gone(facts)
        await self.services.learn(facts)
        self.loop.retry_lasting()  # a network that was disconnected may have had the name that another interface wants
        if self.fabric is not None:
            await self.fabric.learn(facts)
        collected = await self.orphans.consider(facts)
        if collected:
            self._log.info("collected what the engine forgot", count=collected)

    def _after_round(self, before: Round, after: Round) -> None:
        self.after_round(before, after)
        if after.written:
            self.attached.leases.nudge()  # an interface that was made anew has to get its leased addresses, too

    async def _announce(self, endpoints: Sequence[tuple[Ofport, Endpoint]]) -> None:
        forget(reached_by(self.store.snapshot(), [it for _, it in endpoints]))
        await announce(self._settings.bridge, endpoints, self._settings.ovs_run_dir)

    async def _hear_reports(self) -> None:
        target = management_socket(self._settings.bridge, self._settings.ovs_run_dir)
        control_socket = Path(self._settings.run_dir) / f"report-monitor.{os.getpid()}.ctl"
        await watch_reports(target, control_socket, self.groups, self.flows.written, deadline=SLOW_SWITCH)

    async def _send_out(self, frames: Sequence[bytes], ports: Sequence[Ofport]) -> None:
        await send_out(self._settings.bridge, frames, ports, self._settings.ovs_run_dir)

    def _names_at(self) -> IPv4Address | None:
        """Where containers ask for names; None where they cannot."""
        return self.fabric.names.address if self.fabric else None

    def _calls(self) -> Calls:
        switch = self.switch.facts if self._settings.spare_ports else None
        behind = Behind(self.networks, self.addresses, self.attached, self.host_ports, self._names_at(), switch)
        return plugin_calls(self.committer, self, behind, deadline=self._settings.busy_deadline - JOIN_MARGIN)
