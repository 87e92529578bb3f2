"""Asks other members' agents over HTTPS; who answers is who is meant, or nothing is sent."""

import hmac
import os
import ssl
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Self, TypeVar

import aiohttp
import msgspec
from yarl import URL

from ovsnet.cluster import peer_messages as messages
from ovsnet.cluster import tls
from ovsnet.cluster.identity import IdentityFiles
from ovsnet.cluster.keyfiles import check_files
from ovsnet.model.errors import BadRequest, Conflict, OvsnetError, Unavailable
from ovsnet.model.ids import HostName, IpAddress

T = TypeVar("T")
DEADLINE = 5.0
"""Seconds for one call, from the connection to the end of the answer."""
MAX_ANSWER = 1 << 20
"""Bytes; a host that is not verified yet could send without end."""
_CLOCK = {9, 10}
"""X509_V_ERR_CERT_NOT_YET_VALID, X509_V_ERR_CERT_HAS_EXPIRED (OpenSSL, x509_vfy.h)."""


@dataclass(frozen=True, slots=True)
class Peer:
    """Whom we mean: a member at its address; any member that is there where `name` is NOBODY."""

    address: IpAddress
    name: HostName = tls.NOBODY

    def __str__(self) -> str:
        return f"host {self.name} ({self.address})" if self.name else f"the host at {self.address}"


class Peers:
    """Calls to other members; an asynchronous context manager.

    Every call raises Unavailable, with host and address, when there is no answer in time or the wrong one answers, and
    what the other host raised, with its name.
    """

    def __init__(self, files: IdentityFiles, port: int, *, deadline: float = DEADLINE) -> None:
        self._files = files
        self.port = port
        self._deadline = deadline

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            # Calls are rare, and a kept connection would outlive the peer's restart or our certificate.
            connector=aiohttp.TCPConnector(force_close=True),
            timeout=aiohttp.ClientTimeout(total=self._deadline),
            cookie_jar=aiohttp.DummyCookieJar(),
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._session.close()

    async def fetch_authority(self, address: IpAddress, fingerprint: bytes) -> str:
        """The certificate (PEM) of the authority with this fingerprint, asked of a host that nothing vouches for yet.

        Conflict when the host shows another one. Nothing secret is said.
        """
        body = await self._body(Peer(address), tls.unverified_context(), "GET", messages.AUTHORITY)
        return _checked(body, address, fingerprint)

    async def prove(self, address: IpAddress, fingerprint: bytes) -> None:
        """Return when the host there has shown that it is a member of the cluster whose authority has the fingerprint.

        Conflict when its authority is another one. Anybody can show the right one's certificate: only a member has one
        that it signed. Nothing secret is said.
        """
        context = tls.joining_context(await self.fetch_authority(address, fingerprint))
        await self._body(Peer(address), context, "GET", messages.AUTHORITY)

    async def join(self, address: IpAddress, authority_pem: str, request: messages.JoinRequest) -> messages.JoinAnswer:
        """Become a member of the cluster with this authority. The secret is said to its members only."""
        context = tls.joining_context(authority_pem)
        body = await self._body(Peer(address), context, "POST", messages.JOIN, request)
        return _decode(body, Peer(address), messages.JoinAnswer)

    async def hello(self, peer: Peer) -> messages.HelloAnswer:
        """Who is there, in which version."""
        return await self._ask(peer, "GET", messages.HELLO, messages.Nothing(), messages.HelloAnswer)

    async def forget(self, peer: Peer, request: messages.ForgetRequest) -> None:
        """Have a member that is gone forgotten."""
        await self._ask(peer, "POST", messages.FORGET, request, messages.Nothing)

    async def yield_addresses(self, peer: Peer, request: messages.YieldRequest) -> messages.YieldAnswer:
        """Have addresses given back that the peer holds ahead."""
        return await self._ask(peer, "POST", messages.YIELD, request, messages.YieldAnswer)

    async def promote(self, peer: Peer) -> messages.PromoteAnswer:
        """Ask another voter for the key of the authority."""
        return await self._ask(peer, "POST", messages.PROMOTE, messages.Nothing(), messages.PromoteAnswer)

    async def leave(self, peer: Peer, request: messages.LeaveRequest) -> None:
        """Say that a member leaves."""
        await self._ask(peer, "POST", messages.LEAVE, request, messages.Nothing)

    async def recovered(self, peer: Peer, request: messages.RecoveredRequest) -> None:
        """Tell a member that our database takes the place of the one it may have."""
        await self._ask(peer, "POST", messages.RECOVERED, request, messages.Nothing)

    async def _ask(self, peer: Peer, method: str, path: str, request: msgspec.Struct, answer: type[T]) -> T:
        context = tls.client_context(self._files, peer.name)
        return _decode(await self._body(peer, context, method, path, request), peer, answer)

    async def _body(
        self, peer: Peer, context: ssl.SSLContext, method: str, path: str, request: msgspec.Struct | None = None
    ) -> bytes:
        """The answer as it came."""
        url = URL.build(scheme="https", host=str(peer.address), port=self.port, path=path)
        content = None if request is None or method == "GET" else msgspec.json.encode(request)
        try:
            async with self._session.request(method, url, data=content, ssl=context, allow_redirects=False) as answer:
                body = await _read(answer, peer)
        except TimeoutError as error:
            raise Unavailable(str(peer), f"no answer within {self._deadline:g} seconds on port {self.port}") from error
        except (aiohttp.ClientError, OSError) as error:
            raise Unavailable(str(peer), self._why(error)) from error
        if answer.status != 200:
            raise _refusal(peer, answer.status, body)
        return body

    def _why(self, error: Exception) -> str:
        if isinstance(error, aiohttp.ClientConnectorCertificateError):
            return _mistrust(error.certificate_error)
        if isinstance(error, aiohttp.ClientConnectorError) and not isinstance(error, aiohttp.ClientSSLError):
            refused = os.strerror(error.errno) if error.errno else str(error)
            return (
                f"nothing answers on port {self.port} ({refused}); see that its agent runs and that no firewall is "
                f"between: TCP port {self.port} must be open between members"
            )
        return f"it closed the connection before an answer{self._certificate_note()}"

    def _certificate_note(self) -> str:
        """A server that does not like our certificate closes the connection (TLS 1.3), as one that stops does."""
        try:
            until = check_files(self._files)
        except OvsnetError:
            return "; is it about to stop?"
        if until <= time.time():
            return f"; our certificate has expired on {_date(until)}: leave the cluster and join again"
        return f"; it is about to stop, or by its clock our certificate (until {_date(until)}) is not valid"


def _mistrust(error: Exception) -> str:
    """Why the one who answers is not who is meant."""
    reason = getattr(error, "verify_message", "") or str(error)
    remedy = "somebody else has this address, or it belongs to another cluster; nothing was sent to it"
    if getattr(error, "verify_code", 0) in _CLOCK:
        remedy = f"compare the clocks of both hosts, here it is {_date(time.time())}"
    return f"its certificate is not accepted ({reason}); {remedy}"


def _date(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")


async def _read(answer: aiohttp.ClientResponse, peer: Peer) -> bytes:
    body = bytearray()
    async for part in answer.content.iter_any():
        body += part
        if len(body) > MAX_ANSWER:
            raise Unavailable(str(peer), f"its answer is longer than {MAX_ANSWER} bytes; is ovsnet listening there?")
    return bytes(body)


def _checked(body: bytes, address: IpAddress, fingerprint: bytes) -> str:
    from ovsnet.cluster import authority

    try:
        pem = body.decode("ascii")
        found = authority.fingerprint(pem)
    except (ValueError, BadRequest):
        raise Unavailable(
            str(Peer(address)), "it answers, but with no certificate; is that the address of a member?"
        ) from None
    if not hmac.compare_digest(found, fingerprint):
        raise Conflict(
            f"the host at {address} is not of the cluster that the token was made for: it is a member of another one, "
            f"or an impostor; nothing was sent to it. Check the address. Shown was the authority {found.hex()}, the "
            f"token is for {fingerprint.hex()}"
        )
    return pem


def _decode(body: bytes, peer: Peer, answer: type[T]) -> T:
    try:
        return msgspec.json.decode(body, type=answer)
    except msgspec.DecodeError as error:
        reason = f"its answer is not understood ({error}); is it another version of ovsnet?"
        raise Unavailable(str(peer), reason) from error


def _refusal(peer: Peer, status: int, body: bytes) -> OvsnetError:
    try:
        said = msgspec.json.decode(body, type=messages.Refusal)
    except msgspec.DecodeError:
        return Unavailable(str(peer), f"it answered with status {status} and no reason; is ovsnet listening there?")
    return messages.refused(str(peer), status, said)
