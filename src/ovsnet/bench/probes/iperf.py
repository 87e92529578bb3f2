"""Throughput and what it costs in processor time: iperf3."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ovsnet.bench.probes.interface import SLACK, listens
from ovsnet.bench.report import Better, Quantity
from ovsnet.bench.usage import Window
from ovsnet.bench.wiring import End, Joined
from ovsnet.model.errors import OvsnetError

PORT = 5201
PROGRAMS = {"iperf3": "iperf3", "ss": "iproute2"}
UDP_LARGE = 1300
"""Bytes of payload that fit into every tunnel that is compared."""


class Throughput:
    """Bulk traffic of some streams at once; `udp` is the payload of a datagram in bytes, 0 for TCP."""

    programs = PROGRAMS

    def __init__(self, streams: int, *, udp: int = 0) -> None:
        self._streams, self._udp = streams, udp
        kind = f"UDP {udp} B" if udp else "TCP"
        self._rate = f"{kind}, {streams} stream{'s' if streams > 1 else ''}"
        self._cost = f"CPU per Gbit, {self._rate}"

    @property
    def quantities(self) -> Sequence[Quantity]:
        """Of UDP, what arrived."""
        return Quantity(self._rate, "Gbit/s", Better.HIGHER), Quantity(self._cost, "ms/Gbit", Better.LOWER)

    async def serve(self, server: End) -> None:
        """One server does for all numbers of streams."""
        if not (await server.crew.call("ss", "-Hln", "--tcp", "sport", "=", f":{PORT}")).strip():
            await server.crew.start("iperf3", "--server", "--port", str(PORT))
            await listens(server, PORT)

    async def measure(self, joined: Joined, seconds: float) -> Mapping[str, float]:
        udp = ("--udp", "--bitrate", "0", "--length", str(self._udp)) if self._udp else ()
        where = ("--client", joined.server.address, "--port", str(PORT), "--json")
        how = ("--time", f"{seconds:.0f}", "--parallel", str(self._streams), *udp)
        window = Window()
        said = json.loads(await joined.client.crew.call("iperf3", *where, *how, deadline=seconds + SLACK))
        busy, took = window.busy()
        rate = _arrived(said) / 1e9
        return {self._rate: rate, self._cost: 1000 * busy / (rate * took) if rate else 0.0}


def _arrived(said: Any) -> float:
    """Bits per second that came in."""
    total = said.get("end", {})
    if "lost_packets" in total.get("sum", {}):
        lost = float(total["sum"]["lost_packets"]) / max(1.0, float(total["sum"]["packets"]))
        return float(total["sum"]["bits_per_second"]) * max(0.0, 1 - lost)
    if "sum_received" not in total:
        raise OvsnetError(f"iperf3: it ended without a result: {said.get('error', 'it does not say why')}")
    return float(total["sum_received"]["bits_per_second"])
