"""Docker's own overlay network: an engine on each host, the two a swarm, one container on each."""

from contextlib import AsyncExitStack

from ovsnet.bench.connection.docker import end
from ovsnet.bench.crew import Crew
from ovsnet.bench.dockerd import Dockerd
from ovsnet.bench.overlay.underlay import ADDRESSES, Ground
from ovsnet.bench.wiring import Joined, Subject

NAME = "Docker overlay"
NETWORK = "bench"
SUBNET = "10.193.0.0/24"
PORT = 2377


def docker_overlay(ground: Ground) -> Subject:
    """An attachable network of the driver `overlay`."""

    async def build(stack: AsyncExitStack) -> Joined:
        engines = []
        for number, host in enumerate(await ground.addressed_hosts("d")):
            log = ground.folder / f"docker{number}.log"
            engine = Dockerd(ground.folder / f"d{number}", Crew(log, namespace=host.namespace))
            await stack.enter_async_context(engine.running())
            engines.append(engine)
        await _swarm(engines)
        await engines[0].network(NETWORK, "overlay", SUBNET, Attachable=True)
        ends = [await end(it, f"bench{number}", NETWORK) for number, it in enumerate(engines)]
        return Joined(NAME, *ends)

    return Subject(NAME, "a network of Docker's overlay driver, in a swarm of two engines", build)


async def _swarm(engines: list[Dockerd]) -> None:
    """Nobody leaves it: it ends with the engines."""
    manager, worker = (it.engine for it in engines)
    asked = [{"ListenAddr": f"0.0.0.0:{PORT}", "AdvertiseAddr": it} for it in ADDRESSES]
    await manager.call("POST", "/swarm/init", asked[0])
    token = (await manager.call("GET", "/swarm"))["JoinTokens"]["Worker"]
    place = f"{ADDRESSES[0]}:{PORT}"
    await worker.call("POST", "/swarm/join", {**asked[1], "RemoteAddrs": [place], "JoinToken": token})
