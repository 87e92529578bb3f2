"""The name service of one host: a namespace with sockets, the zone of the moment, and whom to ask for the rest.

The agent runs one on a host that is in a cluster. It gives planning the fact that it is there (`facts`), answers its
own people (`lookup`), and ends with the agent; the namespace stays, and says "nobody listens" until the next one comes.
"""

import asyncio
from collections.abc import Callable
from ipaddress import IPv4Address
from pathlib import Path
from random import Random

import structlog
from dns.rdatatype import RdataType

from ovsnet.dns.replies import Responder
from ovsnet.dns.server import Server
from ovsnet.dns.upstream import Servers, Upstream
from ovsnet.dns.zone import Zone
from ovsnet.linux import dnslink
from ovsnet.model.cluster import Cluster
from ovsnet.model.errors import Unavailable
from ovsnet.model.host import NameService
from ovsnet.model.ids import HostName, IpAddress
from ovsnet.model.state import State
from ovsnet.settings import Settings

Inputs = tuple[State, Cluster, frozenset[HostName]]

log = structlog.get_logger("dns")


class Names:
    """Names of containers on all hosts, for containers on this one."""

    def __init__(
        self,
        settings: Settings,
        *,
        here: HostName,
        state: Callable[[], State],
        cluster: Callable[[], Cluster],
        dead: Callable[[], frozenset[HostName]],
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        """`dead` are the members whose endpoints are left out; `changed` is called when `facts` is another."""
        self.address = IPv4Address(settings.dns_address)
        self._namespace: Path = dnslink.namespace_of(settings.instance)
        self._domain = settings.dns_domain
        self._here = here
        self._inputs: Callable[[], Inputs] = lambda: (state(), cluster(), dead())
        self._changed = changed
        self._facts: NameService | None = None
        self._known: tuple[Inputs, Zone] | None = None

    def facts(self) -> NameService | None:
        """What planning needs to know; None while there is no namespace to lead anybody to."""
        return self._facts

    def zone(self) -> Zone:
        """The names of this moment; the same one until something changed."""
        inputs = self._inputs()
        if self._known is None or not _same(self._known[0], inputs):
            state, cluster, dead = inputs
            zone = Zone(state, cluster, here=self._here, dead=dead, domain=self._domain)
            self._known = (inputs, zone)
        return self._known[1]

    def lookup(self, name: str, network: str = "") -> tuple[IpAddress, ...]:
        """What a container on that network, or on all, would be told; () for a name that is not ours."""
        zone = self.zone()
        return zone.lookup(name, RdataType.ANY, zone.anybody(network)).addresses

    async def run(self) -> None:
        """Serve until cancelled. Returns when the host does not allow it at all; the agent works without."""
        try:
            await dnslink.make_namespace(self._namespace)
            inside = await dnslink.listen_inside(self._namespace, self.address)
        except Unavailable as error:
            log.warning("names of other hosts' containers are not served", reason=str(error))
            return
        responder = Responder(self.zone, domain=self._domain, chance=Random())  # noqa: S311 - shares load, hides nothing
        upstream = Upstream(Servers([str(self.address)]))
        self._facts = NameService(self.address, str(self._namespace))
        self._changed()
        async with asyncio.TaskGroup() as group:
            group.create_task(Server(responder, upstream).serve(*inside))
            group.create_task(self._serve_others(Server(responder, upstream, knows_askers=False)))

    async def _serve_others(self, server: Server) -> None:
        """Whoever has our address from the engine's settings and is on no network of ours: other names only."""
        try:
            sockets = await dnslink.listen_here(self.address)
        except Unavailable as error:
            log.warning("containers of other drivers are not answered", reason=str(error))
            return
        await server.serve(*sockets)


async def remove(settings: Settings) -> None:
    """Take away what a host keeps of the service; Unavailable when the host refuses."""
    try:
        dnslink.remove_namespace(dnslink.namespace_of(settings.instance))
        await dnslink.leave_here(IPv4Address(settings.dns_address))
    except OSError as error:
        raise Unavailable("what is left of the name service", error.strerror or str(error)) from error


def _same(one: Inputs, other: Inputs) -> bool:
    return one[0] is other[0] and one[1] is other[1] and one[2] == other[2]
