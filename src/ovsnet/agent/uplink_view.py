"""What decides about an uplink on this host, collected: the NIC, the bridges, what may not be moved."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from ovsnet.control.uplink_rules import Moved, Situation, bridge_name
from ovsnet.linux import neighbour
from ovsnet.linux.nics import Nics
from ovsnet.model.host import SwitchFacts
from ovsnet.model.ids import IpAddress
from ovsnet.model.uplink import Carrier, NicFacts, Uplink, device_mark
from ovsnet.ovs.uplinks import Uplinks as Bridges
from ovsnet.plan.uplinks import plan_of


class UplinkView:
    """See control.uplinks.Here. `reserved`: interfaces that may not move, with the reason."""

    def __init__(
        self,
        nics: Nics,
        bridges: Bridges,
        switch: Callable[[], SwitchFacts],
        reserved: Callable[[], Mapping[str, str]],
    ) -> None:
        self._nics = nics
        self._bridges = bridges
        self._switch = switch
        self._reserved = reserved

    def situation(self, nic: str, bridge: str) -> Situation:
        """Unavailable when kernel or switch do not tell."""
        carried_by = self._bridges.carrier(nic)
        carrier = self._bridges.bridge(carried_by) if carried_by else None
        name = bridge_name(bridge, nic, carrier)
        target, there = self._bridges.bridge(name), self._nics.read(name) if name else None
        return Situation(
            nic=self._nic(nic, carrier),
            datapath=self._switch().datapath,
            boot=self._nics.boot(),
            carrier=carrier,
            bridge=target,
            taken=target is None and there is not None,
            there=((), ()) if there is None else (there.addresses, there.routes),
            reserved=self._reserved(),
        )

    def _nic(self, name: str, carrier: Carrier | None) -> NicFacts:
        """As the kernel has it; a port it does not know, as one of DPDK, has what its bridge's own port has."""
        nic = self._nics.look(name)
        if carrier is None or nic.settings.mac:
            return nic
        return replace(nic, settings=self._nics.look(carrier.name).settings)

    def moved(self, uplink: Uplink) -> Moved | None:
        """None while the bridge's port is down, or not all has been moved to it."""
        there = self._nics.read(uplink.bridge)
        if there is None or not there.link.up:
            return None
        mark = device_mark(self._nics.boot(), there.link.index)
        done = self._bridges.settled(plan_of(uplink, moved=True)) == mark
        return (there.addresses, there.routes) if done else None

    async def answers(self, address: IpAddress, device: str, neighbour_of_ours: bool, deadline: float) -> bool:  # noqa: FBT001
        """Asked by the kernel where it is a neighbour, else by a ping."""
        if neighbour_of_ours:
            return await neighbour.answers(address, device, deadline)
        return await neighbour.echoes(address, deadline)
