"""`ovsnet bench attach`: what a network driver adds to starting a container and to `network connect`.

Subjects take turns (ours, peer, ours, peer …), after one round that is not counted.
"""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack

from ovsnet.bench.engine import IMAGE, BenchEngine
from ovsnet.bench.stats import Report, figure, ratio

OURS, PEER = "ovsnet", "bridge"
Timed = Callable[[str], Awaitable[float]]
Progress = Callable[[str], None]


class AttachBench:
    """Networks and containers of one run; everything is named after this process and removed at the end."""

    def __init__(self, engine: BenchEngine, rounds: int, parallel: int, progress: Progress) -> None:
        self._engine = engine
        self._rounds = rounds
        self._parallel = parallel
        self._progress = progress
        self._tag = f"ovsnet-bench-{os.getpid()}"
        self._count = 0

    async def run(self) -> Report:
        """All cases."""
        async with AsyncExitStack() as stack:
            await self._engine.make_image()
            stack.push_async_callback(self._engine.remove_image)
            for driver, subnet in ((OURS, "10.191.0.0/16"), (PEER, "10.190.0.0/16")):
                await self._network(driver, subnet)
                stack.push_async_callback(self._remove_network, driver)
            cases: dict[str, Timed] = {
                "start": self._start,
                "connect": self._connect,
                f"start x{self._parallel}": self._start_many,
            }
            times = {case: await self._interleave(case, timed) for case, timed in cases.items()}
        return await self._report(times)

    async def _interleave(self, case: str, timed: Timed) -> dict[str, list[float]]:
        times: dict[str, list[float]] = {OURS: [], PEER: []}
        for done in range(self._rounds + 1):
            self._progress(f"{case}: round {done} of {self._rounds}" + (" (warm-up)" if done == 0 else ""))
            for driver, seconds in times.items():
                took = await timed(driver)
                if done:
                    seconds.append(took)
        return times

    async def _report(self, times: dict[str, dict[str, list[float]]]) -> Report:
        version = await self._engine.call("GET", "/version")
        return Report(
            facts={
                "engine": str(version.get("Version", "")),
                "kernel": os.uname().release,
                "cores": str(os.cpu_count()),
                "rounds": str(self._rounds),
            },
            ratios=[ratio(case, OURS, PEER, it[OURS], it[PEER]) for case, it in times.items()],
            figures=[figure(case, driver, it[driver]) for case, it in times.items() for driver in it],
        )

    async def _network(self, driver: str, subnet: str) -> None:
        ipam = {"Driver": OURS if driver == OURS else "default", "Config": [{"Subnet": subnet}]}
        options = {"egress": "none"} if driver == OURS else {}
        body = {"Name": self._net(driver), "Driver": driver, "IPAM": ipam, "Options": options}
        await self._engine.call("POST", "/networks/create", body)

    async def _remove_network(self, driver: str) -> None:
        await self._engine.call("DELETE", f"/networks/{self._net(driver)}", missing_ok=True)

    def _net(self, driver: str) -> str:
        return f"{self._tag}-{driver}"

    async def _start(self, driver: str) -> float:
        (name,) = await self._containers(self._net(driver), 1)
        return await self._timed_and_removed([name], self._engine.call("POST", f"/containers/{name}/start"))

    async def _start_many(self, driver: str) -> float:
        names = await self._containers(self._net(driver), self._parallel)

        async def all_at_once() -> None:
            async with asyncio.TaskGroup() as group:
                for name in names:
                    group.create_task(self._engine.call("POST", f"/containers/{name}/start"))

        return await self._timed_and_removed(names, all_at_once())

    async def _connect(self, driver: str) -> float:
        (name,) = await self._containers("none", 1)
        await self._engine.call("POST", f"/containers/{name}/start")
        await self._engine.call("POST", "/networks/none/disconnect", {"Container": name})
        path = f"/networks/{self._net(driver)}/connect"
        return await self._timed_and_removed([name], self._engine.call("POST", path, {"Container": name}))

    async def _containers(self, network: str, how_many: int) -> list[str]:
        names = []
        for _ in range(how_many):
            self._count += 1
            name = f"{self._tag}-{self._count}"
            host = {"NetworkMode": network}
            body = {
                "Image": IMAGE,
                "Cmd": ["/bin/sleep", "1000"],
                "HostConfig": host,
                "StopSignal": "SIGKILL",
            }
            await self._engine.call("POST", f"/containers/create?name={name}", body)
            names.append(name)
        return names

    async def _timed_and_removed(self, names: Sequence[str], action: Awaitable[object]) -> float:
        began = time.perf_counter()
        try:
            await action
            return time.perf_counter() - began
        finally:
            for name in names:
                await self._engine.call("DELETE", f"/containers/{name}?force=1", missing_ok=True)
