"""Applier of our ports, on our networks' bridge and on others: one transaction a batch, and a second one for ports
that must be plugged anew.

A port is plugged anew, which gives it another number, when ovs-vswitchd refused it, when its link was
replaced (see `rows`), or when its kind changed. Removing and adding it in one transaction would be no
change to ovs-vswitchd.
"""

import socket
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from ovsnet.model.delta import Delta
from ovsnet.model.errors import ApplyError, Conflict
from ovsnet.model.host import PortPlan
from ovsnet.model.network import PortKind
from ovsnet.ovs import rows, shapes
from ovsnet.ovs.rows import FAULT_KEY, Row
from ovsnet.ovs.switch import Switch
from ovsnet.ovsdb.rows import Transaction, assign, insert
from ovsnet.plan.names import OWNER_KEY


def own_ifindex(name: str) -> int | None:
    """The kernel's number of a link in the agent's namespace, which is also the switch's; None when
    there is none.
    """
    try:
        return socket.if_nametoindex(name)
    except OSError:
        return None


class PortApplier:
    """Every port with our mark, by name. A port without it is never touched, unless it sits on our bridge
    under a name of ours: then it is one of ours that somebody plugged by hand.
    """

    def __init__(self, switch: Switch, ifindex_of: Callable[[str], int | None] = own_ifindex) -> None:
        self._switch = switch
        self._ifindex_of = ifindex_of

    def have(self) -> Mapping[str, PortPlan]:
        """Our ports as they are now; what is wrong with one is told in its external ids, under FAULT_KEY."""
        return self._switch.ports.plans

    async def resync(self) -> None:
        """`have` follows the replica, which is always current; Unavailable while it does not follow the
        database.
        """
        self._switch.must_answer()

    async def apply(self, delta: Delta[PortPlan]) -> Sequence[ApplyError]:
        """Write what differs; returns when ovs-vswitchd has taken up all of it but what is returned as
        refused.
        """
        self._switch.must_answer()
        wanted = {**delta.add, **delta.change}
        failures = [ApplyError(name, why) for name, plan in wanted.items() if (why := self._obstacle(plan))]
        blocked = {it.resource for it in failures}
        writable = {name: plan for name, plan in wanted.items() if name not in blocked}
        try:
            await self._write(writable, delta.remove)
        except (Conflict, ApplyError) as error:
            # Somebody wrote at the same moment: the whole transaction is off, the next round decides anew.
            return [*failures, *(ApplyError(name, str(error)) for name in (*writable, *delta.remove))]
        return [*failures, *self._refused(writable)]

    async def replug(self, names: Collection[str]) -> Sequence[ApplyError]:
        """Plug ports of ours anew, whatever state they seem to be in; they get new numbers."""
        self._switch.must_answer()
        ours = self._switch.ports.ours
        plans = {name: _without_fault(ours[name].plan) for name in names if name in ours}
        if plans:
            await self._switch.commit(lambda transaction: self._build(transaction, {}, plans))
            await self._switch.commit(lambda transaction: self._build(transaction, plans, ()))
        return self._refused(plans)

    # ------------------------------------------------------------ deciding

    def _obstacle(self, plan: PortPlan) -> str:
        """Why this port cannot be made, "" when nothing is in its way."""
        needs_ours = not plan.bridge or plan.kind is PortKind.PATCH
        if needs_ours and self._switch.ports.our_bridge() is None:
            return f"there is no bridge {self._switch.bridge} of ours"
        if self._bridge_of(plan) is None:
            return f"there is no bridge {plan.bridge}"
        port, interface = self._switch.ports.port(plan.name), self._switch.ports.interface(plan.name)
        if port is not None and not self._may_replace(port):
            carrier = self._switch.ports.carrier(port)
            where = carrier.name if carrier is not None else "(none)"
            words = f"bridge {where} has a port of this name that is not ours"
            return f"{words}; remove it with 'ovs-vsctl del-port {plan.name}'"
        if port is None and interface is not None:
            return "another port has an interface of this name that is not ours"
        if plan.kind is PortKind.VETH and self._ifindex_of(plan.name) is None:
            return "its link does not exist"
        return ""

    def _bridge_of(self, plan: PortPlan) -> Row | None:
        ports = self._switch.ports
        return ports.bridge_beside(plan.bridge) if plan.bridge else ports.our_bridge()

    def _may_replace(self, port: Row) -> bool:
        ours = rows.is_ours(port, self._switch.instance)
        return port.name != self._switch.bridge and (ours or self._switch.ports.is_on_our_bridge(port))

    def _must_be_replugged(self, plan: PortPlan) -> bool:
        seen = self._switch.ports.ours.get(plan.name)
        if seen is None:
            return self._switch.ports.port(plan.name) is not None
        return seen.must_be_replugged or (seen.plan.kind, seen.plan.bridge) != (plan.kind, plan.bridge)

    def _differs_in_notes(self, plan: PortPlan) -> bool:
        """Whether the port is as it must be but for what nothing is forwarded by: its external_ids, which ovs-vswitchd
        does not read, and on our bridge its tag, as no flow of ours has the action that asks for it (NORMAL).
        """
        seen = self._switch.ports.ours.get(plan.name)
        if seen is None or FAULT_KEY in seen.plan.external_ids:
            return False
        tag = seen.plan.vlan if plan.bridge or plan.kind is not PortKind.VETH else plan.vlan
        return replace(seen.plan, external_ids=plan.external_ids, vlan=tag) == plan

    def _refused(self, names: Iterable[str]) -> list[ApplyError]:
        """What ovs-vswitchd says of ports it has taken note of."""
        return [ApplyError(name, why) for name in names if (why := self._refusal(name))]

    def _refusal(self, name: str) -> str:
        seen = self._switch.ports.ours.get(name)
        if seen is None:
            return "somebody removed it again"
        fault = seen.plan.external_ids.get(FAULT_KEY, "")
        return fault or ("" if seen.ofport else "ovs-vswitchd does not run it; see its log")

    # ------------------------------------------------------------ writing

    async def _write(self, wanted: Mapping[str, PortPlan], remove: Iterable[str]) -> None:
        anew = {name: plan for name, plan in wanted.items() if self._must_be_replugged(plan)}
        others = {name: plan for name, plan in wanted.items() if name not in anew}
        gone = [name for name in remove if name in self._switch.ports.ours]
        if others or gone or anew:
            only_notes = not gone and not anew and all(map(self._differs_in_notes, others.values()))
            commit = self._switch.note if only_notes else self._switch.commit
            await commit(lambda transaction: self._build(transaction, others, [*gone, *anew]))
        if anew:
            await self._switch.commit(lambda transaction: self._build(transaction, anew, ()))

    def _build(self, transaction: Transaction, wanted: Mapping[str, PortPlan], gone: Iterable[str]) -> None:
        for name in gone:
            self._delete(name)
        for idle in self._switch.ports.idle_shapes():
            idle.delete()
        for name, plan in wanted.items():
            row = self._switch.ports.port(name)
            if row is None:
                self._insert(transaction, plan)
            else:
                self._correct(transaction, row, plan)

    def _insert(self, transaction: Transaction, plan: PortPlan) -> None:
        ifindex = self._ifindex_of(plan.name) if plan.kind is PortKind.VETH else None
        interface = insert(transaction, "Interface", rows.interface_columns(plan, self._switch.instance, ifindex))
        columns = {**rows.port_columns(plan, self._switch.instance), "interfaces": [interface]}
        if plan.rate:
            columns["qos"] = [insert(transaction, "QoS", shapes.columns(plan.rate, self._switch.instance))]
        bridge = self._bridge_of(plan)
        if bridge is not None:
            # A mutation, not the whole set: others may add ports at the same moment.
            bridge.addvalue("ports", insert(transaction, "Port", columns))

    def _correct(self, transaction: Transaction, row: Row, plan: PortPlan) -> None:
        assign(row, rows.vlan_columns(plan))
        self._shape(transaction, row, plan)
        for interface in row.interfaces:
            assign(interface, rows.option_columns(plan))
        wanted = {**plan.external_ids, OWNER_KEY: self._switch.instance}
        present = rows.our_ids(row.external_ids)
        for key in wanted.keys() | present.keys():
            if key not in wanted:
                row.delkey("external_ids", key)
            elif present.get(key) != wanted[key]:
                row.setkey("external_ids", key, wanted[key])

    def _shape(self, transaction: Transaction, row: Row, plan: PortPlan) -> None:
        present = shapes.shape_of(row, self._switch.instance)
        if plan.rate == shapes.rate_of(row):
            return
        if not plan.rate:
            self._unshape(row)
        elif present is not None:
            assign(present, shapes.columns(plan.rate, self._switch.instance))
        else:
            row.qos = [insert(transaction, "QoS", shapes.columns(plan.rate, self._switch.instance))]

    def _unshape(self, port: Row) -> None:
        present = shapes.shape_of(port, self._switch.instance)
        if present is not None:
            port.qos = []
            present.delete()

    def _delete(self, name: str) -> None:
        """Take it off its bridge; the server collects ports and interfaces that nothing refers to."""
        port = self._switch.ports.port(name)
        carrier = self._switch.ports.carrier(port) if port is not None else None
        if carrier is not None:
            self._unshape(port)
            carrier.delvalue("ports", port)


def _without_fault(plan: PortPlan) -> PortPlan:
    ids = {key: value for key, value in plan.external_ids.items() if key != FAULT_KEY}
    return replace(plan, external_ids=ids)
