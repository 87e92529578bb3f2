"""How much a switch's packet sockets hold, made larger from outside.

The userspace datapath reads each port from a packet socket, whose buffer is `net.core.rmem_default`: 208 KiB are three
packets of 64 KiB, and what comes while these wait is lost. Only the machine's own network namespace may set that, which
a sandbox must not touch.
"""

import ctypes
import errno
import os
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from ovsnet.model.errors import Unavailable

LARGE = 4 << 20
"""Bytes; as the kernel counts them, which takes twice what is asked for."""
SO_RCVBUFFORCE = 33
"""socket(7): also above the limit for others."""
PIDFD_GETFD = 438
"""The system call, whose number is the same on all processors; Linux 5.6."""

_libc = ctypes.CDLL(None, use_errno=True)


def enlarge(pid: int) -> int:
    """Those a process has now; how many. Unavailable when the kernel does not let us."""
    found = 0
    for it in _sockets(pid):
        with it:
            if it.family == socket.AF_PACKET:
                it.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, LARGE // 2)
                found += 1
    return found


def _sockets(pid: int) -> Iterator[socket.socket]:
    process = os.pidfd_open(pid)
    try:
        for it in list(Path(f"/proc/{pid}/fd").iterdir()):
            with suppress(FileNotFoundError):  # closed meanwhile
                if os.readlink(it).startswith("socket:"):
                    yield socket.socket(fileno=_copied(process, int(it.name)))
    finally:
        os.close(process)


def _copied(process: int, number: int) -> int:
    copied: int = _libc.syscall(PIDFD_GETFD, process, number, 0)
    if copied >= 0:
        return copied
    if ctypes.get_errno() == errno.EBADF:
        raise FileNotFoundError
    raise Unavailable("the switch's sockets", os.strerror(ctypes.get_errno()))
