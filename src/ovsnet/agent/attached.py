"""What is attached to this host's containers and namespaces: how its parts are put together, and its orders.

order, label ─► Attachments ─► store          Following ◄── the engine's listings, Comings (mounts, processes)
                                 └─► LeaseKeeper ◄── DHCP clients
"""

import asyncio
import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path

import msgspec

from ovsnet.agent.hostnics import find_nic
from ovsnet.api.attach_orders import (
    Attached,
    AttachOrder,
    DetachOrder,
    RouteOrder,
    RuleOrder,
    SetOrder,
    Waited,
    WaitOrder,
)
from ovsnet.api.orders import Done
from ovsnet.control.attachments import deciding, devices
from ovsnet.control.attachments.attaching import Attachments, Pools, Surroundings
from ovsnet.control.attachments.changing import Changing
from ovsnet.control.attachments.following import Following
from ovsnet.control.attachments.targets import Namespaces, Targets
from ovsnet.control.attachments.waiting import Waiting
from ovsnet.control.bounds import Bounds
from ovsnet.control.commit import Committer
from ovsnet.control.endpoints import Host
from ovsnet.control.kernel import Kernel
from ovsnet.dhcp.clients import Clients
from ovsnet.dhcp.keeper import LeaseKeeper
from ovsnet.dhcp.places import Places
from ovsnet.engine.client import Engine
from ovsnet.engine.facts import EngineFacts
from ovsnet.ipam.macs import mac_prefix
from ovsnet.linux import interface, leased, sandboxes
from ovsnet.linux.abilities import lacking
from ovsnet.linux.carrier import has_carrier, send_inside
from ovsnet.linux.namespace import links_inside
from ovsnet.model.attachment import Attachment
from ovsnet.model.endpoint import Endpoint
from ovsnet.model.errors import BadRequest, OvsnetError, Unavailable
from ovsnet.model.host import Medium
from ovsnet.model.ids import EndpointId, IpInterface
from ovsnet.model.shaping import rate_words
from ovsnet.model.state import State
from ovsnet.model.wishes import Wish
from ovsnet.ovs.announce import gratuitous_arp, unsolicited_advertisement
from ovsnet.ovs.switch import Switch
from ovsnet.plan import names
from ovsnet.plan.leases import lessees
from ovsnet.settings import Settings


async def names_inside(sandbox: str) -> frozenset[str]:
    """The names of all interfaces in a namespace."""
    return frozenset(it.name for it in await links_inside(sandbox))


NAMESPACES = Namespaces(
    is_alive=sandboxes.is_alive,
    is_own=sandboxes.is_own,
    path_of=sandboxes.path_of,
    of_process=sandboxes.of_process,
    birth_of=sandboxes.birth_of,
    names_inside=names_inside,
)


def places_of(settings: Settings) -> Places:
    """Where the files of DHCP clients are."""
    run_dir, state_dir = (Path(it).absolute() for it in (settings.run_dir, settings.state_dir))
    return Places(f"{run_dir}/dhcp", f"{state_dir}/dhcp")


class AttachedSide:
    """One host's attachments."""

    def __init__(
        self,
        settings: Settings,
        committer: Committer[State],
        host: Host,
        engine: Engine,
        switch: Switch,
        pools: Pools,
        names_at: IPv4Address | None,
    ) -> None:
        """`names_at`: where containers ask for names; None where they cannot."""
        self._committer = committer
        self._comings = sandboxes.Comings()
        self._nudge: Callable[[], None] = lambda: None
        self._prepared = asyncio.Event()
        self._borrowed = asyncio.Event()
        self.leases = LeaseKeeper(
            lambda: lessees(committer.snapshot()), Clients(places_of(settings)), leased, self._note_leases
        )
        self.kernel = Kernel(lacking)
        here = Surroundings(
            bridge=settings.bridge,
            deadline=settings.busy_deadline,
            switch=switch.facts,
            mtu_of=interface.mtu_of,
            clock=time.time,
            new_prefix=lambda: mac_prefix(os.urandom(3)),
            names_at=names_at,
            give_back=self.leases.give_back,
            kernel=self.kernel,
            find_nic=lambda nic: find_nic(nic, switch.ports),
        )
        targets = Targets(engine, NAMESPACES)
        self.attachments = Attachments(committer, host, pools, targets, NAMESPACES, here)
        self.following = Following(committer, self.attachments, engine, NAMESPACES, self._comings.follow, names_at)
        self._changing = Changing(committer, host, self.attachments, here.deadline)
        self.bounds = Bounds(committer, host, engine, self.kernel, here.deadline)
        self._waiting = Waiting(targets, has_carrier, self.following.next_look)

    def watch(self, changed: Callable[[], None]) -> None:
        """Call `changed` when `borrowed` is another."""
        self._nudge = changed

    async def prepare(self) -> None:
        """What ran before this agent did and does not any more is unplugged, before anything is looked for there."""
        with suppress(OvsnetError):
            await self.following.look()
        self._prepared.set()

    async def run(self) -> None:
        """Until cancelled."""
        self._comings.watch(self.following.nudge)
        with self._comings:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self.following.run())
                tasks.create_task(self._keep_leases())
                tasks.create_task(self._announce_leases())

    def borrowed(self) -> Mapping[EndpointId, tuple[IpInterface, ...]]:
        """The addresses that interfaces have from DHCP servers."""
        return {lessee: lease.addresses for lessee, lease in self.leases.leases().items() if lease.addresses}

    def learn(self, facts: EngineFacts) -> None:
        """The newest listing of the engine."""
        self.following.consider(facts)

    def warnings(self) -> tuple[str, ...]:
        """What cannot be attached, for people."""
        return (*self.following.warnings(), *(f"No lease: {it}." for it in self.leases.troubles().values()))

    # ------------------------------------------------------------ leases

    async def _keep_leases(self) -> None:
        # Before the store was seen nobody would want a lease, and every client that runs would be told to go.
        await self._prepared.wait()
        await self.leases.run()

    def _note_leases(self) -> None:
        self._borrowed.set()
        self._nudge()

    async def _announce_leases(self) -> None:
        told: Mapping[EndpointId, tuple[IpInterface, ...]] = {}
        while True:
            await self._borrowed.wait()
            self._borrowed.clear()
            now, attachments = self.borrowed(), self._committer.snapshot().attachments
            fresh = [it for it, addresses in now.items() if told.get(it) != addresses and it in attachments]
            told = now
            await announce_inside([replace(attachments[it], addresses=now[it]) for it in fresh])

    # ------------------------------------------------------------ orders

    async def attach(self, order: AttachOrder) -> Attached:
        """Attach an interface."""
        mtu = interface.mtu_of(order.bridge) if order.bridge else None
        made = await self.attachments.attach(order, wait=order.wait)
        state = self._committer.snapshot()
        self.following.nudge()  # its process is to be watched, and it may have ended meanwhile
        addresses = tuple(map(str, made.addresses))
        has = f" with {', '.join(addresses)}" if addresses else ""
        later = "" if made.sandbox else "; it comes when that runs"
        remark = deciding.remark(made, mtu) or devices.remark(made)
        return Attached(
            id=made.id,
            target=made.target.title,
            ifname=made.ifname,
            port=names.port_of_attachment(made, state) if made.medium is Medium.PORT else "",
            mac=made.mac,
            addresses=addresses,
            running=bool(made.sandbox),
            message=f"Interface {made.title} is on {deciding.network_of(made, state)}{has}{later}. {remark}".rstrip(),
        )

    async def detach(self, order: DetachOrder) -> Done:
        """Take attached interfaces away."""
        gone = await self.attachments.detach(order.target, order.ifname, every=order.all, if_exists=order.if_exists)
        self.following.nudge()
        if not gone:
            return Done(message=f"{order.target} has no attached interface of that name: nothing was to be done.")
        return Done(message=f"Taken away: {', '.join(it.title for it in gone)}.")

    async def change(self, order: SetOrder) -> Done:
        """Change an attached interface, or the bound of one that the engine made."""
        endpoint = self.bounds.meant(order.target, order.ifname)
        attached = None if endpoint is None else self._committer.snapshot().attachments.get(endpoint.id)
        if endpoint is not None and attached is None:
            return await self._bound(endpoint, order)
        if attached is not None:  # by its network's name
            order = msgspec.structs.replace(order, ifname=attached.ifname)
        said = msgspec.structs.asdict(order)
        slaac = said.pop("slaac")
        made = await self._changing.change(Wish(slaac=bool(slaac), **said), slaac=slaac)
        return Done(message=f"Interface {made.title} is changed.")

    async def _bound(self, endpoint: Endpoint, order: SetOrder) -> Done:
        other = SetOrder(target=order.target, ifname=order.ifname, rate=order.rate)
        if order != other:
            raise BadRequest(
                f"the engine made this interface of {endpoint.title}: only its --rate can be changed while it runs"
            )
        bound = await self.bounds.change(endpoint, order.rate)
        what = f"is bound to {rate_words(bound.rate)}" if bound.rate else "is not bound"
        network = self._committer.snapshot().networks.get(bound.network_id)
        return Done(message=f"{endpoint.title} on network {network.title if network else ''} {what}.")

    async def add_route(self, order: RouteOrder) -> Done:
        """Add a route inside."""
        made = await self._changing.add_route(order.target, order.ifname, order.route)
        return Done(message=f"Interface {made.title} has the route {order.route}.")

    async def drop_route(self, order: RouteOrder) -> Done:
        """Take a route away."""
        made = await self._changing.drop_route(order.target, order.ifname, order.route)
        return Done(message=f"Interface {made.title} has the route {order.route} no more.")

    async def add_rule(self, order: RuleOrder) -> Done:
        """Add a routing rule inside."""
        made = await self._changing.add_rule(order.target, order.ifname, order.rule)
        return Done(message=f"Interface {made.title} has the rule {order.rule}.")

    async def drop_rule(self, order: RuleOrder) -> Done:
        """Take a routing rule away."""
        made = await self._changing.drop_rule(order.target, order.ifname, order.rule)
        return Done(message=f"Interface {made.title} has the rule {order.rule} no more.")

    async def wait(self, order: WaitOrder) -> Waited:
        """Wait for an interface."""
        reason = await self._waiting.wait(order.target, order.ifname, order.timeout)
        return Waited(up=not reason, reason=reason)


async def announce_inside(attachments: Sequence[Attachment]) -> None:
    """Tell the neighbours on its bridge where each of these is, as if its target had said so."""
    async with asyncio.TaskGroup() as group:
        for it in attachments:
            group.create_task(_announce(it))


async def _announce(attachment: Attachment) -> None:
    frames = [
        gratuitous_arp(attachment.mac, it.ip) if it.version == 4 else unsolicited_advertisement(attachment.mac, it.ip)
        for it in attachment.addresses
    ]
    with suppress(OSError, Unavailable):  # it went away meanwhile
        await send_inside(attachment.sandbox, attachment.ifname, frames)
