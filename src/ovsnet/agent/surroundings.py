"""What enrolment asks of the host (see control.membership.enrolment.Surroundings)."""

from collections.abc import Callable, Sequence
from ipaddress import ip_address

from ovsnet.agent import lan
from ovsnet.cluster.sighting import Sighting
from ovsnet.linux.lan import lan_addresses
from ovsnet.linux.underlay import address_of, source_towards, underlay_of
from ovsnet.model.ids import IpAddress

ANYWHERE = (ip_address("192.0.2.1"), ip_address("2001:db8::1"))
"""Addresses nobody has (RFC 5737, RFC 3849): nothing is sent there, only the way is asked for."""


class Surroundings:
    """The kernel's answers."""

    async def addresses_of(self, interface: str) -> Sequence[IpAddress]:
        """The address of an interface that others may reach it by."""
        found = await address_of(interface)
        return () if found is None else (found,)

    async def usual_address(self, towards: IpAddress | None) -> IpAddress | None:
        """The address packets to another host come from; without one, those to the rest of the world."""
        for target in (towards,) if towards is not None else ANYWHERE:
            found = await source_towards(target)
            if found is not None:
                return found
        return None

    async def lan_addresses(self) -> Sequence[IpAddress]:
        """Those of the interfaces on which other hosts may be."""
        return await lan_addresses()

    async def look_around(self, on: Sequence[IpAddress], seconds: float, tell: Callable[[Sighting], None]) -> None:
        """Tell of the members that announce themselves there."""
        await lan.look_around(on, seconds, tell)

    async def mtu_at(self, address: IpAddress) -> int | None:
        """The MTU of the interface that has this address."""
        underlay = await underlay_of(address)
        return None if underlay is None else underlay.mtu
