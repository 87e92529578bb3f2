"""This host's trunk: what carries networks without a tunnel, as far as it may be used.

    trunk = "eth1"      the NIC becomes a port of our bridge
    trunk = "br-phys"   a bridge of its owner's, who has the NIC there: a cable (two patch ports) leads to it

A NIC that is our port already stays it, whatever its owner does to it: running containers keep their network, and he
reads what is wrong. One that is not our port yet is taken only when nothing is in the way.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

import structlog

from ovsnet.linux.trunk import Nic, bring_up, look_at
from ovsnet.model.errors import OvsnetError
from ovsnet.model.host import Datapath, SwitchFacts
from ovsnet.model.network import Mode, Network
from ovsnet.model.overlay import NO_TRUNK, TrunkPort
from ovsnet.model.state import State
from ovsnet.plan import names
from ovsnet.settings import DEFAULT_FILE, Settings

log = structlog.get_logger("trunk")


class OthersPorts(Protocol):
    """What others have on the switch."""

    def foreign_carrier(self, name: str, /) -> str:
        """The bridge that has a port of this name which is not ours, or ""."""

    def foreign_datapath(self, name: str, /) -> Datapath | None:
        """The datapath of the bridge of this name, if there is one that is not ours."""


class Trunk:
    """Looks, and says what may be used."""

    def __init__(
        self,
        settings: Settings,
        state: Callable[[], State],
        switch: Callable[[], SwitchFacts],
        others: OthersPorts,
    ) -> None:
        self._name = settings.trunk
        self._state = state
        self._switch = switch
        self._others = others
        self._nic = Nic(self._name)

    async def look(self) -> bool:
        """Look at the NIC afresh; whether anything about it changed. Have it up."""
        before = self._nic
        if self._name:
            self._nic = await look_at(self._name)
            if self.port() == TrunkPort(self._name) and not self._nic.up:
                await self._bring_up()
        return before != self._nic

    async def _bring_up(self) -> None:
        try:
            await bring_up(self._name)
        except OvsnetError as error:
            log.warning("the trunk is down", interface=self._name, reason=str(error))

    def port(self) -> TrunkPort:
        """The port that carries networks without a tunnel."""
        leads_to = self._bridge()
        port = TrunkPort(names.TRUNK_PATCH, leads_to) if leads_to else TrunkPort(self._name)
        usable = self._nic.there and (port.name in self._switch().ofports or not self.obstacle())
        return port if usable else NO_TRUNK

    def mtu(self) -> int:
        """In bytes; 0 without a trunk."""
        return self._nic.mtu if self.port().name else 0

    def obstacle(self) -> str:
        """Why this host has no trunk, and what to do; "" when it has one."""
        if not self._name:
            return (
                f"this host has none: name a NIC without addresses, or an OVS bridge, in {DEFAULT_FILE}, like "
                'trunk = "eth1", and restart the agent'
            )
        if self._bridge():
            return self._obstacle_of_bridge()
        other = self._others.foreign_carrier(self._name)
        if other:
            return f"interface '{self._name}' is a port of the OVS bridge '{other}'; name that bridge, or another NIC"
        return self._nic.obstacle

    def _bridge(self) -> str:
        return self._name if self._name and self._others.foreign_datapath(self._name) is not None else ""

    def _obstacle_of_bridge(self) -> str:
        theirs, ours = self._others.foreign_datapath(self._name), self._switch().datapath
        if theirs is ours:
            return ""
        return (
            f"the OVS bridge '{self._name}' has the datapath {theirs} and ours has {ours}, between which no packet "
            "passes; give both the same (setting datapath), or name a NIC"
        )

    def problems(self) -> tuple[str, ...]:
        """Networks that lack the trunk; something else that is not well with it."""
        titles = ", ".join(sorted(it.title for it in self._networks()))
        obstacle = self.obstacle() if titles else ""
        if obstacle and not self.port().name:
            return (
                f"Containers here on the networks {titles} reach no other host, as these need a trunk: {obstacle}.",
            )
        return (f"The trunk of the networks {titles} is not as it should be: {obstacle}.",) if obstacle else ()

    def warnings(self) -> tuple[str, ...]:
        """What loses packets now and then."""
        switch = self._switch()
        if (
            not (self._nic.joins and self._networks())
            or self._bridge()
            or switch.tso
            or switch.datapath is Datapath.KERNEL
        ):
            return ()
        what = f"The trunk {self._name} joins packets that come in (GRO), which Open vSwitch takes with TSO only"
        return (f"{what}: some may be lost. 'ethtool -K {self._name} gro off' ends it.",)

    def _networks(self) -> Sequence[Network]:
        return [it for it in self._state().networks.values() if it.options.mode is Mode.UNDERLAY]
