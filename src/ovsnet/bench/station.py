"""One host of a measurement: its switch, its store and its agent, in a network namespace of the sandbox.

    store: ovsdb-server ◄── agent ──► ovsdb-server, ovs-vswitchd

There is no Docker engine: what the engine would have asked for is put into the store, and the agent makes it.
"""

import asyncio
import socket
import sys
import time
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from ovsnet.bench.crew import PATIENCE, Crew
from ovsnet.bench.rows import inserted_here
from ovsnet.model.endpoint import Endpoint
from ovsnet.model.errors import Unavailable
from ovsnet.model.network import Network
from ovsnet.ovsdb.question import Local, result_of, transact
from ovsnet.settings import Settings
from ovsnet.store import process as store_process
from ovsnet.store.local import LOCAL

SCHEMA = Path("/usr/share/openvswitch/vswitch.ovsschema")
BRIDGE = "br-bench"
LOOK_AGAIN = 0.02
"""Seconds until a server that is being started is asked again."""
PRIORITY = ("nice", "-n", "-10")
"""That of ovs-vswitchd wherever Open vSwitch's own script starts it (ovs-ctl(8), --ovs-vswitchd-priority)."""
TSO = {"userspace_tso_enable": "true"}
"""What `open_switch` is told for large segments in the userspace datapath."""
KERNEL, USERSPACE = "system", "netdev"


class Station:
    """A host. `folder` is short: socket paths have at most 107 bytes. `datapath` is as in the settings."""

    def __init__(self, folder: Path, datapath: str = USERSPACE, *, namespace: str = "", **settings: object) -> None:
        for it in (folder, folder / "r"):
            it.mkdir(mode=0o700, exist_ok=True)
        self.folder = folder
        self._userspace_only = datapath == USERSPACE
        places = {
            "bridge": BRIDGE,
            "datapath": datapath,
            "run_dir": str(folder / "r"),
            "state_dir": str(folder / "s"),
            "plugin_socket": str(folder / "plugin.sock"),
            "api_socket": str(folder / "api.sock"),
            "ovsdb_socket": str(folder / "db.sock"),
            "ovs_run_dir": str(folder),
            "docker_socket": str(folder / "no-docker.sock"),
            "log_level": "warning",
        }
        self.settings = msgspec.convert(places | settings, Settings)
        switch = {"OVS_RUNDIR": str(folder), "OVS_LOGDIR": str(folder), "OVS_DBDIR": str(folder)}
        self.crew = Crew(folder / "log", namespace=namespace, environment=switch)
        self.store: Process | None = None
        self.switch: Process | None = None
        self._database: Process | None = None

    async def open_switch(self, **other_config: str) -> None:
        """The switch database and the switch."""
        database = self.folder / "conf.db"
        await self.crew.call("ovsdb-tool", "create", str(database), str(SCHEMA))
        await self._start_database()
        await self.vsctl("--no-wait", "init")
        for key, value in other_config.items():
            pair = f"other_config:{key.replace('_', '-')}={value}"
            await self.vsctl("--no-wait", "set", "Open_vSwitch", ".", pair)
        await self.start_switch()

    async def start_switch(self) -> None:
        """Returns when it has taken up what the database says."""
        only = ("--disable-system",) if self._userspace_only else ()
        pid_file = f"--pidfile={self.folder}/ovs-vswitchd.pid"
        self.switch = await self.crew.start(
            *PRIORITY, "ovs-vswitchd", *only, pid_file, f"unix:{self.settings.ovsdb_socket}"
        )
        await self.vsctl("set", "Open_vSwitch", ".", f"external_ids:bench={self.switch.pid}")

    async def restart_switch(self) -> None:
        """Kill the switch and start it again."""
        await self._stop(self.switch)
        await self.start_switch()

    async def restart_all_of_it(self) -> None:
        """Kill the switch and its database, and start both again."""
        await self._stop(self.switch)
        await self._stop(self._database)
        await self._start_database()
        await self.start_switch()

    async def _start_database(self) -> None:
        Path(self.settings.ovsdb_socket).unlink(missing_ok=True)  # noqa: ASYNC240 - one system call
        where = (str(self.folder / "conf.db"), f"--remote=punix:{self.settings.ovsdb_socket}")
        self._database = await self.crew.start("ovsdb-server", *where)
        await answers(Path(self.settings.ovsdb_socket))

    async def _stop(self, server: Process | None) -> None:
        if server is not None:
            await self.crew.stop(server)

    async def want(self, *values: Network | Endpoint) -> None:
        """Begin anew with a store that wants this."""
        if self.store is not None:
            await self.crew.stop(self.store)
        Path(self.settings.state_dir, "ovsnet.db").unlink(missing_ok=True)  # noqa: ASYNC240 - one system call
        store_process.create_if_missing(Path(self.settings.state_dir))
        socket_path = store_process.store_socket(self.settings)
        self.store = await self.crew.start(*store_process.command(self.settings))
        await answers(socket_path)
        await transact(Local(socket_path), LOCAL.database, list(map(inserted_here, values)), deadline=PATIENCE)

    async def start_agent(self) -> Process:
        """An agent, which does not answer yet."""
        Path(self.settings.plugin_socket).unlink(missing_ok=True)  # noqa: ASYNC240 - one system call
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(self.settings.plugin_socket)
            listener.listen()
            options = [f"--set={name}={getattr(self.settings, name)}" for name in _changed(self.settings)]
            command = (sys.executable, "-P", "-m", "ovsnet.agent", *options, f"--listen-fd={listener.fileno()}")
            return await self.crew.start(*command, keep=(listener.fileno(),))

    @asynccontextmanager
    async def agent(self) -> AsyncIterator[int]:
        """An agent runs; its process id."""
        running = await self.start_agent()
        try:
            yield running.pid
        finally:
            if running.returncode is None:
                running.terminate()
            await running.wait()

    async def vsctl(self, *arguments: str) -> str:
        """`ovs-vsctl` on this host's switch."""
        limit = f"--timeout={PATIENCE:.0f}"
        return await self.crew.call("ovs-vsctl", f"--db=unix:{self.settings.ovsdb_socket}", limit, *arguments)


async def answers(path: Path) -> None:
    """Returns when the database server at this socket answers; nobody tells when it has come up."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            await result_of(Local(path), "list_dbs", [], deadline=PATIENCE)
        except Unavailable:
            if time.monotonic() > end:
                raise
            await asyncio.sleep(LOOK_AGAIN)
        else:
            return


def _changed(settings: Settings) -> Sequence[str]:
    """The names of the options that differ from what they are by themselves."""
    return [it for it in Settings.__struct_fields__ if getattr(settings, it) != getattr(Settings(), it)]
