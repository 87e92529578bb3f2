"""Roles are decided by the leader's agent and carried out by everybody's own."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from ovsnet.cluster import peer_messages
from ovsnet.cluster.authority import new_authority
from ovsnet.cluster.identity import IdentityFiles, Membership, read_membership, write_membership, write_private
from ovsnet.cluster.peers import Peer
from ovsnet.control.commit import Committer
from ovsnet.control.membership.steward import PATIENCE, RaftView, Server, Steward, Terms
from ovsnet.model.cluster import Cluster, ClusterInfo, Member, Role
from ovsnet.model.errors import ApplyError, Unavailable
from ovsnet.model.ids import HostName
from ovsnet.store.interface import Put
from ovsnet.store.memory import MemoryStore
from ovsnet.store.shared import SHARED
from tests.fakes.clock import jumping

V, C = Role.VOTER, Role.CLIENT
AUTHORITY = new_authority("c1", now=0.0)


def member(number: int, role: Role) -> Member:
    address = IPv4Address(f"10.0.0.{number}")
    return Member(HostName(f"h{number}"), address, address, role=role, joined_at=float(number))


def cluster(*roles: Role) -> Cluster:
    them = [member(number, role) for number, role in enumerate(roles, 1)]
    return Cluster(info=ClusterInfo("c1"), members={it.name: it for it in them})


def servers(*numbers: int) -> tuple[Server, ...]:
    return tuple(Server(f"s{it}", f"10.0.0.{it}") for it in numbers)


@dataclass
class Process:
    """The database's server on this host."""

    seen: RaftView = field(default_factory=RaftView)
    away: bool = False
    refuses: str = ""
    checked: int = 0
    permissive: bool = False
    old: bool = False
    did: list[str] = field(default_factory=list)

    async def view(self) -> RaftView:
        if self.away:
            raise Unavailable("the database", "it is starting")
        return self.seen

    async def kick(self, server: Server) -> None:
        self.did.append(f"kick {server.id}")

    async def leave(self) -> None:
        self.did.append("leave")

    async def restart(self) -> None:
        self.did.append("restart")

    async def allow(self, voters: Sequence[str]) -> None:
        if self.refuses:
            raise ApplyError("the database", self.refuses)
        self.did.append(f"allow {' '.join(voters)}")

    async def check(self) -> None:
        self.checked += 1
        if self.permissive:
            raise ApplyError("the database", "RBAC is off")

    async def outdated(self) -> bool:
        return self.old

    async def upgrade(self) -> None:
        self.did.append("upgrade")
        self.old = False


class KeyHolders:
    """Other voters, of whom the first does not answer."""

    async def promote(self, peer: Peer) -> peer_messages.PromoteAnswer:
        if peer.name == "h1":
            raise Unavailable(str(peer), "no answer")
        return peer_messages.PromoteAnswer(authority_key=AUTHORITY.key_pem)


class Host:
    """Host number `me` of a cluster, with its files."""

    def __init__(
        self, folder: Path, me: int, state: Cluster, process: Process, *, role: Role, voters: Sequence[int]
    ) -> None:
        self.files = IdentityFiles(folder)
        self.process = process
        self.store: MemoryStore[Cluster] = MemoryStore(SHARED, state)
        self.dead: frozenset[HostName] = frozenset()
        address = f"10.0.0.{me}"
        membership = Membership(
            cluster_id="c1",
            host=f"h{me}",
            address=address,
            vtep=address,
            role=role,
            voters=tuple(f"10.0.0.{it}" for it in voters),
            founder=me == 1,
        )
        write_membership(self.files, membership)
        write_private(self.files.authority, AUTHORITY.certificate_pem.encode())
        if role is V:
            write_private(self.files.authority_key, AUTHORITY.key_pem.encode())
        self.steward = Steward(
            Committer(self.store),
            process,
            self.files,
            membership,
            KeyHolders(),  # type: ignore[arg-type]
            lambda: self.dead,
            Terms(10.0, "1.1.0"),
        )

    @property
    def roles(self) -> list[str]:
        return [it.role for it in self.store.snapshot().members.values()]

    @property
    def written(self) -> Membership:
        found = read_membership(self.files)
        assert found is not None
        return found

    async def sets_versions(self, **versions: str) -> None:
        now = self.store.snapshot()
        them = [replace(now.members[HostName(name)], version=it) for name, it in versions.items()]
        await self.store.commit(now, [Put(it) for it in them])

    async def looks(self) -> None:
        """One look, as `run` takes them."""
        async with asyncio.TaskGroup() as group:
            task = group.create_task(self.steward.run())
            await asyncio.sleep(1)
            task.cancel()


@pytest.fixture
def leader(tmp_path: Path) -> Host:
    return Host(tmp_path, 1, cluster(V, C, C), Process(RaftView(True, False, servers(1))), role=V, voters=[1])


@jumping
async def test_the_leader_lets_members_in_and_gives_one_role_at_a_time(leader: Host) -> None:
    await leader.looks()
    assert leader.process.did == ["allow 10.0.0.1"]
    assert leader.roles == [V, V, C]

    await leader.looks()
    assert leader.roles == [V, V, C], "the new voter's server is not there yet"

    leader.process.seen = RaftView(True, False, servers(1, 2))
    await leader.looks()
    assert leader.roles == [V, V, V]
    assert leader.written.voters == ("10.0.0.1", "10.0.0.2")
    assert "restart" not in leader.process.did


@jumping
async def test_a_server_that_belongs_to_nobody_or_to_a_dead_client_is_kicked_a_living_one_leaves_by_itself(
    tmp_path: Path,
) -> None:
    process = Process(RaftView(True, False, servers(1, 2, 3, 9)))
    host = Host(tmp_path, 1, cluster(V, C, C), process, role=V, voters=[1])
    host.dead = frozenset({HostName("h2")})

    await host.looks()

    assert [it for it in process.did if it.startswith("kick")] == ["kick s2", "kick s9"]


@pytest.mark.row(56)
@jumping
async def test_the_other_one_of_a_pair_has_time_to_leave_by_itself(tmp_path: Path) -> None:
    """A moment after it has left, ovsdb-server would take a kick for one of its own, and nobody would be left."""
    process = Process(RaftView(True, False, servers(1, 9)))
    host = Host(tmp_path, 1, cluster(V), process, role=V, voters=[1])

    await host.looks()
    assert "kick s9" not in process.did

    await asyncio.sleep(PATIENCE)
    await host.looks()
    assert "kick s9" in process.did


@pytest.mark.row(99)
@jumping
async def test_an_older_database_is_brought_up_when_the_last_member_runs_our_version(leader: Host) -> None:
    leader.process.old = True
    await leader.sets_versions(h1="1.1.0", h2="1.0.0", h3="1.0.0")
    await leader.looks()
    assert leader.process.did == ["allow 10.0.0.1"]
    assert list(leader.steward.behind) == ["h2", "h3"]

    await leader.sets_versions(h1="1.1.0", h2="1.1.0", h3="1.2.0")
    await leader.looks()
    assert [it.partition(" ")[0] for it in leader.process.did] == ["allow", "upgrade", "allow"]
    assert list(leader.steward.behind) == []

    await leader.looks()
    assert leader.process.did.count("upgrade") == 1


@jumping
async def test_who_does_not_lead_decides_nothing(tmp_path: Path) -> None:
    host = Host(tmp_path, 1, cluster(V, C, C), Process(RaftView(False, False, servers(1))), role=V, voters=[1])
    await host.looks()
    assert (host.roles, host.process.did) == ([V, C, C], [])


@jumping
async def test_a_member_that_shall_vote_gets_the_key_from_a_voter_that_answers_and_starts_anew(tmp_path: Path) -> None:
    host = Host(tmp_path, 3, cluster(V, V, V), Process(), role=C, voters=[1, 2])
    await host.looks()
    assert host.files.authority_key.read_text() == AUTHORITY.key_pem
    assert (host.written.role, host.written.voters) == (V, ("10.0.0.1", "10.0.0.2", "10.0.0.3"))
    assert host.process.did == ["restart"]


@jumping
async def test_a_member_that_shall_not_vote_any_more_leaves_first_and_forgets_the_key(tmp_path: Path) -> None:
    process = Process(RaftView(False, False, servers(1, 2)))
    host = Host(tmp_path, 2, cluster(V, C), process, role=V, voters=[1, 2])
    await host.looks()
    assert process.did == ["leave", "restart"]
    assert not host.files.authority_key.exists()
    assert (host.written.role, host.written.voters) == (C, ("10.0.0.1",))


@jumping
async def test_a_relay_follows_when_the_voters_are_other_ones(tmp_path: Path) -> None:
    host = Host(tmp_path, 4, cluster(V, V, V, C), Process(), role=C, voters=[1])
    await host.looks()
    assert host.process.did == ["restart"]
    assert host.written.voters == ("10.0.0.1", "10.0.0.2", "10.0.0.3")
    await host.looks()
    assert host.process.did == ["restart"]


@jumping
async def test_a_voter_whose_server_was_taken_out_becomes_a_relay_of_the_others(tmp_path: Path) -> None:
    host = Host(tmp_path, 2, cluster(V, V, V), Process(RaftView(out=True)), role=V, voters=[1, 2, 3])
    await host.looks()
    assert host.process.did == [], "it may be starting"
    await host.looks()
    assert host.process.did[0] == "restart"
    assert host.written.role is C


@jumping
async def test_a_host_that_was_forgotten_and_one_whose_server_is_starting_do_nothing(tmp_path: Path) -> None:
    forgotten = Host(tmp_path / "a", 9, cluster(V), Process(), role=C, voters=[1])
    starting = Host(tmp_path / "b", 1, cluster(V, C, C), Process(away=True), role=V, voters=[1])
    for host in (forgotten, starting):
        await host.looks()
        assert host.process.did == []
        assert host.steward.problem == ""


@jumping
async def test_who_died_before_its_server_came_in_keeps_nobody_else_from_voting(tmp_path: Path) -> None:
    process = Process(RaftView(True, False, servers(1)))
    host = Host(tmp_path, 1, cluster(V, V, C, C), process, role=V, voters=[1, 2])
    host.dead = frozenset({HostName("h2")})

    await host.looks()
    assert host.roles == [V, V, C, C]
    await asyncio.sleep(PATIENCE)
    await host.looks()
    assert host.roles == [V, C, C, C]
    await host.looks()
    assert host.roles == [V, C, V, C]


@jumping
async def test_a_living_voter_that_was_taken_out_leaves_raft_too(tmp_path: Path) -> None:
    process = Process(RaftView(True, False, servers(1, 2, 9)))
    host = Host(tmp_path, 9, cluster(V, V), process, role=V, voters=[1, 2, 9])

    await host.looks()

    assert process.did == ["leave", "restart"]
    assert not host.files.authority_key.exists()
    assert (host.written.role, host.written.voters) == (C, ("10.0.0.1", "10.0.0.2"))


@jumping
async def test_who_follows_a_recovered_database_gives_up_its_copy(tmp_path: Path) -> None:
    process = Process(RaftView(False, False, servers(1, 2, 3), "old"))
    host = Host(tmp_path, 2, cluster(V, V, V), process, role=V, voters=[1, 2, 3])
    assert await host.steward.raft_cluster() == "old"

    await host.steward.follow(["10.0.0.1"])

    assert process.did == ["restart"]
    assert not host.files.authority_key.exists()
    assert (host.written.role, host.written.voters) == (C, ("10.0.0.1",))


@jumping
async def test_what_is_refused_is_told_and_tried_again(leader: Host) -> None:
    leader.process.refuses = "RBAC is off"
    await leader.looks()
    assert "RBAC is off" in leader.steward.problem
    assert leader.roles == [V, C, C]

    leader.process.refuses = ""
    await leader.looks()
    assert leader.steward.problem == ""
    assert leader.process.did == ["allow 10.0.0.1"]


@jumping
async def test_every_voter_checks_once_that_its_own_server_keeps_members_apart(tmp_path: Path) -> None:
    process = Process(RaftView(False, False, servers(1, 2, 3)))
    host = Host(tmp_path, 2, cluster(V, V, V), process, role=V, voters=[1, 2, 3])
    await host.looks()
    await host.looks()
    assert process.checked == 1

    process.permissive = True
    other = Host(tmp_path / "other", 3, cluster(V, V, V), process, role=V, voters=[1, 2, 3])
    await other.looks()
    assert "RBAC is off" in other.steward.problem
