"""A whole host of the sandbox: switch, store, agent, and an engine that finds the agent as it would on a machine."""

import asyncio
import signal
import time
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from ovsnet.api.client import Client
from ovsnet.bench import crowd
from ovsnet.bench.crew import PATIENCE, Crew
from ovsnet.bench.crowd import Size
from ovsnet.bench.dockerd import Dockerd
from ovsnet.bench.rows import inserted
from ovsnet.bench.stage import NOBODY_IS_DEAD, Stage
from ovsnet.bench.station import Station
from ovsnet.cluster.schema import DATABASE
from ovsnet.model.errors import Unavailable
from ovsnet.ovsdb.question import transact
from ovsnet.settings import Settings

PLUGIN_SOCKET = Path("/run/docker/plugins/ovsnet.sock")
"""Of the sandbox, which has a /run of its own."""
ENDPOINTS_OF_A_PEER = 20
WELL = 60.0
LOOK_AGAIN = 0.05
"""Seconds until an agent that is being started is asked again."""


class Host:
    """`folder` is the sandbox's; `options` are the engine's; `peers` other hosts are in its cluster, as rows."""

    def __init__(self, folder: Path, datapath: str, *options: str, peers: int = 0) -> None:
        self.crew = Crew(folder / "host.log")
        self.engine = Dockerd(folder / "d", Crew(folder / "docker.log"), *options)
        self.station = Station(
            folder / "h",
            datapath,
            plugin_socket=str(PLUGIN_SOCKET),
            docker_socket=str(self.engine.socket),
            dead_after=NOBODY_IS_DEAD if peers else Settings().dead_after,
        )
        self._stage = Stage(folder, self.station) if peers else None
        self._peers = peers
        self.agent: Process | None = None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """All of it; the engine ends first, because it asks the agent to the end."""
        PLUGIN_SOCKET.parent.mkdir(parents=True, exist_ok=True)
        async with AsyncExitStack() as stack:
            await self._open_switch(stack)
            await self.station.want()
            self.agent = await self.station.start_agent()
            await self.well()
            await stack.enter_async_context(self.engine.running())
            yield

    async def _open_switch(self, stack: AsyncExitStack) -> None:
        """The switch; with peers also the cluster's database and what they would have written there."""
        if self._stage is None:
            stack.push_async_callback(self.station.crew.close)
            await self.station.open_switch()
            return
        stack.push_async_callback(self._stage.close)
        await self._stage.open()
        # Host 0 serves the database and has no endpoints, host 1 is this one.
        size = Size(self._peers + 1, (self._peers - 1) * ENDPOINTS_OF_A_PEER)
        rows = [inserted(it) for it in crowd.growth(Size(0, 0), size)]
        await transact(self._stage.database, DATABASE, rows, deadline=PATIENCE)

    async def restart_agent(self, *, kill: bool) -> None:
        """End the agent, at once or as it ends itself, and start it again; returns when all is well."""
        if self.agent is not None:
            self.agent.send_signal(signal.SIGKILL if kill else signal.SIGTERM)
            await self.agent.wait()
        self.agent = await self.station.start_agent()
        await self.well()

    async def well(self) -> None:
        """Returns when the agent has the host as it should be; it cannot tell us while it is not there."""
        client, end = Client(self.station.settings.api_socket), time.monotonic() + WELL
        while True:
            try:
                status = await asyncio.to_thread(client.status)
                said = "; ".join(status.problems)
                if status.ready and status.switch.available and not status.problems:
                    return
            except Unavailable as error:
                said = str(error)
            if time.monotonic() > end:
                raise Unavailable("the agent", f"not well after {WELL:g} s: {said}; {self.station.crew.last_words()}")
            await asyncio.sleep(LOOK_AGAIN)

    @property
    def control_plane(self) -> list[int]:
        """The process ids of the agent and of its store, and of the relay of the cluster's database."""
        relay = [self._stage.relay] if self._stage else []
        return [it.pid for it in (self.agent, self.station.store) if it] + relay

    @property
    def switch_pid(self) -> int:
        """That of ovs-vswitchd."""
        return self.station.switch.pid if self.station.switch else 0
