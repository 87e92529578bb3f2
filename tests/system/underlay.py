"""The wires between the hosts of the rig, heard in the middle, and cut there for tunnels alone.

with Underlay(rig) as underlay:
    c1.pings(…)
for it in underlay.tunnelled(): …     what hosts sent each other in tunnels, once each
"""

import re
import socket
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from ipaddress import ip_address
from types import TracebackType
from typing import Final, Self

from tests.functional.pipeline_frames import IPV4, IPV6, UDP
from tests.functional.pipeline_switch import hear_tags, inside, received_with_tag
from tests.rig.host import Host
from tests.rig.kernel_host import KernelHost
from tests.rig.process import run
from tests.rig.rig import Rig

from ovsnet.model.ids import PATH_VNI

VXLAN: Final = 4789
CABLES: Final = {
    "management": re.compile(r"m(\d+)|u(\d+)-0"),
    "tunnels": re.compile(r"v(\d+)|u(\d+)-1"),
    "trunks": re.compile(r"t(\d+)"),
}
"""Which segment of the rig a host is on by a cable with such a name, made by ./hosts or by ./uml."""
TCP: Final = 6
_ETH_P_ALL = 3
_SO_RCVBUFFORCE = 33  # asm-generic/socket.h; Python has no name for it
_SOL_PACKET, _PACKET_STATISTICS = 263, 6  # linux/if_packet.h
_ROOM = 256 << 20


@dataclass(frozen=True, slots=True)
class Datagram:
    """The outermost UDP datagram of a packet."""

    source: str
    target: str
    port: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class Packet:
    """A frame that a host put on one of its wires. `segment`: management, tunnels or trunks; `host`: h1, h2 …"""

    segment: str
    host: str
    frame: bytes

    @property
    def vlan(self) -> int:
        """The VLAN of its tag; 0 without one."""
        return int.from_bytes(self.frame[14:16]) & 0xFFF if self.frame[12:14] == b"\x81\x00" else 0

    @property
    def untagged(self) -> bytes:
        """The frame without its tag."""
        return self.frame[:12] + self.frame[16:] if self.vlan else self.frame

    @property
    def datagram(self) -> Datagram | None:
        """None when it is no UDP."""
        return _datagram(self.frame)


@dataclass(frozen=True, slots=True)
class Tunnelled:
    """A frame of a container in a packet between hosts (RFC 7348, RFC 8926): the VNI is in one place.

    `header` is the eight octets before the frame.
    """

    packet: Packet
    source: str
    target: str
    vni: int
    frame: bytes = field(repr=False)
    header: bytes

    @property
    def kind(self) -> int:
        """The EtherType."""
        return int.from_bytes(self.frame[12:14])

    @property
    def checksum_is_right(self) -> bool:
        """Whether IP, TCP and UDP headers of the frame add up; other protocols do."""
        return _adds_up(self.frame)


class Underlay:
    """Listens from its making until the block ends; what was heard can be asked for afterwards, too."""

    def __init__(self, rig: Rig) -> None:
        self._namespace = f"{rig.name}-net"
        self._heard: list[Packet] = []

    def __enter__(self) -> Self:
        self._socket = inside(self._namespace, _listening)
        self._take()
        self._heard.clear()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._take()
        _, lost = struct.unpack("=II", self._socket.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 8))
        self._socket.close()
        assert lost == 0 or error is not None, f"{lost} packets were not heard: the test sends too much"

    def packets(self) -> Sequence[Packet]:
        """Every frame that a host sent, once."""
        if self._socket.fileno() >= 0:
            self._take()
        return self._heard

    def tagged(self) -> Sequence[Packet]:
        """What hosts sent on their trunks with a tag."""
        return [it for it in self.packets() if it.segment == "trunks" and it.frame[12:14] == b"\x81\x00"]

    def tunnelled(self, port: int = VXLAN) -> Sequence[Tunnelled]:
        """What hosts sent each other in tunnels for containers; not that by which they watch the paths between them."""
        datagrams = ((it, it.datagram) for it in self.packets())
        opened = (_opened(it, inner) for it, inner in datagrams if inner is not None and inner.port == port)
        return [it for it in opened if it.vni != PATH_VNI]

    def _take(self) -> None:
        with suppress(BlockingIOError):
            while True:
                frame, (device, _, direction, *_) = received_with_tag(self._socket)
                if direction != socket.PACKET_OUTGOING:
                    self._heard.extend(Packet(*ends, frame) for ends in _ends(device))


@contextmanager
def tunnels_cut(rig: Rig, host: Host, port: int = VXLAN) -> Iterator[None]:
    """What this host sends in tunnels and what others send it gets lost while the block runs; the rest arrives."""
    number = host.name[1:]
    cable = f"u{number}-1" if isinstance(host, KernelHost) else f"v{number}"
    rules = (f"add rule bridge cut tunnels {way} {cable} udp dport {port} drop" for way in ("iifname", "oifname"))
    chain = "add table bridge cut; add chain bridge cut tunnels { type filter hook forward priority 0; }"
    nft = ("ip", "netns", "exec", f"{rig.name}-net", "nft")
    run(*nft, "; ".join((chain, *rules)))
    try:
        yield
    finally:
        run(*nft, "delete table bridge cut")


def _ends(cable: str) -> Iterator[tuple[str, str]]:
    """The segment and the host at the ends of this cable; nothing for what is no cable."""
    for segment, pattern in CABLES.items():
        if found := pattern.fullmatch(cable):
            yield segment, f"h{found[found.lastindex or 0]}"


def _listening() -> socket.socket:
    ear = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_ALL))
    ear.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _ROOM)
    ear.setblocking(False)
    hear_tags(ear)
    return ear


def _opened(packet: Packet, datagram: Datagram) -> Tunnelled:
    header, frame = datagram.payload[:8], datagram.payload[8:]
    return Tunnelled(packet, datagram.source, datagram.target, int.from_bytes(header[4:7]), frame, header)


# ---------------------------------------------------------------- taking packets apart


def _layers(frame: bytes) -> tuple[int, bytes, bytes, bytes] | None:
    """Protocol, source, target and payload of an unfragmented IP packet."""
    kind = int.from_bytes(frame[12:14])
    if kind == IPV4 and not int.from_bytes(frame[20:22]) & 0x3FFF:
        end = 14 + int.from_bytes(frame[16:18])
        return frame[23], frame[26:30], frame[30:34], frame[14 + 4 * (frame[14] & 15) : end]
    if kind == IPV6:
        return frame[20], frame[22:38], frame[38:54], frame[54 : 54 + int.from_bytes(frame[18:20])]
    return None


def _datagram(frame: bytes) -> Datagram | None:
    match _layers(frame):
        case (17, source, target, payload):
            ends = str(ip_address(source)), str(ip_address(target))
            return Datagram(*ends, int.from_bytes(payload[2:4]), payload[8:])
    return None


def _adds_up(frame: bytes) -> bool:
    if int.from_bytes(frame[12:14]) == IPV4 and _sum(frame[14 : 14 + 4 * (frame[14] & 15)]) != 0xFFFF:
        return False
    found = _layers(frame)
    if found is None or found[0] not in (TCP, UDP):
        return True
    protocol, source, target, payload = found
    unchecked = protocol == UDP and payload[6:8] == bytes(2)
    pseudo = source + target + len(payload).to_bytes(4) + protocol.to_bytes(4)
    return unchecked or _sum(pseudo + payload) == 0xFFFF


def _sum(octets: bytes) -> int:
    """The sum of the Internet checksum (RFC 1071): all ones where it is right."""
    padded = octets.ljust((len(octets) + 1) // 2 * 2, b"\0")
    total: int = sum(struct.unpack(f"!{len(padded) // 2}H", padded))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return total
