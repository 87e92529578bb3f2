"""Which multicast groups an endpoint listens to. Pure.

Seen, not asked for: it is what the container's kernel said last by IGMP or MLD. What is not known is never taken for
silence: such an endpoint gets everything.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from ovsnet.model.ids import IpAddress

_LINK_LOCAL_SCOPE = 2


@dataclass(frozen=True, slots=True)
class Listening:
    """`everything` holds for who routes multicast, who listens to too much to be counted, and who was never asked.

    `groups` are those that were reported, in order; none beside `everything`. `muted` is who says so much that nobody
    else would be heard: it is not listened to for a while, and gets everything.
    """

    everything: bool = False
    groups: tuple[IpAddress, ...] = ()
    muted: bool = False


EVERYTHING = Listening(everything=True)
MUTED = Listening(everything=True, muted=True)
NOTHING = Listening()


def to_groups(groups: Iterable[IpAddress]) -> Listening:
    """To these and no others."""
    return Listening(groups=tuple(sorted(groups, key=lambda it: (it.version, int(it)))))


def is_confined(group: IpAddress) -> bool:
    """True for a group that goes to its listeners only; False for one that goes to all as ever, and for no group.

    To all go 224.0.0.0/24, which hosts need not report (RFC 4541 2.1.2), and IPv6 groups that are assigned for one
    link, as mDNS and neighbour discovery have them (RFC 4541 3). A group of one link that somebody chose is reported
    like any other (RFC 4291 2.7: flag T).
    """
    if not group.is_multicast:
        return False
    if group.version == 4:
        return group.packed[:3] != b"\xe0\x00\x00"
    flags, scope = group.packed[1] >> 4, group.packed[1] & 0xF
    return scope > _LINK_LOCAL_SCOPE or (scope == _LINK_LOCAL_SCOPE and flags != 0)
