"""The cluster's database in somebody's hands: copies of it taken and put back, and one voter that goes on alone."""

import asyncio
import os
import stat
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network, ip_address
from pathlib import Path

import msgspec
import pytest
from tests.functional.cluster_servers import Host, Hosts, cluster_hosts, eventually

from ovsnet.agent.custody import Custody
from ovsnet.agent.operator import opened
from ovsnet.cluster import process
from ovsnet.cluster import schema as cluster_schema
from ovsnet.cluster.identity import write_private
from ovsnet.cluster.raft import upgrade_schema
from ovsnet.cluster.recovery import order_recovery, replaced
from ovsnet.cluster.schema import DATABASE
from ovsnet.model.cluster import Cluster, ClusterInfo, Lease, Member, Record, RemoteEndpoint, Role, SharedNetwork
from ovsnet.model.errors import ApplyError, BadRequest, Conflict, Unavailable
from ovsnet.model.ids import EndpointId, HostName, Mac, SharedId, Vni
from ovsnet.ovsdb.question import transact
from ovsnet.ovsdb.serverfile import run_tool
from ovsnet.store import schema as schemas
from ovsnet.store.interface import Drop, Put
from ovsnet.store.shared import SHARED
from ovsnet.store.standalone import read_standalone

A = HostName("a")
WEB = SharedNetwork(SharedId("a1" * 32), Vni(7), A, ipv4=IPv4Network("10.20.0.0/24"), name="web", labels=(("k", "ä"),))
C1 = RemoteEndpoint(EndpointId("e1" * 32), WEB.id, A, Mac("0a:00:00:00:00:01"), IPv4Address("10.20.0.2"), names=("c1",))
HELD, RECORD = Lease(WEB.id, IPv4Address("10.20.0.2"), A), Record("db", IPv4Address("192.0.2.9"), A)


@pytest.fixture
def hosts(tmp_path: Path) -> Iterator[Hosts]:
    with cluster_hosts(tmp_path) as it:
        yield it


def custody(host: Host) -> Custody:
    return Custody(host.settings, lambda: opened(host.settings))


def member(host: Host, role: Role = Role.VOTER) -> Member:
    address = ip_address(host.membership.address)
    return Member(HostName(host.name), address, address, role=role, joined_at=1.0)


async def of_an_earlier_version(hosts: Hosts, monkeypatch: pytest.MonkeyPatch) -> tuple[Host, Host, Host]:
    """Three voters whose database was given today's schema a moment ago, as the log of their copies tells."""
    earlier = msgspec.json.decode(schemas.text(SHARED))
    earlier["version"] = "0.9.0"
    del earlier["tables"]["Endpoint"]["columns"]["names"]
    with monkeypatch.context() as past:
        past.setattr(cluster_schema, "text", lambda: msgspec.json.encode(earlier).decode())
        voters = await hosts.three_voters()
    await upgrade_schema(voters[0].settings)
    return voters


async def filled(*members: Host) -> Cluster:
    """A database with something in it, as the first of them sees it."""
    async with opened(members[0].settings) as committer:
        them = [Put(member(it)) for it in members]
        values = [Put(ClusterInfo("test", created_at=1.5)), *them, Put(WEB), Put(C1), Put(HELD), Put(RECORD)]
        await committer.commit(lambda _: (values, None))
        return committer.snapshot()


async def contents(host: Host) -> Cluster:
    async with opened(host.settings) as committer:
        return replace(committer.snapshot(), revision=0)


# ---------------------------------------------------------------- backup, restore


async def test_a_backup_holds_everything_and_is_a_database_by_itself(hosts: Hosts, tmp_path: Path) -> None:
    founder = await hosts.found()
    await filled(founder)
    client = await hosts.join("d", Role.CLIENT, [founder])

    for host in (founder, client):
        file = tmp_path / f"{host.name}.db"
        file.write_bytes(await custody(host).backup())
        assert read_standalone(SHARED, file) == await contents(founder)
        assert run_tool("db-name", str(file)) == "OVSNet_Cluster"


async def test_what_was_removed_comes_back_and_what_came_since_goes(hosts: Hosts) -> None:
    founder = await hosts.found()
    before = await filled(founder)
    saved = await custody(founder).backup()
    later = replace(WEB, id=SharedId("b2" * 32), vni=Vni(8), name="later", ipv4=IPv4Network("10.21.0.0/24"))
    async with opened(founder.settings) as committer:
        await committer.commit(lambda _: ([Drop(C1), Drop(HELD), Drop(RECORD), Drop(WEB), Put(later)], None))

    said = await custody(founder).restore(saved, force=False)

    after = await contents(founder)
    assert (after.networks, after.leases, after.records) == (before.networks, before.leases, before.records)
    assert "made again: web. Networks removed: later." in said


async def test_a_backup_fits_voters_of_its_cluster_only(hosts: Hosts, tmp_path: Path) -> None:
    founder = await hosts.found()
    await filled(founder)
    saved = await custody(founder).backup()
    client = await hosts.join("d", Role.CLIENT, [founder])
    before = await contents(founder)

    with pytest.raises(Conflict, match=f"on a voter.*{founder.membership.address}"):
        await custody(client).restore(saved, force=True)
    for content in (b"", b"no database", founder.files.database.read_bytes()):
        with pytest.raises(BadRequest, match="this is no backup"):
            await custody(founder).restore(content, force=True)
    with cluster_hosts(tmp_path / "other") as others:
        stranger = await others.found("a")
        stranger.membership = msgspec.structs.replace(stranger.membership, cluster_id="another")
        stranger.become(Role.VOTER, [stranger], founder=True)
        with pytest.raises(Conflict, match="of another cluster"):
            await custody(stranger).restore(saved, force=True)

    assert await contents(founder) == before


async def test_a_backup_of_a_newer_schema_is_refused_and_one_of_an_older_is_read(
    hosts: Hosts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    founder = await hosts.found()
    await filled(founder)
    saved = await custody(founder).backup()
    written = msgspec.json.decode(schemas.text(SHARED))

    written["version"] = "99.0.0"
    with pytest.raises(Conflict, match="upgrade ovsnet on this host first"):
        await custody(founder).restore(converted(saved, written, tmp_path), force=True)

    written["version"] = "0.9.0"
    del written["tables"]["Member"]["columns"]["subnets"], written["tables"]["Record"]
    await custody(founder).restore(converted(saved, written, tmp_path), force=False)
    after = await contents(founder)
    assert [set(it) for it in (after.networks, after.records)] == [{WEB.id}, set()]


def converted(content: bytes, schema: object, folder: Path) -> bytes:
    file, definition = folder / "saved.db", folder / "other.ovsschema"
    definition.write_bytes(msgspec.json.encode(schema))
    file.write_bytes(content)
    run_tool("convert", str(file), str(definition))
    return file.read_bytes()


async def test_an_empty_database_is_filled_again(hosts: Hosts) -> None:
    """As when the file was lost: the host's keys say which cluster it is of."""
    founder = await hosts.found()
    before = await filled(founder)
    saved = await custody(founder).backup()
    founder.server.kill()
    founder.files.database.unlink()
    founder.start()
    await founder.ready()

    await custody(founder).restore(saved, force=False)

    after = await contents(founder)
    assert (after.members, after.networks, after.leases) == (before.members, before.networks, before.leases)


# ---------------------------------------------------------------- recovery


async def test_a_voter_goes_on_alone_after_a_yes_and_the_others_are_clients(
    hosts: Hosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    voters = await of_an_earlier_version(hosts, monkeypatch)
    before = await filled(*voters)
    survivor, *lost = voters
    survivor.become(Role.VOTER, voters)
    old = await raft_cluster(survivor)
    for voter in lost:
        voter.server.kill()
    change = {"op": "update", "table": "Cluster", "where": [], "row": {"generation": 99}}
    with pytest.raises(Unavailable):  # It takes it, and answers no question from then on.
        await transact(survivor.database, DATABASE, [change], deadline=0.5)
    await eventually(lambda: without_contact(survivor), "no contact any more")

    with pytest.raises(BadRequest, match=r"gone for good.*--yes") as explained:
        await custody(survivor).recover(yes=False)
    assert all(it.membership.address in str(explained.value) for it in lost)
    assert not survivor.files.recovery.exists()
    async with kept(survivor):
        said = await custody(survivor).recover(yes=True)

    assert "has the only vote now" in said
    after = await contents(survivor)
    assert {name: it.role for name, it in after.members.items()} == {
        "a": Role.VOTER,
        "b": Role.CLIENT,
        "c": Role.CLIENT,
    }
    assert (after.networks, after.leases, after.endpoints) == (before.networks, before.leases, before.endpoints)
    assert replaced(survivor.files) == (old,)
    assert await raft_cluster(survivor) != old
    assert not survivor.files.recovery.exists()
    assert stat.S_IMODE(os.stat(survivor.files.database).st_mode) == 0o600
    assert [it.name for it in survivor.files.folder.glob("cluster.db.*")] == [f"cluster.db.{old[:8]}"]
    await survivor.write()


async def test_where_the_majority_lives_nothing_is_recovered(hosts: Hosts) -> None:
    voters = await hosts.three_voters()
    for host in voters:
        host.become(Role.VOTER, voters)
    voters[2].server.kill()

    with pytest.raises(Conflict, match="takes changes: most voters live"):
        await custody(voters[0]).recover(yes=True)


async def test_a_recovery_that_broke_off_is_done_anew(hosts: Hosts) -> None:
    """Power may fail between the new copy and the end of the order."""
    founder = await hosts.found()
    before = await filled(founder)
    founder.server.kill()
    for _ in range(2):
        order_recovery(founder.files)
        write_private(founder.files.folder / ".recovering.db", b"half of a da")
        process.prepare(founder.settings, founder.membership)

    founder.start()
    await founder.ready()

    assert len(replaced(founder.files)) == 2
    assert (await contents(founder)).networks == before.networks


def test_a_copy_that_never_joined_is_nothing_to_go_on_with(hosts: Hosts) -> None:
    away, late = hosts.add("a"), hosts.add("b")
    late.become(Role.VOTER, [away, late])
    process.prepare(late.settings, late.membership)
    order_recovery(late.files)

    with pytest.raises(ApplyError, match="had not joined the cluster yet"):
        process.prepare(late.settings, late.membership)

    process.prepare(late.settings, late.membership)


async def test_who_comes_back_with_the_old_copy_follows_as_a_client(hosts: Hosts) -> None:
    voters = await hosts.three_voters()
    await filled(*voters)
    survivor, back, _ = voters
    for voter in voters[1:]:
        voter.server.kill()
    await eventually(lambda: without_contact(survivor), "no contact any more")
    async with kept(survivor):
        await custody(survivor).recover(yes=True)

    back.start()
    assert await eventually(lambda: raft_cluster(back), "the old copy's cluster") in replaced(survivor.files)
    back.server.kill()
    back.become(Role.CLIENT, [survivor])
    back.start()
    await back.ready()

    assert await contents(back) == await contents(survivor)


async def raft_cluster(host: Host) -> str:
    found = await host.raft.status()
    assert found is not None
    return found.cluster_id


async def without_contact(host: Host) -> bool:
    try:
        await host.raft.until_connected(0.1)
    except Unavailable:
        return True
    return False


@asynccontextmanager
async def kept(host: Host) -> AsyncIterator[None]:
    """As the keeper or systemd would: when the server has ended it is started again. Here once."""

    async def keep() -> None:
        await host.ended()
        host.start()

    async with asyncio.TaskGroup() as group:
        group.create_task(keep())
        yield
