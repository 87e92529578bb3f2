"""A machine of its own for a measurement: private namespaces, private servers, one agent.

    voter: ovsdb-server, RAFT ◄── TLS ── relay ◄─┐
                                                 ├─ agent ─► ovs-vswitchd (userspace), vxlan devices on eth1
                      store: ovsdb-server ◄──────┘

The process itself enters the namespaces, so that the kernel takes away what is in them when it ends, however it ends;
its children die with it. Only a folder for the databases is on the machine's own disk.
"""

import asyncio
import ctypes
import os
import shutil
import socket
import sys
import tempfile
import time
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from ovsnet.bench import crowd
from ovsnet.cluster import authority, process, rbac
from ovsnet.cluster.identity import Membership, identity_files, write_membership, write_private
from ovsnet.cluster.raft import LocalServer
from ovsnet.cluster.schema import DATABASE
from ovsnet.linux.namespace import CLONE_NEWNET
from ovsnet.model.cluster import Role
from ovsnet.model.endpoint import Endpoint
from ovsnet.model.errors import OvsnetError, Unavailable
from ovsnet.model.network import Network
from ovsnet.ovsdb.question import Local, result_of, transact
from ovsnet.settings import Settings
from ovsnet.store import process as store_process
from ovsnet.store.local import LOCAL

CLONE_NEWNS = 0x00020000
MS_REC, MS_PRIVATE = 0x4000, 1 << 18
SCHEMA = Path("/usr/share/openvswitch/vswitch.ovsschema")
BRIDGE = "br-bench"
DEVICE = "eth1"
UMASK = 0o177
DIE_WITH_US = ("setpriv", "--pdeathsig", "KILL", "--")
PATIENCE = 120.0
"""Seconds anything may take; large clusters take their time."""
LOOK_AGAIN = 0.02
"""Seconds until a server that is being started is asked again."""


def enter() -> None:
    """Take this process into namespaces of its own, without network and with an empty /run; root only.

    For a process with one thread. Unavailable when the kernel does not let us.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    done = (
        libc.unshare(CLONE_NEWNET | CLONE_NEWNS) == 0
        and libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None) == 0
        and libc.mount(b"tmpfs", b"/run", b"tmpfs", 0, None) == 0
    )
    if not done:
        reason = f"it gets no namespaces of its own ({os.strerror(ctypes.get_errno())}); run it as root"
        raise Unavailable("the bench", reason)


class Stage:
    """Everything but the agent. `folder` is short: socket paths have at most 107 bytes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._processes: list[Process] = []
        self._store: Process | None = None
        self._authority = authority.new_authority("bench", time.time())
        self.voter = Settings(run_dir=str(folder / "v"), state_dir=str(folder / "vs"))
        self.settings = Settings(
            bridge=BRIDGE,
            datapath="netdev",
            run_dir=str(folder / "r"),
            state_dir=str(folder / "s"),
            plugin_socket=str(folder / "plugin.sock"),
            api_socket=str(folder / "api.sock"),
            ovsdb_socket=str(folder / "db.sock"),
            ovs_run_dir=str(folder),
            docker_socket=str(folder / "no-docker.sock"),
            # The other hosts are rows, and give signs of life only while it is measured what these cost.
            dead_after=1e6,
            log_level="warning",
        )
        self._environment = dict(os.environ, OVS_RUNDIR=str(folder), OVS_LOGDIR=str(folder), OVS_DBDIR=str(folder))

    @property
    def database(self) -> Local:
        """The cluster's, as the other hosts write it."""
        return Local(process.cluster_socket(self.voter))

    async def open(self) -> None:
        """Wire, switch, and the two servers of the cluster's database."""
        await self.call("ip", "link", "set", "lo", "up")
        await self.call("ip", "link", "add", DEVICE, "type", "veth", "peer", "name", "wire")
        for number in (crowd.SERVER, crowd.MEASURED):
            await self.call("ip", "addr", "add", f"{crowd.vtep(number)}/{crowd.PREFIX}", "dev", DEVICE)
        for name in (DEVICE, "wire"):
            await self.call("ip", "link", "set", name, "up")
        await self._open_switch()
        await self._open_server(self.voter, crowd.SERVER, Role.VOTER)
        await rbac.apply(self.database)
        self.server = self._processes[-1].pid
        await self._open_server(self.settings, crowd.MEASURED, Role.CLIENT)
        self.relay = self._processes[-1].pid

    async def close(self) -> None:
        """End what was started."""
        for it in reversed(self._processes):
            with suppress(ProcessLookupError):
                it.kill()
            await it.wait()

    async def reset(self, wanted: Sequence[Network | Endpoint]) -> None:
        """The measured host as if its agent had never run, with an own store that wants this."""
        await transact(self.database, DATABASE, crowd.forgotten(crowd.MEASURED), deadline=PATIENCE)
        if self._store is not None:
            self._store.kill()
            await self._store.wait()
        await self.vsctl("--if-exists", "del-br", BRIDGE)
        for name in await self._links():
            await self.call("ip", "link", "del", name)
        Path(self.settings.state_dir, "ovsnet.db").unlink(missing_ok=True)  # noqa: ASYNC240 - one system call
        identity_files(self.settings).seen.unlink(missing_ok=True)
        store_process.create_if_missing(Path(self.settings.state_dir))
        socket_path = store_process.store_socket(self.settings)
        self._store = await self._start(*store_process.command(self.settings))
        await self._answers(socket_path)
        await transact(Local(socket_path), LOCAL.database, list(map(crowd.inserted_here, wanted)), deadline=PATIENCE)

    @asynccontextmanager
    async def agent(self) -> AsyncIterator[int]:
        """An agent runs; its process id."""
        Path(self.settings.plugin_socket).unlink(missing_ok=True)  # noqa: ASYNC240 - one system call
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(self.settings.plugin_socket)
            listener.listen()
            options = [f"--set={name}={getattr(self.settings, name)}" for name in _changed(self.settings)]
            command = (sys.executable, "-P", "-m", "ovsnet.agent", *options, f"--listen-fd={listener.fileno()}")
            running = await self._start(*command, keep=(listener.fileno(),))
        try:
            yield running.pid
        finally:
            with suppress(ProcessLookupError):
                running.terminate()
            await running.wait()

    async def call(self, *command: str) -> str:
        """What a program prints; OvsnetError with its words when it fails."""
        run = await asyncio.create_subprocess_exec(
            *command, env=self._environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        said, complaint = await run.communicate()
        if run.returncode:
            raise OvsnetError(f"bench: {' '.join(command)}: {complaint.decode().strip()}")
        return said.decode()

    async def vsctl(self, *arguments: str) -> str:
        """`ovs-vsctl` on our switch."""
        return await self.call("ovs-vsctl", f"--db=unix:{self.settings.ovsdb_socket}", *arguments)

    async def _links(self) -> Sequence[str]:
        """Ours that a deleted bridge leaves: of a pair the end that is known by its prefix."""
        names = [line.split(": ")[1].partition("@")[0] for line in (await self.call("ip", "-o", "link")).splitlines()]
        return [it for it in names if it.startswith("ov") and it != "ovs-netdev"]

    async def _open_switch(self) -> None:
        database = self.folder / "conf.db"
        await self.call("ovsdb-tool", "create", str(database), str(SCHEMA))
        await self._start("ovsdb-server", str(database), f"--remote=punix:{self.settings.ovsdb_socket}")
        await self._answers(Path(self.settings.ovsdb_socket))
        await self.vsctl("--no-wait", "init")
        pid_file = f"--pidfile={self.folder}/ovs-vswitchd.pid"
        await self._start("ovs-vswitchd", "--disable-system", pid_file, f"unix:{self.settings.ovsdb_socket}")
        # Returns when the daemon has taken it up.
        await self.vsctl(f"--timeout={PATIENCE:.0f}", "set", "Open_vSwitch", ".", "external_ids:bench=1")

    async def _open_server(self, settings: Settings, number: int, role: Role) -> None:
        files, name, address = identity_files(settings), crowd.host(number), crowd.vtep(number)
        request = authority.new_request(name)
        certificate = authority.sign(
            self._authority, request.request_pem, name=name, addresses=[address], now=time.time()
        )
        for path, content in (
            (files.authority, self._authority.certificate_pem),
            (files.certificate, certificate),
            (files.key, request.key_pem),
        ):
            write_private(path, content.encode())
        membership = Membership(
            cluster_id="bench",
            host=name,
            address=str(address),
            vtep=str(address),
            role=role,
            voters=(str(crowd.vtep(crowd.SERVER)),),
            founder=role is Role.VOTER,
        )
        write_membership(files, membership)
        process.prepare(settings, membership)
        await self._start(*process.command(settings, membership), umask=UMASK)
        await self._answers(process.cluster_socket(settings))
        await LocalServer(settings).until_connected(PATIENCE)

    async def _start(self, *command: str, keep: Sequence[int] = (), umask: int = -1) -> Process:
        quiet = asyncio.subprocess.DEVNULL
        with (self.folder / "log").open("ab") as log:
            started = await asyncio.create_subprocess_exec(
                *DIE_WITH_US,
                *command,
                env=self._environment,
                stdin=quiet,
                stdout=log,
                stderr=log,
                pass_fds=keep,
                umask=umask,
            )
        self._processes.append(started)
        return started

    async def _answers(self, path: Path) -> None:
        """Nobody tells when a server has come up."""
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


@asynccontextmanager
async def opened() -> AsyncIterator[Stage]:
    """A stage, of which nothing is left afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="ovb"))
    stage = Stage(folder)
    try:
        await stage.open()
        yield stage
    finally:
        await stage.close()
        shutil.rmtree(folder, ignore_errors=True)


def _changed(settings: Settings) -> Sequence[str]:
    """The names of the options that differ from what they are by themselves."""
    return [it for it in Settings.__struct_fields__ if getattr(settings, it) != getattr(Settings(), it)]
