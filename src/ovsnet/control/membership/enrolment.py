"""How a host becomes a member: it begins a cluster, or joins one. What goes wrong on the way leaves nothing behind.

    init   keys, certificate ─► member.json: founder ─► its database is there ─► the cluster's and this host's rows
    join   authority by the token's fingerprint ─► certificate, voters ─► member.json: client ─► its relay follows

Both end with the agent starting anew, as a member.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import structlog

from ovsnet.cluster import peer_messages
from ovsnet.cluster import tokens as invitations
from ovsnet.cluster.identity import IdentityFiles, Membership, check_name, write_membership
from ovsnet.cluster.keyfiles import keep_authority_key, keep_identity
from ovsnet.cluster.peers import Peer, Peers
from ovsnet.cluster.sighting import Sighting
from ovsnet.control.commit import Committer
from ovsnet.control.membership.search import Search
from ovsnet.model.cluster import Cluster, ClusterInfo, Encapsulation, Member, Role, Token
from ovsnet.model.errors import BadRequest, Conflict, OvsnetError, Unavailable
from ovsnet.model.ids import HostName, IpAddress, is_reachable
from ovsnet.store.interface import Put

if TYPE_CHECKING:
    from ovsnet.cluster.authority import Authority, KeyRequest

log = structlog.get_logger("cluster")

OpenDatabase = Callable[[], AbstractAsyncContextManager[Committer[Cluster]]]
"""The cluster's database of this host, followed and complete; Unavailable when it does not come."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What a person said of this host: each an address, the name of an interface, or "" to choose."""

    advertise: str = ""
    vtep: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class Tunnels:
    """What a person said of the cluster's tunnels; the UDP port 0 is the usual one."""

    encapsulation: Encapsulation = Encapsulation.VXLAN
    udp_port: int = 0

    @property
    def port(self) -> int:
        """The UDP port."""
        return self.udp_port or self.encapsulation.usual_port


@dataclass(frozen=True, slots=True)
class Place:
    """Where this host is reached, and the MTU (bytes) of the interface its tunnels end at."""

    name: HostName
    address: IpAddress
    vtep: IpAddress
    mtu: int


class Surroundings(Protocol):
    """What is asked of the host."""

    async def addresses_of(self, interface: str) -> Sequence[IpAddress]:
        """The global addresses of an interface; none when there is no such interface."""

    async def usual_address(self, towards: IpAddress | None) -> IpAddress | None:
        """The address this host uses to reach another one, or anywhere; None when it cannot."""

    async def lan_addresses(self) -> Sequence[IpAddress]:
        """Those of the interfaces on which other hosts may be."""

    async def look_around(self, on: Sequence[IpAddress], seconds: float, tell: Callable[[Sighting], None]) -> None:
        """Tell of every member that announces itself on the interfaces with these addresses; Unavailable when one
        cannot listen there.
        """

    async def mtu_at(self, address: IpAddress) -> int | None:
        """The MTU of the interface that has this address; None when none has."""


class ServerProcess(Protocol):
    """The process of the cluster's database on this host."""

    async def begin(self) -> None:
        """Have it started: there is a member.json now."""

    async def end(self) -> None:
        """Have it ended, and not started again: there is no member.json any more."""

    async def allow(self, voters: Sequence[str]) -> None:
        """See `steward.DatabaseServer`."""


class Enrolment:
    """Of a host that is in no cluster."""

    def __init__(
        self,
        files: IdentityFiles,
        surroundings: Surroundings,
        server: ServerProcess,
        database: OpenDatabase,
        version: str,
        clock: Callable[[], float],
    ) -> None:
        """`clock`: seconds since the epoch."""
        self._files = files
        self._surroundings = surroundings
        self._server = server
        self._database = database
        self._version = version
        self._clock = clock

    async def init(self, wish: Wish, own_name: str, *, tunnels: Tunnels, token_life: float) -> tuple[str, float, Place]:
        """Begin a cluster; a first token, when it expires (seconds since the epoch), and where we are reached."""
        from ovsnet.cluster import authority

        self._must_be_free()
        place = await self._place(wish, own_name, towards=None)
        now, cluster_id = self._clock(), secrets.token_hex(8)
        ours = authority.new_authority(cluster_id, now)
        invitation = invitations.invite(authority.fingerprint(ours.certificate_pem))
        expires = now + token_life
        async with self._undone_on_failure():
            self._write_founder(ours, place, cluster_id, now)
            await self._server.begin()
            async with self._database() as committer:
                token = Token(invitations.digest(invitation.secret), place.name, expires)
                info = ClusterInfo(cluster_id, tunnels.port, created_at=now, encapsulation=tunnels.encapsulation)
                member = self._member(place, now)
                await committer.commit(lambda _: ((Put(info), Put(member), Put(token)), None))
                await self._server.allow([str(place.address)])
        log.info("cluster begun", id=cluster_id, host=place.name, address=str(place.address))
        return invitation.word, expires, place

    async def join(self, wish: Wish, own_name: str, member: IpAddress, word: str, peers: Peers) -> Place:
        """Join the cluster of the member at this address."""
        from ovsnet.cluster import authority

        self._must_be_free()
        invitation = invitations.parse(word)
        place = await self._place(wish, own_name, towards=member)
        authority_pem = await peers.fetch_authority(member, invitation.fingerprint)
        request = authority.new_request(place.name)
        answer = await peers.join(member, authority_pem, _request(place, invitation, request, self._version))
        async with self._undone_on_failure(lambda: self._say_goodbye(answer, place, peers)):
            keep_identity(
                self._files,
                key_pem=request.key_pem,
                certificate_pem=answer.certificate,
                authority_pem=authority_pem,
            )
            write_membership(self._files, _membership(answer, place))
            await self._server.begin()
            async with self._database() as committer:
                if place.name not in committer.snapshot().members:
                    raise Unavailable("the cluster", "it let this host in, and then did not know it")
        log.info("cluster joined", id=answer.cluster_id, host=place.name, address=str(place.address))
        return place

    async def join_nearby(self, wish: Wish, own_name: str, word: str, peers: Peers) -> Place:
        """Join the cluster the word is for at a member that announces itself on the LAN; else Unavailable."""
        self._must_be_free()
        invitation = invitations.parse(word)
        around = self._surroundings
        on = [await self._address(wish.advertise, "--advertise")] if wish.advertise else await around.lan_addresses()
        search = Search(invitation.fingerprint, peers.port, lambda it: peers.prove(it, invitation.fingerprint))
        return await search.first(
            lambda seconds, tell: around.look_around(on, seconds, tell),
            lambda member: self.join(wish, own_name, member, word, peers),
        )

    # ------------------------------------------------------------ where we are

    async def _place(self, wish: Wish, own_name: str, towards: IpAddress | None) -> Place:
        name = check_name(wish.name or own_name)
        address = await self._address(wish.advertise, "--advertise") if wish.advertise else await self._usual(towards)
        vtep = await self._address(wish.vtep, "--vtep") if wish.vtep else address
        for option, it in (("--advertise", address), ("--vtep", vtep)):
            if not is_reachable(it):
                raise BadRequest(f"{option} {it}: other hosts cannot reach that address; give one they can reach")
        if await self._surroundings.mtu_at(address) is None:
            raise BadRequest(f"--advertise {address}: no interface of this host has this address; see 'ip -br address'")
        mtu = await self._surroundings.mtu_at(vtep)
        if mtu is None:
            raise BadRequest(f"--vtep {vtep}: no interface of this host has this address; see 'ip -br address'")
        return Place(name, address, vtep, mtu)

    async def _address(self, text: str, option: str) -> IpAddress:
        """An address, or the first one of an interface."""
        try:
            return ip_address(text)
        except ValueError:
            found = await self._surroundings.addresses_of(text)
        if not found:
            raise BadRequest(
                f"{option} {text!r} is neither an address nor an interface of this host with one; see 'ip -br address'"
            )
        return found[0]

    async def _usual(self, towards: IpAddress | None) -> IpAddress:
        found = await self._surroundings.usual_address(towards)
        if found is None:
            whom = f"reaches {towards}" if towards is not None else "other hosts reach"
            raise BadRequest(f"no address of this host is known by which it {whom}; give one with --advertise")
        return found

    # ------------------------------------------------------------ files and rows

    def _must_be_free(self) -> None:
        if self._files.membership.exists():
            raise Conflict(
                "this host is in a cluster already; see 'ovsnet cluster status', or leave it: 'ovsnet cluster leave'"
            )

    def _write_founder(self, ours: Authority, place: Place, cluster_id: str, now: float) -> None:
        from ovsnet.cluster import authority

        request = authority.new_request(place.name)
        addresses = tuple(dict.fromkeys((place.address, place.vtep)))
        certificate = authority.sign(ours, request.request_pem, name=place.name, addresses=addresses, now=now)
        keep_identity(
            self._files,
            key_pem=request.key_pem,
            certificate_pem=certificate,
            authority_pem=ours.certificate_pem,
        )
        keep_authority_key(self._files, ours.key_pem)
        membership = Membership(
            cluster_id=cluster_id,
            host=place.name,
            address=str(place.address),
            vtep=str(place.vtep),
            role=Role.VOTER,
            voters=(str(place.address),),
            founder=True,
        )
        write_membership(self._files, membership)

    def _member(self, place: Place, now: float) -> Member:
        return Member(
            name=place.name,
            address=place.address,
            vtep=place.vtep,
            mtu=place.mtu,
            role=Role.VOTER,
            version=self._version,
            joined_at=now,
        )

    @asynccontextmanager
    async def _undone_on_failure(self, also: Callable[[], Awaitable[None]] | None = None) -> AsyncIterator[None]:
        try:
            yield
        except BaseException:
            if also is not None:
                await also()
            remove_identity(self._files)
            await self._server.end()
            raise

    async def _say_goodbye(self, answer: peer_messages.JoinAnswer, place: Place, peers: Peers) -> None:
        """The cluster would wait for a host that never came."""
        for voter in answer.voters:
            try:
                await peers.leave(Peer(ip_address(voter)), peer_messages.LeaveRequest(host=place.name))
            except OvsnetError as error:
                log.warning("the cluster could not be told that this host is not coming", reason=str(error))
            else:
                return


def remove_identity(files: IdentityFiles) -> None:
    """No member any more: nothing of it is left but a copy of the database, for who wants to look."""
    keys = (files.certificate, files.key, files.authority, files.authority_key)
    for file in (files.membership, *keys, files.seen, files.recovery, files.replaced):
        file.unlink(missing_ok=True)
    if files.database.exists():
        files.database.rename(_aside(files.database))


def _aside(database: Path) -> Path:
    return database.with_name(f"{database.name}.left")


def _membership(answer: peer_messages.JoinAnswer, place: Place) -> Membership:
    return Membership(
        cluster_id=answer.cluster_id,
        host=place.name,
        address=str(place.address),
        vtep=str(place.vtep),
        role=Role.CLIENT,
        voters=answer.voters,
    )


def _request(
    place: Place, invitation: invitations.Invitation, request: KeyRequest, version: str
) -> peer_messages.JoinRequest:
    return peer_messages.JoinRequest(
        secret=invitation.secret,
        name=place.name,
        address=str(place.address),
        vtep=str(place.vtep),
        mtu=place.mtu,
        version=version,
        certificate_request=request.request_pem,
        encapsulations=tuple(Encapsulation),
    )
