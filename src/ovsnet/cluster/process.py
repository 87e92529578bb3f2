"""The cluster database's server on this host: an ovsdb-server of our own, its files and how it is started.

    voter    <state_dir>/cluster/cluster.db  a copy of the database, kept like the others' by RAFT over TLS
             <run_dir>/cluster-listen.db     where it serves members over TLS, with which rights; made at every start
    client   no file: a relay of whichever voter answers
    both     <run_dir>/cluster.sock, .ctl, .pid

The agent speaks to the Unix socket only; finding a voter that answers, and TLS, is the server's work. Whoever keeps
the process alive (a systemd unit, the keeper) runs `python -m ovsnet.cluster`, which becomes ovsdb-server.
"""

from importlib.resources import files as resources
from ipaddress import ip_address
from pathlib import Path
from typing import Final

import msgspec
import structlog

from ovsnet.cluster import raftfile, recovery, schema
from ovsnet.cluster.identity import IdentityFiles, Membership, identity_files
from ovsnet.cluster.rbac import ROLE
from ovsnet.cluster.schema import DATABASE
from ovsnet.model.cluster import Role
from ovsnet.model.errors import ApplyError
from ovsnet.ovsdb.serverfile import QUIET, become, make_file, make_folder, run_tool, schema_file
from ovsnet.settings import Settings

LISTEN: Final = "OVSNet_Listen"
CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"
"""TLS 1.2 or newer: these came with 1.2, and those of 1.3 need not be named. `--ssl-protocols` would do the opposite:
before Open vSwitch 3.5 naming TLSv1.2 there switches 1.3 off.
"""
PROBE = 10_000
"""Milliseconds of silence after which a voter asks a member whether it is still there."""

log = structlog.get_logger(__name__)


def cluster_socket(settings: Settings) -> Path:
    """Where the agent finds the cluster's database, on every member."""
    return Path(settings.run_dir).absolute() / "cluster.sock"


def control_socket(settings: Settings) -> Path:
    """Where the server is asked and steered (ovs-appctl)."""
    return Path(settings.run_dir).absolute() / "cluster.ctl"


def target(address: str, port: int) -> str:
    """How ovsdb-server is told to connect there, or that a RAFT server is there."""
    return f"ssl:{_bracketed(address)}:{port}"


def become_server(settings: Settings, membership: Membership) -> None:
    """Prepare the files and replace this process by the server; returns never, except by an OvsnetError."""
    prepare(settings, membership)
    become(command(settings, membership))


def command(settings: Settings, membership: Membership) -> list[str]:
    """The server in the foreground, logging to stderr. Its umask must be serverfile.UMASK."""
    files, run_dir = identity_files(settings), Path(settings.run_dir).absolute()
    return [
        "ovsdb-server",
        *(_serve_copy(settings, files) if membership.role is Role.VOTER else _relay(settings, membership)),
        f"--remote=punix:{cluster_socket(settings)}",
        f"--private-key={files.key}",
        f"--certificate={files.certificate}",
        f"--ca-cert={files.authority}",
        f"--ssl-ciphers={CIPHERS}",
        f"--unixctl={control_socket(settings)}",
        f"--pidfile={run_dir / 'cluster.pid'}",
        *QUIET,
    ]


def _serve_copy(settings: Settings, files: IdentityFiles) -> list[str]:
    return [str(files.database), str(_listen_file(settings)), f"--remote=db:{LISTEN},Listen,connections"]


def _relay(settings: Settings, membership: Membership) -> list[str]:
    voters = ",".join(target(it, settings.cluster_db_port) for it in membership.voters)
    return [f"relay:{DATABASE}:{voters}"]


def prepare(settings: Settings, membership: Membership) -> None:
    """Make the files what the role needs; ApplyError when that cannot be."""
    files = identity_files(settings)
    make_folder(Path(settings.run_dir))
    if membership.role is Role.CLIENT:
        _set_aside(files.database, "this host votes no longer")
        if not membership.voters:
            raise ApplyError(str(files.membership), "it names no voter to follow; join the cluster again")
        return
    if files.database.exists() and raftfile.has_left(files.database):
        _set_aside(files.database, "it left the cluster, and no server starts on it again")
    _prepare_copy(settings, membership, files)
    make_file(_listen_file(settings), lambda draft: _make_listen(draft, settings, membership))


def _prepare_copy(settings: Settings, membership: Membership, files: IdentityFiles) -> None:
    """A copy that is there stays, unless it still seeks voters that are other ones now."""
    own = target(membership.address, settings.cluster_raft_port)
    others = [target(it, settings.cluster_raft_port) for it in membership.voters]
    others = [it for it in others if it != own]
    if files.database.exists():
        recovery.carry_out(files, own, membership.host)
        if raftfile.joining(files.database) in (None, frozenset(others)):
            return
        _set_aside(files.database, "it was made to join other voters")
    if others:
        make_file(files.database, lambda draft: run_tool("join-cluster", str(draft), DATABASE, own, *others))
    elif membership.founder:
        _found(files, own)
    else:
        raise ApplyError(str(files.membership), "it names no other voter to join; join the cluster again")
    log.info("copy of the cluster's database made", file=str(files.database), own=own, joins=others)


def _found(files: IdentityFiles, own: str) -> None:
    with schema_file(files.database, schema.text()) as definition:
        make_file(files.database, lambda draft: run_tool("create-cluster", str(draft), definition, own))


def _set_aside(file: Path, why: str) -> None:
    """Keep one old copy: a person may still want to look into it."""
    if file.exists():
        old = file.with_name(f"{file.name}.old")
        file.replace(old)
        log.warning("copy of the cluster's database set aside", file=str(file), backup=str(old), reason=why)


def _make_listen(draft: Path, settings: Settings, membership: Membership) -> None:
    """Whoever comes over TLS has the members' role, by a row that only this server reads.

    The rights are rows of the cluster's database, and while those are missing nobody may write. This database has an
    empty table of roles, so that nobody may write here either, ever.
    """
    text = resources("ovsnet.cluster").joinpath("listen.ovsschema").read_text()
    with schema_file(draft, text) as definition:
        run_tool("create", str(draft), definition)
    row = {
        "target": f"pssl:{settings.cluster_db_port}:{_bracketed(membership.address)}",
        "role": ROLE,
        "inactivity_probe": PROBE,
    }
    operations = [
        LISTEN,
        {"op": "insert", "table": "Connection", "uuid-name": "here", "row": row},
        {"op": "insert", "table": "Listen", "row": {"connections": ["named-uuid", "here"]}},
    ]
    run_tool("transact", str(draft), msgspec.json.encode(operations).decode())


def _listen_file(settings: Settings) -> Path:
    return Path(settings.run_dir).absolute() / "cluster-listen.db"


def _bracketed(address: str) -> str:
    it = ip_address(address)
    return f"[{it}]" if it.version == 6 else str(it)
