"""The smallest packets, as many as fit: trafgen sends them past the sender's own network stack."""

import asyncio
import time
from collections.abc import Mapping, Sequence

from ovsnet.bench.probes.interface import SLACK
from ovsnet.bench.report import Better, Quantity
from ovsnet.bench.usage import Window
from ovsnet.bench.wiring import End, Joined, mac_of, received
from ovsnet.model.errors import OvsnetError

RATE, COST = "64 B packets", "CPU per packet, 64 B"
RAMP = 0.3
"""Seconds of sending before it counts: trafgen starts, the switch learns the flow."""
PAYLOAD = 18
"""Bytes, so that a frame has 64 with its checksum, the least that Ethernet allows."""
DISCARD = 9
"""UDP port (RFC 863): nobody answers there."""
PROGRAMS = {"trafgen": "netsniff-ng"}


class PacketRate:
    """Packets per second that arrive, and the processor time of the whole machine for each."""

    programs = PROGRAMS

    @property
    def quantities(self) -> Sequence[Quantity]:
        return Quantity(RATE, "kpps", Better.HIGHER), Quantity(COST, "µs", Better.LOWER)

    async def serve(self, server: End) -> None:
        """Nothing: the kernel counts and drops them."""

    async def measure(self, joined: Joined, seconds: float) -> Mapping[str, float]:
        client, server = joined.client, joined.server
        packet = _packet(client, server, await mac_of(client), await mac_of(server))
        config = client.crew.folder / f"{joined.subject.replace(' ', '-')}.trafgen"
        config.write_text(packet)
        sender = await client.crew.start(
            "trafgen", "--conf", str(config), "--dev", client.device, "--cpus", "1", "--no-cpu-stats"
        )
        try:
            await asyncio.sleep(RAMP)
            before, began, window = await received(server), time.monotonic(), Window()
            await asyncio.sleep(seconds)
            packets, took = await received(server) - before, time.monotonic() - began
            busy, _ = window.busy()
            if sender.returncode is not None:
                raise OvsnetError(f"trafgen ended by itself with {sender.returncode}; see {client.crew.last_words()}")
        finally:
            async with asyncio.timeout(SLACK):
                await client.crew.stop(sender)
        return {RATE: packets / took / 1000, COST: 1e6 * busy / packets if packets else 0.0}


def _packet(client: End, server: End, source: str, target: str) -> str:
    """One packet as trafgen(8) describes it; without Ethernet where the interfaces have no MAC."""
    ethernet = f"eth(da={target}, sa={source}), " if source else ""
    addresses = f"ipv4(sa={client.address}, da={server.address}, ttl=64)"
    return f"{{ {ethernet}{addresses}, udp(sp=4000, dp={DISCARD}), fill(0x00, {PAYLOAD}) }}\n"
