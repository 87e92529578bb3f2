"""The name service of one host: a namespace with sockets, the zone of the moment, and whom to ask for the rest.

The agent runs one on a host that is in a cluster. It gives planning the fact that it is there (`facts`), answers its
own people (`lookup`), and ends with the agent; the namespace stays, and says "nobody listens" until the next one comes.
"""

import time
from collections.abc import Callable
from ipaddress import IPv4Address
from pathlib import Path
from random import Random

import structlog
from dns.rdatatype import RdataType

from ovsnet.dns.moment import Moment
from ovsnet.dns.replies import Responder
from ovsnet.dns.server import Resolver, Server
from ovsnet.dns.tables import Here
from ovsnet.dns.upstream import Servers, Upstream
from ovsnet.dns.zone import Zone
from ovsnet.linux import dnslink
from ovsnet.model.cluster import Cluster
from ovsnet.model.errors import Unavailable
from ovsnet.model.host import NameService
from ovsnet.model.ids import HostName, IpAddress
from ovsnet.settings import Settings

log = structlog.get_logger("dns")


class Names:
    """Names of containers on all hosts, for containers on this one."""

    def __init__(
        self,
        settings: Settings,
        *,
        here: Here,
        cluster: Callable[[], Cluster],
        dead: Callable[[], frozenset[HostName]],
        changed: Callable[[], None] = lambda: None,
        upstream: Resolver | None = None,
    ) -> None:
        """`dead` are the members whose endpoints are left out; `changed` is called when `facts` is another.

        `upstream` is asked for what is not ours; None: the host's servers.
        """
        self.address = IPv4Address(settings.dns_address)
        self._namespace: Path = dnslink.namespace_of(settings.instance)
        self._domain = settings.dns_domain
        self._moment = Moment(here, cluster, dead, time.monotonic, domain=settings.dns_domain)
        self._changed = changed
        self._upstream = upstream or Upstream(Servers([settings.dns_address]))
        self._facts: NameService | None = None

    def facts(self) -> NameService | None:
        """What planning needs to know; None while there is no namespace to lead anybody to."""
        return self._facts

    def zone(self) -> Zone:
        """The names of this moment."""
        return self._moment.zone()

    def lookup(self, name: str, network: str = "") -> tuple[IpAddress, ...]:
        """What a container on that network, or on all, would be told; () for a name that is not ours."""
        zone = self.zone()
        return zone.lookup(name, RdataType.ANY, zone.anybody(network)).addresses

    async def run(self) -> None:
        """Serve until cancelled. Returns when the host does not allow it at all; the agent works without."""
        try:
            await dnslink.make_namespace(self._namespace)
            datagrams, streams = await dnslink.listen_inside(self._namespace, self.address)
        except Unavailable as error:
            log.warning("names of other hosts' containers are not served", reason=str(error))
            return
        responder = Responder(self.zone, domain=self._domain, chance=Random())  # noqa: S311 - shares load, hides nothing
        with datagrams, streams:
            await self._let_others_in()
            self._facts = NameService(self.address, str(self._namespace))
            self._changed()
            await Server(responder, self._upstream).serve(datagrams, streams)

    async def _let_others_in(self) -> None:
        """Whoever has our address from the engine's settings and is on no network of ours: other names only."""
        try:
            await dnslink.join_host(self._namespace, self.address)
        except Unavailable as error:
            log.warning("containers of other drivers are not answered", reason=str(error))
