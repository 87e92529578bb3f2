"""Members' agents talk over real TLS on loopback: who is let in, who is turned away, and what each is told."""

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path

import aiohttp
import msgspec
import pytest
import structlog
from aiohttp import web

from ovsnet.agent import logs
from ovsnet.cluster import authority, keyfiles, tls, tokens
from ovsnet.cluster import peer_messages as messages
from ovsnet.cluster.authority import Authority
from ovsnet.cluster.identity import IdentityFiles
from ovsnet.cluster.peer_server import MAX_BODY, application, serve
from ovsnet.cluster.peers import Peer, Peers
from ovsnet.cluster.tokens import Invitation
from ovsnet.model.cluster import Token
from ovsnet.model.errors import ApplyError, BadRequest, Conflict, NotFound, OvsnetError, Stale, Unavailable
from ovsnet.model.ids import HostName, IpAddress
from ovsnet.settings import Settings

YEAR = 365 * 86400.0
A, B, C = HostName("a"), HostName("b"), HostName("c")
AT_A, AT_B, AT_C = ip_address("127.0.0.1"), ip_address("127.0.0.2"), ip_address("127.0.0.3")
PROTECTED = [
    ("GET", messages.HELLO),
    ("POST", messages.FORGET),
    ("POST", messages.YIELD),
    ("POST", messages.PROMOTE),
    ("POST", messages.LEAVE),
]


@dataclass
class Cluster:
    """What a voter knows and does, in memory: the service behind the door."""

    authority: Authority
    members: set[HostName] = field(default_factory=lambda: {A, B})
    invitations: list[Token] = field(default_factory=list)
    heard: list[object] = field(default_factory=list)
    """Everything that got through the door."""
    trouble: Exception | None = None
    """Raised by whatever is asked for."""
    pause: asyncio.Event | None = None
    """Waited for before every answer."""

    def invite(self, expires_at: float) -> Invitation:
        invitation = tokens.invite(authority.fingerprint(self.authority.certificate_pem))
        self.invitations.append(Token(tokens.digest(invitation.secret), A, expires_at))
        return invitation

    def is_member(self, name: HostName) -> bool:
        return name in self.members

    def tokens(self) -> Iterable[Token]:
        return tuple(self.invitations)

    async def join(self, request: messages.JoinRequest) -> messages.JoinAnswer:
        await self._note(("join", request.name))
        name = HostName(request.name)
        signed = authority.sign(
            self.authority,
            request.certificate_request,
            name=name,
            addresses=(ip_address(request.address),),
            now=time.time(),
        )
        self.members.add(name)
        return messages.JoinAnswer(cluster_id="6f1c", certificate=signed, voters=(str(AT_A),))

    async def hello(self, caller: HostName) -> messages.HelloAnswer:
        await self._note(("hello", caller))
        return messages.HelloAnswer(host=A)

    async def recovered(self, caller: HostName, request: messages.RecoveredRequest) -> None:
        await self._note(("recovered", caller, request.cluster, request.replaced, request.voters))

    async def forget(self, caller: HostName, request: messages.ForgetRequest) -> None:
        await self._note(("forget", caller, request.host))

    async def yield_addresses(self, caller: HostName, request: messages.YieldRequest) -> messages.YieldAnswer:
        await self._note(("yield", caller, request.network))
        return messages.YieldAnswer(addresses=("10.20.0.7",) * request.count)

    async def promote(self, caller: HostName) -> messages.PromoteAnswer:
        await self._note(("promote", caller))
        return messages.PromoteAnswer(authority_key=self.authority.key_pem)

    async def leave(self, caller: HostName, request: messages.LeaveRequest) -> None:
        await self._note(("leave", caller, request.host))

    async def _note(self, what: tuple[object, ...]) -> None:
        self.heard.append(what)
        if self.pause is not None:
            await self.pause.wait()
        if self.trouble is not None:
            raise self.trouble


@pytest.fixture
def cluster() -> Cluster:
    """Founded long ago, so that members' certificates may have expired."""
    return Cluster(authority.new_authority("6f1c", time.time() - 11 * YEAR))


def identity(
    folder: Path, signer: Authority, name: HostName, address: IpAddress, signed_at: float | None = None
) -> IdentityFiles:
    """A host's files."""
    files, made = IdentityFiles(folder / name), authority.new_request(name)
    now = signed_at or time.time()
    certificate = authority.sign(signer, made.request_pem, name=name, addresses=(address,), now=now)
    keyfiles.keep_identity(
        files, key_pem=made.key_pem, certificate_pem=certificate, authority_pem=signer.certificate_pem
    )
    return files


@pytest.fixture
def ours(tmp_path: Path, cluster: Cluster) -> IdentityFiles:
    """Of the host that answers."""
    return identity(tmp_path, cluster.authority, A, AT_A)


@pytest.fixture
def theirs(tmp_path: Path, cluster: Cluster) -> IdentityFiles:
    """Of another member."""
    return identity(tmp_path, cluster.authority, B, AT_B)


@pytest.fixture
async def port(cluster: Cluster, ours: IdentityFiles) -> AsyncIterator[int]:
    async with serve(cluster, ours, AT_A, 0) as it:
        yield it


@pytest.fixture
async def member(theirs: IdentityFiles, port: int) -> AsyncIterator[Peers]:
    """What another member calls with."""
    async with Peers(theirs, port) as it:
        yield it


@pytest.fixture
async def stranger(tmp_path: Path, port: int) -> AsyncIterator[Peers]:
    """A host that is no member yet calls with this."""
    async with Peers(IdentityFiles(tmp_path / "new"), port) as it:
        yield it


def wish(secret: bytes, request_pem: str = "PEM", address: IpAddress = AT_C) -> messages.JoinRequest:
    return messages.JoinRequest(
        secret=secret,
        name=C,
        address=str(address),
        vtep=str(address),
        mtu=1500,
        version="1",
        certificate_request=request_pem,
    )


async def raw(
    context: ssl.SSLContext, port: int, method: str, path: str, body: bytes = b""
) -> tuple[int, messages.Refusal]:
    """As a program that is not ours would ask."""
    connector = aiohttp.TCPConnector(force_close=True)
    async with (
        aiohttp.ClientSession(connector=connector) as session,
        session.request(method, f"https://{AT_A}:{port}{path}", data=body, ssl=context) as answer,
    ):
        return answer.status, msgspec.json.decode(await answer.read(), type=messages.Refusal)


def careless(files: IdentityFiles) -> ssl.SSLContext:
    """Shows this certificate and trusts everybody."""
    context = tls.unverified_context()
    context.load_cert_chain(files.certificate, files.key)
    return context


# ---------------------------------------------------------------- joining


@pytest.mark.parametrize("address", [AT_A, ip_address("::1")], ids=str)
async def test_a_host_with_a_token_becomes_a_member(tmp_path: Path, cluster: Cluster, address: IpAddress) -> None:
    """All of it as a person sees it: one word is carried over, and the new host is believed from then on."""
    voter = identity(tmp_path, cluster.authority, A, address)
    word = cluster.invite(time.time() + 60).word
    files, made = IdentityFiles(tmp_path / "new"), authority.new_request(C)
    async with serve(cluster, voter, address, 0) as port, Peers(files, port) as peers:
        invitation = tokens.parse(word)
        await peers.prove(address, invitation.fingerprint)
        trusted = await peers.fetch_authority(address, invitation.fingerprint)
        answer = await peers.join(address, trusted, wish(invitation.secret, made.request_pem, address))
        keyfiles.keep_identity(files, key_pem=made.key_pem, certificate_pem=answer.certificate, authority_pem=trusted)
        hello = await peers.hello(Peer(address, A))
    assert (hello.host, answer.cluster_id, answer.voters) == (A, "6f1c", (str(AT_A),))
    assert cluster.heard == [("join", C), ("hello", C)]


async def test_a_host_of_another_cluster_is_not_joined(cluster: Cluster, stranger: Peers) -> None:
    other = tokens.invite(bytes(32))
    with pytest.raises(Conflict, match=r"127\.0\.0\.1 is not of the cluster .* or an impostor; nothing was sent"):
        await stranger.fetch_authority(AT_A, other.fingerprint)
    with pytest.raises(Conflict, match=r"127\.0\.0\.1 is not of the cluster"):
        await stranger.prove(AT_A, other.fingerprint)
    assert cluster.heard == []


async def test_wrong_and_expired_secrets_get_the_same_answer(cluster: Cluster, stranger: Peers) -> None:
    expired = cluster.invite(time.time() - 1).secret
    cluster.invite(time.time() + 60)
    said = set()
    for secret in (expired, b"sixteen bytes!!!", b""):
        with pytest.raises(BadRequest) as refused:
            await stranger.join(AT_A, cluster.authority.certificate_pem, wish(secret))
        said.add(str(refused.value))
    assert len(said) == 1
    assert "the join token is not valid" in said.pop()
    assert cluster.heard == []


async def test_too_many_wrong_secrets_make_one_wait(cluster: Cluster, stranger: Peers) -> None:
    right = cluster.invite(time.time() + 60).secret
    for _ in range(10):
        with pytest.raises(BadRequest, match="not valid"):
            await stranger.join(AT_A, cluster.authority.certificate_pem, wish(b"wrong"))
    with pytest.raises(Conflict, match=r"too many tokens from 127\.0\.0\.1 were not valid; try again in \d+ seconds"):
        await stranger.join(AT_A, cluster.authority.certificate_pem, wish(right))
    assert cluster.heard == []


async def test_the_secret_is_not_said_to_an_impostor(tmp_path: Path, cluster: Cluster) -> None:
    """It shows the right authority, which is no secret, and cannot show a certificate of it."""
    foreign = authority.new_authority("6f1c", time.time())
    context = tls.server_context(identity(tmp_path, foreign, A, AT_A))
    right = cluster.invite(time.time() + 60)
    runner = web.AppRunner(application(cluster, cluster.authority.certificate_pem))
    await runner.setup()
    try:
        await web.TCPSite(runner, str(AT_A), 0, ssl_context=context).start()
        async with Peers(IdentityFiles(tmp_path / "new"), runner.addresses[0][1]) as peers:
            with pytest.raises(Unavailable, match="its certificate is not accepted"):
                await peers.prove(AT_A, right.fingerprint)
            trusted = await peers.fetch_authority(AT_A, right.fingerprint)
            with pytest.raises(
                Unavailable, match=r"127\.0\.0\.1 .* its certificate is not accepted .* nothing was sent"
            ):
                await peers.join(AT_A, trusted, wish(right.secret))
    finally:
        await runner.cleanup()
    assert cluster.heard == []


async def test_what_answers_without_a_certificate_is_no_member(tmp_path: Path, ours: IdentityFiles) -> None:
    async def page(_: web.Request) -> web.Response:
        return web.Response(text="It works!")

    app = web.Application()
    app.router.add_get(messages.AUTHORITY, page)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, str(AT_A), 0, ssl_context=tls.server_context(ours)).start()
        async with Peers(IdentityFiles(tmp_path / "new"), runner.addresses[0][1]) as peers:
            with pytest.raises(Unavailable, match="with no certificate; is that the address of a member"):
                await peers.fetch_authority(AT_A, bytes(32))
    finally:
        await runner.cleanup()


# ---------------------------------------------------------------- who may ask


async def test_members_ask_and_are_answered(cluster: Cluster, member: Peers) -> None:
    peer = Peer(AT_A, A)
    assert (await member.hello(peer)).host == A
    await member.forget(peer, messages.ForgetRequest(host="c"))
    given = await member.yield_addresses(peer, messages.YieldRequest(network="n", count=2))
    assert given.addresses == ("10.20.0.7", "10.20.0.7")
    assert (await member.promote(peer)).authority_key == cluster.authority.key_pem
    await member.leave(peer, messages.LeaveRequest(host="b"))
    assert cluster.heard == [("hello", B), ("forget", B, "c"), ("yield", B, "n"), ("promote", B), ("leave", B, "b")]


@pytest.mark.parametrize(("method", "path"), PROTECTED)
async def test_without_a_certificate_nothing_is_done(cluster: Cluster, port: int, method: str, path: str) -> None:
    context = tls.joining_context(cluster.authority.certificate_pem)
    status, said = await raw(context, port, method, path, b'{"host": "b", "network": "n"}')
    assert (status, said.error) == (
        403,
        f"{path} is for members of the cluster and the caller showed no certificate; join first",
    )
    assert cluster.heard == []


@pytest.mark.parametrize(("method", "path"), PROTECTED)
async def test_who_is_not_a_member_any_more_is_turned_away(
    cluster: Cluster, theirs: IdentityFiles, port: int, method: str, path: str
) -> None:
    cluster.members.remove(B)
    status, said = await raw(careless(theirs), port, method, path, b'{"host": "b", "network": "n"}')
    assert (status, said.error.partition(";")[0]) == (403, "host b is not a member of this cluster (any more)")
    assert cluster.heard == []


async def test_a_forgotten_host_reads_what_to_do(cluster: Cluster, member: Peers) -> None:
    cluster.members.remove(B)
    with pytest.raises(BadRequest, match=r"host a \(127\.0\.0\.1\) says: host b is not a member .* join anew"):
        await member.hello(Peer(AT_A, A))


@pytest.mark.parametrize("path", [messages.AUTHORITY, messages.HELLO])
async def test_the_certificate_of_a_foreign_authority_is_refused(
    tmp_path: Path, cluster: Cluster, port: int, path: str
) -> None:
    """Even where none is needed; its authority has the name of ours."""
    foreign = identity(tmp_path, authority.new_authority("6f1c", time.time()), B, AT_B)
    with pytest.raises((aiohttp.ClientError, OSError)):
        await raw(careless(foreign), port, "GET", path)
    assert cluster.heard == []


async def test_an_expired_certificate_is_refused_and_the_host_told_why(
    tmp_path: Path, cluster: Cluster, port: int
) -> None:
    old = identity(tmp_path, cluster.authority, B, AT_B, signed_at=time.time() - 10.5 * YEAR)
    async with Peers(old, port) as peers:
        with pytest.raises(Unavailable, match=r"host a \(127\.0\.0\.1\) .* our certificate has expired on 20\d\d-"):
            await peers.hello(Peer(AT_A, A))
    assert cluster.heard == []


async def test_members_of_another_cluster_do_not_talk_to_us(tmp_path: Path, cluster: Cluster, port: int) -> None:
    foreign = identity(tmp_path, authority.new_authority("6f1c", time.time()), B, AT_B)
    async with Peers(foreign, port) as peers:
        with pytest.raises(Unavailable, match=r"host a \(127\.0\.0\.1\) .* belongs to another cluster"):
            await peers.hello(Peer(AT_A, A))
    assert cluster.heard == []


# ---------------------------------------------------------------- who answers


@asynccontextmanager
async def answering(cluster: Cluster, files: IdentityFiles, caller: IdentityFiles) -> AsyncIterator[Peers]:
    """A host with these files at the address of a."""
    async with serve(cluster, files, AT_A, 0) as port, Peers(caller, port) as peers:
        yield peers


@pytest.mark.parametrize("meant", [Peer(AT_A, A), Peer(AT_A)], ids=["by name", "any member"])
async def test_a_certificate_for_another_address_is_not_believed(
    tmp_path: Path, cluster: Cluster, theirs: IdentityFiles, meant: Peer
) -> None:
    elsewhere = identity(tmp_path, cluster.authority, A, AT_C)
    async with answering(cluster, elsewhere, theirs) as peers:
        with pytest.raises(Unavailable, match=r"IP address mismatch, .* somebody else has this address"):
            await peers.hello(meant)
    assert cluster.heard == []


async def test_another_member_at_the_address_hears_nothing(
    tmp_path: Path, cluster: Cluster, theirs: IdentityFiles
) -> None:
    """An address may have been another member's yesterday."""
    another = identity(tmp_path, cluster.authority, C, AT_A)
    async with answering(cluster, another, theirs) as peers:
        with pytest.raises(Unavailable, match=r"host a \(127\.0\.0\.1\) .*it is that of host c"):
            await peers.forget(Peer(AT_A, A), messages.ForgetRequest(host="c"))
        assert cluster.heard == []
        await peers.hello(Peer(AT_A))
    assert cluster.heard == [("hello", B)]


async def test_an_expired_server_makes_one_look_at_the_clocks(
    tmp_path: Path, cluster: Cluster, theirs: IdentityFiles
) -> None:
    old = identity(tmp_path, cluster.authority, A, AT_A, signed_at=time.time() - 10.5 * YEAR)
    async with answering(cluster, old, theirs) as peers:
        with pytest.raises(Unavailable, match=r"has expired.*; compare the clocks of both hosts, here it is"):
            await peers.hello(Peer(AT_A, A))


async def test_only_the_members_address_is_listened_on(theirs: IdentityFiles, port: int) -> None:
    async with Peers(theirs, port) as peers:
        with pytest.raises(Unavailable, match=r"host a \(127\.0\.0\.3\) .* nothing answers on port \d+ \(Connection"):
            await peers.hello(Peer(AT_C, A))


async def test_an_address_that_is_not_here_is_named(cluster: Cluster, ours: IdentityFiles) -> None:
    with pytest.raises(Unavailable, match=r"port 7641 on 192\.0\.2\.1 .*Cannot assign requested address"):
        async with serve(cluster, ours, ip_address("192.0.2.1"), 7641):
            pass


async def test_a_port_that_is_taken_is_named(cluster: Cluster, ours: IdentityFiles, port: int) -> None:
    with pytest.raises(Unavailable, match=rf"port {port} on 127\.0\.0\.1 .*Address already in use.*cluster_port"):
        async with serve(cluster, ours, AT_A, port):
            pass


async def test_damaged_files_are_named_before_anybody_connects(cluster: Cluster, ours: IdentityFiles) -> None:
    ours.key.write_text(authority.new_request(A).key_pem)
    with pytest.raises(ApplyError, match="is for another key"):
        async with serve(cluster, ours, AT_A, 0):
            pass


# ---------------------------------------------------------------- trouble


@pytest.mark.parametrize(
    "trouble",
    [
        BadRequest("x"),
        NotFound("x"),
        Conflict("x"),
        Stale("x"),
        ApplyError("r", "x"),
        Unavailable("the store", "x"),
        OvsnetError("x"),
    ],
    ids=lambda it: type(it).__name__,
)
async def test_what_is_raised_there_is_raised_here(cluster: Cluster, member: Peers, trouble: OvsnetError) -> None:
    cluster.trouble = trouble
    with pytest.raises(OvsnetError, match=r"host a \(127\.0\.0\.1\).*x") as arrived:
        await member.hello(Peer(AT_A, A))
    assert type(arrived.value) is type(trouble)


async def test_a_fault_is_not_told_and_no_log_holds_the_secret(
    cluster: Cluster, stranger: Peers, capsys: pytest.CaptureFixture[str]
) -> None:
    """The log is the agent's own, with everything it prints of an exception."""
    secret = cluster.invite(time.time() + 60).secret
    cluster.trouble = RuntimeError("the reason")
    logs.configure(Settings(log_level="debug"))
    try:
        with pytest.raises(OvsnetError, match=r"RuntimeError\); the log of its agent has the details$") as arrived:
            await stranger.join(AT_A, cluster.authority.certificate_pem, wish(secret))
    finally:
        structlog.reset_defaults()
    logged = capsys.readouterr().err
    assert "the reason" in logged
    assert "the reason" not in str(arrived.value)
    for form in (repr(secret), secret.hex(), msgspec.json.encode(secret).decode().strip('"')):
        assert form not in logged + str(arrived.value)


async def test_no_answer_in_time_is_said_with_host_and_address(
    cluster: Cluster, theirs: IdentityFiles, port: int
) -> None:
    cluster.pause = asyncio.Event()
    async with Peers(theirs, port, deadline=0.5) as peers:
        with pytest.raises(
            Unavailable, match=rf"host a \(127\.0\.0\.1\) .* no answer within 0\.5 seconds on port {port}"
        ):
            await peers.hello(Peer(AT_A, A))
    cluster.pause.set()


@pytest.mark.parametrize(
    ("body", "status", "reason"),
    [
        (b"not json", 400, "LeaveRequest: JSON is malformed"),
        (b'{"hots": "b"}', 400, "LeaveRequest: Object missing required field `host`"),
        (b"", 400, "LeaveRequest: Object missing required field `host`"),
        (b'"' + b"x" * MAX_BODY + b'"', 413, "Maximum request body size 65536 exceeded"),
    ],
    ids=["no JSON", "another field", "nothing", "too long"],
)
async def test_a_body_that_is_not_understood_is_refused(
    cluster: Cluster, theirs: IdentityFiles, port: int, body: bytes, status: int, reason: str
) -> None:
    code, said = await raw(careless(theirs), port, "POST", messages.LEAVE, body)
    assert (code, said.error.startswith(reason)) == (status, True), said.error
    assert cluster.heard == []


async def test_a_route_that_the_other_version_does_not_have_is_explained(
    theirs: IdentityFiles, port: int, member: Peers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(messages, "LEAVE", "/v2/leave")
    with pytest.raises(Unavailable, match=r"does not know this request .* is it another version of ovsnet"):
        await member.leave(Peer(AT_A, A), messages.LeaveRequest(host="b"))
