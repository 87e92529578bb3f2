"""The cluster's database in the hands of who looks after it: a copy taken, put back, saved from a lost majority."""

import asyncio
import tempfile
from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from functools import partial
from pathlib import Path

import structlog

from ovsnet.cluster.backup import backup
from ovsnet.cluster.identity import IdentityFiles, Membership, identity_files, read_membership
from ovsnet.cluster.raft import LocalServer
from ovsnet.cluster.recovery import order_recovery, withdraw_recovery
from ovsnet.control.commit import Committer
from ovsnet.control.membership import restoring
from ovsnet.control.membership.restoring import Restoration
from ovsnet.model.cluster import Cluster, Role
from ovsnet.model.errors import BadRequest, Conflict, OvsnetError, Unavailable
from ovsnet.model.ids import HostName
from ovsnet.settings import Settings
from ovsnet.store.interface import Change
from ovsnet.store.shared import SHARED
from ovsnet.store.standalone import read_standalone

ANY_CONTACT = 1.0
"""Seconds a server that can be used needs to say so."""
NO_MEMBER = "this host is in no cluster; begin one with 'ovsnet cluster init', or join one with 'ovsnet cluster join'"
WARNING = (
    "this makes host {me} the only voter, with its copy of the database. What the others ({others}) committed and this "
    "host has not received is lost. Do it only when most voters are gone for good: while they live and only the "
    "network between is cut, there would be two clusters, and what the other one did since is thrown away when they "
    "meet. Nothing was changed; --yes does it"
)

log = structlog.get_logger("cluster")


class Custody:
    """Of this host's copy. `opened` is the cluster's database, followed and complete, for as long as it is needed."""

    def __init__(
        self, settings: Settings, opened: Callable[[], AbstractAsyncContextManager[Committer[Cluster]]]
    ) -> None:
        self._settings = settings
        self._files: IdentityFiles = identity_files(settings)
        self._opened = opened
        self._server = LocalServer(settings)

    async def backup(self) -> bytes:
        """All of it, as a standalone database; Conflict on a host that is in no cluster."""
        self._membership()
        return await backup(self._settings)

    async def restore(self, content: bytes, *, force: bool) -> str:
        """Make the cluster's database what it was; what was done, for people. One commit, or nothing at all."""
        membership = self._voter("a backup is restored")
        saved = await asyncio.to_thread(self._read, content)
        voting = await self._voting()
        async with self._opened() as committer:
            plan = await committer.commit(partial(_decide, saved, voting, membership, force=force))
        log.warning("the cluster's database was restored", strangers=plan.strangers, removed=plan.removed)
        return restoring.described(plan)

    async def recover(self, *, yes: bool) -> str:
        """Go on with this host's copy alone, as the only vote; what was done, for people."""
        membership = self._voter("the database is recovered")
        if await self._usable():
            raise Conflict(
                "the cluster's database takes changes: most voters live, and nothing is to be recovered. One that is "
                "gone for good is taken out with 'ovsnet cluster forget'"
            )
        others = ", ".join(it for it in membership.voters if it != membership.address) or "none"
        if not yes:
            raise BadRequest(WARNING.format(me=membership.host, others=others))
        await self._start_alone()
        return (
            f"Host {membership.host} has the only vote now and goes on with its copy of the database. Voters that come "
            "back follow it by themselves; those that are gone for good: 'ovsnet cluster forget'. The old copy is kept "
            f"in {self._files.folder}."
        )

    async def _start_alone(self) -> None:
        """Whoever keeps the server alive starts it again, and that is when it is done (cluster/recovery.py)."""
        with suppress(OvsnetError):  # It may not run just now, and then its copy has to do as it is.
            await self._server.compact()
        order_recovery(self._files)
        with suppress(Unavailable):
            await self._server.end()
        try:
            async with self._opened():
                pass
        except OvsnetError:
            withdraw_recovery(self._files)
            raise

    async def _usable(self) -> bool:
        try:
            await self._server.until_connected(ANY_CONTACT)
        except Unavailable:
            return False
        return True

    async def _voting(self) -> Collection[str]:
        """The addresses of RAFT's servers."""
        status = await self._server.status()
        return [str(it.address) for it in status.servers] if status is not None else []

    def _read(self, content: bytes) -> Cluster:
        with tempfile.TemporaryDirectory(dir=self._files.folder) as folder:
            file = Path(folder, "backup.db")
            file.write_bytes(content)
            return read_standalone(SHARED, file)

    def _membership(self) -> Membership:
        membership = read_membership(self._files)
        if membership is None:
            raise Conflict(NO_MEMBER)
        return membership

    def _voter(self, what: str) -> Membership:
        membership = self._membership()
        if membership.role is not Role.VOTER:
            raise Conflict(f"{what} on a voter, and this host is none; voters are at {', '.join(membership.voters)}")
        return membership


def _decide(
    saved: Cluster, voting: Collection[str], here: Membership, now: Cluster, *, force: bool
) -> tuple[Sequence[Change], Restoration]:
    plan = restoring.restoration(now, saved, voting)
    restoring.check(plan, saved, here.cluster_id, HostName(here.host), force=force)
    return plan.changes, plan
