"""Docker's own bridge network, with the rules Docker puts there: an engine of the sandbox, two containers."""

from contextlib import AsyncExitStack
from pathlib import Path

from ovsnet.bench.crew import Crew
from ovsnet.bench.dockerd import Dockerd
from ovsnet.bench.wiring import End, Joined, Subject

NAME = "Docker bridge"
SUBNET = "10.190.0.0/24"


def docker_bridge(folder: Path) -> Subject:
    """A network of the driver `bridge`."""

    async def build(stack: AsyncExitStack) -> Joined:
        engine = Dockerd(folder / "d", Crew(folder / "docker.log"))
        await stack.enter_async_context(engine.running())
        await engine.network("bench", "bridge", SUBNET)
        ends = [await end(engine, f"bench{number}", "bench") for number in (0, 1)]
        return Joined(NAME, *ends)

    return Subject(NAME, "a network of Docker's bridge driver, with its rules", build)


async def end(engine: Dockerd, name: str, network: str) -> End:
    """A container on the network."""
    container = await engine.container(name, network)
    crew = Crew(engine.folder / f"{name}.log", namespace=container.namespace)
    return End(crew, container.address)
