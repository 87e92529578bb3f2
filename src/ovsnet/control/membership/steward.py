"""Who votes: the leader's agent says it, every member's agent does it.

leader:       members, who lives ──► voters.next_step ──► Member.role, one at a time
              their versions ──► upgrade.behind ──► the database gets our schema when nobody is
              servers of RAFT that are no voter's any more ──► kicked
every member: Member.role is not what we are ──► our server becomes it
              the voters' addresses changed ──► our server is told (a relay starts anew on them)
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Protocol

import structlog

from ovsnet.cluster.identity import IdentityFiles, Membership, write_membership
from ovsnet.cluster.keyfiles import forget_authority_key, keep_authority_key
from ovsnet.cluster.peers import Peer, Peers
from ovsnet.control.commit import Committer
from ovsnet.control.membership.members import voters_of, with_role
from ovsnet.control.membership.upgrade import behind
from ovsnet.control.membership.voters import next_step
from ovsnet.model.cluster import Cluster, Member, Role
from ovsnet.model.errors import OvsnetError, Unavailable
from ovsnet.model.ids import HostName

log = structlog.get_logger("cluster")
PATIENCE = 60.0
"""Seconds a host that gives no sign of life has to come in as a voter: its server starts anew for it, and may be slow.
And seconds that a server has to leave by itself.
"""
PAIR = 2


@dataclass(frozen=True, slots=True)
class Server:
    """One server of RAFT: its id and the address in its URL."""

    id: str
    address: str


@dataclass(frozen=True, slots=True)
class RaftView:
    """What our own server says. `servers` are all it knows, itself included; `out`: it was taken out of the cluster.

    `cluster` is the id of the RAFT cluster, "" while it is not known.
    """

    leader: bool = False
    out: bool = False
    servers: tuple[Server, ...] = ()
    cluster: str = ""


@dataclass(frozen=True, slots=True)
class Terms:
    """What the steward goes by: it looks every `period` seconds at least; `version` is ours, of ovsnet."""

    period: float
    version: str


class DatabaseServer(Protocol):
    """The process that serves the cluster's database on this host."""

    async def view(self) -> RaftView:
        """What it says of RAFT; Unavailable when it does not answer, and on a relay."""

    async def kick(self, server: Server) -> None:
        """Take another server out of RAFT."""

    async def leave(self) -> None:
        """Take our own server out of RAFT; returns when it is out."""

    async def restart(self) -> None:
        """End the process; whoever keeps it starts the next one, as member.json then says."""

    async def allow(self, voters: Sequence[str]) -> None:
        """Give members their rights in the database; for the leader's."""

    async def check(self) -> None:
        """Come to our own server as a member and try what none may (RBAC); ApplyError when it is allowed."""

    async def outdated(self) -> bool:
        """Whether its schema is older than ours."""

    async def upgrade(self) -> None:
        """Bring its schema up to ours."""


class Steward:
    """Both halves. `membership` is what this host is; it changes under its hands."""

    def __init__(
        self,
        committer: Committer[Cluster],
        server: DatabaseServer,
        files: IdentityFiles,
        membership: Membership,
        peers: Peers,
        dead: Callable[[], frozenset[HostName]],
        terms: Terms,
    ) -> None:
        self._committer = committer
        self._server = server
        self._version = terms.version
        self._files = files
        self.membership = membership
        self._peers = peers
        self._dead = dead
        self._period = terms.period
        self._wake = asyncio.Event()
        self._turn = asyncio.Lock()
        self._allowed: tuple[str, ...] = ()
        self._checked = False
        self._was_out = False
        self._current = False
        self.leader = False
        self.problem = ""
        self.behind: tuple[HostName, ...] = ()
        """On the leader: the hosts whose version keeps the database from getting our schema."""
        self._dead_since: dict[HostName, float] = {}
        self._gone_since: dict[str, float] = {}

    @property
    def role(self) -> Role:
        """What our server runs as."""
        return self.membership.role

    @property
    def voters(self) -> tuple[str, ...]:
        """Whom its server turns to, by address."""
        return self.membership.voters

    @property
    def leads(self) -> bool:
        """Whether the database's leader is here."""
        return self.leader

    def nudge(self) -> None:
        """The members changed, or somebody died."""
        self._wake.set()

    async def raft_cluster(self) -> str:
        """The id of the RAFT cluster our copy is of; "" where that is not known. Unavailable without a server."""
        return (await self._server.view()).cluster

    @asynccontextmanager
    async def resting(self) -> AsyncIterator[None]:
        """Nothing is done while the block runs: this host leaves, and does so by itself."""
        async with self._turn:
            yield

    async def follow(self, voters: Sequence[str]) -> None:
        """Give up our copy, if there is one, and be a relay of these voters."""
        async with self._turn:
            forget_authority_key(self._files)
            await self._become(Role.CLIENT, voters)

    async def run(self) -> None:
        """Until cancelled: at every nudge, and now and then, because a leader may change without one."""
        while True:
            try:
                async with self._turn:
                    await self._look()
                self.problem = ""
            except OvsnetError as error:
                self._complain(str(error))
            try:
                async with asyncio.timeout(self._period):
                    await self._wake.wait()
            except TimeoutError:
                pass
            self._wake.clear()

    def _complain(self, problem: str) -> None:
        if problem != self.problem:
            log.warning("the cluster's database is not as it should be", reason=problem)
        self.problem = problem

    async def _look(self) -> None:
        raft = await self._raft()
        self.leader = raft.leader
        # Believed when it is seen twice: a server that is just starting may know nothing yet.
        was_out, self._was_out = self._was_out, raft.out
        if raft.out:
            if was_out:
                await self._become(Role.CLIENT, self.membership.voters)
            return
        if not self._committer.available:
            return
        cluster = self._committer.snapshot()
        mine = cluster.members.get(HostName(self.membership.host))
        if mine is None:
            await self._retire(cluster)
            return
        voters = tuple(str(it.address) for it in voters_of(cluster))
        if mine.role is not self.membership.role:
            await self._change_role(mine, voters)
        elif set(voters) != set(self.membership.voters):
            await self._become(mine.role, voters)
        if raft.leader and mine.role is Role.VOTER:
            await self._lead(cluster, raft, voters)
        if raft.servers and not self._checked:
            await self._server.check()
            self._checked = True

    async def _raft(self) -> RaftView:
        if self.membership.role is Role.CLIENT:
            return RaftView()
        try:
            return await self._server.view()
        except Unavailable:
            return RaftView()  # it is being started

    async def _lead(self, cluster: Cluster, raft: RaftView, voters: tuple[str, ...]) -> None:
        await self._bring_up(cluster)
        if voters != self._allowed:
            await self._server.allow(voters)
            self._allowed = voters
        for server in self._superfluous(cluster, raft, voters):
            log.info("a server without a vote is taken out", server=server.id, address=server.address)
            await self._server.kick(server)
        step = self._unused_vote(cluster, raft) or self._next_step(cluster, raft, voters)
        if step is not None:
            name, role = step
            log.info("a member gets another role", host=name, role=role.value)
            await self._committer.commit(lambda state: (with_role(state, name, role), None))

    async def _bring_up(self, cluster: Cluster) -> None:
        if self._current:
            return
        if await self._server.outdated():
            self.behind = behind(cluster.members, self._version)
            if self.behind:
                return
            await self._server.upgrade()
            log.info("the cluster's database has our schema now", version=self._version)
            self._allowed = ()  # there are new columns to have rights on
        self._current, self.behind = True, ()

    def _superfluous(self, cluster: Cluster, raft: RaftView, voters: tuple[str, ...]) -> Sequence[Server]:
        """To take out now. Of a pair the other one lives, or nobody would lead: it has time to leave by itself."""
        gone = [it for it in raft.servers if it.address not in voters and self._is_gone(cluster, it)]
        now = asyncio.get_running_loop().time()
        self._gone_since = {it.id: self._gone_since.get(it.id, now) for it in gone}
        patience = PATIENCE if len(raft.servers) == PAIR else 0.0
        return [it for it in gone if now - self._gone_since[it.id] >= patience]

    def _is_gone(self, cluster: Cluster, server: Server) -> bool:
        """It cannot leave by itself: it is no member's, or that of a dead one."""
        owners = [it.name for it in cluster.members.values() if str(it.address) == server.address]
        return all(it in self._dead() for it in owners)

    def _unused_vote(self, cluster: Cluster, raft: RaftView) -> tuple[HostName, Role] | None:
        """Who was to vote and died before its server came in keeps nobody else from it."""
        servers = {it.address for it in raft.servers}
        absent = (it.name for it in voters_of(cluster) if str(it.address) not in servers and it.name in self._gone())
        return next(((name, Role.CLIENT) for name in absent), None)

    def _next_step(self, cluster: Cluster, raft: RaftView, voters: tuple[str, ...]) -> tuple[HostName, Role] | None:
        if {it.address for it in raft.servers} != set(voters):
            return None  # the last change is still being made
        return next_step(cluster.members, self._dead(), HostName(self.membership.host), self._gone())

    def _gone(self) -> frozenset[HostName]:
        """Those that have been dead for so long that nobody waits for them any more."""
        now = asyncio.get_running_loop().time()
        self._dead_since = {name: self._dead_since.get(name, now) for name in self._dead()}
        return frozenset(name for name, since in self._dead_since.items() if now - since >= PATIENCE)

    # ------------------------------------------------------------ what we are ourselves

    async def _retire(self, cluster: Cluster) -> None:
        """A voter that was taken out of the cluster while it lives leaves RAFT, too: nobody else may lead instead."""
        if self.membership.role is Role.VOTER and cluster.members:
            log.warning("this host was taken out of the cluster: its copy of the database leaves")
            await self._server.leave()
            forget_authority_key(self._files)
            await self._become(Role.CLIENT, tuple(str(it.address) for it in voters_of(cluster)))

    async def _change_role(self, mine: Member, voters: tuple[str, ...]) -> None:
        if mine.role is Role.VOTER:
            await self._fetch_key()
        else:
            await self._server.leave()
            forget_authority_key(self._files)
        await self._become(mine.role, voters)

    async def _fetch_key(self) -> None:
        if self._files.authority_key.exists():
            return
        problem: OvsnetError = Unavailable("the cluster", "no other voter is known")
        for voter in voters_of(self._committer.snapshot()):
            if voter.name == self.membership.host:
                continue
            try:
                answer = await self._peers.promote(Peer(voter.address, voter.name))
                keep_authority_key(self._files, answer.authority_key)
            except OvsnetError as error:
                problem = error
                continue
            return
        raise problem

    async def _become(self, role: Role, voters: Sequence[str]) -> None:
        """Write down what we are and have the server start anew as that, where it must; nothing after we have left."""
        if not self._files.membership.exists():
            return
        old = self.membership
        self.membership = Membership(
            cluster_id=old.cluster_id,
            host=old.host,
            address=old.address,
            vtep=old.vtep,
            role=role,
            voters=tuple(voters),
            founder=old.founder and role is Role.VOTER,
        )
        write_membership(self._files, self.membership)
        if role is Role.CLIENT or old.role is not role:
            log.info("the database's server starts anew", role=role.value, voters=", ".join(voters))
            self._checked = False
            await self._server.restart()
