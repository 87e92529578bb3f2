"""A Docker engine of the sandbox: its data in the sandbox's folder, its rules in the sandbox's network."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from ovsnet.bench.crew import Crew
from ovsnet.bench.engine import IMAGE, BenchEngine
from ovsnet.bench.sandbox import cgroup_parent
from ovsnet.model.errors import OvsnetError, Unavailable

STARTED = 60.0
LOOK_AGAIN = 0.1
"""Seconds until an engine that is being started is asked again."""


@dataclass(frozen=True, slots=True)
class Container:
    """A running one: its network namespace, as a path, and its address."""

    namespace: str
    address: str


class Dockerd:
    """An engine. `folder` is its own; `crew` says in which network namespace it is."""

    def __init__(self, folder: Path, crew: Crew, *options: str) -> None:
        self.folder = folder
        self.socket = folder / "docker.sock"
        self._crew = crew
        self._options = options

    @asynccontextmanager
    async def running(self) -> AsyncIterator[BenchEngine]:
        """It answers, and has the image of the bench; its containers end with it. Unavailable says why it does not."""
        self.folder.mkdir(parents=True, exist_ok=True)
        server = await self._crew.start("dockerd", *self._command())
        try:
            async with BenchEngine(str(self.socket)) as self.engine:
                await self._answers(server)
                await self.engine.make_image()
                try:
                    yield self.engine
                finally:
                    await self._remove_containers()
        finally:
            if server.returncode is None:
                server.terminate()
            await server.wait()

    async def network(self, name: str, driver: str, subnet: str, **options: object) -> None:
        """Make a network; `options` are fields of the engine's request."""
        ipam = {"Driver": "default", "Config": [{"Subnet": subnet}]}
        await self.engine.call("POST", "/networks/create", {"Name": name, "Driver": driver, "IPAM": ipam, **options})

    async def container(self, name: str, network: str) -> Container:
        """Start one that does nothing."""
        body = {
            "Image": IMAGE,
            "Cmd": ["/bin/sleep", "1000000"],
            "HostConfig": {"NetworkMode": network},
            "StopSignal": "SIGKILL",
        }
        await self.engine.call("POST", f"/containers/create?name={name}", body)
        await self.engine.call("POST", f"/containers/{name}/start")
        said = await self.engine.call("GET", f"/containers/{name}/json")
        address = said["NetworkSettings"]["Networks"][network]["IPAddress"]
        return Container(f"/proc/{said['State']['Pid']}/ns/net", address)

    def _command(self) -> Sequence[str]:
        folder = self.folder
        return (
            f"--data-root={folder / 'data'}",
            f"--exec-root={folder / 'run'}",
            f"--pidfile={folder / 'dockerd.pid'}",
            f"--host=unix://{self.socket}",
            f"--cgroup-parent={cgroup_parent(folder)}",
            "--exec-opt=native.cgroupdriver=cgroupfs",
            *self._options,
        )

    async def _answers(self, server: asyncio.subprocess.Process) -> None:
        end = time.monotonic() + STARTED
        while True:
            try:
                await self.engine.call("GET", "/_ping")
            except OvsnetError:
                if server.returncode is not None or time.monotonic() > end:
                    raise Unavailable("dockerd", f"it does not come up: {self._crew.last_words()}") from None
                await asyncio.sleep(LOOK_AGAIN)
            else:
                return

    async def _remove_containers(self) -> None:
        for it in await self.engine.call("GET", "/containers/json?all=1"):
            await self.engine.call("DELETE", f"/containers/{it['Id']}?force=1", missing_ok=True)
