"""The links of this network namespace, kept current by the kernel's own events.

One socket carries both the listing and the events, so that they cannot overtake each other. The kernel queues the
events of a request before it acknowledges the request: who has the acknowledgement and then calls `drain` sees what
the request did.
"""

import asyncio
import errno
import socket
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType

from ovsnet.linux.linkmessage import DELLINK, DONE, ERROR, Link, Message, list_request, messages
from ovsnet.model.errors import Unavailable

EVENTS_OF_LINKS = 1  # RTMGRP_LINK
SO_RCVBUFFORCE = 33
BACKLOG = 8 << 20
"""Bytes of events the kernel keeps for us: some thousands of them."""
DATAGRAM = 1 << 18

NEIGHBOUR = "the kernel (netlink)"


class LinkTable:
    """Links by name. `changed` is called after events changed the table; not for changes that `drain` picked up."""

    def __init__(self, changed: Callable[[], None], *, deadline: float = 5.0) -> None:
        self._changed = changed
        self._deadline = deadline
        self._socket: socket.socket | None = None
        self._links: dict[int, Link] = {}
        self._by_name: dict[str, Link] = {}
        self._left: dict[str, Link] = {}
        self._listing: dict[int, Link] | None = None
        self._sequence = 0
        self._again = False
        self._listed: asyncio.Future[None] | None = None
        self._news = asyncio.Event()

    @property
    def links(self) -> Mapping[str, Link]:
        """The links that are here, by name."""
        return MappingProxyType(self._by_name)

    @property
    def left(self) -> Mapping[str, Link]:
        """The links that were seen to leave for another namespace, as they were, by name; back again or not."""
        return MappingProxyType(self._left)
