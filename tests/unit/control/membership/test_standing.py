"""A host that was forgotten while it was away hears of it from the others, as its own database cannot tell."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

import pytest

from ovsnet.cluster.peer_messages import HelloAnswer
from ovsnet.cluster.peers import Peer
from ovsnet.control.commit import Committer
from ovsnet.control.membership.standing import Standing
from ovsnet.model.cluster import Cluster, Role
from ovsnet.model.errors import BadRequest, Unavailable
from ovsnet.model.ids import HostName
from ovsnet.store.memory import MemoryStore
from ovsnet.store.shared import SHARED
from tests.fakes import clock
from tests.unit.control.membership.test_steward import cluster

V, C = Role.VOTER, Role.CLIENT
ME, PERIOD = HostName("h3"), 10.0


class Away(MemoryStore[Cluster]):
    """A copy of the database that reaches no majority."""

    present = False

    @property
    def available(self) -> bool:
        return self.present


@dataclass
class Others:
    """The agents of other members. `members` are who they count in; None on one that does not answer."""

    members: dict[str, set[str] | None]
    voters: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    asked: int = 0

    async def hello(self, peer: Peer) -> HelloAnswer:
        self.asked += 1
        known = self.members[peer.name]
        if known is None:
            raise Unavailable(str(peer), "no answer")
        if ME not in known:
            raise BadRequest(f"host {ME} is not a member of this cluster (any more)")
        return HelloAnswer(host=peer.name, voters=self.voters.get(peer.name, ()))


@dataclass
class Server:
    """What our own server is."""

    role: Role = V
    voters: Sequence[str] = ("10.0.0.1", "10.0.0.2")
    followed: list[Sequence[str]] = field(default_factory=list)

    async def follow(self, voters: Sequence[str]) -> None:
        self.followed.append(voters)
        self.role, self.voters = C, voters


@dataclass
class Scene:
    others: Others
    store: Away = field(default_factory=lambda: Away(SHARED, cluster(V, V, V, C)))
    server: Server = field(default_factory=Server)

    def __post_init__(self) -> None:
        self.standing = Standing(Committer(self.store), self.server, self.others, ME, PERIOD)


def played(scene: Scene, body: Callable[[], Awaitable[None]]) -> Scene:
    """The task runs beside the body, with jumping time."""

    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(scene.standing.run())
            await body()
            task.cancel()

    clock.run(main)
    return scene


async def a_while() -> None:
    await asyncio.sleep(5 * PERIOD)


EVERYBODY = {"h1", "h2", "h3", "h4"}
OUT = EVERYBODY - {ME}


@pytest.mark.row(74)
def test_it_follows_the_other_voters_once_one_of_them_has_said_twice_that_it_is_no_member() -> None:
    scene = played(Scene(Others({"h1": OUT, "h2": None, "h4": None})), a_while)

    assert scene.server.followed == [["10.0.0.1", "10.0.0.2"]]


def test_a_host_that_is_cut_off_or_still_counted_in_keeps_its_copy() -> None:
    scene = played(Scene(Others({"h1": None, "h2": EVERYBODY, "h4": None})), a_while)

    assert scene.server.followed == []
    assert scene.others.asked > 3


def test_one_word_alone_is_not_believed() -> None:
    """The one who said it was just starting, and knew an old state."""
    scene = Scene(Others({"h1": OUT, "h2": None, "h4": None}))

    async def body() -> None:
        await asyncio.sleep(PERIOD / 2)
        scene.others.members["h1"] = EVERYBODY
        await a_while()

    assert played(scene, body).server.followed == []


def test_while_the_database_answers_nobody_is_asked() -> None:
    for role in (V, C):
        scene = Scene(Others({}), server=Server(role))
        scene.store.present = True
        assert played(scene, a_while).others.asked == 0


def test_a_relay_turns_to_those_that_vote_now_as_most_of_the_others_say() -> None:
    now, old = ("10.0.0.2", "10.0.0.4"), ("10.0.0.1", "10.0.0.2")
    others = Others(dict.fromkeys(("h1", "h2", "h4"), EVERYBODY), {"h1": old, "h2": now, "h4": now})

    scene = played(Scene(others, server=Server(C)), a_while)

    assert scene.server.followed == [["10.0.0.2", "10.0.0.4"]]


def test_a_relay_stays_when_the_others_know_no_better_or_nothing() -> None:
    voters = {"h1": ("10.0.0.2", "10.0.0.1")}
    scene = played(Scene(Others({"h1": EVERYBODY, "h2": None, "h4": OUT}, voters), server=Server(C)), a_while)

    assert scene.server.followed == []


def test_it_asks_again_when_the_database_went_away_later() -> None:
    scene = Scene(Others({"h1": OUT, "h2": OUT, "h4": OUT}))
    scene.store.present = True

    async def body() -> None:
        await asyncio.sleep(PERIOD)
        scene.store.present = False
        scene.standing.nudge()
        await a_while()

    assert len(played(scene, body).server.followed) == 1
