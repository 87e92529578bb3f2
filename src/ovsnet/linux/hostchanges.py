"""Tells which interfaces of this namespace came, went or changed, or got or lost an address: by the kernel's events."""

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Final, Self

from ovsnet.linux.hostmessage import DELADDR, NEWADDR
from ovsnet.linux.linkmessage import DELLINK, NEWLINK
from ovsnet.linux.subscription import BACKLOG, DATAGRAM, SO_RCVBUFFORCE
from ovsnet.linux.wire import NUMBER, attributes, frames, text

GROUPS: Final = 0x1 | 0x10 | 0x100
"""RTMGRP_LINK, RTMGRP_IPV4_IFADDR, RTMGRP_IPV6_IFADDR."""
_NAME, _BODY_OF_LINK, _INDEX_AT = 3, 16, 4


class HostChanges:
    """While this lasts `changed` is called with the name of each interface; "" when events were lost."""

    def __init__(self, changed: Callable[[str], None]) -> None:
        self._changed = changed
        self._socket: socket.socket | None = None

    def __enter__(self) -> Self:
        events = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE)
        events.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BACKLOG)
        events.bind((0, GROUPS))
        events.settimeout(0)
        self._socket = events
        asyncio.get_running_loop().add_reader(events, self._drain)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket)
            self._socket.close()

    def _drain(self) -> None:
        while self._socket is not None:
            try:
                datagram = self._socket.recv(DATAGRAM)
            except BlockingIOError:
                return
            except OSError:  # ENOBUFS: some are lost
                self._changed("")
                continue
            for it in frames(datagram):
                self._take(it.type, it.body)

    def _take(self, kind: int, body: bytes) -> None:
        index = int(NUMBER.unpack_from(body, _INDEX_AT)[0]) if len(body) >= _INDEX_AT + NUMBER.size else 0
        if kind in (NEWLINK, DELLINK):
            name = text(attributes(body, _BODY_OF_LINK, frozenset({_NAME})).get(_NAME, b""))
            self._changed(name)
        elif kind in (NEWADDR, DELADDR):
            with suppress(OSError):
                self._changed(socket.if_indextoname(index))
