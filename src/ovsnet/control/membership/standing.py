"""Where this host stands, asked of the other members while the database cannot say.

    our server reaches no majority ──► another member: hello? ──► "you are no member" ──► our copy is set aside, and a
                                                                  relay shows us the cluster without us
    our relay reaches no voter     ──► another member: hello? ──► "these vote" ──► our relay turns to those

A voter that was forgotten while it was away is not told so by RAFT: the others just do not answer its votes any more.
And while a client was away, all the voters it knew may have become clients.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from typing import Protocol

import structlog

from ovsnet.cluster.peer_messages import HelloAnswer
from ovsnet.cluster.peers import Peer
from ovsnet.control.commit import Committer
from ovsnet.model.cluster import Cluster, Role
from ovsnet.model.errors import BadRequest, OvsnetError
from ovsnet.model.ids import HostName

log = structlog.get_logger("cluster")
OUT = frozenset({""})
"""No voters, but the word that we are no member."""


class Steward(Protocol):
    """What this host is in the cluster."""

    @property
    def role(self) -> Role:
        """As its server runs now."""

    @property
    def voters(self) -> Sequence[str]:
        """Whom its server turns to, by address."""

    async def follow(self, voters: Sequence[str]) -> None:
        """Give up our copy and be a relay of these voters."""


class Messenger(Protocol):
    """Other members' agents."""

    async def hello(self, peer: Peer) -> HelloAnswer:
        """Who is there; BadRequest when it does not count us among the members."""


class Standing:
    """The background task. `period`: seconds between two rounds of questions, while there is reason to ask."""

    def __init__(
        self, committer: Committer[Cluster], steward: Steward, peers: Messenger, me: HostName, period: float
    ) -> None:
        self._committer = committer
        self._steward = steward
        self._peers = peers
        self._me = me
        self._period = period
        self._wake = asyncio.Event()
        self._doubted = False

    def nudge(self) -> None:
        """The database came or went."""
        self._wake.set()

    async def run(self) -> None:
        """Until cancelled. While the database answers, that tells everything and nothing is asked."""
        while True:
            self._wake.clear()
            if self._in_doubt():
                await self._ask()
            else:
                self._doubted = False
            with suppress(TimeoutError):
                async with asyncio.timeout(self._period if self._in_doubt() else None):
                    await self._wake.wait()

    def _in_doubt(self) -> bool:
        return not self._committer.available and bool(self._others())

    def _others(self) -> Sequence[Peer]:
        """As last known."""
        members = self._committer.snapshot().members.values()
        return [Peer(it.address, it.name) for it in members if it.name != self._me]

    async def _ask(self) -> None:
        async with asyncio.TaskGroup() as group:
            asked = [group.create_task(self._heard_of(it)) for it in self._others()]
        said = [it.result() for it in asked]
        with suppress(OvsnetError):  # asked again in the next round
            if self._steward.role is Role.VOTER:
                await self._doubt(OUT in said)
            else:
                await self._turn_to([it for it in said if it])

    async def _heard_of(self, peer: Peer) -> frozenset[str]:
        """The voters it names; `OUT` when it does not count us in."""
        try:
            return frozenset((await self._peers.hello(peer)).voters)
        except BadRequest:
            return OUT
        except OvsnetError:
            return frozenset()  # it is away, or knows nothing itself

    async def _doubt(self, said: bool) -> None:  # noqa: FBT001
        """Believed when it is heard in two rounds: a host that is just starting may know an old state."""
        before, self._doubted = self._doubted, said
        if said and before:
            log.warning("this host was forgotten while it was away; its copy of the database is set aside")
            await self._steward.follow(self._voters())

    async def _turn_to(self, said: Sequence[frozenset[str]]) -> None:
        """To those that most of the others name."""
        named = Counter(it for it in said if it is not OUT).most_common(1)
        if named and named[0][0] != frozenset(self._steward.voters):
            voters = sorted(named[0][0])
            log.warning("other hosts vote now than those this one knew", voters=voters)
            await self._steward.follow(voters)

    def _voters(self) -> Sequence[str]:
        members = self._committer.snapshot().members.values()
        voters = [it.address for it in members if it.role is Role.VOTER and it.name != self._me]
        return [str(it) for it in voters]
