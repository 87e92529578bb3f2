"""The API's HTTP server on its Unix socket."""

import grp
import os
import socket
import stat
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import msgspec
import structlog
from aiohttp import web

from ovsnet.api import openapi
from ovsnet.api.orders import ORDERS, Order
from ovsnet.api.routes import ROUTES, Route
from ovsnet.api.schema import ErrorBody
from ovsnet.api.views import AgentView
from ovsnet.model.errors import BadRequest, Conflict, OvsnetError, Unavailable, http_status

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
HINT = f"GET {openapi.PATH} lists what can be asked"
BACKLOG = 64
LINGER = 1.0
"""Seconds for requests under way when we stop, and for the rest of a body that nobody wants to read."""
PROBE = 1.0
"""Seconds another agent gets to take our call, in the search for one that still listens."""


@asynccontextmanager
async def serve(view: AgentView) -> AsyncIterator[None]:
    """Answer on `settings.api_socket` while the block runs.

    A socket file that nobody listens on any more is replaced; Conflict when another agent does. BadRequest
    when `settings.api_group` does not exist.
    """
    path = Path(view.settings.api_socket)
    listening = listen(path, view.settings.api_group)
    ours = _inode(path)
    runner = web.AppRunner(
        application(view),
        access_log=None,
        handle_signals=False,
        shutdown_timeout=LINGER,
        lingering_time=LINGER,
    )
    try:
        await runner.setup()
        await web.SockSite(runner, listening).start()
        yield
    finally:
        await runner.cleanup()
        listening.close()
        if _inode(path) == ours:
            path.unlink(missing_ok=True)  # noqa: ASYNC240 - one system call


def application(view: AgentView) -> web.Application:
    """The routes with errors turned into `ErrorBody`."""
    app = web.Application(middlewares=[_errors_as_bodies], client_max_size=view.settings.max_body)
    for route in ROUTES:
        app.router.add_get(route.path, _handler(route, view))
    for order in ORDERS:
        app.router.add_post(order.path, _carrier(order, view))
    app.router.add_get(openapi.PATH, _openapi)
    return app


def listen(path: Path, group: str) -> socket.socket:
    """A listening socket with its final rights from the first moment on: root only, or root and `group`."""
    gid = _gid(group)
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    _clear(path)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    # Under a name of our own until its rights are right: between bind and chmod anybody could connect.
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        fresh.unlink(missing_ok=True)
        listening.bind(str(fresh))
        os.chown(fresh, -1, gid)
        fresh.chmod(0o660 if group else 0o600)
        listening.listen(BACKLOG)
        fresh.rename(path)
    except OSError as error:
        listening.close()
        raise Unavailable(f"API socket {path}", f"{error.strerror}; see the setting api_socket") from error
    return listening


def _inode(path: Path) -> int | None:
    """Which file this is; None when there is none. A successor may have put its own in its place."""
    return path.stat().st_ino if path.exists() else None


def _gid(group: str) -> int:
    if not group:
        return -1
    try:
        return grp.getgrnam(group).gr_gid
    except KeyError:
        raise BadRequest(f"api_group={group!r} does not exist here; create it: groupadd {group}") from None


def _clear(path: Path) -> None:
    """Make sure that nothing in use is at this path."""
    if not path.exists():
        return
    if not stat.S_ISSOCK(path.stat().st_mode):
        raise Conflict(f"{path} is not a socket and is in the way of ours; move it, or set api_socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(PROBE)
        with suppress(ConnectionRefusedError, FileNotFoundError):
            probe.connect(str(path))
            raise Conflict(f"another agent answers on {path}; stop it, or give this one another api_socket")


def _handler(route: Route, view: AgentView) -> _Handler:
    async def handle(request: web.Request) -> web.StreamResponse:
        answer = await route.handler(view, request.match_info)
        if route.answer is bytes:
            return web.Response(body=answer, content_type=route.media)
        return web.Response(body=msgspec.json.encode(answer), content_type="application/json")

    return handle


def _carrier(order: Order, view: AgentView) -> _Handler:
    async def carry_out(request: web.Request) -> web.StreamResponse:
        try:
            content = await _content(request, order.largest or view.settings.max_body)
            body = msgspec.json.decode(content or b"{}", type=order.body)
        except msgspec.MsgspecError as error:
            raise BadRequest(f"the body of {request.path} cannot be read: {error}; see GET {openapi.PATH}") from error
        answer = await order.carry_out(view.orders, body, request.match_info)
        return web.Response(body=msgspec.json.encode(answer), content_type="application/json")

    return carry_out


async def _content(request: web.Request, largest: int) -> bytes:
    """The whole body; 413 when it is longer than that."""
    content = bytearray()
    async for part in request.content.iter_any():
        content += part
        if len(content) > largest:
            raise web.HTTPRequestEntityTooLarge(max_size=largest, actual_size=len(content))
    return bytes(content)


async def _openapi(_: web.Request) -> web.StreamResponse:
    return web.Response(body=msgspec.json.encode(openapi.document()), content_type="application/json")


@web.middleware
async def _errors_as_bodies(request: web.Request, handler: _Handler) -> web.StreamResponse:
    """Every refusal has the same form, whoever refused."""
    try:
        return await handler(request)
    except OvsnetError as error:
        return _refuse(http_status(error), ErrorBody(error=str(error)))
    except web.HTTPException as error:
        headers = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else None
        sentence = f"{request.method} {request.path}: {error.reason}"
        return _refuse(error.status, ErrorBody(error=sentence, hint=HINT), headers)
    except Exception as error:  # noqa: BLE001 - a door: one bad request must not end the agent
        structlog.get_logger(__name__).exception("API request failed", path=request.path)
        sentence = f"{request.path} could not be answered: {type(error).__name__}: {error}"
        return _refuse(500, ErrorBody(error=sentence, hint="a fault of the agent; its log has the details"))


def _refuse(status: int, body: ErrorBody, headers: dict[str, str] | None = None) -> web.Response:
    content = msgspec.json.encode(body)
    return web.Response(status=status, body=content, content_type="application/json", headers=headers)
