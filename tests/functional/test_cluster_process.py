"""The cluster database's server: voters, relays, their changes of role, and what happens when some of them die."""

import asyncio
import json
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from ipaddress import ip_address
from pathlib import Path

import pytest
from tests.functional.cluster_servers import (
    Host,
    Hosts,
    cluster_hosts,
    eventually,
    insert_lease,
    insert_member,
    leases,
    tls_handshake,
)
from tests.functional.ovsdb_server import PATIENCE, Server

from ovsnet.agent import keeper
from ovsnet.cluster import process, raftfile, rbac, schema
from ovsnet.cluster.raft import RaftServer, RaftStatus, upgrade_schema
from ovsnet.cluster.schema import DATABASE
from ovsnet.model.cluster import Role
from ovsnet.model.errors import ApplyError, Unavailable
from ovsnet.ovsdb.question import result_of, transact
from ovsnet.ovsdb.serverfile import make_folder, run_tool


@pytest.fixture
def hosts(tmp_path: Path) -> Iterator[Hosts]:
    with cluster_hosts(tmp_path) as it:
        yield it


async def status(host: Host) -> RaftStatus:
    found = await host.raft.status()
    assert found is not None
    return found


async def leader_of(voters: tuple[Host, ...]) -> Host:
    """The one of them that leads."""

    async def look() -> list[Host]:
        return [it for it in voters if (await status(it)).leads]

    (found,) = await eventually(look, "a leader")
    assert isinstance(found, Host)
    return found


async def all_hold(hosts: Sequence[Host], wanted: set[str]) -> None:
    """What a majority has taken, the others get in a moment."""

    async def alike() -> bool:
        return [await leases(it.database) for it in hosts] == [wanted] * len(hosts)

    await eventually(alike, f"{len(wanted)} leases on every host")


async def test_a_founder_serves_at_once(hosts: Hosts) -> None:
    founder = await hosts.found()

    await founder.write(insert_member(founder), insert_lease("10.0.0.1", "a"))

    assert await leases(founder.database) == {"10.0.0.1"}
    assert (await status(founder)).leads


async def test_voters_that_join_hold_the_same(hosts: Hosts) -> None:
    voters = await hosts.three_voters()
    await voters[0].write(insert_member(voters[0]), insert_lease("10.0.0.1", "a"))

    found = [await status(it) for it in voters]

    assert [{str(it.address) for it in each.servers} for each in found] == [
        {it.membership.address for it in voters}
    ] * 3
    assert [each.leads for each in found].count(True) == 1
    await all_hold(voters, {"10.0.0.1"})


async def test_a_client_follows_and_its_writes_reach_the_voters(hosts: Hosts) -> None:
    founder = await hosts.found()
    client = await hosts.join("d", Role.CLIENT, [founder])
    await founder.write(insert_member(client), insert_lease("10.0.0.1", "d"))

    await client.write(insert_lease("10.0.0.2", "d"))

    assert await leases(founder.database) == await leases(client.database) == {"10.0.0.1", "10.0.0.2"}
    assert await client.raft.status() is None


async def test_who_loses_the_leader_goes_on_without_it(hosts: Hosts) -> None:
    voters = await hosts.three_voters()
    client = await hosts.join("d", Role.CLIENT, voters)
    await voters[0].write(insert_member(client), insert_lease("10.0.0.1", "d"))
    dead = await leader_of(voters)

    dead.server.kill()

    others = [it for it in voters if it is not dead]
    await eventually(lambda: others[0].write(insert_lease("10.0.0.2", "d")), "a write after the leader's death")
    await eventually(lambda: client.write(insert_lease("10.0.0.3", "d")), "a write through the relay")
    assert await leases(others[1].database) == {"10.0.0.1", "10.0.0.2", "10.0.0.3"}


async def test_a_leader_that_ends_in_order_is_followed_by_another_at_once(hosts: Hosts) -> None:
    voters = await hosts.three_voters()
    leader = await leader_of(voters)
    others = tuple(it for it in voters if it is not leader)

    await leader.raft.end()
    code = await leader.ended()

    # Handed over and not elected after a silence: nobody had a reason to stand of its own accord.
    successor = await status(await leader_of(others))
    assert (code, successor.term) == (0, 2)


async def test_an_end_is_over_when_it_returns(hosts: Hosts) -> None:
    """Else who starts it again would ask the old one whether it is ready."""
    founder = await hosts.found()
    for _ in range(10):
        await founder.raft.end()
        with pytest.raises(Unavailable):
            await founder.raft.until_connected(PATIENCE)
        await founder.ended()
        founder.start()
        await founder.ready()


async def test_the_keepers_farewell_ends_it_in_order(hosts: Hosts) -> None:
    founder = await hosts.found()
    with socket.socket() as listener:
        farewell = keeper.commands(founder.settings, [], listener)["end cluster"]

    ended = await asyncio.create_subprocess_exec(*farewell)

    assert (await ended.wait(), await founder.ended()) == (0, 0)


async def test_nothing_is_lost_when_all_are_killed(hosts: Hosts) -> None:
    voters = await hosts.three_voters()
    await voters[0].write(insert_member(voters[0]))
    for number in range(20):
        # A follower judges by what it has, and may not have heard of the member yet.
        lease = insert_lease(f"10.0.0.{number}", "a")
        await eventually(partial(voters[number % 3].write, lease), "a lease")
    for voter in voters:
        voter.server.kill()

    for voter in voters:
        voter.start()
    for voter in voters:
        await voter.ready()

    await all_hold(voters, {f"10.0.0.{it}" for it in range(20)})


async def test_a_client_becomes_a_voter_and_a_client_again(hosts: Hosts) -> None:
    founder = await hosts.found()
    other = await hosts.join("b", Role.CLIENT, [founder])
    await founder.write(insert_member(other), insert_lease("10.0.0.1", "b"))

    for _ in range(2):
        other.become(Role.VOTER, [founder, other])
        await other.raft.end()
        assert await other.ended() == 0
        other.start()
        await other.ready()
        assert len((await status(founder)).servers) == 2

        await other.raft.leave(PATIENCE)
        other.become(Role.CLIENT, [founder])
        await other.raft.end()
        assert await other.ended() == 0
        other.start()
        await other.ready()
        assert await leases(other.database) == {"10.0.0.1"}
        assert len((await status(founder)).servers) == 1
    assert sorted(it.name for it in other.files.folder.glob("cluster.db*")) == ["cluster.db.old"]


async def test_a_founder_that_left_joins_the_others_when_it_comes_back(hosts: Hosts) -> None:
    voters = await hosts.three_voters()
    founder, *others = voters
    await founder.raft.leave(PATIENCE)
    await founder.raft.end()
    await founder.ended()

    founder.become(Role.VOTER, voters, founder=True)
    founder.start()
    await founder.ready()

    assert len((await status(others[0])).servers) == 3


async def test_the_last_server_does_not_leave_because_one_is_taken_out_that_is_gone_already(hosts: Hosts) -> None:
    founder = await hosts.found()
    await founder.raft.kick(RaftServer("ffff", ip_address("127.0.0.9")))
    await founder.write(insert_member(founder), insert_lease("10.0.0.1", "a"))
    assert len((await status(founder)).servers) == 1


async def test_a_dead_voter_can_be_removed(hosts: Hosts) -> None:
    voters = await hosts.three_voters()
    living, dead = voters[:2], voters[2]
    dead.server.kill()
    leader = await leader_of(living)
    (gone,) = (it for it in (await status(leader)).servers if str(it.address) == dead.membership.address)

    await leader.raft.kick(gone)

    async def removed() -> bool:
        return gone.id not in {it.id for it in (await status(leader)).servers}

    await eventually(removed, "the removal of the dead voter")
    await living[1].write(insert_member(living[0]))


async def test_without_a_majority_nobody_is_told_that_all_is_well(hosts: Hosts) -> None:
    voters = await hosts.three_voters()
    for voter in voters[1:]:
        voter.server.kill()

    async def noticed() -> bool:
        try:
            await voters[0].raft.until_connected(0.1)
        except Unavailable:
            return True
        return False

    await eventually(noticed, "the loss of the majority")


async def test_a_newer_schema_comes_to_all_and_an_older_one_to_none(
    hosts: Hosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    founder = await hosts.found()
    client = await hosts.join("d", Role.CLIENT, [founder])
    await founder.write(insert_member(client), insert_lease("10.0.0.1", "d"))
    assert not await upgrade_schema(founder.settings)

    _pretend_schema(monkeypatch, "7.1.0")
    assert await upgrade_schema(founder.settings)

    async def follows() -> bool:
        found = await result_of(client.database, "get_schema", [DATABASE], deadline=PATIENCE)
        return bool(found["version"] == "7.1.0" and "made_up" in found["tables"]["Lease"]["columns"])

    await eventually(follows, "the new schema at the relay")
    await client.write(insert_lease("10.0.0.2", "d"))
    assert await leases(founder.database) == {"10.0.0.1", "10.0.0.2"}
    _pretend_schema(monkeypatch, "7.0.9")
    assert not await upgrade_schema(founder.settings)


async def test_an_older_build_leaves_the_rights_a_newer_one_gave(hosts: Hosts, monkeypatch: pytest.MonkeyPatch) -> None:
    founder = await hosts.found()
    _pretend_schema(monkeypatch, "0.9.0")

    await founder.write({"op": "update", "table": "RBAC_Permission", "where": [], "row": {"insert_delete": True}})

    assert not await rbac.apply(founder.database)


async def test_a_schema_that_is_not_taken_is_said(hosts: Hosts, monkeypatch: pytest.MonkeyPatch) -> None:
    """Open vSwitch 3.1 answers that all is well, and refuses it in its log: clusters have no ephemeral columns."""
    founder = await hosts.found()

    _pretend_schema(monkeypatch, "7.1.0", ephemeral=True)

    with pytest.raises(ApplyError, match="it keeps schema"):
        await upgrade_schema(founder.settings)


def _pretend_schema(monkeypatch: pytest.MonkeyPatch, version: str, *, ephemeral: bool = False) -> None:
    """A build of ours with another schema."""
    pretended = json.loads(schema.text())
    pretended["version"] = version
    pretended["tables"]["Lease"]["columns"]["made_up"] = {"type": "string", "ephemeral": ephemeral}
    monkeypatch.setattr(schema, "ours", lambda: pretended)


async def test_only_members_certificates_and_no_old_tls_come_in(hosts: Hosts) -> None:
    founder = await hosts.found()
    member = hosts.add("b")
    old = ("-cipher", "ALL:@SECLEVEL=0")

    spoken = {it: "Cipher is (NONE)" not in tls_handshake(member, founder, f"-{it}", *old) for it in VERSIONS}
    stranger = tls_handshake(member, founder, "-tls1_2", certificate=False)
    with cluster_hosts(hosts.directory / "other") as others:
        foreign = others.add("b")
        foreign_files = foreign.over_tls(founder)
        with pytest.raises(Unavailable, match=r"CERTIFICATE_VERIFY_FAILED|certificate verify failed"):
            await transact(foreign_files, DATABASE, [], deadline=PATIENCE)

    assert spoken == VERSIONS
    assert "Cipher is (NONE)" in stranger or "alert handshake failure" in stranger


VERSIONS = {"tls1": False, "tls1_1": False, "tls1_2": True, "tls1_3": True}


async def test_a_cluster_lives_on_ipv6(hosts: Hosts) -> None:
    founder = await hosts.found("a", "::1")
    client = await hosts.join("b", Role.CLIENT, [founder])
    await founder.write(insert_member(client))

    await client.write(insert_lease("10.0.0.1", "b"))

    assert [str(it.address) for it in (await status(founder)).servers] == ["::1"]


async def test_files_and_sockets_are_for_root_only(hosts: Hosts) -> None:
    founder = await hosts.found()
    folders = (Path(founder.settings.run_dir), founder.files.folder)

    modes = {
        it.name: it.stat().st_mode & 0o077 for folder in folders for it in folder.iterdir() if "log" not in it.name
    }

    assert {"cluster.sock", "cluster.ctl", "cluster-listen.db", "cluster.db"} <= modes.keys()
    assert {name: mode for name, mode in modes.items() if mode} == {}


def test_a_copy_that_never_joined_looks_for_the_voters_of_today(hosts: Hosts) -> None:
    one, other, late = (hosts.add(name) for name in "abc")
    late.become(Role.VOTER, [one, late])
    process.prepare(late.settings, late.membership)
    first = raftfile.joining(late.files.database) or frozenset()
    process.prepare(late.settings, late.membership)
    server_id = run_tool("db-sid", str(late.files.database))

    late.become(Role.VOTER, [other, late])
    process.prepare(late.settings, late.membership)

    second = raftfile.joining(late.files.database) or frozenset()
    assert (first, second) == tuple(frozenset({f"ssl:{it.membership.address}:7643"}) for it in (one, other))
    assert run_tool("db-sid", str(late.files.database)) != server_id


async def test_a_voter_that_has_not_joined_yet_has_a_status(hosts: Hosts) -> None:
    away, late = hosts.add("a"), hosts.add("b")
    late.become(Role.VOTER, [away, late])
    late.start()

    found = await eventually(late.raft.status, "a status")

    assert isinstance(found, RaftStatus)
    assert found.leads is False


def test_a_member_that_knows_nobody_says_what_to_do(hosts: Hosts) -> None:
    alone = hosts.add("a")
    for role in Role:
        alone.become(role, [alone] if role is Role.VOTER else [])
        with pytest.raises(ApplyError, match="join the cluster again"):
            process.prepare(alone.settings, alone.membership)


async def test_the_command_becomes_the_server(hosts: Hosts) -> None:
    host = hosts.add("a")
    host.become(Role.VOTER, [host], founder=True)
    make_folder(Path(host.settings.run_dir))
    host.server = Server(_command(host), process.cluster_socket(host.settings)).start()

    await host.ready()

    assert _program(host.server.pid) == "ovsdb-server"


def test_on_a_host_without_a_cluster_the_command_says_so_and_ends(hosts: Hosts) -> None:
    done = subprocess.run(_command(hosts.add("a")), capture_output=True, text=True, check=False, timeout=PATIENCE)

    assert done.returncode == 3
    assert "this host is in no cluster" in done.stderr
    assert done.stderr.count("\n") == 1


def _program(pid: int) -> str:
    return Path(f"/proc/{pid}/comm").read_text().strip()


def _command(host: Host) -> list[str]:
    arguments = [f"--set={name}={getattr(host.settings, name)}" for name in ("run_dir", "state_dir")]
    return [sys.executable, "-m", "ovsnet.cluster", *arguments]
