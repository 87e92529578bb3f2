"""Who this host is in its cluster: a few files below `<state_dir>/cluster`, which survive everything.

    member.json   Membership, below
    ca.pem        the cluster's certificate authority; ca.key beside it on voters only
    host.pem      this host's certificate; its common name is the member's name
    host.key
    cluster.db    a voter's copy of the database
    seen.json     what the agent must not forget of the cluster (agent/memory.py)
    recover       an order: the database's server shall go on alone at its next start (recovery.py)
    replaced.json the RAFT clusters that ours took the place of in that way

No folder, no cluster. Everything in it is for root only.
"""

import os
import re
from dataclasses import dataclass
from pathlib import Path

import msgspec

from ovsnet.model.cluster import Role
from ovsnet.model.errors import ApplyError, BadRequest
from ovsnet.model.ids import HostName
from ovsnet.ovsdb.serverfile import sync
from ovsnet.settings import Settings

REMEDY = "put back a copy, or leave the cluster with 'ovsnet cluster leave --force' and join again"
"""For a file of this host's identity that makes no sense."""
_NAME = re.compile(r"[a-zA-Z0-9_.-]{1,63}")


def check_name(name: str) -> HostName:
    """The name as a member's; BadRequest for what cannot be one."""
    if not _NAME.fullmatch(name):
        raise BadRequest(f"{name!r} cannot be a member's name; use 1 to 63 of: letters, digits, '.', '_' and '-'")
    return HostName(name)


class Membership(msgspec.Struct, frozen=True, kw_only=True):
    """What this host must know to find its cluster without asking anybody.

    `address` is where our database and our agent listen for other members, `voters` the addresses of all voters as last
    known, ours included while we are one. `founder`: this host made the cluster, so its copy of the database is the
    first and joins nobody.
    """

    cluster_id: str
    host: str
    address: str
    vtep: str
    role: Role
    voters: tuple[str, ...]
    founder: bool = False


@dataclass(frozen=True, slots=True)
class IdentityFiles:
    """Where they are."""

    folder: Path

    @property
    def membership(self) -> Path:
        return self.folder / "member.json"

    @property
    def authority(self) -> Path:
        return self.folder / "ca.pem"

    @property
    def authority_key(self) -> Path:
        return self.folder / "ca.key"

    @property
    def certificate(self) -> Path:
        return self.folder / "host.pem"

    @property
    def key(self) -> Path:
        return self.folder / "host.key"

    @property
    def seen(self) -> Path:
        return self.folder / "seen.json"

    @property
    def recovery(self) -> Path:
        return self.folder / "recover"

    @property
    def replaced(self) -> Path:
        return self.folder / "replaced.json"

    @property
    def database(self) -> Path:
        return self.folder / "cluster.db"


def identity_files(settings: Settings) -> IdentityFiles:
    """Of this host."""
    return IdentityFiles(Path(settings.state_dir).absolute() / "cluster")


def read_membership(files: IdentityFiles) -> Membership | None:
    """None on a host that is in no cluster; ApplyError when the file makes no sense."""
    try:
        return msgspec.json.decode(files.membership.read_bytes(), type=Membership)
    except FileNotFoundError:
        return None
    except msgspec.MsgspecError as error:
        raise ApplyError(str(files.membership), f"it cannot be read ({error}); {REMEDY}") from error


def write_membership(files: IdentityFiles, membership: Membership) -> None:
    """Replace the file, on disk when this returns."""
    write_private(files.membership, msgspec.json.format(msgspec.json.encode(membership), indent=2))


def write_private(path: Path, content: bytes) -> None:
    """A file for root only, whole or not at all, on disk when this returns."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.new")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.rename(path)
    sync(path.parent)
