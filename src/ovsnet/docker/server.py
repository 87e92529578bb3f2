"""The plugin socket: HTTP in, one call of a driver, HTTP out.

The listening socket comes from outside and stays open there, so that calls made while the agent restarts
wait in its queue instead of failing. Every request gets an answer, whatever happens: when a connection ends
without one, the engine repeats the call without its body.

Each answer closes its connection. On a kept connection the engine could write a request at the moment we
close it for a restart; a new connection costs a tenth of a millisecond on a Unix socket.
"""

import asyncio
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

import msgspec
import structlog
from aiohttp import web

from ovsnet.docker import wire
from ovsnet.docker.answers import Activated, Answer, Refusal, refusal
from ovsnet.docker.calls import Call, Calls
from ovsnet.model.errors import OvsnetError
from ovsnet.model.ids import short
from ovsnet.settings import Settings

ROLES = ("NetworkDriver", "IpamDriver")
CONTENT_TYPE = "application/vnd.docker.plugins.v1.2+json"
"""What engines accept; they do not check it."""

NEVER = 10.0 * 365 * 86400
"""Seconds after which an idle connection is closed: aiohttp has no word for never."""
QUEUE = 1024
"""Connections that may wait while no agent runs; the kernel limits it to net.core.somaxconn."""
LINGER = 1.0
"""Seconds the rest of a refused body is read and dropped, so that its sender gets to reading the answer."""
SETTLE = 1.0
"""Seconds a connection that was just made has to send its request when we stop."""

log = structlog.get_logger(__name__)


class PluginServer:
    """Serves the calls of the drivers on a listening socket."""

    def __init__(self, calls: Calls, settings: Settings) -> None:
        self._calls: Calls = {"Plugin.Activate": _activate, **calls}
        self._deadline = settings.attach_deadline
        self._deadline_of_join = settings.busy_deadline
        self._max_body = settings.max_body
        self._server = _Server(
            self._serve,
            request_factory=self._request,
            keepalive_timeout=NEVER,
            lingering_time=LINGER,
            access_log=None,
        )
        self._runner = web.ServerRunner(self._server, shutdown_timeout=self._deadline + SETTLE)
        self._site: web.SockSite | None = None
        self._waits: set[asyncio.Timeout] = set()
        self._stopping = False

    async def start(self, listener: socket.socket) -> None:
        """Accept connections. The socket is listening already; our copy of it is closed by `stop`."""
        await self._runner.setup()
        self._site = web.SockSite(self._runner, listener, backlog=QUEUE)
        await self._site.start()

    async def stop(self) -> None:
        """Accept no more, answer what was accepted, then return: within `attach_deadline` and a second."""
        self._stopping = True
        latest = asyncio.get_running_loop().time() + self._deadline
        for wait in [it for it in self._waits if not it.expired()]:
            wait.reschedule(min(latest, wait.when() or latest))
        if self._site is not None:
            await self._site.stop()
            self._site = None
        with suppress(TimeoutError):
            async with asyncio.timeout(SETTLE):
                await self._server.unused.wait()
        await self._runner.cleanup()

    def _request(self, message: Any, payload: Any, protocol: Any, writer: Any, task: Any) -> web.BaseRequest:
        """A request as aiohttp would make it, with our limit for its body."""
        loop = asyncio.get_running_loop()
        return web.BaseRequest(message, payload, protocol, writer, task, loop, client_max_size=self._max_body)

    async def _serve(self, request: web.BaseRequest) -> web.Response:
        name = request.path.removeprefix("/")
        call = self._calls.get(name)
        if call is None or request.method != "POST":
            log.warning("unknown call", method=request.method, path=request.path[:100])
            return _response(refusal(f"method {request.method} {request.path[:100]} is not implemented"), 404)
        started = asyncio.get_running_loop().time()
        body, answer = await self._answer(name, call, request)
        _report(name, body, answer, asyncio.get_running_loop().time() - started)
        return _response(answer, 200)

    async def _answer(self, name: str, call: Call, request: web.BaseRequest) -> tuple[bytes, Answer]:
        """The body that came and what to say to it."""
        body = b""
        # Join is the one call that waits for the host; it gives up by itself when something is refused.
        patient = name == "NetworkDriver.Join" and not self._stopping
        deadline = self._deadline_of_join if patient else self._deadline
        try:
            async with asyncio.timeout(deadline) as wait:
                with self._known(wait):
                    body = await request.read()
                    return body, await call(body)
        except OvsnetError as error:
            return body, refusal(str(error))
        except web.HTTPRequestEntityTooLarge:
            return body, refusal(f"the request is larger than {self._max_body} bytes; the setting max_body limits it")
        except (web.RequestPayloadError, ConnectionError) as error:
            return body, refusal(f"the request did not arrive completely: {error}")
        except TimeoutError:
            return body, refusal(self._too_late(deadline))
        except Exception as error:
            # The last resort of a door: without an answer the engine would repeat the call without its body.
            log.exception("a call failed by an error of ours", call=name, **_ids(body))
            return body, refusal(
                f"internal error of ovsnet ({type(error).__name__}: {error}); the agent's log has the details"
            )

    def _too_late(self, deadline: float) -> str:
        if self._stopping:
            return "the agent is being stopped; run the command again when it is back"
        return f"not done within {deadline:g} seconds and given up; 'ovsnet status' says what is stuck"

    @contextmanager
    def _known(self, wait: asyncio.Timeout) -> Iterator[None]:
        """Lets `stop` shorten this wait."""
        self._waits.add(wait)
        try:
            yield
        finally:
            self._waits.discard(wait)


class _Server(web.Server):
    """Knows when nobody is connected any more."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._open = 0
        self.unused = asyncio.Event()
        self.unused.set()

    def connection_made(self, handler: Any, transport: asyncio.Transport) -> None:
        super().connection_made(handler, transport)
        self._open += 1
        self.unused.clear()

    def connection_lost(self, handler: Any, exc: BaseException | None = None) -> None:
        super().connection_lost(handler, exc)
        self._open -= 1
        if self._open == 0:
            self.unused.set()


async def _activate(_: bytes) -> Answer:
    """Constant: the engine remembers an answer without our roles until it is restarted."""
    return Activated(ROLES)


def _response(answer: Answer, status: int) -> web.Response:
    response = web.Response(body=msgspec.json.encode(answer), status=status, content_type=CONTENT_TYPE)
    response.force_close()
    return response


def _report(name: str, body: bytes, answer: Answer, seconds: float) -> None:
    facts = {"call": name, **_ids(body), "ms": round(seconds * 1000, 1)}
    if isinstance(answer, Refusal):
        log.warning("refused", reason=answer.err, **facts)
    else:
        log.debug("answered", **facts)


def _ids(body: bytes) -> Mapping[str, str]:
    """The ids a request names, as short as Docker shows them."""
    found = wire.mentioned(body)
    named = {
        "network": short(found.network or ""),
        "endpoint": short(found.endpoint or ""),
        "pool": (found.pool or "")[:100],
        "address": (found.address or "")[:50],
    }
    return {key: text for key, text in named.items() if text}
