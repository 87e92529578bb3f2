"""Hosts of a cluster on one machine: an address of 127.0.0.0/8, a folder, a certificate and a server each.

Certificates are made here and not by the product, which has tests of its own for that.
"""

import asyncio
import random
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from tests.functional.ovsdb_server import PATIENCE, Server

from ovsnet.cluster import process, rbac
from ovsnet.cluster.identity import IdentityFiles, Membership, identity_files, write_membership, write_private
from ovsnet.cluster.raft import LocalServer
from ovsnet.cluster.schema import DATABASE
from ovsnet.cluster.tls import database_context
from ovsnet.model.cluster import Role
from ovsnet.model.errors import ApplyError, Unavailable
from ovsnet.ovsdb.question import Local, Place, Remote, transact
from ovsnet.settings import Settings

NAMES = UUID("6f6b8a3a-6f0b-4c0e-8d7a-0d6c5a1f2b3c")
PEM = serialization.Encoding.PEM


class Authority:
    """Signs throw-away certificates."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.pem = self._sign("test authority", self._key.public_key(), authority=True)

    def give(self, files: IdentityFiles, name: str) -> None:
        """A key and a certificate for `name`, where a member has them."""
        key = ec.generate_private_key(ec.SECP256R1())
        secret = key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        write_private(files.authority, self.pem)
        write_private(files.key, secret)
        write_private(files.certificate, self._sign(name, key.public_key()))

    def _sign(self, name: str, key: ec.EllipticCurvePublicKey, *, authority: bool = False) -> bytes:
        now = datetime.now(UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(_named(name))
            .issuer_name(_named("test authority"))
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        )
        return builder.sign(self._key, hashes.SHA256()).public_bytes(PEM)


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


@dataclass(slots=True)
class Host:
    """One member and its server."""

    name: str
    settings: Settings
    membership: Membership
    server: Server = field(init=False)

    @property
    def files(self) -> IdentityFiles:
        return identity_files(self.settings)

    @property
    def raft(self) -> LocalServer:
        return LocalServer(self.settings)

    @property
    def database(self) -> Local:
        """As its agent reaches it."""
        return Local(process.cluster_socket(self.settings))

    def over_tls(self, voter: "Host") -> Remote:
        """As it reaches another's server."""
        return Remote(voter.membership.address, self.settings.cluster_db_port, database_context(self.files))

    def become(self, role: Role, voters: Sequence["Host"], *, founder: bool = False) -> None:
        """Write down what it is from the next start on."""
        addresses = tuple(it.membership.address for it in voters)
        self.membership = msgspec.structs.replace(self.membership, role=role, voters=addresses, founder=founder)
        write_membership(self.files, self.membership)

    def start(self) -> None:
        """The server as `python -m ovsnet.cluster` becomes it, without the time Python takes to start."""
        process.prepare(self.settings, self.membership)
        command = process.command(self.settings, self.membership)
        self.server = Server(command, process.cluster_socket(self.settings)).start()

    async def ready(self) -> None:
        """Its database can be used."""
        await eventually(lambda: self.raft.until_connected(PATIENCE), f"{self.name} in contact with the cluster")

    async def ended(self) -> int:
        """The exit code of its server, which is told to end, or has ended."""
        return await asyncio.to_thread(self.server.wait)

    async def write(self, *operations: dict[str, object]) -> list[Any]:
        """Through its own server."""
        return await transact(self.database, DATABASE, operations, deadline=PATIENCE)


@dataclass(slots=True)
class Hosts:
    """All of a test."""

    directory: Path
    authority: Authority = field(default_factory=Authority)
    subnet: str = field(default_factory=lambda: f"127.{random.randint(1, 254)}.{random.randint(0, 255)}")
    made: list[Host] = field(default_factory=list)

    def add(self, name: str, address: str = "") -> Host:
        """A host with a certificate that is nothing yet."""
        folder = self.directory / name
        settings = Settings(run_dir=str(folder / "run"), state_dir=str(folder / "state"))
        address = address or f"{self.subnet}.{len(self.made) + 1}"
        membership = Membership(
            cluster_id="test", host=name, address=address, vtep=address, role=Role.CLIENT, voters=()
        )
        host = Host(name, settings, membership)
        self.authority.give(host.files, name)
        self.made.append(host)
        return host

    async def found(self, name: str = "a", address: str = "") -> Host:
        """The first voter, serving, with members' rights in force."""
        host = self.add(name, address)
        host.become(Role.VOTER, [host], founder=True)
        host.start()
        await host.ready()
        await rbac.apply(host.database)
        return host

    async def join(self, name: str, role: Role, voters: Sequence[Host]) -> Host:
        """One more member, serving."""
        host = self.add(name)
        host.become(role, [*voters, host] if role is Role.VOTER else voters)
        host.start()
        await host.ready()
        return host

    async def three_voters(self) -> tuple[Host, Host, Host]:
        first = await self.found("a")
        second = await self.join("b", Role.VOTER, [first])
        third = await self.join("c", Role.VOTER, [first, second])
        return first, second, third


@contextmanager
def cluster_hosts(directory: Path) -> Iterator[Hosts]:
    """Hosts whose servers are gone when the block ends."""
    hosts = Hosts(directory)
    try:
        yield hosts
    finally:
        for host in hosts.made:
            if hasattr(host, "server"):
                host.server.kill()


async def eventually(attempt: Callable[[], Any], what: str) -> Any:
    """The result of the first attempt that does not end in Unavailable or ApplyError, and is true where it has one."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            result = await attempt()
        except (Unavailable, ApplyError) as error:
            result, reason = False, str(error)
        else:
            reason = f"the last answer was {result}"
        if result is None or result:
            return result
        assert time.monotonic() < end, f"{what} was not reached within {PATIENCE} s: {reason}"
        await asyncio.sleep(0.02)


def member_row(name: str) -> UUID:
    return uuid5(NAMES, name)


def insert_member(host: Host) -> dict[str, object]:
    """The row that makes a host a member."""
    address = host.membership.address
    row = {"name": host.name, "address": address, "vtep": address, "mtu": 1500}
    return {"op": "insert", "table": "Member", "uuid": str(member_row(host.name)), "row": row}


def insert_lease(address: str, host: str, member: str = "") -> dict[str, object]:
    """A lease that names `host`, with a reference to the row of `member`, which is the same one by default."""
    reference = ["uuid", str(member_row(member or host))]
    row = {"network": "n1", "address": address, "host": host, "member": reference}
    return {"op": "insert", "table": "Lease", "row": row}


async def leases(place: Place) -> set[str]:
    """The addresses in the table of leases."""
    select = {"op": "select", "table": "Lease", "where": [], "columns": ["address"]}
    (answer,) = await transact(place, DATABASE, [select], deadline=PATIENCE)
    return {row["address"] for row in answer["rows"]}


def tls_handshake(host: Host, voter: Host, *options: str, certificate: bool = True) -> str:
    """What `openssl s_client` says about one connection to a voter's database."""
    openssl = shutil.which("openssl")
    assert openssl
    own = ["-cert", str(host.files.certificate), "-key", str(host.files.key)] if certificate else []
    place = f"{voter.membership.address}:{host.settings.cluster_db_port}"
    command = [openssl, "s_client", "-connect", place, "-CAfile", str(host.files.authority), *own, *options]
    done = subprocess.run(command, input="", capture_output=True, text=True, timeout=PATIENCE, check=False)
    return done.stdout + done.stderr
