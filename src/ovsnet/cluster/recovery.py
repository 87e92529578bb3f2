"""A voter goes on alone with its copy of the database, when most voters are gone for good.

    order      a file, written by the agent: the process that keeps the server alive must not be in the way
    carry out  at the server's next start: copy ─► standalone ─► first server of a new RAFT cluster

The server is asked to compact its copy before: what `ovsdb-tool cluster-to-standalone` (3.1) makes of one in which the
schema has changed since the last compaction cannot be read. The server itself cannot be asked for the content: where
it has begun a change that no majority confirms any more, it answers no question.

In the new one nobody else votes. Voters of the old one are told of it when they come back
(control/membership/succession.py): their copies belong to a RAFT cluster that is no more, and `replaced` says which.
"""

import os
from pathlib import Path

import msgspec
import structlog

from ovsnet.cluster import raftfile
from ovsnet.cluster.identity import IdentityFiles, write_private
from ovsnet.cluster.schema import DATABASE
from ovsnet.model.cluster import Role
from ovsnet.model.errors import ApplyError
from ovsnet.ovsdb.serverfile import lock_of, make_file, run_tool

log = structlog.get_logger(__name__)


def order_recovery(files: IdentityFiles) -> None:
    """Have the server go on alone when it starts again."""
    write_private(files.recovery, b"")


def withdraw_recovery(files: IdentityFiles) -> None:
    """Have it not done."""
    files.recovery.unlink(missing_ok=True)


def replaced(files: IdentityFiles) -> tuple[str, ...]:
    """The ids of the RAFT clusters that ours took the place of; ApplyError when the file makes no sense."""
    try:
        return msgspec.json.decode(files.replaced.read_bytes(), type=tuple[str, ...])
    except FileNotFoundError:
        return ()
    except msgspec.MsgspecError as error:
        raise ApplyError(str(files.replaced), f"it cannot be read ({error}); remove it") from error


def carry_out(files: IdentityFiles, own: str, host: str) -> None:
    """Do it where it was ordered; `own` is where our server is reached by others, `host` our name.

    No server may run on the copy. Where it breaks off it is done anew: the old one is there until the new one is whole.
    """
    if not files.recovery.exists():
        return
    if raftfile.joining(files.database) is not None:
        withdraw_recovery(files)
        raise ApplyError(str(files.database), "this copy had not joined the cluster yet, so there is nothing in it")
    standalone = files.folder / ".recovering.db"
    try:
        _make_standalone(standalone, files, host)
        _take_over(standalone, files, own)
    finally:
        for left in (standalone, lock_of(standalone)):
            left.unlink(missing_ok=True)
    withdraw_recovery(files)


def _make_standalone(standalone: Path, files: IdentityFiles, host: str) -> None:
    """The content, in which we are the only voter."""
    standalone.unlink(missing_ok=True)
    run_tool("cluster-to-standalone", str(standalone), str(files.database))
    others = {"op": "update", "table": "Member", "where": [["name", "!=", host]], "row": {"role": Role.CLIENT}}
    ours = {"op": "update", "table": "Member", "where": [["name", "==", host]], "row": {"role": Role.VOTER}}
    run_tool("transact", str(standalone), msgspec.json.encode([DATABASE, others, ours]).decode())


def _take_over(standalone: Path, files: IdentityFiles, own: str) -> None:
    old = run_tool("db-cid", str(files.database))
    aside = files.database.with_name(f"{files.database.name}.{old[:8]}")
    if not aside.exists():
        os.link(files.database, aside)
    write_private(files.replaced, msgspec.json.encode(sorted({*replaced(files), old})))
    make_file(files.database, lambda draft: run_tool("create-cluster", str(draft), str(standalone), own))
    log.warning("the cluster's database goes on with this copy alone", replaced=old, old_copy=str(aside))
