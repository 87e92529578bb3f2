"""Our certificates in other programs' hands: OpenSSL's strictest check, and ovsdb-server as the cluster uses it."""

import re
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import IPv4Address
from os import kill
from pathlib import Path

import pytest
from tests.rig.process import wait_until

from ovsnet.cluster import authority, keyfiles
from ovsnet.cluster.authority import Authority
from ovsnet.cluster.identity import IdentityFiles
from ovsnet.model.ids import HostName

A, B = HostName("a"), HostName("b")
HERE = IPv4Address("127.0.0.1")
SCHEMA = Path(__file__).resolve().parents[2] / "src/ovsnet/store/cluster.ovsschema"
PATIENCE = 20.0


def identity(folder: Path, signer: Authority, name: HostName) -> IdentityFiles:
    files, made = IdentityFiles(folder / name), authority.new_request(name)
    certificate = authority.sign(signer, made.request_pem, name=name, addresses=(HERE,), now=time.time())
    keyfiles.keep_identity(
        files, key_pem=made.key_pem, certificate_pem=certificate, authority_pem=signer.certificate_pem
    )
    return files


@pytest.fixture
def signer() -> Authority:
    return authority.new_authority("6f1c8a52-0a3c-4f57-9a0e-0d9c5f1e7b11", time.time())


@contextmanager
def tls_server(folder: Path, files: IdentityFiles) -> Iterator[str]:
    """An ovsdb-server that takes TLS only; what a client calls it."""
    database, log, pid = folder / "x.db", folder / "log", folder / "pid"
    places = [f"--log-file={log}", f"--pidfile={pid}", f"--unixctl={folder / 'ctl'}", "--no-chdir"]
    subprocess.run(["ovsdb-tool", "create", str(database), str(SCHEMA)], check=True)
    subprocess.run(
        ["ovsdb-server", str(database), f"--remote=pssl:0:{HERE}", *shown(files), *places, "--detach", "-vconsole:off"],
        check=True,
        timeout=PATIENCE,
    )  # in the background once it listens
    number = int(pid.read_text())
    try:
        listening = re.search(rf"0:{HERE}: listening on port (\d+)", log.read_text())
        assert listening, log.read_text()
        yield f"ssl:{HERE}:{listening[1]}"
    finally:
        kill(number, signal.SIGTERM)
        wait_until(lambda: not pid.exists(), PATIENCE, "the end of ovsdb-server")


def shown(files: IdentityFiles) -> list[str]:
    """The options of all Open vSwitch programs for an identity."""
    return [f"--private-key={files.key}", f"--certificate={files.certificate}", f"--ca-cert={files.authority}"]


def databases(remote: str, options: list[str]) -> subprocess.CompletedProcess[str]:
    command = ["ovsdb-client", "--timeout=5", *options, "list-dbs", remote]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE)


def test_a_member_reaches_the_database_and_strangers_do_not(tmp_path: Path, signer: Authority) -> None:
    foreign = authority.new_authority("6f1c8a52-0a3c-4f57-9a0e-0d9c5f1e7b11", time.time())
    member, stranger = identity(tmp_path, signer, B), identity(tmp_path / "foreign", foreign, B)
    trusting = [*shown(stranger)[:2], f"--ca-cert={member.authority}"]
    with tls_server(tmp_path, identity(tmp_path, signer, A)) as remote:
        served = databases(remote, shown(member))
        refused = databases(remote, trusting)
        unconvinced = databases(remote, shown(stranger))
    assert "OVSNet_Cluster" in served.stdout, served.stderr
    assert (refused.returncode, refused.stdout) == (1, ""), "a server must not serve a foreign certificate"
    assert (unconvinced.returncode, unconvinced.stdout) == (1, ""), "a client must not trust a foreign server"
    assert "certificate verify failed" in unconvinced.stderr


def verify(*options: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["openssl", "verify", *options], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("purpose", ["sslserver", "sslclient"])
def test_openssl_finds_nothing_to_complain_about(tmp_path: Path, signer: Authority, purpose: str) -> None:
    """The strict check holds certificates to RFC 5280; later versions of OpenSSL and Python make it their default."""
    files = identity(tmp_path, signer, A)
    strict = ("-x509_strict", "-check_ss_sig", "-purpose", purpose, "-verify_ip", str(HERE))
    checked = verify(*strict, "-CAfile", files.authority, files.certificate)
    assert checked.stdout.endswith("host.pem: OK\n"), checked.stderr


def test_a_member_cannot_make_members(tmp_path: Path, signer: Authority) -> None:
    """What a member signs with its own key is worth nothing, though the chain is complete."""
    member = identity(tmp_path, signer, B)
    pretended = authority.read_authority(member.certificate.read_text(), member.key.read_text())
    made = authority.new_request(A)
    forged = tmp_path / "forged.pem"
    forged.write_text(authority.sign(pretended, made.request_pem, name=A, addresses=(HERE,), now=time.time()))
    checked = verify("-CAfile", member.authority, "-untrusted", member.certificate, forged)
    assert checked.returncode != 0
    assert "invalid CA certificate" in checked.stderr
