"""Services published and imported by order: how its parts are put together, and its orders in words."""

import time

from ovsnet.api.orders import Done
from ovsnet.api.service_orders import ImportOrder, PublishOrder, UnimportOrder, UnpublishOrder
from ovsnet.control.commit import Committer
from ovsnet.control.endpoints import Host
from ovsnet.control.exporting import Exports
from ovsnet.control.importing import Imports
from ovsnet.control.publishing import HostPorts
from ovsnet.engine.client import Engine
from ovsnet.engine.facts import EngineFacts
from ovsnet.linux.routes import host_networks
from ovsnet.model.services import Export, Import
from ovsnet.model.state import State


class Services:
    """Carries out what is ordered about them."""

    def __init__(
        self, committer: Committer[State], host: Host, engine: Engine, ports: HostPorts, deadline: float
    ) -> None:
        """`deadline` in seconds, until an order is in force."""
        self._committer = committer
        self._exports = Exports(committer, host, ports, engine, host_networks, deadline=deadline)
        self._imports = Imports(committer, host, time.time, deadline=deadline)

    async def learn(self, facts: EngineFacts) -> None:
        """Take up what the engine says."""
        await self._exports.forget_gone(facts)

    async def publish(self, order: PublishOrder) -> Done:
        """Have a port of this host lead to a container."""
        made = await self._exports.publish(order.container, order.network, order.port, replace=order.replace)
        where = f"port {made[0].publication.port} of {made[0].title} on network {self._title(made[0])}"
        return Done(message=f"{_ports(made)} of this host leads to {where}, whenever that runs.")

    async def unpublish(self, order: UnpublishOrder) -> Done:
        """Have it lead nowhere."""
        dropped = await self._exports.unpublish(order.port)
        return Done(message=f"{_ports(dropped)} of this host leads to {dropped[0].title} no more.")

    async def import_service(self, order: ImportOrder) -> Done:
        """Have an address of a network lead to a service."""
        made, before = await self._imports.put(order.service, order.target, order.network)
        was = f", no more to {before.leads_to}" if before is not None and before != made else ""
        return Done(message=f"{made.title} leads containers on network {self._title(made)} to {made.leads_to}{was}.")

    async def unimport(self, order: UnimportOrder) -> Done:
        """Have it lead nowhere."""
        dropped = await self._imports.drop(order.service, order.network)
        return Done(message=f"{dropped.title} leads containers on network {self._title(dropped)} nowhere.")

    def _title(self, it: Export | Import) -> str:
        network = self._committer.snapshot().networks.get(it.network_id)
        return network.title if network else ""


def _ports(exports: tuple[Export, ...]) -> str:
    return " and ".join(it.publication.title for it in exports)
