"""The host's Open vSwitch by its database: what it is, our corner of it, and changes that ovs-vswitchd
has taken up.
"""

import asyncio
from collections.abc import Callable, Mapping

from ovsnet.model.errors import Unavailable
from ovsnet.model.host import Datapath, SwitchFacts
from ovsnet.model.paths import Path
from ovsnet.ovs.kernel import kernel_has_datapath
from ovsnet.ovs.portbook import PortBook
from ovsnet.ovs.programs import REMEDY, daemon_lives, unavailable
from ovsnet.ovs.rows import WANTED_COLUMNS, Row
from ovsnet.ovs.version import Version
from ovsnet.ovsdb.database import Database
from ovsnet.ovsdb.rows import Transaction
from ovsnet.settings import Settings

TITLE = "the Open vSwitch database"


def choose_datapath(setting: str) -> Datapath:
    """The datapath of `auto`, `system` or `netdev`: automatic is the kernel's where this kernel has one."""
    if setting == "auto":
        return Datapath.KERNEL if kernel_has_datapath() else Datapath.USERSPACE
    return Datapath(setting)


class Switch:
    """The replica that the appliers share. `deadline`: seconds for a commit, and again for ovs-vswitchd
    to follow it; `patience`: seconds more for one that lives and is slow.
    """

    def __init__(self, settings: Settings, *, deadline: float = 4.0, patience: float = 0.0) -> None:
        self.instance = settings.instance
        self.bridge = settings.bridge
        remote = f"unix:{settings.ovsdb_socket}"
        self.database = Database(remote, "Open_vSwitch", WANTED_COLUMNS, title=TITLE, remedy=REMEDY)
        self.ports = PortBook(self.database, instance=self.instance, bridge=self.bridge)
        self._datapath = choose_datapath(settings.datapath)
        self._deadline = deadline
        self._patience = patience
        self._ovs_run_dir = settings.ovs_run_dir
        self._version = Version(self.database, settings.ovs_run_dir)
        self._waiting: dict[asyncio.Future[None], int] = {}
        self.database.watch(self._wake)

    async def run(self) -> None:
        """Follow the database until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.database.run())
            tasks.create_task(self._version.run())

    async def wait_ready(self, deadline: float) -> None:
        """Returns once the replica is complete; Unavailable with the reason after `deadline` seconds."""
        await self.database.wait_ready(deadline)

    def watch(self, changed: Callable[[], None]) -> None:
        """Call `changed` after every change of what is replicated, and when the database comes or goes."""
        self.database.watch(changed)

    def facts(self) -> SwitchFacts:
        """What is true of the switch now; while its database is away, what was true last."""
        root = self.root()
        return SwitchFacts(
            available=self.database.ready,
            version=next(iter(root.ovs_version), self._version.text) if root is not None else "",
            datapath=self._datapath,
            tso=root is not None and root.other_config.get("userspace-tso-enable") == "true",
            ofports=self.ports.ofports,
            reason=self.database.reason,
            bridges=self.ports.beside,
        )

    def paths(self) -> Mapping[str, Path]:
        """What is known of the ways to other hosts' tunnel ends, by their addresses."""
        return self.ports.paths

    def root(self) -> Row | None:
        """The one row of table Open_vSwitch; None before the first replica."""
        return next(iter(self.database.rows("Open_vSwitch")), None)

    def must_answer(self) -> None:
        """Unavailable, with the reason, while the replica does not follow the database."""
        if not self.database.ready:
            raise Unavailable(TITLE, self.database.reason, remedy=REMEDY)

    async def note(self, build: Callable[[Transaction], None]) -> None:
        """Commit what is of no concern to ovs-vswitchd (external_ids): it looks at all ports for each number of
        `commit`, which takes it some 60 ms with a thousand of them. Unavailable when the database does not answer.
        """
        await self.database.transact(build, self._deadline)

    async def commit(self, build: Callable[[Transaction], None]) -> None:
        """Commit what `build` writes, and return when ovs-vswitchd has taken it up.

        Unavailable when the database does not answer, or when ovs-vswitchd does not follow: the change is
        made then, and comes into force as soon as it does.
        """

        def numbered(transaction: Transaction) -> None:
            build(transaction)
            root = self.root()
            if root is not None:
                root.increment("next_cfg")

        await self.database.transact(numbered, self._deadline)
        root = self.root()
        # Not the number of this transaction alone: one that changed nothing has none, and what another one of
        # ours
        # wrote before may not be in force yet.
        await self._taken_up(-1 if root is None else int(root.next_cfg))

    async def _taken_up(self, number: int) -> None:
        if self._current() >= number:
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[future] = number
        try:
            followed, _ = await asyncio.wait({future}, timeout=self._deadline)
            if not followed and daemon_lives(self._ovs_run_dir):
                # Containers that start in a burst hold the kernel's network lock, and so ovs-vswitchd, for seconds.
                followed, _ = await asyncio.wait({future}, timeout=self._patience)
            if not followed:
                raise unavailable(f"ovs-vswitchd did not take up a change within {self._deadline:g} s")
        finally:
            del self._waiting[future]

    def _current(self) -> int:
        root = self.root()
        return -1 if root is None else int(root.cur_cfg)

    def _wake(self) -> None:
        current = self._current() if self._waiting else -1
        for future, number in self._waiting.items():
            if current >= number and not future.done():
                future.set_result(None)
