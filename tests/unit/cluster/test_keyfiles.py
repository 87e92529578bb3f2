"""The identity on disk: whole, private, and nothing that does not belong together."""

from ipaddress import IPv4Address
from pathlib import Path

import pytest

from ovsnet.cluster import authority, keyfiles
from ovsnet.cluster.identity import IdentityFiles
from ovsnet.model.errors import ApplyError, BadRequest, Conflict
from ovsnet.model.ids import HostName

NOW = 1_700_000_000.0
A = HostName("a")
CA = authority.new_authority("6f1c", NOW)
TWIN = authority.new_authority("6f1c", NOW)
OURS = authority.new_request(A)
PEM = authority.sign(CA, OURS.request_pem, name=A, addresses=(IPv4Address("10.0.0.1"),), now=NOW)


@pytest.fixture
def files(tmp_path: Path) -> IdentityFiles:
    return IdentityFiles(tmp_path / "cluster")


@pytest.fixture
def member(files: IdentityFiles) -> IdentityFiles:
    name = keyfiles.keep_identity(files, key_pem=OURS.key_pem, certificate_pem=PEM, authority_pem=CA.certificate_pem)
    assert name == A
    return files


def test_what_was_kept_is_an_identity(member: IdentityFiles) -> None:
    assert keyfiles.check_files(member) == authority.expires_at(PEM)
    assert keyfiles.authority_pem(member) == CA.certificate_pem


def test_everything_is_for_root_only(member: IdentityFiles) -> None:
    keyfiles.keep_authority_key(member, CA.key_pem)
    assert member.folder.stat().st_mode & 0o077 == 0
    assert {it.name: it.stat().st_mode & 0o777 for it in member.folder.iterdir()} == dict.fromkeys(
        ["ca.pem", "ca.key", "host.pem", "host.key"], 0o600
    )


def test_nothing_is_written_of_an_identity_that_is_none(files: IdentityFiles) -> None:
    with pytest.raises(BadRequest, match="was not signed by"):
        keyfiles.keep_identity(files, key_pem=OURS.key_pem, certificate_pem=PEM, authority_pem=TWIN.certificate_pem)
    assert not files.folder.exists()


def test_a_voter_has_the_authority(member: IdentityFiles) -> None:
    keyfiles.keep_authority_key(member, CA.key_pem)
    assert keyfiles.load_authority(member).certificate == CA.certificate


def test_others_have_not(member: IdentityFiles) -> None:
    with pytest.raises(Conflict, match="cannot make members"):
        keyfiles.load_authority(member)
    keyfiles.keep_authority_key(member, CA.key_pem)
    keyfiles.forget_authority_key(member)
    with pytest.raises(Conflict, match="cannot make members"):
        keyfiles.load_authority(member)


def test_the_key_of_another_authority_is_not_kept(member: IdentityFiles) -> None:
    with pytest.raises(BadRequest, match="take it from another voter"):
        keyfiles.keep_authority_key(member, TWIN.key_pem)
    assert not member.authority_key.exists()


@pytest.mark.parametrize("name", ["host.pem", "host.key", "ca.pem"])
@pytest.mark.parametrize("content", [b"", b"\xff", CA.key_pem.encode(), TWIN.certificate_pem.encode()])
def test_a_damaged_or_wrong_file_is_named_with_its_folder(member: IdentityFiles, name: str, content: bytes) -> None:
    (member.folder / name).write_bytes(content)
    with pytest.raises(ApplyError, match=str(member.folder)):
        keyfiles.check_files(member)


@pytest.mark.parametrize("name", ["host.pem", "host.key", "ca.pem"])
def test_a_missing_file_is_named(member: IdentityFiles, name: str) -> None:
    (member.folder / name).unlink()
    with pytest.raises(ApplyError, match=f"{name}: it cannot be read"):
        keyfiles.check_files(member)
