"""Applier of our bridges: that of our networks, and learning ones that were made for attachments.

A bridge of such a name without our mark is somebody else's and stays as it is.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from ovsnet.model.delta import Delta
from ovsnet.model.errors import ApplyError, Conflict
from ovsnet.model.host import BridgePlan
from ovsnet.ovs import rows
from ovsnet.ovs.rows import FAULT_KEY, Row
from ovsnet.ovs.switch import Switch
from ovsnet.ovsdb.rows import Transaction, assign, insert
from ovsnet.plan.names import OWNER_KEY

_CHOOSE: Final = "choose another name in the setting 'bridge'"


async def _leave_down(_: str) -> None:
    """Where bridges only go."""


class BridgeApplier:
    """The bridge of `switch` and the learning ones beside it. `tables` names OpenFlow tables for people's dumps;
    `bring_up` has the host's interface of a bridge up.
    """

    def __init__(
        self,
        switch: Switch,
        tables: Mapping[int, str] = MappingProxyType({}),
        bring_up: Callable[[str], Awaitable[None]] = _leave_down,
    ) -> None:
        self._switch = switch
        self._tables = tables
        self._bring_up = bring_up
        self._seen: Mapping[str, BridgePlan] | None = None
        switch.watch(self._forget)

    def have(self) -> Mapping[str, BridgePlan]:
        """Our bridges as they are now; empty where there is none of ours."""
        # Read once for each change of the database: every round asks several times, and reading a row is slow.
        if self._seen is None:
            self._seen = self._read()
        return self._seen

    def _forget(self) -> None:
        self._seen = None

    def _read(self) -> Mapping[str, BridgePlan]:
        row = self._switch.ports.our_bridge()
        main = self._switch.bridge
        ours = {} if row is None else {main: rows.read_bridge(row, self._switch.ports.interface(main), self._tables)}
        learning = (self._ours(name) for name, it in self._switch.ports.beside.items() if it.ours)
        read = (rows.read_learning(it, self._switch.ports.interface(it.name)) for it in learning if it is not None)
        return {**{it.name: it for it in read}, **ours}

    def _named(self, name: str) -> Row | None:
        ports = self._switch.ports
        return ports.bridge() if name == self._switch.bridge else ports.bridge_beside(name)

    def _ours(self, name: str) -> Row | None:
        row = self._named(name)
        return row if row is not None and rows.is_ours(row, self._switch.instance) else None

    async def resync(self) -> None:
        """`have` reads the replica, which is always current; Unavailable while it does not follow the
        database.
        """
        self._switch.must_answer()

    async def apply(self, delta: Delta[BridgePlan]) -> Sequence[ApplyError]:
        """Make, correct or remove the bridge; ApplyErrors name what stands in the way."""
        self._switch.must_answer()
        failures: list[ApplyError] = []
        for name in (*delta.add, *delta.change, *delta.remove):
            plan = delta.add.get(name) or delta.change.get(name)
            try:
                failures += await (self._remove(name) if plan is None else self._write(name, plan))
            except (Conflict, ApplyError) as error:
                failures.append(ApplyError(name, str(error)))
        return failures

    # ------------------------------------------------------------ writing

    async def _write(self, name: str, plan: BridgePlan) -> list[ApplyError]:
        exists, ours = self._named(name) is not None, self._ours(name) is not None
        if exists and not ours:
            return [ApplyError(name, self._foreign_words(name))]
        blocker = self._switch.ports.port(name)
        if blocker is not None and not exists:
            carrier = self._switch.ports.carrier(blocker)
            where = carrier.name if carrier is not None else "(none)"
            return [ApplyError(name, f"there is a port of this name on bridge {where}; {_CHOOSE}")]
        await self._switch.commit(lambda transaction: self._build(transaction, plan))
        made = self.have().get(name)
        if made is None:
            return [ApplyError(name, "somebody removed it again")]
        if plan.up and not made.up:
            await self._bring_up(name)  # the database tells of it a moment later
        fault = made.external_ids.get(FAULT_KEY)
        words = f"{fault}; see ovs-vswitchd's log (datapath {plan.datapath.value})"
        return [ApplyError(name, words)] if fault else []

    def _foreign_words(self, name: str) -> str:
        mark = f"ovs-vsctl br-set-external-id {name} {OWNER_KEY} {self._switch.instance}"
        return f"there is a bridge of this name that is not ours; {_CHOOSE}, or give it to us with '{mark}'"

    def _build(self, transaction: Transaction, plan: BridgePlan) -> None:
        row = self._ours(plan.name)
        if row is None:
            self._insert(transaction, plan)
        else:
            self._correct(transaction, row, plan)

    def _insert(self, transaction: Transaction, plan: BridgePlan) -> None:
        """The bridge with its local port, which Open vSwitch requires."""
        root = self._switch.root()
        if root is None:
            return
        marks = {OWNER_KEY: self._switch.instance}
        interface = insert(transaction, "Interface", {"name": plan.name, "type": "internal", "external_ids": marks})
        port = insert(transaction, "Port", {"name": plan.name, "interfaces": [interface], "external_ids": marks})
        columns = {
            **rows.bridge_columns(plan),
            "name": plan.name,
            "ports": [port],
            "external_ids": {**plan.external_ids, **marks},
            "other_config": self._options(plan),
        }
        if not plan.learning:
            columns["flow_tables"] = self._table_rows(transaction)
        # A mutation: others may add bridges at the same moment.
        root.addvalue("bridges", insert(transaction, "Bridge", columns))

    def _correct(self, transaction: Transaction, row: Row, plan: BridgePlan) -> None:
        assign(row, rows.bridge_columns(plan))
        for key, value in {**plan.external_ids, OWNER_KEY: self._switch.instance}.items():
            row.setkey("external_ids", key, value)
        for key in rows.our_ids(row.external_ids).keys() - plan.external_ids.keys() - {OWNER_KEY}:
            row.delkey("external_ids", key)
        if plan.learning:
            return
        for key, value in {**self._options(plan), **rows.kept_options(row)}.items():
            row.setkey("other_config", key, value)
        if rows.tables_are_misnamed(row, self._tables):
            assign(row, {"flow_tables": self._table_rows(transaction)})

    def _options(self, plan: BridgePlan) -> dict[str, str]:
        root = self._switch.root()
        system_id = root.external_ids.get("system-id", "") if root is not None else ""
        hwaddr = rows.stable_hwaddr(self._switch.instance, plan.name, system_id)
        return {"hwaddr": hwaddr} if plan.learning else rows.bridge_options(hwaddr)

    def _table_rows(self, transaction: Transaction) -> dict[int, Row]:
        return {number: insert(transaction, "Flow_Table", {"name": name}) for number, name in self._tables.items()}

    async def _remove(self, name: str) -> list[ApplyError]:
        row, root = self._ours(name), self._switch.root()
        if row is None or root is None:
            return []
        guests = sorted(str(it.name) for it in row.ports if not rows.is_ours(it, self._switch.instance))
        if guests and name != self._switch.bridge:
            # Somebody took it into use: it is theirs from now on.
            await self._switch.commit(lambda _: row.delkey("external_ids", OWNER_KEY))
            return []
        if guests:
            words = f"it carries ports that are not ours: {', '.join(guests)}"
            return [ApplyError(name, f"{words}; remove them with 'ovs-vsctl del-port'")]
        await self._switch.commit(lambda _: root.delvalue("bridges", row))
        return []
