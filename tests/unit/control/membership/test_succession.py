"""After a recovery: who is told of it, and who follows."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address

import pytest

from ovsnet.cluster.peer_messages import RecoveredRequest
from ovsnet.cluster.peers import Peer
from ovsnet.control.commit import Committer
from ovsnet.control.membership.succession import Succession
from ovsnet.model.cluster import Cluster, ClusterInfo, Member, Role
from ovsnet.model.errors import Conflict, Unavailable
from ovsnet.model.ids import HostName
from ovsnet.store.memory import MemoryStore
from ovsnet.store.shared import SHARED
from tests.fakes.clock import jumping

A, B, C = (HostName(it) for it in "abc")
TOLD = RecoveredRequest(cluster="new", replaced=("old",), voters=("10.0.0.1",))


def member(name: HostName, number: int, role: Role = Role.CLIENT) -> Member:
    address = IPv4Address(f"10.0.0.{number}")
    return Member(name, address, address, role=role, joined_at=float(number))


MEMBERS = {A: member(A, 1, Role.VOTER), B: member(B, 2), C: member(C, 3)}


@dataclass
class Place:
    """What this host is in the cluster."""

    role: Role = Role.VOTER
    leads: bool = True
    cluster: str = "new"
    followed: list[Sequence[str]] = field(default_factory=list)

    async def raft_cluster(self) -> str:
        return self.cluster

    async def follow(self, voters: Sequence[str]) -> None:
        self.followed.append(voters)


@dataclass
class Post:
    """The other members' agents: `away` do not answer, `stubborn` refuse."""

    away: frozenset[HostName] = frozenset()
    stubborn: frozenset[HostName] = frozenset()
    told: list[tuple[HostName, RecoveredRequest]] = field(default_factory=list)

    async def recovered(self, peer: Peer, request: RecoveredRequest) -> None:
        if peer.name in self.away:
            raise Unavailable(str(peer), "no answer")
        if peer.name in self.stubborn:
            raise Conflict(f"{peer} says: the database was recovered on two hosts")
        self.told.append((peer.name, request))


class Host:
    def __init__(self, place: Place, post: Post, *dead: HostName, replaced: tuple[str, ...] = ("old",)) -> None:
        self.store: MemoryStore[Cluster] = MemoryStore(SHARED, Cluster(info=ClusterInfo("c1"), members=MEMBERS))
        self.place, self.post = place, post
        self.succession = Succession(Committer(self.store), place, post, self.silence, lambda: replaced, 10.0)
        self.dead = dead

    def silence(self, name: HostName, now: float) -> float | None:
        """Everybody else was heard just now, or is not known yet."""
        return 30.0 if name in self.dead else {A: 0.0, B: 29.0, C: None}[name]

    async def runs(self, seconds: float) -> None:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(self.succession.run())
            await asyncio.sleep(seconds)
            task.cancel()


@jumping
async def test_who_is_silent_is_told_again_and_again_until_it_is_not() -> None:
    host = Host(Place(), Post(away=frozenset({C})), B, C)

    await host.runs(15)
    assert host.post.told == [(B, TOLD)] * 2

    host.post.away = frozenset()
    await host.runs(5)
    assert {it for it, _ in host.post.told} == {B, C}


@jumping
@pytest.mark.parametrize(
    ("place", "replaced", "dead"),
    [(Place(leads=False), ("old",), (B,)), (Place(), (), (B,)), (Place(), ("old",), ())],
)
async def test_nobody_is_told_by_who_does_not_lead_or_recovered_nothing_or_hears_all(
    place: Place, replaced: tuple[str, ...], dead: tuple[HostName, ...]
) -> None:
    host = Host(place, Post(), *dead, replaced=replaced)
    await host.runs(25)
    assert host.post.told == []


@jumping
async def test_a_second_recovery_is_told_to_people() -> None:
    host = Host(Place(), Post(stubborn=frozenset({B})), B)
    await host.runs(5)
    assert "recovered on two hosts" in host.succession.problem


@pytest.mark.parametrize(
    ("place", "followed"),
    [
        (Place(cluster="old"), [TOLD.voters]),
        (Place(cluster="new"), []),
        (Place(role=Role.CLIENT, cluster=""), []),
    ],
)
async def test_a_copy_of_the_old_database_is_given_up_and_no_other(place: Place, followed: object) -> None:
    await Host(place, Post()).succession.recovered(MEMBERS[A], TOLD)
    assert place.followed == followed


async def test_who_went_on_alone_as_well_does_not_give_way() -> None:
    place = Place(cluster="another")
    with pytest.raises(Conflict, match="recovered on two hosts, a and here"):
        await Host(place, Post()).succession.recovered(MEMBERS[A], TOLD)
    assert place.followed == []
