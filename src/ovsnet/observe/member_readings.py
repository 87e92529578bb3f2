"""Reads what the doctor wants to know of this host as a member of a cluster. Judges nothing, changes nothing.

Works without the agent: the members are those the agent saw last, and they are asked at their own doors.
"""

import asyncio
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from ovsnet.cluster.identity import IdentityFiles, Membership, identity_files, read_membership
from ovsnet.cluster.keyfiles import check_files
from ovsnet.cluster.peers import Peer, Peers
from ovsnet.model.cluster import Member, Role
from ovsnet.model.errors import OvsnetError
from ovsnet.settings import Settings
from ovsnet.store.lastseen import LastSeen
from ovsnet.store.shared import SHARED

DEADLINE = 3.0
"""Seconds each port and each other member gets; all members are asked at once."""


def _empty() -> Any:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True)
class MemberReadings:
    """`name` is "" on a host that is in no cluster. `why`: why its files are no identity, "" where they are one.

    `expires`: when its certificate does, in seconds since the epoch. `ports`: what is wrong with each TCP port, by
    number, "" where nothing is: one of a member must be listened on, any other one must be free. `silent`: the members
    that do not answer, with the reason; `others`: how many there are.
    """

    name: str = ""
    why: str = ""
    expires: float = 0.0
    ports: Mapping[int, str] = field(default_factory=_empty)
    silent: tuple[str, ...] = ()
    others: int = 0


def read_member(settings: Settings) -> MemberReadings:
    """Look at files, ports and other members; takes a few deadlines at most."""
    files = identity_files(settings)
    try:
        membership = read_membership(files)
    except OSError as error:
        return MemberReadings(name="unknown", why=f"{files.membership}: {error.strerror}")
    except OvsnetError as error:
        return MemberReadings(name="unknown", why=str(error))
    if membership is None:
        return MemberReadings(ports={it: _taken(it) for it in _ports(settings, Role.VOTER)})
    ports = {it: _deaf(membership.address, it) for it in _ports(settings, membership.role)}
    try:
        expires = check_files(files)
    except OvsnetError as error:
        return MemberReadings(name=membership.host, why=str(error), ports=ports)
    others = _others(files, membership)
    silent = asyncio.run(_silent(files, settings, others))
    return MemberReadings(membership.host, "", expires, ports, silent, len(others))


def _ports(settings: Settings, role: Role) -> Sequence[int]:
    """Those that are listened on."""
    of_voters = (settings.cluster_db_port, settings.cluster_raft_port) if role is Role.VOTER else ()
    return (settings.cluster_port, *of_voters)


def _deaf(address: str, port: int) -> str:
    """Why nobody answers there; "" when somebody does."""
    try:
        with socket.create_connection((address, port), DEADLINE):
            return ""
    except OSError as error:
        return error.strerror or str(error)


def _taken(port: int) -> str:
    """Why we could not listen there on any address; "" when we could."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("", port))
            probe.listen(1)
        except OSError as error:
            return error.strerror or str(error)
    return ""


def _others(files: IdentityFiles, membership: Membership) -> Sequence[Member]:
    seen = LastSeen(SHARED, files.seen).load()
    known = seen.members.values() if seen is not None else ()
    return sorted((it for it in known if it.name != membership.host), key=lambda it: it.name)


async def _silent(files: IdentityFiles, settings: Settings, others: Sequence[Member]) -> tuple[str, ...]:
    async with Peers(files, settings.cluster_port, deadline=DEADLINE) as peers, asyncio.TaskGroup() as group:
        asked = [group.create_task(_why_silent(peers, it)) for it in others]
    return tuple(it.result() for it in asked if it.result())


async def _why_silent(peers: Peers, member: Member) -> str:
    try:
        await peers.hello(Peer(member.address, member.name))
    except OvsnetError as error:
        return str(error)
    return ""
