"""How much waits for ovs-vswitchd at our ports in the userspace datapath, made larger from outside.

That datapath reads each port from a packet socket, which holds `net.core.rmem_default`: 208 KiB are three packets of
64 KiB, and what comes while these wait is lost. Open vSwitch has no option for it. The sysctl would hold for sockets
of the whole machine, so those of our ports alone are changed, through copies of their descriptors (decision 47).
"""

import asyncio
import ctypes
import errno
import os
import socket
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import structlog

from ovsnet.model.errors import Unavailable
from ovsnet.model.host import Datapath
from ovsnet.model.ids import Ofport
from ovsnet.model.network import PortKind
from ovsnet.ovs.programs import daemon_pid
from ovsnet.ovs.rows import SeenPort
from ovsnet.ovs.switch import Switch

SO_RCVBUFFORCE = 33
"""socket(7): also above the limit for others."""
PIDFD_GETFD = 438
"""The system call, whose number is the same on all processors; Linux 5.6."""
AGAIN, TIMES = 0.5, 10
"""Seconds until ports are looked for again whose sockets were not open yet, and how often at most: a port on a bridge
of the kernel datapath never has one.
"""
NEIGHBOUR = "ovs-vswitchd's packet sockets"

_libc = ctypes.CDLL(None, use_errno=True)
log = structlog.get_logger(__name__)


class ReceiveBuffers:
    """Keeps the sockets of our ports at `size` bytes, as the kernel counts them; 0 leaves them alone."""

    def __init__(self, switch: Switch, size: int, ovs_run_dir: str | Path) -> None:
        self._switch = switch
        self._size = size
        self._run_dir = ovs_run_dir
        self._changed = asyncio.Event()
        self._sockets = PacketSockets(0)
        self._done: Mapping[str, Ofport] = {}
        switch.watch(self._changed.set)

    async def run(self) -> None:
        """Until cancelled. Returns where there is nothing to do, or the kernel does not let us, which is logged."""
        if not self._size or self._switch.facts().datapath is not Datapath.USERSPACE:
            return
        left = TIMES
        try:
            while True:
                complete = await self._look()
                try:
                    async with asyncio.timeout(None if complete or not left else AGAIN):
                        await self._changed.wait()
                    left = TIMES
                except TimeoutError:
                    left -= 1
                self._changed.clear()
        except Unavailable as error:
            log.warning("packets wait for Open vSwitch in small buffers", reason=error.reason)

    async def _look(self) -> bool:
        """Widen what is new; False when a port has no socket yet."""
        ports = {name: number for name, it in self._switch.ports.ours.items() if (number := _read_from(it))}
        pid = daemon_pid(self._run_dir)
        if pid != self._sockets.pid:
            self._sockets, self._done = PacketSockets(pid), {}
        # A port that was plugged anew has another number, and another socket.
        fresh = {name for name, number in ports.items() if self._done.get(name) != number}
        found = await asyncio.to_thread(self._sockets.widen, fresh, self._size) if fresh and pid else fresh
        self._done = {name: number for name, number in ports.items() if name in found or name not in fresh}
        return len(found) == len(fresh)


def _read_from(port: SeenPort) -> Ofport | None:
    """The number of a port that is an interface of the kernel; the others have no packet socket."""
    return port.ofport if port.plan.kind is PortKind.VETH else None


class PacketSockets:
    """Those of one process. Each is looked at once: a switch has as many as ports."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._seen: frozenset[str] = frozenset()

    def widen(self, interfaces: Collection[str], size: int) -> Collection[str]:
        """Have those on these interfaces hold `size` bytes; which of these have one.

        Unavailable when the kernel does not let us.
        """
        found = set()
        with suppress(ProcessLookupError, FileNotFoundError):  # the process has ended
            for it in self._new():
                with it:
                    if it.family == socket.AF_PACKET and (name := it.getsockname()[0]) in interfaces:
                        # The kernel counts twice what it is asked for.
                        it.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, size // 2)
                        found.add(name)
        return found

    def _new(self) -> Iterator[socket.socket]:
        """Copies of its sockets that it did not have before."""
        process = os.pidfd_open(self.pid)
        try:
            there = _links(self.pid)
            fresh = there.keys() - self._seen
            self._seen = frozenset(there)
            for link in fresh:
                copy = _copy(process, there[link])
                if copy is not None:
                    yield copy
        finally:
            os.close(process)


def _links(pid: int) -> Mapping[str, int]:
    """What the sockets of a process are called, each with a descriptor of it."""
    found = {}
    for it in os.listdir(folder := f"/proc/{pid}/fd"):
        with suppress(FileNotFoundError):  # closed meanwhile
            if (link := os.readlink(f"{folder}/{it}")).startswith("socket:"):
                found[link] = int(it)
    return found


def _copy(process: int, descriptor: int) -> socket.socket | None:
    """None when it was closed meanwhile, and of one that has no name, which no packet socket is."""
    copied: int = _libc.syscall(PIDFD_GETFD, process, descriptor, 0)
    if copied >= 0:
        return _opened(copied)
    if ctypes.get_errno() == errno.EBADF:
        return None
    raise Unavailable(NEIGHBOUR, os.strerror(ctypes.get_errno()))


def _opened(copied: int) -> socket.socket | None:
    try:
        return socket.socket(fileno=copied)
    except OSError as error:
        os.close(copied)
        # One of AF_XDP does not tell its address, from which Python learns what it is.
        if error.errno == errno.EOPNOTSUPP:
            return None
        raise
