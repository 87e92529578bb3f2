"""The door for other members' agents: HTTPS on the member's own address.

Two routes are for everybody: the authority's certificate, and joining, which takes a token. All others are for who
shows a certificate of our authority with the name of a present member.
"""

import asyncio
import os
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Protocol, TypeVar, cast

import msgspec
import structlog
from aiohttp import web

from ovsnet.cluster import peer_messages as messages
from ovsnet.cluster import tokens
from ovsnet.cluster.identity import IdentityFiles
from ovsnet.cluster.join_gate import FailedJoins
from ovsnet.cluster.keyfiles import authority_pem
from ovsnet.cluster.tls import NOBODY, member_of, server_context
from ovsnet.model.cluster import Token
from ovsnet.model.errors import BadRequest, OvsnetError, Unavailable
from ovsnet.model.ids import HostName, IpAddress

Q = TypeVar("Q", bound=msgspec.Struct)
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
MAX_BODY = 64 * 1024
"""Bytes of the largest request: a certificate request is below 1 kB, nothing else is longer."""
BACKLOG = 64
LINGER = 1.0
"""Seconds for requests under way when we stop."""
PATIENCE = 10.0
"""Seconds a caller has for its TLS handshake, for its request, and for the body: anybody can open connections and say
nothing.
"""
NOT_VALID = (
    "the join token is not valid: it is of another cluster, has expired, or was withdrawn; make a new one on a member "
    "with 'ovsnet cluster token'"
)


class PeerService(Protocol):
    """What is done here for other members. `caller` is the member that asks, as its certificate says.

    Every OvsnetError is raised again at the caller, with this host named.
    """

    def is_member(self, name: HostName) -> bool:
        """Whether this is a present member; Unavailable while the members are not known yet."""

    def tokens(self) -> Iterable[Token]:
        """All invitations, expired ones too; Unavailable while they are not known yet."""

    async def join(self, request: messages.JoinRequest) -> messages.JoinAnswer:
        """Make the host a member. Its token was valid a moment ago."""

    async def hello(self, caller: HostName) -> messages.HelloAnswer:
        """Who we are."""

    async def forget(self, caller: HostName, request: messages.ForgetRequest) -> None:
        """Forget a member that is gone."""

    async def yield_addresses(self, caller: HostName, request: messages.YieldRequest) -> messages.YieldAnswer:
        """Give back addresses that we hold ahead."""

    async def promote(self, caller: HostName) -> messages.PromoteAnswer:
        """Hand the authority's key to a voter; Conflict for who is none."""

    async def leave(self, caller: HostName, request: messages.LeaveRequest) -> None:
        """Say goodbye to a member."""

    async def recovered(self, caller: HostName, request: messages.RecoveredRequest) -> None:
        """Follow a voter that went on alone, if ours is the database it took the place of."""


@asynccontextmanager
async def serve(service: PeerService, files: IdentityFiles, address: IpAddress, port: int) -> AsyncIterator[int]:
    """Answer on this address and no other while the block runs; yields the port, another one where 0 was asked for.

    ApplyError when this host's certificate cannot be used, Unavailable when the address is not there (yet) or the port
    is taken.
    """
    runner = web.AppRunner(
        application(service, authority_pem(files)),
        access_log=None,
        handle_signals=False,
        shutdown_timeout=LINGER,
        lingering_time=LINGER,
        keepalive_timeout=PATIENCE,
    )
    context = server_context(files)
    await runner.setup()
    try:
        listening = await _listen(runner, address, port, context)
        try:
            yield listening.sockets[0].getsockname()[1]
        finally:
            listening.close()
    finally:
        await runner.cleanup()


def application(service: PeerService, authority: str) -> web.Application:
    """The routes, with errors turned into `Refusal`."""
    app = web.Application(middlewares=[_errors_as_bodies], client_max_size=MAX_BODY)

    async def show_authority(_: web.Request) -> web.StreamResponse:
        return web.Response(text=authority, content_type="application/x-pem-file")

    app.router.add_get(messages.AUTHORITY, show_authority)
    app.router.add_post(messages.JOIN, _join(service))
    app.router.add_get(messages.HELLO, _for_members(service, messages.Nothing, lambda caller, _: service.hello(caller)))
    app.router.add_post(messages.FORGET, _for_members(service, messages.ForgetRequest, service.forget))
    app.router.add_post(messages.YIELD, _for_members(service, messages.YieldRequest, service.yield_addresses))
    app.router.add_post(
        messages.PROMOTE, _for_members(service, messages.Nothing, lambda caller, _: service.promote(caller))
    )
    app.router.add_post(messages.LEAVE, _for_members(service, messages.LeaveRequest, service.leave))
    app.router.add_post(messages.RECOVERED, _for_members(service, messages.RecoveredRequest, service.recovered))
    return app


async def _listen(runner: web.AppRunner, address: IpAddress, port: int, context: ssl.SSLContext) -> asyncio.Server:
    """The library's own way to listen knows no deadline for the handshake; asyncio's is a minute."""
    loop = asyncio.get_running_loop()
    protocols = cast("web.Server", runner.server)  # None only before the set-up
    try:
        return await loop.create_server(
            protocols, str(address), port, ssl=context, ssl_handshake_timeout=PATIENCE, backlog=BACKLOG
        )
    except OSError as error:
        reason = f"members' agents cannot reach us on it ({os.strerror(error.errno or 0)})"
        remedy = "see that the address is on an interface, and that the setting cluster_port is free"
        raise Unavailable(f"port {port} on {address}", reason, remedy=remedy) from error


def _join(service: PeerService) -> _Handler:
    failures = FailedJoins(time.monotonic)

    async def handle(request: web.Request) -> web.StreamResponse:
        wanted = _decode(await _body(request), messages.JoinRequest)
        _admit(wanted, service.tokens(), failures, request.remote or "")
        return _reply(await service.join(wanted))

    return handle


def _admit(wanted: messages.JoinRequest, known: Iterable[Token], failures: FailedJoins, source: str) -> None:
    """Return for a valid token. One answer for all others: it tells nobody which tokens there are or were."""
    log = structlog.get_logger(__name__)
    if wait := failures.wait(source):
        raise web.HTTPTooManyRequests(
            text=f"too many tokens from {source} were not valid; try again in {wait:.0f} seconds",
            headers={"Retry-After": f"{wait:.0f}"},
        )
    if tokens.admitting(known, wanted.secret, time.time()) is None:
        failures.failed(source)
        log.warning("join refused: token not valid", source=source, name=wanted.name)
        raise web.HTTPForbidden(text=NOT_VALID)


def _for_members(
    service: PeerService,
    expected: type[Q],
    answer: Callable[[HostName, Q], Awaitable[msgspec.Struct | None]],
) -> _Handler:
    async def handle(request: web.Request) -> web.StreamResponse:
        caller = _member(request, service)
        return _reply(await answer(caller, _decode(await _body(request), expected)))

    return handle


def _member(request: web.Request, service: PeerService) -> HostName:
    """Who calls, if it is a member; 403 if not."""
    caller = member_of(request.get_extra_info("peercert"))
    if caller == NOBODY:
        raise web.HTTPForbidden(
            text=f"{request.path} is for members of the cluster and the caller showed no certificate; join first"
        )
    if not service.is_member(caller):
        raise web.HTTPForbidden(
            text=f"host {caller} is not a member of this cluster (any more); to be one again, run "
            "'ovsnet cluster leave --force' on it and join anew"
        )
    return caller


async def _body(request: web.Request) -> bytes:
    try:
        async with asyncio.timeout(PATIENCE):
            return await request.read()
    except TimeoutError:
        raise web.HTTPRequestTimeout(text=f"the body did not come within {PATIENCE:g} seconds") from None


def _decode(body: bytes, expected: type[Q]) -> Q:
    try:
        return msgspec.json.decode(body or b"{}", type=expected)
    except msgspec.DecodeError as error:
        raise BadRequest(f"{expected.__name__}: {error}; is the caller another version of ovsnet?") from error


def _reply(answer: msgspec.Struct | None) -> web.Response:
    return web.Response(body=msgspec.json.encode(answer or messages.Nothing()), content_type="application/json")


@web.middleware
async def _errors_as_bodies(request: web.Request, handler: _Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except OvsnetError as error:
        return _refuse(*messages.refusal(error))
    except web.HTTPException as error:
        headers = {name: error.headers[name] for name in ("Allow", "Retry-After") if name in error.headers}
        return _refuse(error.status, messages.Refusal(error=error.text or error.reason), headers)
    except Exception as error:  # noqa: BLE001 - a door: one bad request must not end the agent
        # The caller gets the kind only: the text may hold what is not for it.
        structlog.get_logger(__name__).exception("a member's request failed", path=request.path)
        sentence = (
            f"{request.path} could not be answered ({type(error).__name__}); the log of its agent has the details"
        )
        return _refuse(500, messages.Refusal(error=sentence))


def _refuse(status: int, body: messages.Refusal, headers: dict[str, str] | None = None) -> web.Response:
    content = msgspec.json.encode(body)
    return web.Response(status=status, body=content, content_type="application/json", headers=headers)
