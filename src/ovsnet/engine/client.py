"""The engine's API over its Unix socket: lists and events only.

A single container is never inspected: `GET /containers/ID/json` waits for the container's lock, which the
engine holds while it calls a network driver, so a stuck driver call would make us wait for ourselves. Lists
do not wait. Paths carry no API version: every engine answers them in its own newest one, while a fixed
version is refused by engines that have dropped it (29 refuses everything before 1.44).
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

import aiohttp
import msgspec

from ovsnet.engine.facts import EngineEndpoint, EngineFacts, EngineNetwork
from ovsnet.engine.wire import Container, Event, NetworkItem, Version, endpoints_of, network_of
from ovsnet.model.errors import Unavailable
from ovsnet.model.ids import EndpointId, NetworkId

NEIGHBOUR = "Docker engine"
LONGEST_EVENT = 1 << 20
"""Bytes: an event repeats all labels of its container; more than this is not an event stream."""
ACTIONS = ("create", "connect", "disconnect", "destroy", "remove", "start", "die", "rename")
"""What can change our facts. Without this filter every health check of every container would wake us."""

T = TypeVar("T")


class Engine:
    """A client of one engine, used as a context manager. Every method raises Unavailable when it is away."""

    def __init__(self, docker_socket: str | Path, *, driver: str = "ovsnet", deadline: float = 10.0) -> None:
        """`driver` is the name our networks carry; `deadline` is in seconds and holds for each request."""
        self._path = str(docker_socket)
        self._driver = driver
        self._deadline = deadline
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        # A new connection for each request: one that idled would break at every restart of the engine.
        connector = aiohttp.UnixConnector(path=self._path, force_close=True)
        self._session = aiohttp.ClientSession(
            "http://engine", connector=connector, timeout=aiohttp.ClientTimeout(total=None)
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def version(self) -> Version:
        """What the engine is."""
        return await self._get("/version", {}, Version)

    async def networks(self) -> dict[NetworkId, EngineNetwork]:
        """The networks that use our network driver or our IPAM driver."""
        listed = await self._get("/networks", {}, list[NetworkItem])
        with self._translated("/networks"):
            networks = [network_of(it) for it in listed]
        return {it.id: it for it in networks if self._driver in (it.driver, it.ipam_driver)}

    async def endpoints(self) -> dict[EndpointId, EngineEndpoint]:
        """The endpoints of all running containers on all networks, also those of other drivers.

        Containers that do not run are not asked for: they have no endpoint, and cost the engine 0.15 ms each.
        """
        containers = await self._get("/containers/json", {}, list[Container])
        with self._translated("/containers/json"):
            return {it.id: it for container in containers for it in endpoints_of(container)}

    async def facts(self) -> EngineFacts:
        """Our networks and the endpoints on them.

        Networks are listed last: an endpoint that was listed has its network in the later list, or both are
        gone.
        """
        endpoints = await self.endpoints()
        networks = await self.networks()
        ours = {key: it for key, it in endpoints.items() if it.network_id in networks}
        return EngineFacts(networks=networks, endpoints=ours, complete=True)

    @asynccontextmanager
    async def events(self) -> AsyncIterator[AsyncIterator[Event]]:
        """Subscribe to what may change our facts. What happens after the subscription is not missed.

        The iterator raises Unavailable when the engine stops or the connection breaks; it has no other end.
        """
        filters = msgspec.json.encode({"type": ["network", "container"], "event": ACTIONS}).decode()
        with self._translated("/events"):
            # Only the beginning of the answer has a deadline: after it there may be silence for ever.
            async with asyncio.timeout(self._deadline):
                response = await self._request("/events", {"filters": filters})
        try:
            yield self._lines(response)
        finally:
            response.close()

    async def _lines(self, response: aiohttp.ClientResponse) -> AsyncIterator[Event]:
        decode = msgspec.json.Decoder(Event).decode
        buffer = b""
        with self._translated("/events"):
            async for chunk in response.content.iter_any():
                *lines, buffer = (buffer + chunk).split(b"\n")
                if len(buffer) > LONGEST_EVENT:
                    raise Unavailable(NEIGHBOUR, f"an event of more than {LONGEST_EVENT} bytes on {self._path}")
                for line in lines:
                    if line.strip():
                        yield decode(line)
        raise Unavailable(NEIGHBOUR, f"it closed the stream of events on {self._path}")

    async def _get(self, path: str, query: dict[str, str], kind: type[T]) -> T:
        with self._translated(path):
            async with asyncio.timeout(self._deadline), await self._request(path, query) as response:
                return msgspec.json.decode(await response.read(), type=kind)

    async def _request(self, path: str, query: dict[str, str]) -> aiohttp.ClientResponse:
        if self._session is None:
            raise Unavailable(NEIGHBOUR, "the client is not open")
        response = await self._session.get(path, params=query)
        if response.status == 200:
            return response
        async with response:
            said = (await response.text())[:300].strip()
        raise Unavailable(NEIGHBOUR, f"GET {path} on {self._path} was answered {response.status}: {said}")

    @contextmanager
    def _translated(self, path: str) -> Iterator[None]:
        try:
            yield
        except TimeoutError as error:
            raise Unavailable(NEIGHBOUR, f"no answer on {self._path} within {self._deadline:g} s") from error
        except (aiohttp.ClientError, OSError) as error:
            raise Unavailable(NEIGHBOUR, f"{error}; is dockerd running, and is its socket {self._path}?") from error
        except (msgspec.MsgspecError, ValueError) as error:
            raise Unavailable(NEIGHBOUR, f"the answer to GET {path} makes no sense: {error}") from error
