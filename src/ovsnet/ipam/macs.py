"""Which MAC comes next. Pure.

A MAC is three octets drawn once for this host and a number that only grows: it is never derived from an IP
address and never comes back, so that no neighbour ever sends to a container that took over somebody's MAC.
"""

from collections.abc import Container
from dataclasses import replace

from ovsnet.model.errors import BadRequest
from ovsnet.model.ids import Mac
from ovsnet.model.state import Counters

PER_PREFIX = 1 << 24
"""MACs under one prefix: three octets."""


def mac_prefix(random: bytes) -> str:
    """Three random octets as a prefix of locally administered unicast MACs (IEEE 802, RFC 7042 2.1)."""
    if len(random) != 3:
        raise BadRequest(f"a MAC prefix is made of 3 octets, not of {len(random)}")
    return bytes([random[0] & 0xFC | 0x02, *random[1:]]).hex(":")


def next_mac(counters: Counters, fresh_prefix: str, in_use: Container[Mac] = ()) -> tuple[Mac, Counters]:
    """A MAC that was never handed out here, and the counters that remember it.

    `fresh_prefix` (see `mac_prefix`) is taken for the first MAC and when the present prefix is used up.
    MACs of `in_use`, which users chose themselves, are passed over.
    """
    while True:
        counters = _with_room(counters, fresh_prefix)
        mac = Mac(f"{counters.mac_prefix}:{counters.mac_next.to_bytes(3, 'big').hex(':')}")
        counters = replace(counters, mac_next=counters.mac_next + 1)
        if mac not in in_use:
            return mac, counters


def _with_room(counters: Counters, fresh_prefix: str) -> Counters:
    if counters.mac_prefix and counters.mac_next < PER_PREFIX:
        return counters
    if fresh_prefix == counters.mac_prefix:
        # One chance in four million; starting again under it would hand out every MAC a second time.
        fresh_prefix = _following(fresh_prefix)
    return replace(counters, mac_prefix=fresh_prefix, mac_next=0)


def _following(prefix: str) -> str:
    number = int.from_bytes(bytes.fromhex(prefix.replace(":", "")), "big") + 1
    return mac_prefix((number % PER_PREFIX).to_bytes(3, "big"))
