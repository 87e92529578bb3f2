"""This host's trunk: the NIC that carries networks without a tunnel, as far as it may be used.

A NIC that is our port already stays it, whatever its owner does to it: running containers keep their network, and he
reads what is wrong. One that is not our port yet is taken only when nothing is in the way.
"""

from collections.abc import Callable, Iterable

import structlog

from ovsnet.linux.trunk import Nic, bring_up, look_at
from ovsnet.model.errors import OvsnetError
from ovsnet.model.host import Datapath, SwitchFacts
from ovsnet.model.network import Mode, Network
from ovsnet.model.state import State
from ovsnet.settings import DEFAULT_FILE, Settings

log = structlog.get_logger("trunk")


class Trunk:
    """`carrier` names the OVS bridge that has a port, when that port is not ours."""

    def __init__(
        self,
        settings: Settings,
        state: Callable[[], State],
        switch: Callable[[], SwitchFacts],
        carrier: Callable[[str], str],
    ) -> None:
        self._name = settings.trunk
        self._state = state
        self._switch = switch
        self._carrier = carrier
        self._nic = Nic(self._name)

    async def look(self) -> bool:
        """Look at the NIC afresh; whether anything about it changed. Have it up while it is used."""
        before = self._nic
        if self._name:
            self._nic = await look_at(self._name)
            if self.port() and not self._nic.up and self._networks():
                await self._bring_up()
        return before != self._nic

    async def _bring_up(self) -> None:
        try:
            await bring_up(self._name)
        except OvsnetError as error:
            log.warning("the trunk is down", interface=self._name, reason=str(error))

    def port(self) -> str:
        """The port that carries networks without a tunnel; "" while there is none."""
        usable = self._nic.there and (self._is_ours() or not self.obstacle())
        return self._name if usable else ""

    def mtu(self) -> int:
        """In bytes; 0 without a trunk."""
        return self._nic.mtu if self.port() else 0

    def obstacle(self) -> str:
        """Why this host has no trunk, and what to do; "" when it has one."""
        if not self._name:
            return (
                f'this host has none: name a NIC without addresses in {DEFAULT_FILE}, like trunk = "eth1", and restart '
                "the agent"
            )
        other = self._carrier(self._name)
        if other:
            return f"interface '{self._name}' is a port of the OVS bridge '{other}'; take it out, or name another NIC"
        return self._nic.obstacle

    def problems(self) -> tuple[str, ...]:
        """Networks that lack the trunk; something else that is not well with it."""
        titles = ", ".join(sorted(it.title for it in self._networks()))
        obstacle = self.obstacle() if titles else ""
        if obstacle and not self.port():
            return (
                f"Containers here on the networks {titles} reach no other host, as these need a trunk: {obstacle}.",
            )
        return (f"The trunk of the networks {titles} is not as it should be: {obstacle}.",) if obstacle else ()

    def warnings(self) -> tuple[str, ...]:
        """What loses packets now and then."""
        switch = self._switch()
        if not (self._nic.joins and self._networks()) or switch.tso or switch.datapath is Datapath.KERNEL:
            return ()
        what = f"The trunk {self._name} joins packets that come in (GRO), which Open vSwitch takes with TSO only"
        return (f"{what}: some may be lost. 'ethtool -K {self._name} gro off' ends it.",)

    def _is_ours(self) -> bool:
        return self._name in self._switch().ofports

    def _networks(self) -> Iterable[Network]:
        return [it for it in self._state().networks.values() if it.options.mode is Mode.UNDERLAY]
