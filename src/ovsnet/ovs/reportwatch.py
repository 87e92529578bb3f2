"""Hears what endpoints say of multicast groups, and asks them: an idle `ovs-ofctl monitor`, and packet-outs.

    the pipeline's table reports ─► controller(id=…) ─► this monitor ─► `heard`

Only these messages come here. ovs-vswitchd keeps a hundred for a connection that is slow and drops the rest
(do_send_packet_ins), and we take no more than a pipe holds at once: who talks too much costs us no more than that.
"""

import asyncio
import re
import struct
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

from ovsnet.model.ids import Ofport
from ovsnet.ovs import programs
from ovsnet.ovs.monitor import Monitor, Wish, keep_monitoring, nothing
from ovsnet.pipeline.multicast import LISTENER_ID

CHUNK = 1 << 16
BREATH = 0.05
"""Seconds from one reading to the next."""
_VERSION_1_4, _VENDOR, _NICIRA, _SET_CONTROLLER_ID = 5, 4, 0x2320, 20
"""openflow/nicira-ext.h, NXT_SET_CONTROLLER_ID."""
_HEAD = re.compile(r"^(?:NXT|OFPT)_PACKET_IN.*\bin_port=(\d+)\b.*\bdata_len=(\d+)\b")
_HEX = re.compile(r"^[0-9a-f]{8}  ((?:[0-9a-f]{2}[ -])*[0-9a-f]{2})")

Heard = Sequence[tuple[Ofport, bytes]]
"""Frames with the ports they came in by."""


class Listener(Protocol):
    """Who is told."""

    def heard(self, frames: Heard) -> None:
        """These were sent."""

    def listening(self) -> None:
        """From now on nothing is missed."""

    def deaf(self) -> None:
        """From now on everything is, until `listening`."""


async def watch_reports(
    target: str,
    control_socket: Path,
    listener: Listener,
    back: Callable[[], Awaitable[None]] = nothing,
    *,
    deadline: float,
) -> None:
    """Until cancelled: hand on what is said. `back` as of `keep_monitoring`."""
    good, bad = "multicast reports are heard", "multicast reports are not heard"
    wish = Wish("report monitor", good, bad, set_controller_id(), CHUNK, packets=True)

    async def lost() -> None:
        listener.deaf()

    await keep_monitoring(wish, target, control_socket, lambda it: _follow(it, listener), lost, back, deadline=deadline)


async def _follow(monitor: Monitor, listener: Listener) -> None:
    """Until the monitor ends, which is Unavailable."""
    listener.listening()
    frames = Frames()
    while True:
        found = frames.of(await monitor.printed())
        if found:
            listener.heard(found)
        await asyncio.sleep(BREATH)


class Frames:
    """Puts frames together from the lines of a monitor, which may come in any portions."""

    def __init__(self) -> None:
        self._port = Ofport(0)
        self._missing = 0
        self._octets = b""

    def of(self, lines: Iterable[str]) -> Heard:
        """The frames that these lines complete."""
        return [it for line in lines for it in self._take(line)]

    def _take(self, line: str) -> Iterator[tuple[Ofport, bytes]]:
        if head := _HEAD.match(line):
            self._port, self._missing, self._octets = Ofport(int(head[1])), int(head[2]), b""
        elif self._missing and (found := _HEX.match(line)):
            octets = bytes.fromhex(found[1].replace("-", " "))[: self._missing]
            self._octets, self._missing = self._octets + octets, self._missing - len(octets)
            if not self._missing:
                yield self._port, self._octets


async def send_out(
    bridge: str, frames: Sequence[bytes], ports: Sequence[Ofport], ovs_run_dir: str | Path, *, deadline: float = 5.0
) -> None:
    """Send each of the frames out by each of these ports, past the tables; Unavailable when that fails."""
    outputs = ",".join(f"output:{port}" for port in ports)
    packets = [f"in_port=CONTROLLER,packet={frame.hex()},actions={outputs}" for frame in frames]
    await programs.send_packets(bridge, packets, ovs_run_dir, deadline=deadline)


def set_controller_id() -> bytes:
    """The message after which the connection gets what table reports hands to the agent."""
    return struct.pack("!BBHIII6xH", _VERSION_1_4, _VENDOR, 24, 0, _NICIRA, _SET_CONTROLLER_ID, LISTENER_ID)
