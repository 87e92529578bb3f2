"""Who may write what in the cluster's database, on a real server over TLS."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.functional.cluster_servers import (
    Host,
    cluster_hosts,
    eventually,
    insert_lease,
    insert_member,
    leases,
    member_row,
)
from tests.functional.ovsdb_server import PATIENCE, Server

from ovsnet.cluster import process, rbac
from ovsnet.cluster.schema import DATABASE
from ovsnet.model.cluster import Role
from ovsnet.model.errors import ApplyError, Unavailable
from ovsnet.ovsdb.question import Place, result_of, transact

MINE = [["host", "==", "b"]]
TABLES = ("Lease", "Endpoint", "Beat", "Token", "Record")


@dataclass(frozen=True, slots=True)
class Scene:
    """A voter, and a member that comes over TLS; another member, c, owns a row of each kind."""

    voter: Host
    member: Host
    tls: Place

    async def attempt(self, *operations: dict[str, object]) -> None:
        await transact(self.tls, DATABASE, operations, deadline=PATIENCE)


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    with cluster_hosts(tmp_path) as hosts:
        voter = await hosts.found("a")
        member, other = hosts.add("b"), hosts.add("c")
        rows = [row for host in (member, other) for row in rows_of(host.name)]
        cluster = insert("Cluster", cluster_id="test", udp_port=4789)
        await voter.write(cluster, *map(insert_member, (voter, member, other)), network("n", 5), *rows)
        yield Scene(voter, member, member.over_tls(voter))


def insert(into: str, **row: object) -> dict[str, object]:
    return {"op": "insert", "table": into, "row": row}


def network(name: str, vni: int) -> dict[str, object]:
    return {**insert("Network", net_id=name, vni=vni, mtu=1450), "uuid": str(member_row(name))}


def rows_of(host: str, mark: str = "") -> list[dict[str, object]]:
    """One row of each kind that belongs to a host. `mark` makes them other rows than before."""
    owner: dict[str, object] = {"host": host, "member": ["uuid", str(member_row(host))]}
    net = ["uuid", str(member_row("n"))]
    return [
        insert("Lease", network="n", address=f"{host}{mark}", **owner),
        insert("Endpoint", endpoint_id=f"{host}{mark}", network=net, **owner),
        insert("Token", digest=f"{host}{mark}", **owner),
        insert("Record", network="n", name=f"{host}{mark}", address="10.0.0.9", **owner),
        *([] if mark else [insert("Beat", count=0, **owner)]),
    ]


def update(table: str, where: list[list[str]], **row: object) -> dict[str, object]:
    return {"op": "update", "table": table, "where": where, "row": row}


def delete(table: str, where: list[list[str]]) -> dict[str, object]:
    return {"op": "delete", "table": table, "where": where}


ALLOWED = {
    "new rows of its own": rows_of("b", "2"),
    "its own rows taken away": [delete(it, MINE) for it in TABLES],
    "its sign of life": [update("Beat", MINE, count=7)],
    "counting on": [{"op": "mutate", "table": "Beat", "where": MINE, "mutations": [["count", "+=", 1]]}],
    "its endpoint's names": [update("Endpoint", MINE, names="x", mac="m", ipv4="10.0.0.1", ipv6="::1")],
    "what it says of itself": [update("Member", [["name", "==", "b"]], version="2", mtu=9000, vtep="192.0.2.9")],
    "a network made": [network("new", 6)],
    "any network named": [update("Network", [["net_id", "==", "n"]], name="web", labels="{}")],
    "the generation": [{"op": "mutate", "table": "Cluster", "where": [], "mutations": [["generation", "+=", 1]]}],
}
REFUSED = {
    "a lease for another": [insert_lease("10.0.0.7", "c")],
    "another's endpoint taken away": [delete("Endpoint", [["host", "==", "c"]])],
    "another's sign of life": [update("Beat", [["host", "==", "c"]], count=9)],
    "all beats at once": [update("Beat", [], count=9)],
    "another's names": [update("Endpoint", [["host", "==", "c"]], names="x")],
    "its row given away": [update("Lease", MINE, host="c")],
    "its lease moved": [update("Lease", MINE, address="10.0.0.8")],
    "another member's address": [update("Member", [["name", "==", "c"]], address="192.0.2.1")],
    "a member made": [insert("Member", name="x", mtu=1500)],
    "itself taken away": [delete("Member", [["name", "==", "b"]])],
    "its own role": [update("Member", [["name", "==", "b"]], role="voter")],
    "its own name": [update("Member", [["name", "==", "b"]], name="c2")],
    "a network's subnet": [update("Network", [["net_id", "==", "n"]], vni=9)],
    "the cluster's port": [update("Cluster", [], udp_port=1)],
    "another cluster": [delete("Cluster", [])],
    "more rights": [update("RBAC_Permission", [], insert_delete=True)],
    "a role with all rights": [insert("RBAC_Role", name="member")],
    "no rights for anybody": [delete("RBAC_Role", [])],
}


@pytest.mark.parametrize("operations", ALLOWED.values(), ids=ALLOWED.keys())
async def test_a_member_may_write(scene: Scene, operations: list[dict[str, object]]) -> None:
    await scene.attempt(*operations)


@pytest.mark.parametrize("operations", REFUSED.values(), ids=REFUSED.keys())
async def test_a_member_may_not_write(scene: Scene, operations: list[dict[str, object]]) -> None:
    with pytest.raises(ApplyError, match="permission error"):
        await scene.attempt(*operations)


async def test_every_table_has_a_rule_or_is_closed_to_members(scene: Scene) -> None:
    """A new table is thought of here."""
    schema = await _schema(scene.voter)
    closed = {"RBAC_Role", "RBAC_Permission"}

    assert {it.table for it in rbac.PERMISSIONS} == schema.keys() - closed
    assert {it.table: it.update - schema[it.table].keys() for it in rbac.PERMISSIONS if it.update} == {
        it.table: frozenset() for it in rbac.PERMISSIONS if it.update
    }


async def _schema(host: Host) -> dict[str, dict[str, object]]:
    schema = await result_of(host.database, "get_schema", [DATABASE], deadline=PATIENCE)
    return {table: it["columns"] for table, it in schema["tables"].items()}


async def test_a_relay_has_the_rights_of_its_host(scene: Scene) -> None:
    scene.member.become(Role.CLIENT, [scene.voter])
    scene.member.start()
    try:
        await scene.member.ready()
        await scene.member.write(insert_lease("10.0.0.5", "b"))
        with pytest.raises(ApplyError, match='client "b" role "member" prohibit'):
            await scene.member.write(insert_lease("10.0.0.6", "c"))
    finally:
        scene.member.server.kill()


async def test_a_host_that_was_taken_out_can_write_no_row_of_its_own(scene: Scene) -> None:
    await scene.voter.write(*(delete(it, MINE) for it in TABLES), delete("Member", [["name", "==", "b"]]))

    for row in rows_of("b", "3"):
        with pytest.raises(ApplyError, match="referential integrity violation"):
            await scene.attempt(row)


async def test_a_host_that_was_taken_out_can_write_behind_another_members_row(scene: Scene) -> None:
    """What RBAC cannot see: the name is its own, the reference is another's. Readers must compare the two."""
    await scene.voter.write(*(delete(it, MINE) for it in TABLES), delete("Member", [["name", "==", "b"]]))

    await scene.attempt(insert_lease("10.0.0.7", "b", member="c"))


async def test_nobody_writes_before_the_rights_are_there_and_a_voter_always(scene: Scene) -> None:
    await scene.voter.write(delete("RBAC_Role", []), delete("RBAC_Permission", []))

    with pytest.raises(ApplyError, match="permission error"):
        await scene.attempt(insert_lease("10.0.0.7", "b"))
    await scene.voter.write(insert_lease("10.0.0.8", "b"))

    assert "10.0.0.8" in await leases(scene.tls)


@pytest.mark.parametrize(
    "change",
    [
        [],
        [delete("RBAC_Role", [])],
        [insert("RBAC_Role", name="guest")],
        [update("RBAC_Permission", [["table", "==", "Lease"]], authorization="")],
        [update("RBAC_Permission", [["table", "==", "Beat"]], update=["set", ["count", "host"]])],
        [insert("RBAC_Permission", table="RBAC_Role", insert_delete=True)],
        [update("RBAC_Role", [], permissions=["map", []])],
    ],
    ids=["nothing", "no role", "one more role", "weaker", "one more column", "one more table", "nothing granted"],
)
async def test_rights_are_put_right_and_then_left_alone(scene: Scene, change: list[dict[str, object]]) -> None:
    await scene.voter.write(*change)

    assert [await rbac.apply(scene.voter.database) for _ in range(2)] == [bool(change), False]


async def test_the_listener_cannot_be_opened_from_outside(scene: Scene) -> None:
    """The role is a row of a database, too."""
    for operation in (update("Connection", [], role=""), insert("RBAC_Role", name="member"), delete("Listen", [])):
        with pytest.raises(ApplyError, match="permission error"):
            await transact(scene.tls, process.LISTEN, [operation], deadline=PATIENCE)


async def test_the_test_of_rights_passes_on_a_voter_as_it_is(scene: Scene) -> None:
    voter = scene.voter

    await rbac.self_test(voter.files, "a", voter.membership.address, voter.settings.cluster_db_port)


@pytest.mark.parametrize("remote", ["db:OVSNet_Listen,Connection,target", "pssl:7642:{address}"])
async def test_the_test_of_rights_notices_a_listener_without_a_role(scene: Scene, remote: str) -> None:
    """The first is the trap of ovsdb-server(1): the same row, and its role is not looked at."""
    voter = scene.voter
    voter.server.terminate()
    command = [it for it in process.command(voter.settings, voter.membership) if not it.startswith("--remote=db:")]
    place = remote.format(address=voter.membership.address)
    voter.server = Server([*command, f"--remote={place}"], process.cluster_socket(voter.settings)).start()
    await voter.ready()

    with pytest.raises(ApplyError, match="RBAC is off: any member could"):
        await rbac.self_test(voter.files, "a", voter.membership.address, voter.settings.cluster_db_port)


async def test_the_test_of_rights_says_when_nobody_listens(scene: Scene) -> None:
    voter = scene.voter
    voter.server.kill()

    with pytest.raises(Unavailable, match=f"ssl:{voter.membership.address}:7642"):
        await rbac.self_test(voter.files, "a", voter.membership.address, voter.settings.cluster_db_port)
    voter.start()
    await eventually(
        lambda: rbac.self_test(voter.files, "a", voter.membership.address, voter.settings.cluster_db_port),
        "a listener again",
    )
