"""Ports of this host that lead to containers are kept from its programs: a socket of ours is bound to each.

No packet is meant for these sockets, and what comes to one all the same, while the rules are not there, is dropped
unread: so the client asks again, instead of having a connection that nobody answers. Who is there already is told.
"""

import ctypes
import errno
import os
import socket
import struct
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Final

import structlog

from ovsnet.model.errors import BadRequest, Conflict
from ovsnet.model.ids import IpAddress
from ovsnet.model.publication import Publication, Transport

SO_ATTACH_FILTER: Final = 26
RETURN_NOTHING: Final = struct.pack("HBBI", 0x06, 0, 0, 0)
"""A filter of one instruction, BPF_RET | BPF_K: no packet passes (linux/filter.h)."""
SCTP_TRACKED: Final = Path("/proc/sys/net/netfilter/nf_conntrack_sctp_timeout_established")
KINDS: Final[Mapping[Transport, tuple[int, int]]] = {
    Transport.TCP: (socket.SOCK_STREAM, socket.IPPROTO_TCP),
    Transport.UDP: (socket.SOCK_DGRAM, socket.IPPROTO_UDP),
    Transport.SCTP: (socket.SOCK_STREAM, socket.IPPROTO_SCTP),
}
LISTENING: Final[Mapping[Transport, str]] = {Transport.TCP: "0A", Transport.UDP: "07"}
"""States of a socket that takes what comes, in /proc/net (include/net/tcp_states.h)."""
PROC: Final = Path("/proc")

log = structlog.get_logger("ports")


class HostPorts:
    """Holds the sockets of one agent. A fresh one has none, and takes those of what is published already."""

    def __init__(self) -> None:
        self._held: dict[Publication, socket.socket | None] = {}
        self._claimed: set[Publication] = set()
        self._missed: set[Publication] = set()
        self._wanted: frozenset[Publication] = frozenset()

    def claim(self, wanted: Collection[Publication]) -> None:
        """Hold all of them until `settle`, whatever is kept meanwhile. Conflict names who has one of them, BadRequest
        what cannot be had; nothing is held then.
        """
        wanted = _places(wanted)
        mine = [it for it in wanted if it not in self._held]
        try:
            for it in mine:
                self._held[it] = bound(it)
        except OSError as error:
            self._let_go(mine)
            raise _refusal(it, error) from error
        self._claimed |= set(wanted)

    def settle(self, claimed: Collection[Publication]) -> None:
        """They are kept from now on as long as they are wanted."""
        places = set(_places(claimed))
        self._claimed -= places
        self._let_go(places - self._wanted - self._claimed)

    def keep(self, wanted: Collection[Publication]) -> None:
        """Hold these and what is claimed. Whose place somebody took while we were away is published all the same."""
        self._wanted = frozenset(_places(wanted))
        self._let_go(self._held.keys() - self._wanted - self._claimed)
        self._missed &= self._wanted
        for it in self._wanted - self._held.keys():
            try:
                self._held[it] = bound(it)
                self._missed.discard(it)
            except OSError as error:
                if it not in self._missed:
                    log.warning("port is not held", port=it.title, reason=str(_refusal(it, error)))
                self._missed.add(it)

    def _let_go(self, ports: Collection[Publication]) -> None:
        for it in ports:
            held = self._held.pop(it, None)
            if held is not None:
                held.close()


def _places(of: Collection[Publication]) -> tuple[Publication, ...]:
    """The host's side alone, in the same order: a port that leads elsewhere now is held by the same socket."""
    return tuple(dict.fromkeys(replace(it, port=0) for it in of))


def bound(it: Publication) -> socket.socket | None:
    """A socket that keeps everybody else from the port; None for SCTP where the kernel has no sockets of it."""
    kind, number = KINDS[it.transport]
    family = socket.AF_INET if it.version == 4 else socket.AF_INET6
    if it.transport is Transport.SCTP and not SCTP_TRACKED.exists():
        raise OSError(errno.EPROTONOSUPPORT, os.strerror(errno.EPROTONOSUPPORT))
    try:
        found = socket.socket(family, kind, number)
    except OSError:
        if it.transport is Transport.SCTP:
            return None
        raise
    try:
        if family is socket.AF_INET6:
            found.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        _deafen(found)
        if kind is socket.SOCK_STREAM:  # else connections that ended a minute ago would be in the way
            found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind((str(it.host), it.host_port))
        if kind is socket.SOCK_STREAM:  # else others who set the same option could have the port as well
            found.listen(0)
    except OSError:
        found.close()
        raise
    return found


def _deafen(it: socket.socket) -> None:
    code = ctypes.create_string_buffer(RETURN_NOTHING, len(RETURN_NOTHING))
    it.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("HL", 1, ctypes.addressof(code)))


def _refusal(it: Publication, error: OSError) -> Conflict | BadRequest:
    if error.errno == errno.EADDRINUSE:
        return Conflict(f"port {it.title} of this host is taken by {holder(it)}; choose another port, or stop that")
    if error.errno == errno.EADDRNOTAVAIL:
        return BadRequest(f"port {it.title}: this host has no address {it.host}; choose one that it has")
    if error.errno == errno.EPROTONOSUPPORT:
        return BadRequest(f"port {it.title}: this host's kernel does not follow SCTP connections; publish another port")
    return BadRequest(f"port {it.title} of this host cannot be had: {error.strerror}")


# ------------------------------------------------------------------------- who is there


def holder(it: Publication) -> str:
    """Who has the port, in words."""
    sockets = {f"socket:[{inode}]" for inode in _inodes(it)}
    for process in PROC.iterdir() if sockets else ():
        if process.name.isdigit() and sockets & set(_files(process)):
            return _called(process)
    return "somebody whose process cannot be seen"


def _inodes(it: Publication) -> Iterator[str]:
    """Of the sockets that are in the way; one of IPv6 for any address may be for IPv4, too."""
    for name in (f"{it.transport}", f"{it.transport}6") if it.transport in LISTENING else ():
        try:
            lines = (PROC / "thread-self" / "net" / name).read_text().splitlines()[1:]
        except OSError:
            continue
        for words in (line.split() for line in lines):
            where, _, port = words[1].partition(":")
            if int(port, 16) == it.host_port and words[3] == LISTENING[it.transport]:
                address = _address(where)
                same = address == it.host and address.version == it.version
                if same or address.is_unspecified or (it.host.is_unspecified and address.version == it.version):
                    yield words[9]


def _address(digits: str) -> IpAddress:
    """Written as 32-bit words in the order of this machine."""
    words = [int(digits[at : at + 8], 16) for at in range(0, len(digits), 8)]
    packed = struct.pack(f"={len(words)}I", *words)
    return IPv4Address(packed) if len(packed) == 4 else IPv6Address(packed)


def _files(process: Path) -> Iterator[str]:
    with suppress(OSError):  # it ended meanwhile
        for it in (process / "fd").iterdir():
            with suppress(OSError):  # that was closed
                yield os.readlink(it)


def _called(process: Path) -> str:
    try:
        words = (process / "cmdline").read_text().split("\0")
        name = (process / "comm").read_text().strip()
    except OSError:
        return f"process {process.name}"
    if "-container-ip" in words[:-1]:
        whose = words[words.index("-container-ip") + 1]
        return f"Docker, for its container at {whose} ({name}, process {process.name})"
    return f"{name} (process {process.name})"
