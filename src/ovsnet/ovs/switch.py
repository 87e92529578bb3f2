"""The switch's database as the port and bridge appliers share it: our rows, and changes that ovs-vswitchd has taken up.

Rows are turned into values once per change: reading one through the `ovs` package costs tens of microseconds, and the
reconciler looks at all of them in every round.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping
from uuid import UUID

from ovsnet.model.errors import Unavailable
from ovsnet.ovs.programs import NEIGHBOUR
from ovsnet.ovs.rows import WANTED_COLUMNS, Row, SeenPort, is_ours, read_port
from ovsnet.ovsdb.database import Database, Touched
from ovsnet.ovsdb.rows import Transaction

TITLE = "the Open vSwitch database"


def switch_database(socket: str) -> Database:
    """The host's switch database, with the columns that the appliers need; somebody has to `run` it."""
    return Database(f"unix:{socket}", "Open_vSwitch", WANTED_COLUMNS, title=TITLE)


class Switch:
    """Our bridge and our ports in the database. `deadline`: seconds for a commit, and for ovs-vswitchd to follow."""

    def __init__(self, database: Database, *, instance: str, bridge: str, deadline: float = 5.0) -> None:
        self.database = database
        self.instance = instance
        self.bridge = bridge
        self._deadline = deadline
        self._ports: dict[UUID, SeenPort] = {}
        self._by_name: dict[str, SeenPort] | None = None
        self._members: Collection[UUID] | None = None
        self._waiting: dict[asyncio.Future[None], int] = {}
        database.watch_rows(self._touched)
        database.watch(self._wake)

    # ------------------------------------------------------------ reading

    def root(self) -> Row | None:
        """The one row of table Open_vSwitch, None before the first replica."""
        return next(iter(self.database.rows("Open_vSwitch")), None)

    def bridge_row(self) -> Row | None:
        """The bridge of our name, whoever made it."""
        return next((row for row in self.database.rows("Bridge") if row.name == self.bridge), None)

    def interface_row(self, name: str) -> Row | None:
        """The interface of this name, whoever made it."""
        return next((row for row in self.database.rows("Interface") if row.name == name), None)

    def port_row(self, name: str) -> Row | None:
        """The port of this name, whoever made it."""
        return next((row for row in self.database.rows("Port") if row.name == name), None)

    def ports(self) -> Mapping[str, SeenPort]:
        """Every port with our mark, by name, but the bridge's own."""
        if self._by_name is None:
            self._by_name = {it.plan.name: it for it in self._ports.values()}
        return self._by_name

    def carrier_of(self, port: Row) -> str:
        """The name of the bridge that a port is on."""
        return next((str(row.name) for row in self.database.rows("Bridge") if port in row.ports), "")

    # ------------------------------------------------------------ writing

    async def commit(self, build: Callable[[Transaction], None]) -> None:
        """Commit what `build` writes and wait until ovs-vswitchd has taken it up.

        Unavailable when the database does not answer, or ovs-vswitchd does not follow it (the change is made then, and
        comes into force when it does).
        """

        def build_and_number(transaction: Transaction) -> Transaction:
            build(transaction)
            root = self.root()
            if root is not None:
                root.increment("next_cfg")
            return transaction

        transaction = await self.database.transact(build_and_number, self._deadline)
        await self._taken_up(int(transaction.get_increment_new_value()))

    async def _taken_up(self, number: int) -> None:
        if self._current() >= number:
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[future] = number
        try:
            async with asyncio.timeout(self._deadline):
                await future
        except TimeoutError:
            reason = f"ovs-vswitchd does not take up changes (waited {self._deadline:g} s); is it running?"
            raise Unavailable(NEIGHBOUR, reason) from None
        finally:
            del self._waiting[future]

    def _current(self) -> int:
        root = self.root()
        return int(root.cur_cfg) if root is not None else -1

    def _wake(self) -> None:
        if not self._waiting:
            return
        current = self._current()
        for future, number in self._waiting.items():
            if current >= number and not future.done():
                future.set_result(None)

    # ------------------------------------------------------------ keeping the values

    def _touched(self, touched: Touched) -> None:
        """Read again what changed: ports themselves, and those whose interface or bridge did."""
        if touched.reloaded or "Bridge" in touched.rows:
            self._members = None
        if touched.reloaded:
            self._ports.clear()
            self._read(row.uuid for row in self.database.rows("Port"))
            return
        names = self._names_of(touched.rows.get("Interface", frozenset()))
        ...
