"""The cluster database's server on this host, asked and steered: who leads, who is there, leave, remove, end.

Through its control socket (ovsdb-server(1), "Cluster Commands") and its own database `_Server` (ovsdb-server(5)).
"""

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import ip_address

from ovsnet.cluster import schema
from ovsnet.cluster.process import cluster_socket, control_socket
from ovsnet.cluster.schema import DATABASE
from ovsnet.model.errors import ApplyError, Unavailable
from ovsnet.model.ids import IpAddress
from ovsnet.ovsdb.question import HungUp, Local, ask, last_word, result_of
from ovsnet.settings import Settings

NEIGHBOUR = "the cluster's database"
DEADLINE = 5.0
"""Seconds for an answer that needs no other host."""
FAREWELL = 10.0
"""Seconds a server may take to hand over and end."""
CONVERSION_TIME = 60.0
"""Seconds a new schema, or a compaction, may take; 100 000 rows took about 3."""


class RaftRole(StrEnum):
    """What a server does at the moment."""

    LEADER = "leader"
    FOLLOWER = "follower"
    CANDIDATE = "candidate"


@dataclass(frozen=True, slots=True)
class RaftServer:
    """One server of the cluster as another one sees it; `id` is the short form ovsdb-server prints."""

    id: str
    address: IpAddress


@dataclass(frozen=True, slots=True)
class RaftStatus:
    """A voter's view of the cluster."""

    role: RaftRole
    term: int
    servers: tuple[RaftServer, ...]
    cluster_id: str = ""
    """Of this RAFT cluster, a UUID; "" while it is not known. A database that was recovered has another one."""

    @property
    def leads(self) -> bool:
        """Whether this host's server is the leader."""
        return self.role is RaftRole.LEADER


class LocalServer:
    """The server on this host. Unavailable when it does not answer, ApplyError with its words when it refuses."""

    def __init__(self, settings: Settings) -> None:
        self._control = Local(control_socket(settings))
        self._database = Local(cluster_socket(settings))

    async def status(self) -> RaftStatus | None:
        """None on a server that holds no copy: a relay, or one that left."""
        try:
            return parse_status(await self._command("cluster/status", DATABASE))
        except ApplyError as error:
            if error.reason.startswith("unknown cluster") or "not a valid command" in error.reason:
                return None
            raise

    async def until_connected(self, deadline: float) -> None:
        """Returns when the database can be used here: joined, and in contact with a leader (or a relay's voter)."""
        await self._until([{"connected": True}], deadline, "it has no contact with a majority of the voters")

    async def leave(self, deadline: float) -> None:
        """Take this voter's copy out of the cluster; returns when the others go on without it. Cannot be undone."""
        await self._command("cluster/leave", DATABASE)
        await self._until([], deadline, "the other voters have not let this one go")

    async def kick(self, server: RaftServer) -> None:
        """Ask for the removal of another server, dead or alive; the status shows when it is gone.

        Nothing happens where it is gone already: an ovsdb-server (seen up to 3.1) that is the only one left would take
        any name for its own, and leave.
        """
        status = await self.status()
        if status is not None and server.id in {it.id for it in status.servers}:
            await self._command("cluster/kick", DATABASE, server.id)

    async def compact(self) -> None:
        """Have the file of this server's copy begin with what was last applied; works without a majority."""
        await result_of(self._control, "ovsdb-server/compact", [DATABASE], deadline=CONVERSION_TIME)

    async def end(self) -> None:
        """End the process, in order: a leader hands over first. Whoever keeps it alive starts it in its new role.

        Returns when it answers no more, so that whoever answers next is the new one.
        """
        try:
            async with asyncio.timeout(FAREWELL):
                await last_word(self._control, "exit", [])
        except TimeoutError:
            raise Unavailable(NEIGHBOUR, f"its server on this host has not ended within {FAREWELL:g} s") from None
        except OSError as error:
            raise Unavailable(str(self._control), error.strerror or str(error)) from error

    async def _command(self, *line: str) -> str:
        return str(await result_of(self._control, line[0], line[1:], deadline=DEADLINE))

    async def _until(self, rows: Sequence[object], deadline: float, hindrance: str) -> None:
        """Until the server's row about our database is this one."""
        wait = {
            "op": "wait",
            "timeout": int(deadline * 1000),
            "table": "Database",
            "where": [["name", "==", DATABASE]],
            "columns": ["connected"],
            "until": "==",
            "rows": rows,
        }
        try:
            async with asyncio.timeout(deadline):
                reply = await self._ask_through(wait)
        except TimeoutError:
            raise Unavailable(NEIGHBOUR, f"{hindrance} ({deadline:g} s)") from None
        except OSError as error:
            raise Unavailable(NEIGHBOUR, error.strerror or str(error)) from error
        if reply.get("error") or reply["result"][0].get("error"):
            raise Unavailable(NEIGHBOUR, f"{hindrance} ({deadline:g} s)")

    async def _ask_through(self, operation: object) -> dict[str, list[dict[str, object]]]:
        while True:
            try:
                reply: dict[str, list[dict[str, object]]] = await ask(
                    self._database, "transact", ["_Server", operation]
                )
            except HungUp:
                # It drops its clients when a database comes or goes, which is just what is waited for.
                continue
            return reply


async def upgrade_schema(settings: Settings) -> bool:
    """Bring the database to our schema when its own is older; whether it did. Never the other way round.

    For the leader's agent; it works online, and members' relays follow by themselves. ApplyError when the server took
    it and did not do it: the reason is in its log only.
    """
    database, ours = Local(cluster_socket(settings)), schema.ours()
    if not schema.is_newer(ours["version"], await schema.found(database)):
        return False
    try:
        await result_of(database, "convert", [DATABASE, ours], deadline=CONVERSION_TIME)
    except Unavailable as error:
        if not isinstance(error.__cause__, HungUp):  # It drops its clients when the schema changes.
            raise
    found = await schema.found(database)
    if schema.is_newer(ours["version"], found):
        # It answers when the order is in the log of all voters, and looks at the schema when it carries it out.
        reason = f"it keeps schema {found} instead of {ours['version']}; the server's log on this host says why"
        raise ApplyError(NEIGHBOUR, reason)
    return True


def parse_status(text: str) -> RaftStatus:
    """From what `cluster/status` prints; ApplyError when that is something else."""
    try:
        fields: dict[str, str] = dict(re.findall(r"^(\w[\w ]*): (.*)$", text, re.MULTILINE))
        return RaftStatus(
            role=RaftRole(fields["Role"]),
            term=int(fields["Term"]),
            servers=tuple(_server(it) for it in text.partition("\nServers:\n")[2].splitlines() if it.strip()),
            cluster_id=fields.get("Cluster ID", "").partition("(")[2].rstrip(")"),
        )
    except (KeyError, ValueError) as error:
        raise ApplyError("cluster/status", f"its answer cannot be read ({error}): {text}") from error


def _server(line: str) -> RaftServer:
    """As in `    44ff (44ff at ssl:192.0.2.2:7643) next_index=5 match_index=4 last msg 30 ms ago`."""
    it = re.match(r"\s*(\w+) \(\w+ at (\S+)\)", line)
    if it is None:
        raise ValueError(line)
    return RaftServer(it[1], _address(it[2]))


def _address(target: str) -> IpAddress:
    """Of `ssl:ADDRESS:PORT`."""
    return ip_address(target.removeprefix("ssl:").rpartition(":")[0].strip("[]"))
