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
        """It answers and has the image of the bench; its containers end with the sandbox. Unavailable says why not."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._server = await self._crew.start(*self._command())
        try:
            async with BenchEngine(str(self.socket)) as self.engine:
                await self._answers()
                await self.engine.make_image()
                yield self.engine
        finally:
            # At once, without removing containers: a thousand take minutes, and the sandbox ends what runs in it.
            await self._crew.stop(self._server)

    async def restart(self) -> None:
        """End it in an orderly way and start it again; returns when it answers."""
        await self._end()
        self._server = await self._crew.start(*self._command())
        await self._answers()

    async def _end(self) -> None:
        if self._server.returncode is None:
            self._server.terminate()
        await self._server.wait()

    async def network(self, name: str, driver: str, subnet: str, **options: object) -> None:
        """Make a network; `options` are fields of the engine's request."""
        ipam = {"Driver": "default", "Config": [{"Subnet": subnet}]}
        await self.engine.call("POST", "/networks/create", {"Name": name, "Driver": driver, "IPAM": ipam, **options})

    async def container(self, name: str, network: str) -> Container:
        """Start one that does nothing."""
        await self.create(name, network)
        await self.start(name)
        said = await self.engine.call("GET", f"/containers/{name}/json")
        address = said["NetworkSettings"]["Networks"][network]["IPAddress"]
        return Container(f"/proc/{said['State']['Pid']}/ns/net", address)

    async def create(self, name: str, network: str) -> None:
        """Make one that does nothing, and do not start it."""
        body = {
            "Image": IMAGE,
            "Cmd": ["/bin/sleep", "1000000"],
            "HostConfig": {"NetworkMode": network},
            "StopSignal": "SIGKILL",
        }
        await self.engine.call("POST", f"/containers/create?name={name}", body)

    async def start(self, name: str) -> None:
        """Returns when its process runs."""
        await self.engine.call("POST", f"/containers/{name}/start")

    async def connect(self, name: str, network: str) -> None:
        """Put it on one more network."""
        await self.engine.call("POST", f"/networks/{network}/connect", {"Container": name})

    async def disconnect(self, name: str, network: str) -> None:
        """Take it off."""
        await self.engine.call("POST", f"/networks/{network}/disconnect", {"Container": name})

    async def remove(self, name: str) -> None:
        """Whether it runs, was only made, or is not there."""
        await self.engine.call("DELETE", f"/containers/{name}?force=1", missing_ok=True)

    def _command(self) -> Sequence[str]:
        folder = self.folder
        return (
            # A containerd that is slow to end writes there what it was doing.
            "env",
            f"TMPDIR={folder}",
            "dockerd",
            f"--data-root={folder / 'data'}",
            f"--exec-root={folder / 'run'}",
            f"--pidfile={folder / 'dockerd.pid'}",
            f"--host=unix://{self.socket}",
            f"--cgroup-parent={cgroup_parent(folder)}",
            "--exec-opt=native.cgroupdriver=cgroupfs",
            *self._options,
        )

    async def _answers(self) -> None:
        end = time.monotonic() + STARTED
        while True:
            try:
                await self.engine.call("GET", "/_ping")
            except OvsnetError:
                if self._server.returncode is not None or time.monotonic() > end:
                    raise Unavailable("dockerd", f"it does not come up: {self._crew.last_words()}") from None
                await asyncio.sleep(LOOK_AGAIN)
            else:
                return
