"""How this host tells equal addresses of two address spaces apart: each but the common one has a number. Pure.

    number N ─┬─► routing table and conntrack zone FIRST + N
              └─► the highest eight bits of the mark of packets and connections

Only spaces with gateways on this host have one.
"""

from collections.abc import Iterable
from typing import Final

from ovsnet.model.errors import Conflict
from ovsnet.model.network import Network

COMMON: Final = 0
"""The number of the space all networks are in that name none: the host's own routes and no mark."""
LAST: Final = 254
FIRST: Final = 28416
MARKED: Final = 0xFF00_0000
"""The bits of marks that are ours. Others (Kubernetes, Cilium, Tailscale) use lower ones."""
INTO_COMMON: Final = 0xFF
"""In a connection's mark: that it was led into the common space; 0 there says nothing about it."""


def table_of(number: int) -> int:
    """The routing table and the conntrack zone of a space; 0, the usual ones, of the common one."""
    return FIRST + number if number else 0


def mark_of(number: int) -> int:
    """What packets have that are routed in that space."""
    return number << 24


def number_in(mark: int) -> int:
    """The space that a connection was led into, by its mark."""
    return (mark >> 24) % INTO_COMMON


def is_ours(table: int) -> bool:
    """Whether a routing table is that of a space."""
    return FIRST < table <= FIRST + LAST


def number_for(network: Network, others: Iterable[Network]) -> int:
    """That of its space, which it has by one of the others or gets now."""
    known = {it.space: it.space_number for it in others if it.space_number}
    if network.space in known:
        return known[network.space]
    free = sorted(set(range(1, LAST + 1)) - set(known.values()))
    if not free:
        raise Conflict(
            f"network {network.title}: this host is the gateway of networks in {LAST} address spaces, and can be of no "
            "more; use one of these, or egress=docker"
        )
    return free[0]
