"""The stage of `ovsnet bench scale`: one real host, and the server of the cluster's database.

    voter: ovsdb-server, RAFT ◄── TLS ── relay ◄── the measured host (`station`), vxlan devices on eth1

It is in a sandbox (`sandbox`), so nothing of it is on the machine but a folder for the databases.
"""

import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from ovsnet.bench import crowd
from ovsnet.bench.cluster_server import ClusterServer
from ovsnet.bench.crew import PATIENCE
from ovsnet.bench.station import BRIDGE, Station
from ovsnet.cluster import authority, process, rbac
from ovsnet.cluster.identity import identity_files
from ovsnet.cluster.schema import DATABASE
from ovsnet.model.cluster import Role
from ovsnet.model.endpoint import Endpoint
from ovsnet.model.network import Network
from ovsnet.ovsdb.question import Local, transact

DEVICE = "eth1"
NOBODY_IS_DEAD = 1e6
"""Seconds: the setting of a host whose peers give no signs of life."""


class Stage:
    """Everything but the agent."""

    def __init__(self, folder: Path, station: Station | None = None) -> None:
        """`station` is the measured host, where it is not one without an engine."""
        # The other hosts are rows, and give signs of life only while it is measured what these cost.
        self.station = station or Station(folder / "h", dead_after=NOBODY_IS_DEAD)
        self.crew = self.station.crew
        own = authority.new_authority("bench", time.time())
        voters = (str(crowd.vtep(crowd.SERVER)),)
        self._voter = ClusterServer(own, voters, Station(folder / "v"))
        self._relay = ClusterServer(own, voters, self.station)

    @property
    def folder(self) -> Path:
        """That of the measured host, where its switch listens."""
        return self.station.folder

    @property
    def database(self) -> Local:
        """The cluster's, as the other hosts write it."""
        return Local(process.cluster_socket(self._voter.station.settings))

    async def open(self) -> None:
        """Wire, switch, and the two servers of the cluster's database."""
        await self.crew.call("ip", "link", "add", DEVICE, "type", "veth", "peer", "name", "wire")
        for number in (crowd.SERVER, crowd.MEASURED):
            await self.crew.call("ip", "addr", "add", f"{crowd.vtep(number)}/{crowd.PREFIX}", "dev", DEVICE)
        for name in (DEVICE, "wire"):
            await self.crew.call("ip", "link", "set", name, "up")
        await self.station.open_switch()
        self.server = await self._voter.open(crowd.host(crowd.SERVER), crowd.vtep(crowd.SERVER), Role.VOTER)
        await rbac.apply(self.database)
        self.relay = await self._relay.open(crowd.host(crowd.MEASURED), crowd.vtep(crowd.MEASURED), Role.CLIENT)

    async def close(self) -> None:
        """End what was started."""
        await self.crew.close()
        await self._voter.station.crew.close()

    async def reset(self, wanted: Sequence[Network | Endpoint]) -> None:
        """The measured host as if its agent had never run, with an own store that wants this."""
        await transact(self.database, DATABASE, crowd.forgotten(crowd.MEASURED), deadline=PATIENCE)
        await self.station.vsctl("--if-exists", "del-br", BRIDGE)
        for name in await self._links():
            await self.crew.call("ip", "link", "del", name)
        identity_files(self.station.settings).seen.unlink(missing_ok=True)
        await self.station.want(*wanted)

    async def _links(self) -> Sequence[str]:
        """Ours that a deleted bridge leaves: of a pair the end that is known by its prefix."""
        lines = (await self.crew.call("ip", "-o", "link")).splitlines()
        names = [line.split(": ")[1].partition("@")[0] for line in lines]
        return [it for it in names if it.startswith("ov") and it != "ovs-netdev"]


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[Stage]:
    """A stage in this folder."""
    stage = Stage(folder)
    try:
        await stage.open()
        yield stage
    finally:
        await stage.close()
