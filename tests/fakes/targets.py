"""An engine's containers and a host's namespaces, as values: for what is attached to them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ovsnet.control.attachments.targets import Namespaces
from ovsnet.engine.facts import EngineContainer, EngineFacts, Inspected
from ovsnet.model.errors import Unavailable


def id_of(name: str) -> str:
    """The whole id of a container of this name."""
    return name.encode().hex().ljust(64, "0")


@dataclass
class FakeTargets:
    """Containers by name, and what has which namespace."""

    containers: dict[str, Inspected] = field(default_factory=dict)
    alive: set[str] = field(default_factory=set)
    inside: dict[str, frozenset[str]] = field(default_factory=dict)
    births: dict[str, str] = field(default_factory=dict)
    wishes: dict[str, Mapping[str, str]] = field(default_factory=dict)
    away: bool = False
    starts: int = 0

    def create(self, name: str, service: str = "", network: str = "none", **wishes: str) -> None:
        """A container that does not run yet; `wishes` are its labels' values, by what follows `ovsnet.attach`."""
        self.containers[name] = Inspected(id_of(name), name, service, network=network)
        self.wishes[name] = {f"ovsnet.attach.{key}": text for key, text in wishes.items()}

    def start(self, name: str, service: str = "", network: str = "none") -> str:
        """It runs, in a namespace of its own, whose path is returned."""
        if name not in self.containers:
            self.create(name, service, network)
        self.stop(name)
        self.starts += 1
        sandbox = f"/run/docker/netns/{self.starts}"
        self.alive.add(sandbox)
        self.containers[name] = replace(self.containers[name], running=True, sandbox=sandbox)
        return sandbox

    def stop(self, name: str) -> None:
        """It runs no more."""
        self.alive.discard(self.containers[name].sandbox)
        self.containers[name] = replace(self.containers[name], running=False, sandbox="")

    def remove(self, name: str) -> None:
        """It is no more."""
        self.stop(name)
        del self.containers[name]

    def facts(self) -> EngineFacts:
        """A listing."""
        running = [it for it in self.containers.values() if it.running]
        listed = {it.id: EngineContainer(it.id, it.name, it.service, self.wishes.get(it.name, {})) for it in running}
        return EngineFacts(complete=not self.away, containers=listed)

    @property
    def namespaces(self) -> Namespaces:
        return Namespaces(
            is_alive=lambda path: path in self.alive,
            is_own=lambda path: path == "/proc/1/ns/net",
            path_of=lambda name: name if name.startswith("/") else f"/run/netns/{name}",
            of_process=lambda pid: f"/proc/{pid}/ns/net",
            birth_of=lambda pid: self.births.get(pid, ""),
            names_inside=self._names_inside,
        )

    async def _names_inside(self, sandbox: str) -> frozenset[str]:
        return self.inside.get(sandbox, frozenset())

    # ------------------------------------------------------------ what the engine answers

    async def inspect(self, name: str, *, deadline: float = 1.0) -> Inspected | None:
        del deadline
        self._answer()
        exact = [it for it in self.containers.values() if name in (it.name, it.id)]
        return next(iter([*exact, *(it for it in self.containers.values() if it.id.startswith(name))]), None)

    async def of_service(self, service: str) -> Sequence[EngineContainer]:
        self._answer()
        found = [it for it in self.containers.values() if it.service == service]
        return [EngineContainer(it.id, it.name, it.service) for it in found]

    async def existing(self, ids: Collection[str]) -> frozenset[str]:
        self._answer()
        return frozenset(it.id for it in self.containers.values() if it.id in ids)

    def _answer(self) -> None:
        if self.away:
            raise Unavailable("Docker engine", "it is stopped")
