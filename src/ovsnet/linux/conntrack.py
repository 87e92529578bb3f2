"""UDP connections that the kernel remembers are forgotten where a published port begins or ends to lead somewhere.

It asks the rules about the first packet of a connection only, and UDP has no end: who goes on sending from one port
would be led as before for as long as he does. TCP ends by itself, as nobody answers.
"""

import errno
import socket
import struct
from collections.abc import Collection, Iterator
from typing import Final

NETLINK_NETFILTER: Final = 12
GET, DELETE = 0x101, 0x102
"""NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_GET and _DELETE (linux/netfilter/nfnetlink_conntrack.h)."""
REQUEST, DUMP = 0x1, 0x300
ERROR, DONE = 0x2, 0x3
TUPLE_ORIGINAL, TUPLE_PROTOCOL = 1, 2
PROTOCOL_NUMBER, PROTOCOL_DESTINATION_PORT = 1, 3
KIND_MASK = 0x3FFF
DEADLINE = 5.0
"""Seconds the kernel has for one answer."""
FAMILIES = (socket.AF_INET, socket.AF_INET6)


def forget_udp(ports: Collection[int]) -> None:
    """Have the kernel forget connections that were begun to these UDP ports, of whatever address. OSError where it
    follows none.
    """
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, NETLINK_NETFILTER) as kernel:
        kernel.settimeout(DEADLINE)
        for family in FAMILIES:
            kernel.send(_message(GET, REQUEST | DUMP, family, b""))
            doomed = [it for it in _tuples(kernel) if _udp_port(it) in ports]
            for it in doomed:
                kernel.send(_message(DELETE, REQUEST, family, _attribute(0x8000 | TUPLE_ORIGINAL, it)))


def _message(kind: int, flags: int, family: int, attributes: bytes) -> bytes:
    body = struct.pack("BBH", family, 0, 0) + attributes
    return struct.pack("=IHHII", 16 + len(body), kind, flags, 0, 0) + body


def _attribute(kind: int, content: bytes) -> bytes:
    padding = bytes(-len(content) % 4)
    return struct.pack("=HH", 4 + len(content), kind) + content + padding


def _tuples(kernel: socket.socket) -> Iterator[bytes]:
    """What each connection was begun with: addresses and ports."""
    while True:
        told = kernel.recv(1 << 17)
        while told:
            length, kind = struct.unpack_from("=IH", told)
            body, told = told[16:length], told[(length + 3) & ~3 :]
            if kind == DONE:
                return
            if kind == ERROR:
                code = -struct.unpack_from("=i", body)[0]
                if code not in (0, errno.ENOENT):  # one that was to be forgotten is forgotten
                    raise OSError(code, "the kernel does not list its connections")
                continue
            original = dict(_attributes(body[4:])).get(TUPLE_ORIGINAL)
            if original is not None:
                yield original


def _udp_port(original: bytes) -> int:
    """The destination port of UDP; 0 of all else."""
    protocol = dict(_attributes(dict(_attributes(original)).get(TUPLE_PROTOCOL, b"")))
    if protocol.get(PROTOCOL_NUMBER, b"\0")[0] != socket.IPPROTO_UDP:
        return 0
    return int.from_bytes(protocol.get(PROTOCOL_DESTINATION_PORT, b""), "big")


def _attributes(told: bytes) -> Iterator[tuple[int, bytes]]:
    while len(told) >= 4:
        length, kind = struct.unpack_from("=HH", told)
        if length < 4:
            return
        yield kind & KIND_MASK, told[4:length]
        told = told[(length + 3) & ~3 :]
