"""Framing of netlink messages and of their attributes (netlink(7)), both ways. Pure."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

ERROR, DONE = 2, 3
REQUEST, ACKNOWLEDGE, INTERRUPTED, DUMP = 0x1, 0x4, 0x10, 0x300

NUMBER = struct.Struct("=I")
_HEADER = struct.Struct("=IHHII")  # length, type, flags, sequence, port: struct nlmsghdr
_ATTRIBUTE = struct.Struct("=HH")  # length, type: struct rtattr
_ERROR = struct.Struct("=i")
_TYPE_MASK = 0x3FFF  # without NLA_F_NESTED and NLA_F_NET_BYTEORDER


@dataclass(frozen=True, slots=True)
class Frame:
    """One message as it came. `sequence` is that of the request, or 0; `error` is an errno value.

    `interrupted` marks a listing during which something came or went.
    """

    type: int
    sequence: int
    body: bytes
    error: int = 0
    interrupted: bool = False


def frames(datagram: bytes) -> Iterator[Frame]:
    """The messages of one datagram."""
    start = 0
    while start + _HEADER.size <= len(datagram):
        length, kind, flags, sequence, _ = _HEADER.unpack_from(datagram, start)
        if length < _HEADER.size:
            return
        body = datagram[start + _HEADER.size : start + length]
        ends = kind in (ERROR, DONE) and len(body) >= _ERROR.size
        error = -_ERROR.unpack_from(body)[0] if ends else 0
        yield Frame(kind, sequence, body, error, interrupted=bool(flags & INTERRUPTED))
        start += _aligned(length)


def frame(kind: int, flags: int, sequence: int, body: bytes) -> bytes:
    """One request."""
    return _HEADER.pack(_HEADER.size + len(body), kind, REQUEST | flags, sequence, 0) + body


def attribute(kind: int, value: bytes) -> bytes:
    """One attribute of a request."""
    length = _ATTRIBUTE.size + len(value)
    return _ATTRIBUTE.pack(length, kind) + value.ljust(_aligned(len(value)), b"\0")


def attributes(body: bytes, start: int, asked: frozenset[int]) -> dict[int, bytes]:
    """The values of the attributes asked for."""
    found = {}
    end = len(body) - _ATTRIBUTE.size
    while start <= end:
        length, kind = _ATTRIBUTE.unpack_from(body, start)
        if length < _ATTRIBUTE.size:
            break
        if kind & _TYPE_MASK in asked:
            found[kind & _TYPE_MASK] = body[start + _ATTRIBUTE.size : start + length]
        start += _aligned(length)
    return found


def text(value: bytes) -> str:
    """An attribute that is a string."""
    return value.rstrip(b"\0").decode(errors="replace")


def number(value: bytes) -> int:
    """An attribute that is a number in the machine's byte order; 0 when it is not there."""
    return int(NUMBER.unpack_from(value)[0]) if len(value) >= NUMBER.size else 0


def _aligned(length: int) -> int:
    return (length + 3) & ~3
