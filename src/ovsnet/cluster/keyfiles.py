"""Keys and certificates on this host's disk (`identity.IdentityFiles`): what is written belongs together.

The module `authority` is loaded when it is first used, here and in control/membership: its library takes 8 MiB, which
a host without a cluster need not have.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ovsnet.cluster.identity import REMEDY, IdentityFiles, write_private
from ovsnet.model.errors import ApplyError, BadRequest, Conflict
from ovsnet.model.ids import HostName

if TYPE_CHECKING:
    from ovsnet.cluster.authority import Authority


def keep_identity(files: IdentityFiles, *, key_pem: str, certificate_pem: str, authority_pem: str) -> HostName:
    """Write who this host is, after a check that the three belong together; the name in the certificate.

    BadRequest, and nothing written, when they do not.
    """
    from ovsnet.cluster import authority

    name = authority.check_identity(certificate_pem=certificate_pem, key_pem=key_pem, authority_pem=authority_pem)
    write_private(files.authority, authority_pem.encode())
    write_private(files.key, key_pem.encode())
    write_private(files.certificate, certificate_pem.encode())
    return name


def keep_authority_key(files: IdentityFiles, key_pem: str) -> None:
    """Write the authority's key, from now on members can be made here; BadRequest when it is not our authority's."""
    from ovsnet.cluster import authority

    authority.read_authority(_read(files.authority), key_pem)
    write_private(files.authority_key, key_pem.encode())


def forget_authority_key(files: IdentityFiles) -> None:
    """This host is no voter any more."""
    files.authority_key.unlink(missing_ok=True)


def load_authority(files: IdentityFiles) -> Authority:
    """The authority with its key; Conflict on a host that is not a voter and so has none."""
    from ovsnet.cluster import authority

    if not files.authority_key.exists():
        raise Conflict("this host cannot make members, it has no key of the cluster's authority; ask a voter")
    try:
        return authority.read_authority(_read(files.authority), _read(files.authority_key))
    except BadRequest as error:
        raise ApplyError(str(files.authority_key), f"{error}; {REMEDY}") from error


def authority_pem(files: IdentityFiles) -> str:
    """The authority's certificate."""
    return _read(files.authority)


def authority_fingerprint(files: IdentityFiles) -> bytes:
    """What a host that joins must be told of the authority: SHA-256 of its certificate, 32 bytes."""
    from ovsnet.cluster import authority

    return authority.fingerprint(authority_pem(files))


def check_files(files: IdentityFiles) -> float:
    """When this host's certificate expires, in seconds since the epoch; ApplyError when the files are no identity."""
    from ovsnet.cluster import authority

    texts = {it: _read(it) for it in (files.certificate, files.key, files.authority)}
    try:
        authority.check_identity(
            certificate_pem=texts[files.certificate], key_pem=texts[files.key], authority_pem=texts[files.authority]
        )
        return authority.expires_at(texts[files.certificate])
    except BadRequest as error:
        raise ApplyError(str(files.folder), str(error)) from error


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii")
    except (OSError, ValueError) as error:
        raise ApplyError(str(path), f"it cannot be read ({error}); {REMEDY}") from error
