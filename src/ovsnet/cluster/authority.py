"""Certificates: the cluster's authority and what it signs. Values in, values out; only keys and serials are chance.

    authority   EC P-256, 20 years, common name "ovsnet cluster <id>"; signs members and no further authority
    member      EC P-256, 10 years, common name = the member's name, alternative names = its addresses; both ends of TLS

Certificates and keys travel as PEM text. All times are seconds since the epoch. Why so: docs/decisions/0026.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from ovsnet.cluster.identity import check_name
from ovsnet.model.errors import BadRequest
from ovsnet.model.ids import HostName, IpAddress

AUTHORITY_LIFE = timedelta(days=20 * 365)
MEMBER_LIFE = timedelta(days=10 * 365)
"""Long: a cluster must not fall apart on a day nobody thought of. Members are turned away by name, not by date."""
BACKDATED = timedelta(days=1)
"""A certificate is used seconds after it was made, on a host whose clock may be behind the signer's, or be put back
later. A day covers a hardware clock that was read in the wrong time zone, too.
"""


@dataclass(frozen=True, slots=True)
class Authority:
    """A certificate authority with its key: who holds this can make members."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey = field(repr=False)

    @property
    def certificate_pem(self) -> str:
        return _pem(self.certificate)

    @property
    def key_pem(self) -> str:
        return _key_pem(self.key)


@dataclass(frozen=True, slots=True)
class KeyRequest:
    """A new host's key, which stays there, and the request to certify it."""

    key_pem: str = field(repr=False)
    request_pem: str


def new_authority(cluster_id: str, now: float) -> Authority:
    """The authority of a new cluster."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"ovsnet cluster {cluster_id}")])
    public = key.public_key()
    builder = (
        _valid(x509.CertificateBuilder(), now, _time(now) + AUTHORITY_LIFE)
        .subject_name(name)
        .issuer_name(name)
        .public_key(public)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
    )
    return Authority(builder.sign(key, hashes.SHA256()), key)


def read_authority(certificate_pem: str, key_pem: str) -> Authority:
    """From text; BadRequest when it is none, or when the key is another one's."""
    certificate, key = _certificate(certificate_pem), _key(key_pem)
    if certificate.public_key() != key.public_key():
        raise BadRequest(f"the key is not that of {certificate.subject.rfc4514_string()}; take it from another voter")
    return Authority(certificate, key)


def new_request(name: HostName) -> KeyRequest:
    """A new key for the member `name`, and the request to certify it."""
    key = ec.generate_private_key(ec.SECP256R1())
    request = x509.CertificateSigningRequestBuilder().subject_name(_subject(name)).sign(key, hashes.SHA256())
    return KeyRequest(_key_pem(key), _pem(request))


def sign(authority: Authority, request_pem: str, *, name: HostName, addresses: Sequence[IpAddress], now: float) -> str:
    """A certificate for the member `name`, reached at `addresses`.

    Takes nothing but the key from the request; BadRequest when it asks for another name or is not well made.
    """
    public = _requested_key(request_pem, check_name(name))
    end = min(_time(now) + MEMBER_LIFE, authority.certificate.not_valid_after_utc)
    identifier = authority.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    builder = (
        _valid(x509.CertificateBuilder(), now, end)
        .subject_name(_subject(name))
        .issuer_name(authority.certificate.subject)
        .public_key(public)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs=False), critical=True)
        .add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH]), critical=False
        )
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(it) for it in addresses]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), critical=False)
    )
    return _pem(builder.sign(authority.key, hashes.SHA256()))


def fingerprint(certificate_pem: str) -> bytes:
    """SHA-256 of the certificate (its DER form), 32 bytes; BadRequest when it is none."""
    return _certificate(certificate_pem).fingerprint(hashes.SHA256())


def expires_at(certificate_pem: str) -> float:
    """From when on nobody accepts it any more."""
    return _certificate(certificate_pem).not_valid_after_utc.timestamp()


def check_identity(*, certificate_pem: str, key_pem: str, authority_pem: str) -> HostName:
    """The member whose certificate this is; BadRequest when the three do not belong together."""
    certificate, authority = _certificate(certificate_pem), _certificate(authority_pem)
    if certificate.public_key() != _key(key_pem).public_key():
        raise BadRequest("the host's certificate is for another key than the host's; leave the cluster and join again")
    try:
        certificate.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature):
        raise BadRequest(
            f"the host's certificate was not signed by {authority.subject.rfc4514_string()}; leave the cluster and "
            "join again"
        ) from None
    return HostName(_common_name(certificate.subject))


def _requested_key(request_pem: str, name: HostName) -> ec.EllipticCurvePublicKey:
    try:
        request = x509.load_pem_x509_csr(request_pem.encode())
        public = request.public_key()
    except (ValueError, UnsupportedAlgorithm) as error:
        raise BadRequest(f"certificate request of {name}: it cannot be read ({error})") from error
    if not request.is_signature_valid:
        raise BadRequest(f"certificate request of {name}: it is not signed with the key it is for")
    if not isinstance(public, ec.EllipticCurvePublicKey) or not isinstance(public.curve, ec.SECP256R1):
        raise BadRequest(f"certificate request of {name}: its key is of another kind than EC P-256")
    asked = _common_name(request.subject)
    if asked != name:
        raise BadRequest(f"certificate request of {name}: it asks for the name {asked!r}; they must be the same")
    return public


def _common_name(subject: x509.Name) -> str:
    """Empty unless there is exactly one: with two, each reader could take another."""
    names = [str(it.value) for it in subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    return names[0] if len(names) == 1 else ""


def _subject(name: HostName) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _valid(builder: x509.CertificateBuilder, now: float, end: datetime) -> x509.CertificateBuilder:
    serial = x509.random_serial_number()
    return builder.serial_number(serial).not_valid_before(_time(now) - BACKDATED).not_valid_after(end)


def _usage(*, signs: bool) -> x509.KeyUsage:
    """Signs other certificates, or speaks for itself."""
    return x509.KeyUsage(
        digital_signature=not signs,
        key_cert_sign=signs,
        crl_sign=signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _certificate(pem: str) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(pem.encode())
    except ValueError as error:
        raise BadRequest(f"this is not a certificate: {error}") from error


def _key(pem: str) -> ec.EllipticCurvePrivateKey:
    try:
        key = serialization.load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):  # TypeError: it is encrypted
        # The library's reason is not repeated: who knows what it quotes.
        raise BadRequest("this is not a private key, or it is damaged or encrypted") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise BadRequest("this is a private key of another kind than EC P-256")
    return key


def _pem(value: x509.Certificate | x509.CertificateSigningRequest) -> str:
    return value.public_bytes(serialization.Encoding.PEM).decode()


def _key_pem(key: ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
