"""How a host stops being a member, by its own wish.

containers on shared networks? ─► a vote to hand over? ─► rows go ─► the database's copy leaves ─► files go
                                                                  ─► the networks leave this host's engine
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

import structlog

from ovsnet.cluster.identity import IdentityFiles
from ovsnet.control.commit import Committer
from ovsnet.control.membership.enrolment import remove_identity
from ovsnet.control.membership.members import Members, voters_of, with_role
from ovsnet.control.membership.steward import RaftView
from ovsnet.model.cluster import Cluster, Member, Role
from ovsnet.model.errors import Conflict, OvsnetError, Unavailable
from ovsnet.model.ids import HostName, NetworkId
from ovsnet.model.state import State

log = structlog.get_logger("cluster")
HANDOVER = 60.0
"""Seconds another host may take to hold a copy of the database and vote."""
LOOK_AGAIN = 0.2
"""Seconds between two looks at RAFT, which tells nobody when a server has come in."""


class Server(Protocol):
    """The process of the cluster's database on this host."""

    async def view(self) -> RaftView:
        """What it says of RAFT."""

    async def leave(self) -> None:
        """Take our own server out of RAFT."""

    async def end(self) -> None:
        """Have it ended, and not started again."""


class Leaving:
    """`forget_network` removes a network from this host's engine."""

    def __init__(
        self,
        committer: Committer[Cluster],
        members: Members,
        server: Server,
        files: IdentityFiles,
        me: HostName,
        local: Callable[[], State],
        forget_network: Callable[[NetworkId], Awaitable[None]],
    ) -> None:
        self._committer = committer
        self._members = members
        self._server = server
        self._files = files
        self._me = me
        self._local = local
        self._forget_network = forget_network

    async def leave(self, *, force: bool) -> Sequence[str]:
        """Be a member no more; what could not be done is returned, in sentences, and happens only with `force`.

        Conflict while containers are on networks of the cluster; Unavailable while the cluster cannot be told.
        """
        used = containers_on_shared(self._local())
        if used and not force:
            raise Conflict(
                f"containers of this host are on networks of the cluster: {', '.join(used)}; stop or disconnect them "
                "first, or leave with --force"
            )
        left: list[str] = []
        try:
            await self._leave_the_others()
        except OvsnetError as error:
            if not force:
                raise
            left.append(f"The cluster could not be told ({error}): run 'ovsnet cluster forget {self._me}' on a member.")
        remove_identity(self._files)
        await self._server.end()
        left += await self._leave_networks()
        return left

    async def _leave_the_others(self) -> None:
        cluster = self._committer.snapshot()
        mine = cluster.members.get(self._me)
        if mine is None:
            return
        alone = len(cluster.members) == 1
        if mine.role is Role.VOTER and not alone:
            await self._hand_over(cluster)
        await self._members.remove(self._me)
        if mine.role is Role.VOTER and not alone:
            await self._server.leave()

    async def _hand_over(self, cluster: Cluster) -> None:
        """The only vote must not go before there is another."""
        if len(voters_of(cluster)) > 1:
            return
        heir = min((it for it in cluster.members.values() if it.name != self._me), key=lambda it: it.joined_at)
        log.info("the only vote is handed over", host=heir.name)
        await self._committer.commit(lambda state: (with_role(state, heir.name, Role.VOTER), None))
        try:
            async with asyncio.timeout(HANDOVER):
                while True:
                    if await self._votes(heir):
                        return
                    await asyncio.sleep(LOOK_AGAIN)
        except TimeoutError:
            raise Unavailable(
                f"host {heir.name}", f"it did not take over the cluster's database within {HANDOVER:g} s"
            ) from None

    async def _votes(self, member: Member) -> bool:
        return str(member.address) in {it.address for it in (await self._server.view()).servers}

    async def _leave_networks(self) -> list[str]:
        left = []
        for network in self._local().networks.values():
            if not network.shared:
                continue
            try:
                await self._forget_network(network.id)
            except OvsnetError as error:
                left.append(f"Network {network.title} stays in this host's engine: {error}")
        return left


def containers_on_shared(state: State) -> Sequence[str]:
    """The containers of this host that are on networks of the cluster, by name."""
    shared = {it.id for it in state.networks.values() if it.shared}
    return sorted({it.title for it in state.endpoints.values() if it.network_id in shared and it.plugged})
