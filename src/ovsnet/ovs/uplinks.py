"""Bridges that have a NIC of the host, and the ports that NICs are, in the switch's database.

A bridge of ours is for one NIC, learns by itself (fail_mode standalone) and so needs no agent. The mark is
`external_ids:ovsnet-uplink=<instance>`; what has none is never changed or removed, and of somebody else's bridge only
our port is touched.
"""

from collections.abc import Callable

from ovsnet.model.errors import ApplyError, Conflict
from ovsnet.model.uplink import Carrier, Hold, UplinkPlan
from ovsnet.ovs.rows import Row, datapath_of
from ovsnet.ovs.switch import Switch
from ovsnet.ovsdb.rows import Transaction, insert
from ovsnet.plan.names import UPLINK_KEY, UPLINK_SETTLED_KEY


class Uplinks:
    """On the switch's replica, which the other appliers use as well."""

    def __init__(self, switch: Switch) -> None:
        self._switch = switch

    # ------------------------------------------------------------ looking

    def bridge(self, name: str) -> Carrier | None:
        """The bridge of that name, whoever made it; Unavailable while the database does not answer."""
        self._switch.must_answer()
        row = self._bridge(name)
        if row is None:
            return None
        ports = frozenset(str(it.name) for it in row.ports if it.name != name)
        return Carrier(name, self._is_ours(row), datapath_of(row), ports)

    def marked(self) -> frozenset[str]:
        """The NICs that we made ports of bridges, whoever remembers it."""
        rows = self._switch.database.rows("Port")
        own = {str(it.name) for it in self._switch.database.rows("Bridge")}
        return frozenset(str(it.name) for it in rows if self._is_ours(it) and str(it.name) not in own)

    def carrier(self, nic: str) -> str:
        """The name of the bridge that has the NIC as a port; "" when none has."""
        self._switch.must_answer()
        port = self._switch.ports.port(nic)
        row = self._switch.ports.carrier(port) if port is not None else None
        return "" if row is None else str(row.name)

    def plugged(self, plan: UplinkPlan) -> bool:
        """Whether the NIC is a port of the bridge."""
        row, port = self._bridge(plan.bridge), self._switch.ports.port(plan.nic)
        return row is not None and port is not None and port in row.ports

    def exists(self, plan: UplinkPlan) -> bool:
        """Whether there is the bridge."""
        return self._bridge(plan.bridge) is not None

    def fault(self, plan: UplinkPlan) -> str:
        """Why the NIC's port does not work; "" when nothing is known against it."""
        interface = self._switch.ports.interface(plan.nic)
        if interface is None or interface.ofport != [-1]:
            return ""
        return next(iter(interface.error), "ovs-vswitchd refused it")

    def settled(self, plan: UplinkPlan) -> str:
        """What `settle` wrote last."""
        port = self._switch.ports.port(plan.nic)
        return "" if port is None else str(port.external_ids.get(UPLINK_SETTLED_KEY, ""))

    def tso(self) -> bool:
        """Whether the userspace datapath takes packets larger than the MTU."""
        return self._switch.facts().tso

    # ------------------------------------------------------------ writing

    async def make(self, plan: UplinkPlan, mac: str) -> None:
        """Have the bridge, with the NIC's MAC of today, and its own port, which ovs-vswitchd makes the device of."""
        row = self._bridge(plan.bridge)
        if row is None and plan.hold is not Hold.OWN:
            raise ApplyError(
                plan.nic, f"there is no bridge {plan.bridge} any more; make it again, or 'ovsnet uplink rm'"
            )
        if row is None:
            self._refuse_name(plan)
            await self._commit(plan, lambda transaction: self._insert(transaction, plan, mac))
        elif row is not None and self._is_ours(row) and row.other_config.get("hwaddr") != mac:
            await self._commit(plan, lambda _: row.setkey("other_config", "hwaddr", mac))

    async def plug(self, plan: UplinkPlan) -> None:
        """Have the NIC as a port of the bridge."""
        self._switch.must_answer()
        other = self.carrier(plan.nic)
        if other == plan.bridge:
            return
        if other:
            raise ApplyError(
                plan.nic, f"it is a port of the bridge {other}; 'ovs-vsctl del-port {plan.nic}' takes it out"
            )
        await self._commit(plan, lambda transaction: self._add_port(transaction, plan))

    async def settle(self, plan: UplinkPlan, told: str) -> None:
        """Remember beside the port that all of the move is done; `told` is compared only."""
        port = self._switch.ports.port(plan.nic)
        if port is not None and self.settled(plan) != told:
            await self._commit(plan, lambda _: port.setkey("external_ids", UPLINK_SETTLED_KEY, told))

    async def unplug(self, plan: UplinkPlan) -> None:
        """Have the NIC be no port of the bridge, if we made it one."""
        self._switch.must_answer()
        row, port = self._bridge(plan.bridge), self._switch.ports.port(plan.nic)
        if row is not None and port is not None and port in row.ports and self._is_ours(port):
            await self._commit(plan, lambda _: row.delvalue("ports", port))

    async def unmake(self, plan: UplinkPlan) -> None:
        """Have the bridge no more, if we made it and nobody has put anything into it."""
        row, root = self._bridge(plan.bridge), self._switch.root()
        if row is None or root is None or not self._is_ours(row):
            return
        others = sorted(str(it.name) for it in row.ports if it.name != plan.bridge)
        if others:
            raise ApplyError(plan.nic, f"the bridge {plan.bridge} has other ports, and stays: {', '.join(others)}")
        await self._commit(plan, lambda _: root.delvalue("bridges", row))

    # ------------------------------------------------------------ details

    def _bridge(self, name: str) -> Row | None:
        return next((row for row in self._switch.database.rows("Bridge") if row.name == name), None)

    def _is_ours(self, row: Row) -> bool:
        return bool(row.external_ids.get(UPLINK_KEY) == self._switch.instance)

    def _refuse_name(self, plan: UplinkPlan) -> None:
        if self._switch.ports.port(plan.bridge) is not None:
            raise ApplyError(plan.nic, f"there is a port named {plan.bridge} already; choose another --bridge")

    async def _commit(self, plan: UplinkPlan, build: Callable[[Transaction], None]) -> None:
        try:
            await self._switch.commit(build)
        except Conflict as error:
            raise ApplyError(plan.nic, str(error)) from error

    def _insert(self, transaction: Transaction, plan: UplinkPlan, mac: str) -> None:
        root = self._switch.root()
        if root is None:
            return
        marks = {UPLINK_KEY: self._switch.instance}
        local = {"name": plan.bridge, "type": "internal", "mtu_request": plan.settings.mtu, "external_ids": marks}
        interface = insert(transaction, "Interface", local)
        port = insert(transaction, "Port", {"name": plan.bridge, "interfaces": [interface], "external_ids": marks})
        columns = {
            "name": plan.bridge,
            "datapath_type": plan.datapath.value,
            # A switch that learns, whoever lives: the host is reached through it.
            "fail_mode": ["standalone"],
            "ports": [port],
            "external_ids": marks,
            # The NIC's own, so that neighbours and leases stay valid; and no flows behind the owner's back.
            "other_config": {"hwaddr": mac, "disable-in-band": "true"},
        }
        root.addvalue("bridges", insert(transaction, "Bridge", columns))

    def _add_port(self, transaction: Transaction, plan: UplinkPlan) -> None:
        bridge = self._bridge(plan.bridge)
        if bridge is None:
            return
        marks = {UPLINK_KEY: self._switch.instance}
        interface = insert(transaction, "Interface", {"name": plan.nic, "type": "", "external_ids": marks})
        port = insert(transaction, "Port", {"name": plan.nic, "interfaces": [interface], "external_ids": marks})
        bridge.addvalue("ports", port)
