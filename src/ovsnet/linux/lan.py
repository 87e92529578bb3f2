"""On which interfaces of this host other hosts may be: not on those its own containers and virtual machines are on."""

from collections.abc import Sequence

from ovsnet.linux.linkmessage import Link
from ovsnet.linux.namespace import list_links
from ovsnet.linux.underlay import addresses_everywhere
from ovsnet.model.ids import IpAddress

GUESTS = frozenset({"veth", "tun"})
"""Kinds of a bridge's ports behind which containers or virtual machines are."""
OURS = "ovsnet"
"""How the alias of every link begins that we made."""


async def lan_addresses() -> Sequence[IpAddress]:
    """The first address of each family of each such interface. Unavailable when the kernel cannot be asked."""
    eligible = outward(list_links())
    found: dict[tuple[int, int], IpAddress] = {}
    for it in await addresses_everywhere():
        if it.index in eligible:
            found.setdefault((it.index, it.address.version), it.address)
    return tuple(found.values())


def outward(links: Sequence[Link]) -> frozenset[int]:
    """The indexes of the links that may lead to other hosts. A bridge does by one port at least that is no guest's."""
    bridged = {it.master for it in links if it.kind not in GUESTS}
    return frozenset(
        it.index
        for it in links
        if it.up and not it.alias.startswith(OURS) and (it.kind != "bridge" or it.index in bridged)
    )
