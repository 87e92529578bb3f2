"""Who tries too many tokens has to wait. Pure but for the clock; in memory, so a restart forgives.

The secret is 128 bits of chance and cannot be guessed; the limit keeps the attempts cheap, and shows them in the log
as what they are.
"""

from collections import OrderedDict, deque
from collections.abc import Callable
from ipaddress import IPv6Address, ip_address, ip_network

LIMIT = 10
"""Failed attempts of one source …"""
WINDOW = 60.0
"""… in so many seconds."""
SOURCES = 1024
"""Sources remembered; the one that failed least recently is forgotten first."""


class FailedJoins:
    """The failed attempts of late, by source."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._failures: OrderedDict[str, deque[float]] = OrderedDict()

    def wait(self, source: str) -> float:
        """Seconds until this source may try again; 0.0 when it may now."""
        failures = self._failures.get(origin(source), deque())
        return max(0.0, failures[0] + WINDOW - self._clock()) if len(failures) == LIMIT else 0.0

    def failed(self, source: str) -> None:
        """Note a failed attempt."""
        key = origin(source)
        self._failures.setdefault(key, deque(maxlen=LIMIT)).append(self._clock())
        self._failures.move_to_end(key)
        while len(self._failures) > SOURCES:
            self._failures.popitem(last=False)


def origin(source: str) -> str:
    """What counts as one source: an IPv4 address, or an IPv6 /64, of which one host has all."""
    address = ip_address(source.partition("%")[0])
    return str(ip_network((address, 64), strict=False)) if isinstance(address, IPv6Address) else str(address)
