"""Carries out what people order through the API (see api.orders.Orders)."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from ovsnet import __version__
from ovsnet.agent.attached import AttachedSide
from ovsnet.agent.custody import Custody
from ovsnet.agent.database_server import DatabaseServer
from ovsnet.agent.fabric import Fabric
from ovsnet.agent.services import Services
from ovsnet.agent.shared_store import cluster_store
from ovsnet.agent.surroundings import Surroundings
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
from ovsnet.api.orders import (
    Done,
    EnableOrder,
    ForgetOrder,
    InitOrder,
    Invitation,
    JoinOrder,
    LeaveOrder,
    RecordOrder,
    RecoverOrder,
    RestoreOrder,
    TokenOrder,
)
from ovsnet.api.service_orders import ImportOrder, PublishOrder, UnimportOrder, UnpublishOrder
from ovsnet.api.uplink_orders import UplinkOrder, UplinkRemoval
from ovsnet.cluster.identity import identity_files
from ovsnet.cluster.peers import Peers
from ovsnet.control.commit import Committer
from ovsnet.control.egress import Exposure
from ovsnet.control.membership.enrolment import Enrolment, Tunnels, Wish
from ovsnet.control.networks import Networks
from ovsnet.control.uplink_rules import Wish as UplinkWish
from ovsnet.control.uplinks import Uplinks
from ovsnet.engine.daemonjson import DAEMON_JSON, DaemonJson, host_servers, refuse_flag
from ovsnet.linux import dnslink
from ovsnet.linux.tunnelends import remove_table
from ovsnet.model.cluster import Cluster
from ovsnet.model.errors import BadRequest, Conflict, OvsnetError
from ovsnet.model.ids import HostName, IpAddress
from ovsnet.settings import Settings

FIRST_COPY = 30.0
"""Seconds a new member's database may take until it can be used."""
JOINING = 20.0
"""Seconds for one question to a member: it may have to ask a voter itself."""
HOUR = 3600.0


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Committer[Cluster]]:
    """The cluster's database of this host while a block runs; Unavailable when it does not come in time."""
    store = cluster_store(settings, deadline=FIRST_COPY)
    problem: OvsnetError | None = None
    async with asyncio.TaskGroup() as group:
        following = group.create_task(store.run())
        try:
            await store.wait_ready(FIRST_COPY)
            yield Committer(store)
        except OvsnetError as error:
            problem = error  # out of the group, which would wrap it
        finally:
            following.cancel()
    if problem is not None:
        raise problem


@dataclass(frozen=True, slots=True)
class Sides:
    """Who decides about what on this host, in a cluster or not."""

    networks: Networks
    exposure: Exposure
    attached: AttachedSide
    uplinks: Uplinks
    services: Services


class Operator:
    """`restart` ends this agent once its answers are out; whoever keeps it starts the next one."""

    def __init__(
        self,
        settings: Settings,
        enrolment: Enrolment,
        fabric: Fabric | None,
        sides: Sides,
        restart: Callable[[], None],
    ) -> None:
        self._settings = settings
        self._files = identity_files(settings)
        self._enrolment = enrolment
        self._fabric = fabric
        self._networks = sides.networks
        self._exposure = sides.exposure
        self._uplinks = sides.uplinks
        self._attached = sides.attached
        self._services = sides.services
        self._restart = restart
        self._custody = Custody(settings, lambda: opened(settings))
        self._daemon_json = DaemonJson(DAEMON_JSON, Path(settings.state_dir) / "daemon.json.before")

    async def init(self, order: InitOrder) -> Invitation:
        """Begin a cluster."""
        word, expires, place = await self._enrolment.init(
            Wish(order.advertise, order.vtep, order.name),
            os.uname().nodename,
            tunnels=Tunnels(order.encapsulation, order.udp_port),
            token_life=order.token_hours * HOUR,
        )
        message = self._names(enabled=True) if order.docker_dns else ""
        self._restart()
        return _invitation(word, str(place.address), expires, message)

    async def join(self, order: JoinOrder) -> Done:
        """Become a member of one."""
        wish, own_name = Wish(order.advertise, order.vtep, order.name), os.uname().nodename
        member = _member_at(order.address) if order.address else None
        async with Peers(self._files, self._settings.cluster_port, deadline=JOINING) as peers:
            if member is None:
                place = await self._enrolment.join_nearby(wish, own_name, order.token, peers)
            else:
                place = await self._enrolment.join(wish, own_name, member, order.token, peers)
        said = [f"This host is a member of the cluster now, as {place.name}."]
        said += [self._names(enabled=True)] if order.docker_dns else []
        self._restart()
        return Done(message=" ".join(said), restarts=True)

    async def token(self, order: TokenOrder) -> Invitation:
        """Make a new invitation."""
        fabric = self._member()
        invitation, expires = await fabric.members.invite(order.hours * HOUR)
        return _invitation(invitation.word, fabric.address, expires)

    async def forget(self, order: ForgetOrder) -> Done:
        """Take a host out."""
        found = await self._member().members.take_out(HostName(order.host), force=order.force)
        if not found:
            return Done(message=f"The cluster has no host {order.host}: nothing was to be done.")
        return Done(message=f"Host {order.host} is forgotten; its addresses are free.")

    async def leave(self, order: LeaveOrder) -> Done:
        """Be a member no more."""
        fabric = self._member()
        async with fabric.steward.resting():
            left = [*await fabric.leaving.leave(force=order.force)]
        if self._settings.dns_address in self._daemon_json.servers():
            left.append(self._names(enabled=False))
        await dnslink.remove_namespace(dnslink.namespace_of(self._settings.instance))
        await remove_table(self._settings.instance)
        self._restart()
        return Done(message=" ".join(("This host has left the cluster.", *left)), restarts=True)

    async def backup(self) -> bytes:
        """A copy of the cluster's database."""
        return await self._custody.backup()

    async def restore(self, order: RestoreOrder) -> Done:
        """Make the cluster's database what it was."""
        return Done(message=await self._custody.restore(order.content, force=order.force))

    async def recover(self, order: RecoverOrder) -> Done:
        """Go on with this host's copy of it alone."""
        return Done(message=await self._custody.recover(yes=order.yes))

    async def add_record(self, order: RecordOrder) -> Done:
        """Add a name."""
        record = await self._member().records.add(order.name, order.address, order.network)
        return Done(message=f"{record.name} stands for {record.address} on {_where(order)}.")

    async def drop_record(self, order: RecordOrder) -> Done:
        """Remove a name that was added."""
        dropped = await self._member().records.drop(order.name, order.address, order.network)
        was = "does not stand for it any more" if dropped else "did not stand for it: nothing was to be done"
        return Done(message=f"{order.name} {was} on {_where(order)} ({order.address}).")

    async def enable_names(self, order: EnableOrder) -> Done:
        """Have the engine ask us for names, or not any more."""
        if order.enabled:
            self._member()
        return Done(message=self._names(enabled=order.enabled))

    async def remove_network(self, name: str) -> Done:
        """Remove a network from all hosts."""
        await self._networks.remove(name)
        return Done(message=f"Network {name} is removed; it leaves the engine of every host within seconds.")

    async def expose_network(self, name: str) -> Done:
        """Have this host and a network's containers reach each other."""
        network = await self._exposure.expose(name)
        gateways = ", ".join(str(it) for it in (network.gateway4, network.gateway6) if it is not None)
        return Done(
            message=f"This host and the containers on {network.title} reach each other; to them the host is {gateways}."
        )

    async def hide_network(self, name: str) -> Done:
        """Have them not reach each other any more."""
        network = await self._exposure.hide(name)
        return Done(message=f"This host and the containers on {network.title} do not reach each other.")

    async def add_uplink(self, order: UplinkOrder) -> Done:
        """Move a NIC into a bridge."""
        probe = _address(order.probe, "--probe") if order.probe else None
        wish = UplinkWish(order.nic, order.bridge, probe, order.commit_within, order.force)
        return Done(message=await self._uplinks.add(wish))

    async def remove_uplink(self, order: UplinkRemoval) -> Done:
        """Take a NIC out of its bridge."""
        return Done(message=await self._uplinks.remove(order.nic))

    async def attach(self, order: AttachOrder) -> Attached:
        """Attach an interface."""
        return await self._attached.attach(order)

    async def detach(self, order: DetachOrder) -> Done:
        """Take attached interfaces away."""
        return await self._attached.detach(order)

    async def change(self, order: SetOrder) -> Done:
        """Change an attached interface."""
        return await self._attached.change(order)

    async def add_route(self, order: RouteOrder) -> Done:
        """Add a route inside of one."""
        return await self._attached.add_route(order)

    async def drop_route(self, order: RouteOrder) -> Done:
        """Take a route of one away."""
        return await self._attached.drop_route(order)

    async def add_rule(self, order: RuleOrder) -> Done:
        """Add a routing rule inside."""
        return await self._attached.add_rule(order)

    async def drop_rule(self, order: RuleOrder) -> Done:
        """Take a routing rule away."""
        return await self._attached.drop_rule(order)

    async def wait(self, order: WaitOrder) -> Waited:
        """Wait for an interface."""
        return await self._attached.wait(order)

    async def publish(self, order: PublishOrder) -> Done:
        """Have a port lead to a container."""
        return await self._services.publish(order)

    async def unpublish(self, order: UnpublishOrder) -> Done:
        """Have it lead nowhere."""
        return await self._services.unpublish(order)

    async def import_service(self, order: ImportOrder) -> Done:
        """Have an address of a network lead to a service."""
        return await self._services.import_service(order)

    async def unimport(self, order: UnimportOrder) -> Done:
        """Have it lead nowhere."""
        return await self._services.unimport(order)

    def _names(self, *, enabled: bool) -> str:
        """Change the engine's settings file; what there is to say of it."""
        address = self._settings.dns_address
        if enabled:
            refuse_flag()
            changed = self._daemon_json.put_first(address, host_servers())
        else:
            changed = self._daemon_json.take_out(address)
        what = "asks" if enabled else "does not ask"
        if not changed:
            return f"The Docker engine {what} {address} for names already."
        return (
            f'The Docker engine {what} {address} for names ("dns" in {self._daemon_json.path}) from its next start on: '
            "restart it once."
        )

    def _member(self) -> Fabric:
        if self._fabric is None:
            raise Conflict(
                "this host is in no cluster; begin one with 'ovsnet cluster init', or join one with 'ovsnet cluster "
                "join'"
            )
        return self._fabric


def operator(settings: Settings, fabric: Fabric | None, sides: Sides, restart: Callable[[], None]) -> Operator:
    """The one of this host."""
    files = identity_files(settings)
    enrolment = Enrolment(
        files, Surroundings(), DatabaseServer(settings), lambda: opened(settings), __version__, time.time
    )
    return Operator(settings, enrolment, fabric, sides, restart)


def _member_at(text: str) -> IpAddress:
    try:
        return ip_address(text)
    except ValueError:
        raise BadRequest(
            f"{text!r} is not an IP address; give that of a member of the cluster, or none to look for one on the LAN"
        ) from None


def _address(text: str, option: str) -> IpAddress:
    try:
        return ip_address(text)
    except ValueError:
        raise BadRequest(f"{option} {text!r} is not an IP address") from None


def _where(order: RecordOrder) -> str:
    return f"network {order.network}" if order.network else "all networks of the cluster"


def _invitation(word: str, address: str, expires: float, message: str = "") -> Invitation:
    command = f"ovsnet cluster join {address} --token {word}"
    return Invitation(token=word, command=command, expires_at=expires, message=message)
