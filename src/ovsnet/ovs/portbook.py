"""The switch's ports by name, and ours as values, kept current row by row.

Reading one row through the `ovs` package costs tens of microseconds, and the reconciler looks at all ports
in every round: at 1 000 ports reading them afresh each time would cost a quarter of a second.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType
from uuid import UUID

from ovsnet.model.host import Datapath, OtherBridge, PortPlan
from ovsnet.model.ids import Ofport
from ovsnet.model.paths import Path
from ovsnet.ovs.bfd import continued
from ovsnet.ovs.rows import Row, SeenPort, datapath_of, is_ours, read_port
from ovsnet.ovsdb.database import Database, Touched
from ovsnet.ovsdb.rows import references


class _Names:
    """One table's rows by name. A row never changes its name (the column is immutable in the schema)."""

    def __init__(self, database: Database, table: str) -> None:
        self._database = database
        self._table = table
        self._uuids: dict[str, UUID] = {}
        self._names: dict[UUID, str] = {}

    def reload(self) -> None:
        """Take all rows afresh."""
        self._uuids = {str(row.name): row.uuid for row in self._database.rows(self._table)}
        self._names = {uuid: name for name, uuid in self._uuids.items()}

    def update(self, uuids: Iterable[UUID]) -> set[str]:
        """Take note of rows that came, changed or went; returns their names."""
        return {name for uuid in uuids for name in self._update(uuid)}

    def _update(self, uuid: UUID) -> Iterable[str]:
        row = self._database.row(self._table, uuid)
        if row is not None:
            name = str(row.name)
            self._uuids[name], self._names[uuid] = uuid, name
            return (name,)
        gone = self._names.pop(uuid, None)
        if gone is None:
            return ()
        # A row of the same name may have come with the same change.
        if self._uuids.get(gone) == uuid:
            del self._uuids[gone]
        return (gone,)

    def row(self, name: str) -> Row | None:
        """The row of that name."""
        uuid = self._uuids.get(name)
        return None if uuid is None else self._database.row(self._table, uuid)


class PortBook:
    """Follows the database from its construction on."""

    def __init__(
        self, database: Database, *, instance: str, bridge: str, clock: Callable[[], float] = time.time
    ) -> None:
        self._database = database
        self._clock = clock
        self._instance = instance
        self._bridge = bridge
        self._ports = _Names(database, "Port")
        self._interfaces = _Names(database, "Interface")
        self._members: frozenset[UUID] = frozenset()
        self._ours: dict[str, SeenPort] = {}
        self._beside: Mapping[str, OtherBridge] | None = None
        self._ofports: Mapping[str, Ofport] | None = None
        self._plans: Mapping[str, PortPlan] | None = None
        database.watch_rows(self._touched)

    @property
    def ours(self) -> Mapping[str, SeenPort]:
        """Every port with our mark by name, wherever it is, but the bridge's own."""
        return MappingProxyType(self._ours)

    @property
    def ofports(self) -> Mapping[str, Ofport]:
        """The numbers of our ports that have one, by name; the same object until something changes."""
        if self._ofports is None:
            numbers = {name: it.ofport for name, it in self._ours.items() if it.ofport is not None}
            self._ofports = MappingProxyType(numbers)
        return self._ofports

    @property
    def plans(self) -> Mapping[str, PortPlan]:
        """Our ports as they are, by name; the same object until something changes."""
        if self._plans is None:
            self._plans = MappingProxyType({name: it.plan for name, it in self._ours.items()})
        return self._plans

    @property
    def paths(self) -> Mapping[str, Path]:
        """The ways that ports of ours watch, by the address at their far end."""
        return MappingProxyType(
            {it.plan.options.get("remote_ip", ""): it.path for it in self._ours.values() if it.path is not None}
        )

    def port(self, name: str) -> Row | None:
        """The port of this name, whoever made it."""
        return self._ports.row(name)

    def interface(self, name: str) -> Row | None:
        """The interface of this name, whoever made it."""
        return self._interfaces.row(name)

    def idle_shapes(self) -> Iterable[Row]:
        """Our QoS rows that no port has any more: the server does not collect them."""
        shapes = [it for it in self._database.rows("QoS") if is_ours(it, self._instance)]
        bound = sum(1 for it in self._ours.values() if it.plan.rate) if shapes else 0
        if len(shapes) <= bound:
            return ()
        used = {it.uuid for port in self._database.rows("Port") for it in port.qos}
        return [it for it in shapes if it.uuid not in used]

    def bridge(self) -> Row | None:
        """The bridge of our name, whoever made it."""
        return next((row for row in self._database.rows("Bridge") if row.name == self._bridge), None)

    def our_bridge(self) -> Row | None:
        """The bridge of our name if it carries our mark."""
        row = self.bridge()
        return row if row is not None and is_ours(row, self._instance) else None

    def is_on_our_bridge(self, port: Row) -> bool:
        """True for any port of the bridge of our name."""
        return port.uuid in self._members

    def carrier(self, port: Row) -> Row | None:
        """The bridge that a port is on."""
        if self.is_on_our_bridge(port):
            return self.bridge()
        return next((row for row in self._database.rows("Bridge") if port in row.ports), None)

    def foreign_carrier(self, name: str) -> str:
        """The name of the bridge that has a port of this name which is not ours; "" when there is none."""
        port = self.port(name)
        if port is None or is_ours(port, self._instance):
            return ""
        carrier = self.carrier(port)
        return str(carrier.name) if carrier is not None else ""

    def foreign_bridge(self, name: str) -> Row | None:
        """The bridge of this name, if there is one and it is not ours."""
        bridges = (row for row in self._database.rows("Bridge") if row.name == name)
        return next((row for row in bridges if not is_ours(row, self._instance)), None)

    def bridge_beside(self, name: str) -> Row | None:
        """The bridge of this name, whoever made it, unless it is that of our networks."""
        return next((row for row in self._database.rows("Bridge") if row.name == name != self._bridge), None)

    @property
    def beside(self) -> Mapping[str, OtherBridge]:
        """Every bridge but that of our networks."""
        if self._beside is None:
            others = (row for row in self._database.rows("Bridge") if row.name != self._bridge)
            self._beside = MappingProxyType({str(row.name): self._other(row) for row in others})
        return self._beside

    def _other(self, row: Row) -> OtherBridge:
        return OtherBridge(datapath_of(row), ours=is_ours(row, self._instance))

    def foreign_datapath(self, name: str) -> Datapath | None:
        """The datapath of that bridge; None when there is none."""
        row = self.foreign_bridge(name)
        return None if row is None else datapath_of(row)

    def _touched(self, touched: Touched) -> None:
        if touched.reloaded or touched.rows.get("Bridge"):
            self._beside = None
        if touched.reloaded:
            self._ofports = self._plans = None
            self._reload()
            return
        changed = {table: touched.rows.get(table, frozenset()) for table in ("Bridge", "Port", "Interface")}
        names = self._ports.update(changed["Port"]) | self._interfaces.update(changed["Interface"])
        if changed["Bridge"]:
            names |= self._ports.update(self._moved())
        if touched.rows.get("QoS"):
            names |= {name for name, it in self._ours.items() if it.plan.rate}
        for name in names:
            before = self._ours.pop(name, None)
            self._read(name, before)
            self._plans = None
            if _number(before) != _number(self._ours.get(name)):
                self._ofports = None

    def _reload(self) -> None:
        before, self._ours = self._ours, {}
        self._ports.reload()
        self._interfaces.reload()
        self._moved()
        for row in self._database.rows("Port"):
            self._read(str(row.name), before.get(str(row.name)))

    def _moved(self) -> frozenset[UUID]:
        """Ports that came onto our bridge or left it."""
        row, before = self.bridge(), self._members
        self._members = references(row, "ports") if row is not None else frozenset()
        return before ^ self._members

    def _read(self, name: str, before: SeenPort | None) -> None:
        """`before` is what is known of that port, if anything, and not among `_ours` any more."""
        port = self._ports.row(name)
        # A bridge's own port has its name, goes with it, and is the bridge applier's business.
        if port is None or name == self._bridge or name in self.beside or not is_ours(port, self._instance):
            return
        interface = next(iter(port.interfaces), None)
        here = self.is_on_our_bridge(port)
        carrier = None if here else self.carrier(port)
        elsewhere = "" if carrier is None else str(carrier.name)
        seen = read_port(port, interface, on_our_bridge=here, carrier=elsewhere)
        if seen.path is not None:
            earlier = None if before is None else before.path
            seen = replace(seen, path=continued(earlier, seen.path, self._clock()))
        self._ours[name] = seen


def _number(port: SeenPort | None) -> Ofport | None:
    return None if port is None else port.ofport
