"""The process of the cluster's database, as `control` wants to steer it.

It is no child of ours: the keeper or systemd starts it when there is a member.json, and again when it ends.
"""

import os
import signal
from collections.abc import Sequence
from contextlib import suppress
from ipaddress import ip_address

from ovsnet.agent.keeper import KEEPER
from ovsnet.cluster import rbac, schema
from ovsnet.cluster.identity import identity_files, read_membership
from ovsnet.cluster.process import cluster_socket
from ovsnet.cluster.raft import LocalServer, RaftServer, upgrade_schema
from ovsnet.control.membership.steward import RaftView, Server
from ovsnet.model.errors import OvsnetError, Unavailable
from ovsnet.ovsdb.question import Local
from ovsnet.settings import Settings

GOODBYE = 15.0
"""Seconds the other voters have to let this one go."""


class DatabaseServer:
    """See `control.membership.steward.DatabaseServer` and `control.membership.enrolment.ServerProcess`."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._server = LocalServer(settings)

    async def begin(self) -> None:
        """Have the keeper look: there is a member.json now. Under systemd a path unit looks by itself."""
        look_again()

    async def end(self) -> None:
        """Have it end; without a member.json nobody starts it again."""
        with suppress(OvsnetError):
            await self._server.end()
        look_again()

    async def restart(self) -> None:
        """Have it end; it is started again, as what member.json says."""
        with suppress(Unavailable):
            await self._server.end()

    async def view(self) -> RaftView:
        """What it says of RAFT."""
        status = await self._server.status()
        if status is None:
            return RaftView(out=True)
        servers = tuple(Server(it.id, str(it.address)) for it in status.servers)
        return RaftView(leader=status.leads, servers=servers, cluster=status.cluster_id)

    async def kick(self, server: Server) -> None:
        """Take another server out of RAFT."""
        await self._server.kick(RaftServer(server.id, ip_address(server.address)))

    async def leave(self) -> None:
        """Take our own server out of RAFT."""
        await self._server.leave(GOODBYE)

    async def allow(self, _voters: Sequence[str]) -> None:
        """Bring the rights up to what we know."""
        await rbac.apply(Local(cluster_socket(self._settings)))

    async def check(self) -> None:
        """See that the rights hold where this host's server listens."""
        membership = read_membership(identity_files(self._settings))
        if membership is not None:
            port = self._settings.cluster_db_port
            await rbac.self_test(identity_files(self._settings), membership.host, membership.address, port)

    async def outdated(self) -> bool:
        """Whether the database has an older schema than ours."""
        found = await schema.found(Local(cluster_socket(self._settings)))
        return schema.is_newer(schema.ours()["version"], found)

    async def upgrade(self) -> None:
        """Bring it up to ours; online."""
        await upgrade_schema(self._settings)


def look_again() -> None:
    """Tell the keeper, where there is one, that there is another process to start or to forget."""
    keeper = os.environ.get(KEEPER, "")
    if keeper == str(os.getppid()):
        os.kill(int(keeper), signal.SIGHUP)
