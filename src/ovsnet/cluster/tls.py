"""The TLS of members' agents: version 1.2 or newer, our authority and no other.

server    shows its certificate; asks for the caller's, takes none as well (a host that joins has none), and
          refuses a wrong one at once
client    checks chain and address, as everybody does, and that it is the member we mean, before a byte is sent
"""

import ssl
from collections.abc import Mapping
from typing import Any

from ovsnet.cluster.identity import IdentityFiles
from ovsnet.cluster.keyfiles import check_files
from ovsnet.model.errors import ApplyError
from ovsnet.model.ids import HostName

NOBODY = HostName("")
"""Without a certificate."""
_HOSTNAME_MISMATCH = 62
"""X509_V_ERR_HOSTNAME_MISMATCH (OpenSSL, x509_vfy.h)."""


def server_context(files: IdentityFiles) -> ssl.SSLContext:
    """For our listening port; ApplyError when this host's certificate cannot be used."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.verify_mode = ssl.CERT_OPTIONAL
    # A resumed session would not look at the certificate again, which may have expired since.
    context.options |= ssl.OP_NO_TICKET
    context.num_tickets = 0
    return _ours(context, files)


def client_context(files: IdentityFiles, member: HostName) -> ssl.SSLContext:
    """For calls to one member, or to any where it is NOBODY; ApplyError when our certificate cannot be used."""
    context = _MemberContext(ssl.PROTOCOL_TLS_CLIENT)
    context.member = member
    return _ours(context, files)


def database_context(files: IdentityFiles) -> ssl.SSLContext:
    """For the cluster's database. As ovsdb-server itself has it: who has a certificate of the cluster's authority is
    in, whatever its address. ApplyError when our certificate cannot be used.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    return _ours(context, files)


def joining_context(authority_pem: str) -> ssl.SSLContext:
    """For a host without a certificate that knows the authority."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_verify_locations(cadata=authority_pem)
    return context


def unverified_context() -> ssl.SSLContext:
    """For a host that knows nothing yet: whatever comes has to be checked by other means."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def member_of(certificate: Mapping[str, Any] | None) -> HostName:
    """Whose verified certificate this is (`SSLObject.getpeercert()`); NOBODY where there is none, or no single name."""
    subject = (certificate or {}).get("subject", ())
    names = [value for part in subject for key, value in part if key == "commonName"]
    return HostName(names[0]) if len(names) == 1 else NOBODY


class _MemberConnection(ssl.SSLObject):
    """One connection to a certain member."""

    def do_handshake(self) -> None:
        """Fails for another member than the one that is meant: its address may have been another's yesterday."""
        super().do_handshake()
        meant = self.context.member if isinstance(self.context, _MemberContext) else NOBODY
        found = member_of(self.getpeercert())
        if meant not in {NOBODY, found}:
            error = ssl.SSLCertVerificationError(1, f"certificate of host {found}")
            error.verify_code, error.verify_message = _HOSTNAME_MISMATCH, f"it is that of host {found}"
            raise error


class _MemberContext(ssl.SSLContext):
    sslobject_class = _MemberConnection
    member = NOBODY


def _ours(context: ssl.SSLContext, files: IdentityFiles) -> ssl.SSLContext:
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    check_files(files)
    try:
        context.load_cert_chain(files.certificate, files.key)
        context.load_verify_locations(files.authority)
    except OSError as error:  # ssl.SSLError is one
        raise ApplyError(str(files.folder), f"this host's certificate cannot be used: {error}") from error
    return context
