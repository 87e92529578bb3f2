"""Containers that come and go for a measurement, made before it is timed and removed after.

When a run is interrupted nobody removes them: they end with the sandbox, at once.
"""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from ovsnet.bench.dockerd import Dockerd
from ovsnet.bench.together import together
from ovsnet.model.errors import OvsnetError

REMOVED_AT_ONCE = 8
LINKS = Path("/sys/class/net")
SETTLED = 10.0
"""Seconds after which the next one pays."""
LOOK_AGAIN = 0.02


class Containers:
    """Of one engine. A network of the name "none" is none."""

    def __init__(self, engine: Dockerd) -> None:
        self._engine = engine
        self._numbers = itertools.count()

    async def start(self, network: str) -> float:
        """Seconds until a container has started."""
        async with self._alone(network, 1) as (name,):
            return await timed(self._engine.start(name))

    async def connect(self, network: str) -> float:
        """Seconds until a running container is on one more network, its only one."""
        async with self._alone("none", 1) as (name,):
            await self._engine.start(name)
            await self._engine.disconnect(name, "none")
            return await timed(self._engine.connect(name, network))

    async def start_many(self, network: str, how_many: int) -> tuple[float, Sequence[float]]:
        """Seconds until all of them have started, that are started at once, and of each of them."""
        async with self._alone(network, how_many) as names:
            began = time.perf_counter()
            each = await together(lambda name: timed(self._engine.start(name)), names, at_once=how_many)
            return time.perf_counter() - began, each

    async def fill(self, networks: Sequence[str]) -> None:
        """Start one that stays, on all of these networks."""
        name = f"stays{next(self._numbers)}"
        await self._engine.create(name, networks[0])
        for it in networks[1:]:
            await self._engine.connect(name, it)
        await self._engine.start(name)

    @asynccontextmanager
    async def made(self, network: str, how_many: int) -> AsyncIterator[Sequence[str]]:
        """The names of so many that have not been started."""
        names = [f"bench{next(self._numbers)}" for _ in range(how_many)]
        try:
            for name in names:
                await self._engine.create(name, network)
            yield names
        except OvsnetError:
            await self._remove(names)
            raise
        await self._remove(names)

    @asynccontextmanager
    async def _alone(self, network: str, how_many: int) -> AsyncIterator[Sequence[str]]:
        """The same, with nothing left to do for the kernel afterwards."""
        before = _links()
        async with self.made(network, how_many) as names:
            yield names
        await _settled(before)

    async def _remove(self, names: Sequence[str]) -> None:
        await together(self._engine.remove, names, at_once=REMOVED_AT_ONCE)


async def _settled(before: int) -> None:
    """Returns when the links of those that have been removed are gone, so that the next one does not pay for them."""
    end = time.monotonic() + SETTLED
    while True:
        if _links() <= before or time.monotonic() > end:
            return
        await asyncio.sleep(LOOK_AGAIN)


def _links() -> int:
    return len(list(LINKS.iterdir()))


async def timed(action: Awaitable[object]) -> float:
    """Seconds it takes."""
    began = time.perf_counter()
    await action
    return time.perf_counter() - began
