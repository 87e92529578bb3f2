"""Who owns a flow and what it is for, in its cookie; which groups are ours. Pure.

63          48 47      40 39                    0
+-------------+----------+-----------------------+
| owner       | feature  | about: a VNI, or 0    |
+-------------+----------+-----------------------+
"""

from enum import IntEnum

OWNER = 0x0F5E << 48
"""Fixed high bits of every flow of ours."""
OWNER_MASK = 0xFFFF << 48
GROUP_FIRST, GROUP_LAST = 0x4F000000, 0x50FFFFFF
"""Groups carry no cookie: these ids are ours (0x4f……: untagged segments by VNI; 0x50……: tagged ones)."""


class Feature(IntEnum):
    """Which part of the pipeline a flow belongs to."""

    BASE = 0
    ORIGIN = 1
    GUARD = 2
    NEIGHBOUR = 3
    GATEWAY = 4
    FORWARD = 5
    FLOOD = 6
    OUTPUT = 7
    ISOLATE = 8
    """Drops between endpoints of a network with `icc=false`."""
    TUNNEL = 9
    NAMES = 10
    MULTICAST = 11


def cookie(feature: Feature, about: int = 0) -> int:
    """The cookie of a flow of this feature; `about` is the VNI of its network, 0 for flows of no network."""
    return OWNER | feature << 40 | about


def is_ours(value: int) -> bool:
    """True for a cookie that carries our owner bits."""
    return value & OWNER_MASK == OWNER


def feature_of(value: int) -> Feature:
    """The feature in one of our cookies."""
    return Feature(value >> 40 & 0xFF)
