"""Who becomes a member, who stops being one: what other members' agents may ask of us.

A voter decides: it has the authority's key, and its agent reaches its own database without RBAC. A client hands what it
is asked on to a voter.
"""

import time
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, replace
from ipaddress import ip_address
from typing import Protocol

from ovsnet.cluster import keyfiles, peer_messages
from ovsnet.cluster import tokens as invitations
from ovsnet.cluster.identity import IdentityFiles, check_name
from ovsnet.cluster.peers import Peer, Peers
from ovsnet.control.commit import Committer
from ovsnet.model.cluster import Cluster, Member, Role, Token
from ovsnet.model.errors import Conflict, OvsnetError, Unavailable
from ovsnet.model.ids import HostName, IpAddress, SharedId
from ovsnet.store.interface import Change, Drop, Put


@dataclass(frozen=True, slots=True)
class About:
    """What this host says of itself.

    `clock`: seconds since the epoch. While a block with `rows_of` runs, all rows of that host are known
    (`Interest.host`); as it is, that needs a store which has everything.
    """

    me: HostName
    clock: Callable[[], float] = time.time
    rows_of: Callable[[HostName], AbstractAsyncContextManager[object]] = nullcontext


class Yielding(Protocol):
    """What this host holds ahead of addresses."""

    async def yield_address(self, network: SharedId, address: IpAddress) -> bool:
        """Let another host have exactly this one; False when it is in use here."""

    async def yield_addresses(self, network: SharedId, count: int, version: int) -> tuple[IpAddress, ...]:
        """Let other hosts have up to `count` of them; returns which."""


class Followers(Protocol):
    """What is done when another voter went on alone with the database."""

    async def recovered(self, caller: Member, request: peer_messages.RecoveredRequest) -> None:
        """Follow it, if ours is the database it took the place of."""


class Members:
    """Joining, leaving, forgetting, inviting; implements `cluster.peer_server.PeerService`."""

    def __init__(
        self,
        committer: Committer[Cluster],
        files: IdentityFiles,
        peers: Peers,
        about: About,
        dead: Callable[[], frozenset[HostName]],
        reserve: Yielding,
        followers: Followers,
    ) -> None:
        """`dead` are the members that give no sign of life."""
        self._followers = followers
        self._reserve = reserve
        self._committer = committer
        self._files = files
        self._peers = peers
        self._about = about
        self._clock = about.clock
        self._dead = dead

    # ------------------------------------------------------------ asked by other members

    def is_member(self, name: HostName) -> bool:
        """Whether this is a present member; Unavailable while the members are not known yet."""
        return name in self._known().members

    def tokens(self) -> Iterable[Token]:
        """All invitations; Unavailable while they are not known yet."""
        return self._known().tokens.values()

    async def hello(self, _caller: HostName) -> peer_messages.HelloAnswer:
        """Who we are, and who votes: whoever was away for long may know only voters that do so no longer."""
        voters = voters_of(self._committer.snapshot()) if self._committer.available else ()
        return peer_messages.HelloAnswer(host=self._about.me, voters=tuple(str(it.address) for it in voters))

    async def join(self, request: peer_messages.JoinRequest) -> peer_messages.JoinAnswer:
        """Make the host a member; Conflict when its name or one of its addresses is another's, or when it can have no
        tunnels like ours.
        """
        from ovsnet.cluster import authority

        if not self._files.authority_key.exists():
            voter = self._voter()
            return await self._peers.join(voter.address, keyfiles.authority_pem(self._files), request)
        now = self._clock()
        member = Member(
            name=check_name(request.name),
            address=ip_address(request.address),
            vtep=ip_address(request.vtep),
            mtu=request.mtu,
            version=request.version,
            joined_at=now,
        )
        ours = keyfiles.load_authority(self._files)
        certificate = authority.sign(
            ours,
            request.certificate_request,
            name=member.name,
            addresses=_distinct(member.address, member.vtep),
            now=now,
        )
        known = request.encapsulations
        cluster = await self._committer.commit(lambda state: (_admission(state, member, known), state))
        return peer_messages.JoinAnswer(
            cluster_id=cluster.info.id,
            certificate=certificate,
            voters=tuple(str(it.address) for it in voters_of(cluster)),
        )

    async def yield_addresses(
        self, _caller: HostName, request: peer_messages.YieldRequest
    ) -> peer_messages.YieldAnswer:
        """Give back addresses that are held here ahead: the one that is named, or some."""
        network = SharedId(request.network)
        if not request.address:
            given = await self._reserve.yield_addresses(network, request.count, request.family)
            return peer_messages.YieldAnswer(addresses=tuple(map(str, given)))
        yielded = await self._reserve.yield_address(network, ip_address(request.address))
        return peer_messages.YieldAnswer(addresses=(request.address,) if yielded else ())

    async def promote(self, caller: HostName) -> peer_messages.PromoteAnswer:
        """Hand the authority's key to a member that shall vote; Conflict for another, or when we have none."""
        member = self._known().members.get(caller)
        if member is None or member.role is not Role.VOTER:
            raise Conflict(f"host {caller} is no voter of this cluster: it gets no key")
        if not self._files.authority_key.exists():
            raise Conflict(f"host {self._about.me} is no voter and has no key to hand on; ask a voter")
        return peer_messages.PromoteAnswer(authority_key=self._files.authority_key.read_text())

    async def forget(self, _caller: HostName, request: peer_messages.ForgetRequest) -> None:
        """Take a host out, at the request of another member."""
        await self.remove(HostName(request.host))

    async def leave(self, caller: HostName, request: peer_messages.LeaveRequest) -> None:
        """Say goodbye; a member leaves by itself only."""
        if request.host != caller:
            raise Conflict(f"host {caller} cannot leave for host {request.host}; see 'ovsnet cluster forget'")
        await self.remove(caller)

    async def recovered(self, caller: HostName, request: peer_messages.RecoveredRequest) -> None:
        """Follow a voter that went on alone, if ours is the database it took the place of."""
        member = self._known().members.get(caller)
        if member is None or member.role is not Role.VOTER:
            raise Conflict(f"host {caller} is no voter of this cluster as far as host {self._about.me} knows")
        await self._followers.recovered(member, request)

    # ------------------------------------------------------------ asked by people here

    async def invite(self, seconds: float) -> tuple[invitations.Invitation, float]:
        """A new token, and when it expires; expired ones of this host go."""
        invitation = invitations.invite(keyfiles.authority_fingerprint(self._files))
        now = self._clock()
        token = Token(digest=invitations.digest(invitation.secret), host=self._about.me, expires_at=now + seconds)
        await self._committer.commit(lambda state: (_inviting(state, token, now), None))
        return invitation, token.expires_at

    async def take_out(self, name: HostName, *, force: bool) -> bool:
        """Forget a host, from any member; False when it was none. Conflict for one that lives, unless `force`."""
        cluster = self._known()
        if name not in cluster.members:
            return False
        if name == self._about.me:
            raise Conflict(f"host {name} is this host; use 'ovsnet cluster leave'")
        if name not in self._dead() and not force:
            raise Conflict(
                f"host {name} gives signs of life; run 'ovsnet cluster leave' there, or forget it with --force"
            )
        await self.remove(name)
        return True

    async def remove(self, name: HostName) -> None:
        """Drop everything a host has in the cluster, and its membership: it can write nothing after that."""
        if self._files.authority_key.exists():
            async with self._about.rows_of(name):
                await self._committer.commit(lambda state: (removal(state, name), None))
            return
        await self._ask_a_voter(name)

    async def _ask_a_voter(self, name: HostName) -> None:
        problem: OvsnetError | None = None
        for voter in voters_of(self._known()):
            peer = Peer(voter.address, voter.name)
            try:
                if name == self._about.me:
                    await self._peers.leave(peer, peer_messages.LeaveRequest(host=name))
                else:
                    await self._peers.forget(peer, peer_messages.ForgetRequest(host=name))
            except Unavailable as error:
                problem = error
            else:
                return
        raise problem or Unavailable("the cluster", "no voter is known")

    def _voter(self) -> Member:
        voters = voters_of(self._known())
        if not voters:
            raise Unavailable("the cluster", "no voter is known; try again, or join at another member")
        living = [it for it in voters if it.name not in self._dead()]
        return (living or voters)[0]

    def _known(self) -> Cluster:
        cluster = self._committer.snapshot()
        if not cluster.members:
            raise Unavailable("the cluster's database", "it was not seen yet; try again in a moment")
        return cluster


def voters_of(cluster: Cluster) -> Sequence[Member]:
    """The members that vote, the longest one first."""
    return sorted((it for it in cluster.members.values() if it.role is Role.VOTER), key=lambda it: it.joined_at)


def removal(state: Cluster, name: HostName) -> Sequence[Change]:
    """The changes that take a host out with everything it has; none when it is no member."""
    member = state.members.get(name)
    if member is None:
        return ()
    owned = (state.endpoints, state.leases, state.beats, state.tokens, state.records)
    return (*(Drop(it) for values in owned for it in values.values() if it.host == name), Drop(member))


def _admission(state: Cluster, member: Member, encapsulations: Collection[str]) -> Sequence[Change]:
    ours = state.info.encapsulation
    if ours not in encapsulations:
        raise Conflict(
            f"the tunnels of this cluster are {ours.called}, which host {member.name} does not know: it runs ovsnet "
            f"{member.version or 'of an older version'}; install the version that the members run, then join again"
        )
    if member.name in state.members:
        raise Conflict(
            f"the cluster has a host named {member.name} already; if that one is gone for good: 'ovsnet cluster forget "
            f"{member.name}' on a member, else join with another --name"
        )
    for other in state.members.values():
        shared = {member.vtep, member.address} & {other.vtep, other.address}
        if shared:
            raise Conflict(
                f"the address {min(map(str, shared))} is that of host {other.name}; give this host another one with "
                "--advertise or --vtep"
            )
    return (Put(member),)


def _inviting(state: Cluster, token: Token, now: float) -> Sequence[Change]:
    if token.host not in state.members:
        raise Conflict(f"host {token.host} is not a member of the cluster any more; it cannot invite others")
    expired = (Drop(it) for it in state.tokens.values() if it.host == token.host and not invitations.valid(it, now))
    return (*expired, Put(token))


def with_role(state: Cluster, name: HostName, role: Role) -> Sequence[Change]:
    """The change that gives a member a role; none when it has it, or is no member."""
    member = state.members.get(name)
    return () if member is None or member.role is role else (Put(replace(member, role=role)),)


def _distinct(*addresses: IpAddress) -> tuple[IpAddress, ...]:
    return tuple(dict.fromkeys(addresses))
