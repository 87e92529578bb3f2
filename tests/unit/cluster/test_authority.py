"""Certificates: what is signed, what is refused, and what belongs together."""

from datetime import UTC, datetime
from ipaddress import IPv4Address, IPv6Address

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from ovsnet.cluster import authority, identity
from ovsnet.model.errors import BadRequest
from ovsnet.model.ids import HostName

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC).timestamp()
DAY, YEAR = 86400.0, 365 * 86400.0
A = HostName("a")
V4, V6 = IPv4Address("10.0.0.1"), IPv6Address("fd00::1")
CA = authority.new_authority("6f1c", NOW)
OURS = authority.new_request(A)
PEM = authority.sign(CA, OURS.request_pem, name=A, addresses=(V4, V6), now=NOW)
CERTIFICATE = x509.load_pem_x509_certificate(PEM.encode())


def request(
    *names: str, key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | None = None, extension: bool = False
) -> str:
    """A certificate request as somebody else may make it."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, it) for it in names])
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject)
    if extension:
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=9), critical=True)
    made = builder.sign(key or ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    return made.public_bytes(serialization.Encoding.PEM).decode()


def test_the_authority_is_one_and_names_its_cluster() -> None:
    extensions = CA.certificate.extensions
    constraints = extensions.get_extension_for_class(x509.BasicConstraints)
    assert (constraints.critical, constraints.value) == (True, x509.BasicConstraints(ca=True, path_length=0))
    assert CA.certificate.subject.rfc4514_string() == "CN=ovsnet cluster 6f1c"
    assert CA.certificate.version is x509.Version.v3


def test_a_certificate_says_who_and_where() -> None:
    alternatives = CERTIFICATE.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert alternatives.get_values_for_type(x509.IPAddress) == [V4, V6]
    assert CERTIFICATE.subject.rfc4514_string() == "CN=a"
    assert CERTIFICATE.extensions.get_extension_for_class(x509.BasicConstraints).value.ca is False


def test_certificates_begin_a_day_ago_and_last_for_years() -> None:
    begins = [CA.certificate.not_valid_before_utc.timestamp(), CERTIFICATE.not_valid_before_utc.timestamp()]
    assert begins == [NOW - DAY, NOW - DAY]
    assert authority.expires_at(CA.certificate_pem) == NOW + 20 * YEAR
    assert authority.expires_at(PEM) == NOW + 10 * YEAR


def test_no_member_outlives_the_authority() -> None:
    late = authority.sign(CA, OURS.request_pem, name=A, addresses=(V4,), now=NOW + 15 * YEAR)
    assert authority.expires_at(late) == authority.expires_at(CA.certificate_pem)


def test_key_certificate_and_authority_belong_together() -> None:
    assert authority.check_identity(certificate_pem=PEM, key_pem=OURS.key_pem, authority_pem=CA.certificate_pem) == "a"


def test_another_key_is_noticed() -> None:
    other = authority.new_request(A).key_pem
    with pytest.raises(BadRequest, match="is for another key"):
        authority.check_identity(certificate_pem=PEM, key_pem=other, authority_pem=CA.certificate_pem)


def test_another_authority_of_the_same_name_is_noticed() -> None:
    twin = authority.new_authority("6f1c", NOW)
    with pytest.raises(BadRequest, match="was not signed by CN=ovsnet cluster 6f1c"):
        authority.check_identity(certificate_pem=PEM, key_pem=OURS.key_pem, authority_pem=twin.certificate_pem)


def test_an_authority_comes_back_from_its_texts() -> None:
    again = authority.read_authority(CA.certificate_pem, CA.key_pem)
    signed = authority.sign(again, OURS.request_pem, name=A, addresses=(V4,), now=NOW)
    assert authority.check_identity(
        certificate_pem=signed, key_pem=OURS.key_pem, authority_pem=CA.certificate_pem
    ) == HostName("a")


def test_the_key_of_another_authority_is_refused() -> None:
    with pytest.raises(BadRequest, match="the key is not that of CN=ovsnet cluster 6f1c"):
        authority.read_authority(CA.certificate_pem, authority.new_authority("6f1c", NOW).key_pem)


def test_the_fingerprint_is_that_of_the_certificate_and_not_of_its_text() -> None:
    wrapped = f"A comment\n{CA.certificate_pem}\n\n"
    assert authority.fingerprint(wrapped) == CA.certificate.fingerprint(hashes.SHA256())
    assert len(authority.fingerprint(wrapped)) == 32
    assert authority.fingerprint(PEM) != authority.fingerprint(wrapped)


def test_nothing_but_the_key_is_taken_from_a_request() -> None:
    asked = request("a", extension=True)
    made = x509.load_pem_x509_certificate(authority.sign(CA, asked, name=A, addresses=(V4,), now=NOW).encode())
    assert made.extensions.get_extension_for_class(x509.BasicConstraints).value.ca is False


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        (request("b"), "asks for the name 'b'"),
        (request(), "asks for the name ''"),
        (request("a", "b"), "asks for the name ''"),
        (request("a", key=rsa.generate_private_key(65537, 2048)), "another kind than EC P-256"),
        (request("a", key=ec.generate_private_key(ec.SECP384R1())), "another kind than EC P-256"),
        ("", "cannot be read"),
        (PEM, "cannot be read"),
    ],
)
def test_a_request_that_is_not_as_claimed_is_refused(asked: str, reason: str) -> None:
    with pytest.raises(BadRequest, match=f"certificate request of a: .*{reason}"):
        authority.sign(CA, asked, name=A, addresses=(V4,), now=NOW)


def test_a_request_without_the_key_is_refused() -> None:
    """Who does not have a key must not get a certificate for it: one bit of the signature differs."""
    lines = x509.load_pem_x509_csr(OURS.request_pem.encode()).public_bytes(serialization.Encoding.DER)
    forged = x509.load_der_x509_csr(lines[:-1] + bytes([lines[-1] ^ 1]))
    with pytest.raises(BadRequest, match="not signed with the key it is for"):
        authority.sign(CA, forged.public_bytes(serialization.Encoding.PEM).decode(), name=A, addresses=(V4,), now=NOW)


@pytest.mark.parametrize("name", ["a", "host-1.example_x", "A" * 63, "10.0.0.1"])
def test_a_member_may_be_called(name: str) -> None:
    made = authority.new_request(identity.check_name(name))
    signed = authority.sign(CA, made.request_pem, name=HostName(name), addresses=(V4,), now=NOW)
    assert x509.load_pem_x509_certificate(signed.encode()).subject.rfc4514_string() == f"CN={name}"


@pytest.mark.parametrize("name", ["", "a" * 64, "a b", "a/b", "ä", "a\n", "a,CN=b", "*"])
def test_a_member_may_not_be_called(name: str) -> None:
    with pytest.raises(BadRequest, match="cannot be a member's name"):
        identity.check_name(name)


def test_no_key_shows_in_a_log() -> None:
    assert "PRIVATE" not in repr(OURS)
    assert "PRIVATE" not in repr(CA)


@given(st.text())
def test_what_is_no_certificate_and_no_key_is_called_so(text: str) -> None:
    with pytest.raises(BadRequest, match="not a certificate"):
        authority.fingerprint(text)
    with pytest.raises(BadRequest, match="not a private key"):
        authority.check_identity(certificate_pem=PEM, key_pem=text, authority_pem=CA.certificate_pem)
