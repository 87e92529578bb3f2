"""How long a question and its answer take: sockperf, one at a time."""

import re
from collections.abc import Mapping, Sequence

from ovsnet.bench.probes.interface import SLACK, listens
from ovsnet.bench.report import Better, Quantity
from ovsnet.bench.wiring import End, Joined
from ovsnet.model.errors import OvsnetError

TCP_PORT, UDP_PORT = 11111, 11112
SIZE = 64
"""Bytes of each message."""
_PERCENTILE = re.compile(r"percentile (?P<percent>[\d.]+) = +(?P<value>[\d.]+)")
PROGRAMS = {"sockperf": "sockperf", "ss": "iproute2"}


class Latency:
    """The whole round trip of small messages, over TCP or UDP, in microseconds."""

    programs = PROGRAMS

    def __init__(self, kind: str) -> None:
        """`kind` is "tcp" or "udp"."""
        self._kind = kind
        self._port = TCP_PORT if kind == "tcp" else UDP_PORT
        self._flags = ("--tcp",) if kind == "tcp" else ()
        self._names = {wanted: f"{kind.upper()} round trip p{wanted:g}" for wanted in (50.0, 99.0)}

    @property
    def quantities(self) -> Sequence[Quantity]:
        return tuple(Quantity(name, "µs", Better.LOWER) for name in self._names.values())

    async def serve(self, server: End) -> None:
        where = ("-i", server.address, "-p", str(self._port))
        await server.crew.start("sockperf", "server", *where, *self._flags)
        await listens(server, self._port, kind=self._kind)

    async def measure(self, joined: Joined, seconds: float) -> Mapping[str, float]:
        where = ("-i", joined.server.address, "-p", str(self._port), *self._flags)
        how = ("-t", f"{seconds:.0f}", "-m", str(SIZE), "--full-rtt")
        said = await joined.client.crew.call("sockperf", "ping-pong", *where, *how, deadline=seconds + SLACK)
        found = {float(it["percent"]): float(it["value"]) for it in _PERCENTILE.finditer(said)}
        if not found.keys() >= self._names.keys():
            why = said.strip().rpartition("\n")[2].removeprefix("sockperf: ")
            raise OvsnetError(f"sockperf: no answers came back: {why}")
        return {name: found[percent] for percent, name in self._names.items()}
