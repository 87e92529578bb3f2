"""The engine's API over its Unix socket: lists, events, networks made and removed. Never from within a driver call.

A single container is only asked for what no list tells: `GET /containers/ID/json` waits for the container's
lock, which the engine holds while it calls a network driver. Lists do not wait. Making or removing a network
calls our own drivers before it returns. Paths carry no API version: every engine answers them in its own
newest one, while a fixed version is refused by engines that have dropped it (29 refuses everything before
1.44).
"""

import asyncio
from collections.abc import AsyncIterator, Collection, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar
from urllib.parse import quote

import aiohttp
import msgspec

from ovsnet.engine.facts import EngineContainer, EngineEndpoint, EngineFacts, EngineNetwork, Inspected, NetworkSpec
from ovsnet.engine.wire import (
    COMPOSE_SERVICE,
    Complaint,
    Container,
    Described,
    Event,
    Made,
    Named,
    NetworkItem,
    Version,
    aliases_of,
    container_of,
    creation,
    endpoints_of,
    inspected_of,
    network_of,
)
from ovsnet.model.errors import ApplyError, Conflict, Unavailable
from ovsnet.model.ids import EndpointId, NetworkId

NEIGHBOUR = "Docker engine"
LONGEST_EVENT = 1 << 20
"""Bytes: an event repeats all labels of its container; more than this is not an event stream."""
ACTIONS = ("create", "connect", "disconnect", "destroy", "remove", "start", "die", "rename")
"""What can change our facts. Without this filter every health check of every container would wake us."""

CHANGE_PATIENCE = 30.0
"""Seconds the engine has to make or remove a network: it calls our own drivers meanwhile, several times."""
INSPECT_PATIENCE = 1.0
"""Seconds the engine has to tell of one container: a locked one is asked for again at another time."""
STARTING = (502, 503)
"""How an engine answers that is not ready."""
TAKEN = (403, 409)
"""How it refuses what its present state forbids, by version: a network that is in use, a name that is taken."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, of whatever status."""

    method: str
    path: str
    status: int
    body: bytes

    @property
    def complaint(self) -> str:
        """The engine's own words."""
        try:
            return msgspec.json.decode(self.body, type=Complaint).message
        except msgspec.MsgspecError:
            return self.body.decode(errors="replace")[:300].strip()


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
        return self._endpoints_of(await self._running())

    async def inspect(self, name: str, *, deadline: float = INSPECT_PATIENCE) -> Inspected | None:
        """The container of that name, id, or beginning of an id; None when there is none.

        Conflict when several ids begin so. Unavailable, too, while the container is locked.
        """
        path = f"/containers/{quote(name, safe='')}/json"
        answer = await self._ask("GET", path, deadline=deadline)
        if answer.status == 404:
            return None
        if answer.status == 400 or "multiple IDs" in answer.complaint or "Multiple IDs" in answer.complaint:
            raise Conflict(f"container {name!r} could be any of several; give its name or a longer part of its id")
        with self._translated(path):
            return inspected_of(msgspec.json.decode(self._succeeded(answer), type=Described))

    async def of_service(self, service: str) -> Sequence[EngineContainer]:
        """The containers of a Compose service, whether they run or not."""
        return await self._all({"label": [f"{COMPOSE_SERVICE}={service}"]})

    async def existing(self, ids: Collection[str]) -> frozenset[str]:
        """Those of these containers, by their whole ids, that exist, whether they run or not."""
        return frozenset(it.id for it in await self._all({"id": sorted(ids)}))

    async def _all(self, filters: Mapping[str, Sequence[str]]) -> Sequence[EngineContainer]:
        query = {"all": "1", "filters": msgspec.json.encode(filters).decode()}
        found = await self._get("/containers/json", query, list[Container])
        return [container_of(it) for it in found]

    def _endpoints_of(self, containers: Sequence[Container]) -> dict[EndpointId, EngineEndpoint]:
        with self._translated("/containers/json"):
            return {it.id: it for container in containers for it in endpoints_of(container)}

    async def _running(self) -> list[Container]:
        return await self._get("/containers/json", {}, list[Container])

    async def facts(self) -> EngineFacts:
        """Our networks and the endpoints on them.

        Networks are listed last: an endpoint that was listed has its network in the later list, or both are
        gone.
        """
        running = await self._running()
        networks = await self.networks()
        ours = {key: it for key, it in self._endpoints_of(running).items() if it.network_id in networks}
        containers = {it.id: container_of(it) for it in running}
        return EngineFacts(networks=networks, endpoints=ours, complete=True, containers=containers)

    async def aliases(self, container_id: str) -> Mapping[EndpointId, tuple[str, ...]]:
        """All names but its own that a container has on each of its networks, by endpoint; none when it is gone.

        Unavailable, too, while the container is locked.
        """
        path = f"/containers/{container_id}/json"
        answer = await self._ask("GET", path, deadline=INSPECT_PATIENCE)
        if answer.status == 404:
            return {}
        with self._translated(path):
            return aliases_of(msgspec.json.decode(self._succeeded(answer), type=Named))

    async def create_network(self, spec: NetworkSpec) -> NetworkId:
        """Make a network; its drivers are called before this returns.

        Conflict when its name is taken, ApplyError when a driver or the engine itself refuses it.
        """
        answer = await self._ask("POST", "/networks/create", creation(spec), deadline=CHANGE_PATIENCE)
        self._check_refusal(answer, f"network {spec.name}")
        with self._translated("/networks/create"):
            return NetworkId(msgspec.json.decode(self._succeeded(answer), type=Made).id)

    async def remove_network(self, network_id: NetworkId) -> None:
        """Remove a network; one that is gone already is. Conflict while containers are on it."""
        answer = await self._ask("DELETE", f"/networks/{network_id}", deadline=CHANGE_PATIENCE)
        if answer.status != 404:
            self._check_refusal(answer, f"network {network_id[:12]}")
            self._succeeded(answer)

    @asynccontextmanager
    async def events(self) -> AsyncIterator[AsyncIterator[Event]]:
        """Subscribe to what may change our facts. What happens after the subscription is not missed.

        The iterator raises Unavailable when the engine stops or the connection breaks; it has no other end.
        """
        filters = msgspec.json.encode({"type": ["network", "container"], "event": ACTIONS}).decode()
        with self._translated("/events"):
            # Only the beginning of the answer has a deadline: after it there may be silence for ever.
            async with asyncio.timeout(self._deadline):
                response = await self._stream("/events", {"filters": filters})
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
        answer = await self._ask("GET", path, query=query)
        with self._translated(path):
            return msgspec.json.decode(self._succeeded(answer), type=kind)

    async def _stream(self, path: str, query: dict[str, str]) -> aiohttp.ClientResponse:
        response = await self._opened().get(path, params=query)
        if response.status == 200:
            return response
        async with response:
            raise self._unexpected(Answer("GET", path, response.status, await response.read()))

    async def _ask(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        *,
        query: Mapping[str, str] | None = None,
        deadline: float | None = None,
    ) -> Answer:
        """Any answer, of whatever status; `deadline` in seconds, that of the client where it is None."""
        headers = {"Content-Type": "application/json"} if body is not None else {}
        patience = self._deadline if deadline is None else deadline
        with self._translated(path, patience):
            async with (
                asyncio.timeout(patience),
                self._opened().request(method, path, params=query or {}, data=body, headers=headers) as response,
            ):
                return Answer(method, path, response.status, await response.read())

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            raise Unavailable(NEIGHBOUR, "the client is not open")
        return self._session

    def _succeeded(self, answer: Answer) -> bytes:
        if answer.status // 100 != 2:
            raise self._unexpected(answer)
        return answer.body

    def _check_refusal(self, answer: Answer, what: str) -> None:
        """Raise what the engine said against a change it understood."""
        if answer.status < 400 or answer.status in STARTING:
            return
        if answer.status in TAKEN:
            raise Conflict(f"{what}: the Docker engine of this host says: {answer.complaint}")
        raise ApplyError(what, answer.complaint)

    def _unexpected(self, answer: Answer) -> Unavailable:
        said = answer.body.decode(errors="replace")[:300].strip()
        return Unavailable(
            NEIGHBOUR, f"{answer.method} {answer.path} on {self._path} was answered {answer.status}: {said}"
        )

    @contextmanager
    def _translated(self, path: str, patience: float | None = None) -> Iterator[None]:
        try:
            yield
        except TimeoutError as error:
            waited = self._deadline if patience is None else patience
            raise Unavailable(NEIGHBOUR, f"no answer on {self._path} within {waited:g} s") from error
        except (aiohttp.ClientError, OSError) as error:
            raise Unavailable(NEIGHBOUR, f"{error}; is dockerd running, and is its socket {self._path}?") from error
        except (msgspec.MsgspecError, ValueError) as error:
            raise Unavailable(NEIGHBOUR, f"the answer to {path} makes no sense: {error}") from error
