"""Which container, process or namespace somebody means, and where its network namespace is now."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from ovsnet.engine.facts import EngineContainer, Inspected
from ovsnet.model.attachment import Target, TargetKind
from ovsnet.model.errors import BadRequest, Conflict, NotFound
from ovsnet.model.ids import short

PATIENCE = 5.0
"""Seconds the engine has to tell of a container that somebody named: it may be busy starting it."""
_OTHERS = "container:"
"""Begins the network mode of a container that is in the namespace of another one."""


class Containers(Protocol):
    """The engine, as seen from here."""

    async def inspect(self, name: str, *, deadline: float = ...) -> Inspected | None:
        """By name, id or the beginning of an id."""

    async def of_service(self, service: str) -> Sequence[EngineContainer]:
        """The containers of a Compose service."""


@dataclass(frozen=True, slots=True)
class Namespaces:
    """Namespaces and processes of this host, as functions: see linux/sandboxes.py."""

    is_alive: Callable[[str], bool]
    is_own: Callable[[str], bool]
    path_of: Callable[[str], str]
    of_process: Callable[[str], str]
    birth_of: Callable[[str], str]
    names_inside: Callable[[str], Awaitable[frozenset[str]]]
    """The names of all interfaces in the namespace at a path."""


@dataclass(frozen=True, slots=True)
class Found:
    """A target, and the path of its namespace: "" while it does not run."""

    target: Target
    sandbox: str = ""


class Targets:
    """Finds them."""

    def __init__(self, engine: Containers, namespaces: Namespaces) -> None:
        self._engine = engine
        self._namespaces = namespaces

    async def find(self, kind: TargetKind, name: str) -> Found:
        """The one that is meant; NotFound, or Conflict when it could be several.

        A container in another one's namespace (`--network container:OTHER`) stands for that one.
        """
        match kind:
            case TargetKind.CONTAINER:
                return self._checked(await self._container(name))
            case TargetKind.PID:
                return self._checked(self._process(name))
            case TargetKind.NETNS:
                return self._checked(self._netns(name))

    def _checked(self, found: Found) -> Found:
        if found.sandbox and self._namespaces.is_own(found.sandbox):
            raise BadRequest(
                f"{found.target.title} has the host's own network: an interface attached to it would be the host's"
            )
        return found

    async def _container(self, name: str) -> Found:
        seen = await self._engine.inspect(name, deadline=PATIENCE) or await self._of_service(name)
        if seen.network == "host":
            raise BadRequest(
                f"container {seen.name} has the host's own network (--network host): an interface attached to it would "
                "be the host's"
            )
        if seen.network.startswith(_OTHERS):
            return await self._container(seen.network.removeprefix(_OTHERS))
        target = Target(TargetKind.CONTAINER, seen.id, seen.name, service=seen.service)
        return Found(target, seen.sandbox if seen.running else "")

    async def _of_service(self, name: str) -> Inspected:
        members = await self._engine.of_service(name)
        if len(members) > 1:
            names = ", ".join(sorted(it.name or short(it.id) for it in members))
            raise Conflict(f"Compose service {name!r} has several containers: {names}; name one of them")
        seen = await self._engine.inspect(members[0].id, deadline=PATIENCE) if members else None
        if seen is None:
            raise NotFound(f"there is no container {name!r}, and no Compose service of that name; see 'docker ps -a'")
        return seen

    def _process(self, pid: str) -> Found:
        birth = self._namespaces.birth_of(pid)
        if not birth:
            raise NotFound(f"there is no process {pid}")
        return Found(Target(TargetKind.PID, pid, birth=birth), self._namespaces.of_process(pid))

    def _netns(self, name: str) -> Found:
        path = self._namespaces.path_of(name)
        if not self._namespaces.is_alive(path):
            raise NotFound(f"there is no network namespace {name!r} ({path}); 'ip netns' lists those that have names")
        return Found(Target(TargetKind.NETNS, path, name if name != path else path.rpartition("/")[2]), path)
