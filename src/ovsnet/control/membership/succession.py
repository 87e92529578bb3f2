"""After a voter went on alone with the database: those that come back with a copy of the old one are told.

    leader    every member that gives no sign of life ──► "RAFT's cluster B takes the place of A; its voters are …"
    told      our copy is of A ──► set aside, from now on a relay of those voters

Who comes back cannot find out by itself: its own server seeks the voters of a RAFT cluster that is no more, or finds
enough of them to go on in the past.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Protocol

import structlog

from ovsnet.cluster.peer_messages import RecoveredRequest
from ovsnet.cluster.peers import Peer
from ovsnet.control.commit import Committer
from ovsnet.control.membership.members import voters_of
from ovsnet.model.cluster import Cluster, Member, Role
from ovsnet.model.errors import Conflict, OvsnetError
from ovsnet.model.ids import HostName

QUIET = 3
"""Signs of life that must be missing. A member need not count as dead: who follows already is told in vain, no more."""

log = structlog.get_logger("cluster")


class Steward(Protocol):
    """What this host is in the cluster."""

    @property
    def role(self) -> Role:
        """As its server runs now."""

    @property
    def leads(self) -> bool:
        """Whether the database's leader is here."""

    async def raft_cluster(self) -> str:
        """The id of the RAFT cluster our copy is of; "" where that is not known. Unavailable without a server."""

    async def follow(self, voters: Sequence[str]) -> None:
        """Give up our copy and be a relay of these voters."""


class Messenger(Protocol):
    """Other members' agents."""

    async def recovered(self, peer: Peer, request: RecoveredRequest) -> None:
        """Tell one of them."""


class Succession:
    """Both sides.

    `silence`: seconds since a member's last sign of life, as of this time of the loop's clock, None while not known.
    `replaced`: the ids of the RAFT clusters ours took the place of. `period`: seconds between two signs of life.
    """

    def __init__(
        self,
        committer: Committer[Cluster],
        steward: Steward,
        peers: Messenger,
        silence: Callable[[HostName, float], float | None],
        replaced: Callable[[], Sequence[str]],
        period: float,
    ) -> None:
        self._committer = committer
        self._steward = steward
        self._peers = peers
        self._silence = silence
        self._replaced = replaced
        self._period = period
        self._wake = asyncio.Event()
        self.problem = ""
        """Another voter that went on alone as well, for people."""

    def nudge(self) -> None:
        """The members or the database changed."""
        self._wake.set()

    async def run(self) -> None:
        """Until cancelled: who is silent may come back any time, and tells nobody when."""
        while True:
            self._wake.clear()
            concerned = self._is_concerned()
            with suppress(OvsnetError):  # the next round is soon
                await self._tell(self._silent() if concerned else ())
            if concerned:
                await asyncio.sleep(self._period)
            else:
                await self._wake.wait()

    async def recovered(self, caller: Member, request: RecoveredRequest) -> None:
        """Follow it. Conflict when ours is neither its database nor the one it replaced: we went on alone, too."""
        if self._steward.role is Role.CLIENT:
            if not self._committer.available:
                await self._steward.follow(request.voters)
            return
        ours = await self._steward.raft_cluster()
        if ours == request.cluster:
            return
        if ours not in request.replaced:
            raise Conflict(
                f"the database was recovered on two hosts, {caller.name} and here: there are two clusters; on the "
                "hosts of one of them: 'ovsnet cluster leave --force', then join the other"
            )
        log.warning("the database goes on without this copy, which is set aside", host=caller.name)
        await self._steward.follow(request.voters)

    def _is_concerned(self) -> bool:
        """Whether this host leads a database that was recovered."""
        return bool(self._steward.leads and self._committer.available and self._replaced())

    def _silent(self) -> Sequence[Member]:
        """Whom to tell."""
        now = asyncio.get_running_loop().time()
        quiet = QUIET * self._period
        members = self._committer.snapshot().members.values()
        return [it for it in members if (self._silence(it.name, now) or 0.0) >= quiet]

    async def _tell(self, silent: Sequence[Member]) -> None:
        if not silent:
            self.problem = ""
            return
        voters = tuple(str(it.address) for it in voters_of(self._committer.snapshot()))
        replaced = tuple(self._replaced())
        request = RecoveredRequest(cluster=await self._steward.raft_cluster(), replaced=replaced, voters=voters)
        async with asyncio.TaskGroup() as group:
            answers = [group.create_task(self._tell_one(it, request)) for it in silent]
        self.problem = next((it.result() for it in answers if it.result()), "")

    async def _tell_one(self, member: Member, request: RecoveredRequest) -> str:
        try:
            await self._peers.recovered(Peer(member.address, member.name), request)
        except Conflict as error:
            return str(error)
        except OvsnetError:
            return ""  # it is away still
        log.info("a host that came back was told to follow this database", host=member.name)
        return ""
