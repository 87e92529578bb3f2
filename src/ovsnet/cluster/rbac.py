"""What a member may write in the cluster's database: rows that bear its name, and networks.

ovsdb-server compares a column of the row with the common name of the certificate, on every voter, whatever the
member's own software believes (ovsdb-server(7), "RBAC"). A voter's own agent comes through the Unix socket and may
write everything: members are made, changed in their role and taken away there.

RBAC is off without a word when the remote is named by a text column; `self_test` notices.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from ovsnet.cluster import schema
from ovsnet.cluster.identity import IdentityFiles
from ovsnet.cluster.schema import DATABASE
from ovsnet.cluster.tls import database_context
from ovsnet.model.errors import ApplyError, Unavailable
from ovsnet.ovsdb.question import Place, Remote, result_of, transact

ROLE: Final = "member"
DEADLINE = 5.0
"""Seconds for one answer."""
ANYBODY: Final = ""
"""As `authorization`: every member, whatever the row says."""


@dataclass(frozen=True, slots=True)
class Permission:
    """What is allowed on the rows of one table whose column `owner` is the member's name.

    `update` names the columns that may be changed. The owner's own column is never among them: a row could be given
    to somebody else.
    """

    table: str
    owner: str
    update: frozenset[str] = frozenset()
    insert_delete: bool = False


def _own(table: str, *update: str) -> Permission:
    return Permission(table, "host", frozenset(update), insert_delete=True)


PERMISSIONS: Final = frozenset(
    {
        Permission("Cluster", ANYBODY, frozenset({"generation"})),
        Permission("Member", "name", frozenset({"address", "vtep", "mtu", "trunk_mtu", "version", "subnets"})),
        Permission("Network", ANYBODY, frozenset({"name", "labels"}), insert_delete=True),
        _own("Lease"),
        _own("Endpoint", "mac", "ipv4", "ipv6", "names", "listens", "created_at"),
        _own("Beat", "count"),
        _own("Token", "expires_at"),
        _own("Record"),
    }
)


def reading() -> list[Mapping[str, object]]:
    """The operations whose results `differs` understands."""
    return [
        {"op": "select", "table": "RBAC_Role", "where": [], "columns": ["_uuid", "name", "permissions"]},
        {"op": "select", "table": "RBAC_Permission", "where": []},
    ]


def differs(results: Sequence[Any]) -> bool:
    """Whether the database's rows are not exactly ours."""
    roles, rows = (it["rows"] for it in results)
    have = [_permission(it) for it in rows]
    if len(roles) != 1 or roles[0]["name"] != ROLE or len(have) != len(PERMISSIONS) or set(have) != PERMISSIONS:
        return True
    granted = {table: uuid for table, (_, uuid) in roles[0]["permissions"][1]}
    return granted != {it["table"]: it["_uuid"][1] for it in rows}


def operations() -> list[Mapping[str, object]]:
    """What makes the database's rows exactly ours; in one transaction, so that nobody sees them gone."""
    ordered = sorted(PERMISSIONS, key=lambda it: it.table)
    granted = [[it.table, ["named-uuid", f"on_{it.table}"]] for it in ordered]
    return [
        {"op": "delete", "table": "RBAC_Role", "where": []},
        {"op": "delete", "table": "RBAC_Permission", "where": []},
        *map(_insert, ordered),
        {"op": "insert", "table": "RBAC_Role", "row": {"name": ROLE, "permissions": ["map", granted]}},
    ]


async def apply(database: Place) -> bool:
    """Give members these rights and no others; whether that changed anything.

    For the Unix socket of a voter. A database with a newer schema keeps its rights: a newer build set them, for more
    than we know. Unavailable, or ApplyError when the database refuses.
    """
    if schema.is_newer(await schema.found(database), schema.ours()["version"]):
        return False
    if not differs(await transact(database, DATABASE, reading(), deadline=DEADLINE)):
        return False
    await transact(database, DATABASE, operations(), deadline=DEADLINE)
    return True


async def self_test(files: IdentityFiles, host: str, address: str, port: int) -> None:
    """Come as a member over TLS and try what no member may; ApplyError when it is allowed.

    `address` and `port` are where this voter serves members, `host` is the name in our certificate. Nothing is
    written in either case.
    """
    place = Remote(address, port, database_context(files))
    results = await result_of(place, "transact", [DATABASE, *_forbidden(host)], deadline=DEADLINE)
    first = results[0] if results else None
    if isinstance(first, dict) and first.get("error") == "permission error":
        return
    if isinstance(first, dict) and "uuid" in first:
        reason = (
            "RBAC is off: any member could change what others wrote; stop this host's server and start it by 'ovsnet "
            "cluster-store' or its systemd unit, which name the listener by a reference"
        )
        raise ApplyError(f"the cluster's database on {address}", reason)
    raise Unavailable(f"the cluster's database on {address}", f"it answered the test of its rights with {results}")


def _forbidden(host: str) -> list[Mapping[str, object]]:
    row = {"name": f"not-{host}", "mtu": 1500}
    return [{"op": "insert", "table": "Member", "row": row}, {"op": "abort"}]


def _insert(it: Permission) -> Mapping[str, object]:
    row = {
        "table": it.table,
        "authorization": ["set", [it.owner]],
        "insert_delete": it.insert_delete,
        "update": ["set", sorted(it.update)],
    }
    return {"op": "insert", "table": "RBAC_Permission", "uuid-name": f"on_{it.table}", "row": row}


def _permission(row: Mapping[str, Any]) -> Permission:
    owner = "|".join(sorted(_texts(row["authorization"])))
    return Permission(row["table"], owner, frozenset(_texts(row["update"])), insert_delete=row["insert_delete"])


def _texts(value: Any) -> Iterable[str]:
    """A set of strings as OVSDB writes it: bare when there is one (RFC 7047 5.1)."""
    return [value] if isinstance(value, str) else value[1]
