"""The links of this network namespace, kept current by the kernel's own events.

One socket carries both the listing and the events, so that they cannot overtake each other. The kernel queues
the events of a request before it acknowledges the request: who has the acknowledgement and then calls `drain`
sees what the request did. When events were lost (ENOBUFS) everything is listed again.
"""

import asyncio
import errno
import os
import socket
from collections.abc import Callable, Iterable, Iterator

from ovsnet.linux.linkmessage import (
    DELLINK,
    DONE,
    ERROR,
    NEWLINK,
    Link,
    Message,
    list_request,
    messages,
    single_request,
)
from ovsnet.model.errors import Unavailable

EVENTS_OF_LINKS = 1
"""RTMGRP_LINK."""
SO_RCVBUFFORCE = 33
BACKLOG = 8 << 20
"""Bytes of events the kernel keeps for us: some thousands of events."""
DATAGRAM = 1 << 16
NEIGHBOUR = "the kernel's netlink"

OnChange = Callable[[Link | None, Link | None, bool], None]
"""Before, after, and whether it left for another namespace (then there is no after)."""


class LinkTable:
    """All links of the namespace in which it was opened. `on_change` hears of every single change, in
    order.
    """

    def __init__(self, on_change: OnChange, *, deadline: float = 5.0) -> None:
        """`deadline` is in seconds and holds for each listing."""
        self._on_change = on_change
        self._deadline = deadline
        self._socket: socket.socket | None = None
        self._by_index: dict[int, Link] = {}
        self._by_name: dict[str, Link] = {}
        self._sequence = 0
        self._listed: set[int] | None = None  # the links seen since the listing began; None between listings
        self._again = False
        self._waiting: list[asyncio.Future[None]] = []
        self._news = asyncio.Event()

    def open(self) -> None:
        """Subscribe to the events. Nothing is listed yet."""
        events = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE)
        events.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BACKLOG)
        events.bind((0, EVENTS_OF_LINKS))
        events.settimeout(0)
        asyncio.get_running_loop().add_reader(events, self.drain)
        self._socket = events

    def close(self) -> None:
        """Stop listening; what is known stays."""
        if self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket)
            self._socket.close()
            self._socket = None

    def get(self, name: str) -> Link | None:
        """The link of that name, if there is one."""
        return self._by_name.get(name)

    async def appearance(self, name: str, within: float) -> Link:
        """The link of that name, as soon as there is one; TimeoutError after `within` seconds."""
        async with asyncio.timeout(within):
            while name not in self._by_name:
                self._news.clear()
                await self._news.wait()
        return self._by_name[name]

    async def relist(self) -> None:
        """Read all links afresh; Unavailable when the kernel does not list them in time."""
        done = asyncio.get_running_loop().create_future()
        self._waiting.append(done)
        try:
            async with asyncio.timeout(self._deadline):
                self._begin_listing()
                await done
        except TimeoutError as error:
            raise Unavailable(NEIGHBOUR, f"links were not listed within {self._deadline:g} s") from error
        except OSError as error:
            raise Unavailable(NEIGHBOUR, f"links cannot be listed: {error.strerror}") from error
        finally:
            if done in self._waiting:
                self._waiting.remove(done)

    def look_at(self, names: Iterable[str]) -> None:
        """Read these links afresh: the kernel tells by itself of changes to links that are up only."""
        if self._socket is not None:
            for name in names:
                self._socket.send(single_request(name))  # answered, like everything, before this returns
        self.drain()

    def drain(self) -> None:
        """Take in everything the kernel has sent up to now."""
        lost = False
        for received in self._datagrams():
            lost |= received is None
            for message in messages(received or b""):
                self._take(message)
        if lost:  # only now: while the backlog is full the kernel refuses to begin a listing
            self._begin_listing()

    def _datagrams(self) -> Iterator[bytes | None]:
        """What waits on the socket; None where the kernel had to drop events."""
        while self._socket is not None:
            try:
                yield self._socket.recv(DATAGRAM)
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
                yield None

    def _begin_listing(self) -> None:
        if self._listed is not None:  # the kernel serves one listing at a time on a socket
            self._again = True
            return
        if self._socket is None:
            raise OSError(errno.EBADF, "the socket is not open")
        self._sequence += 1
        self._socket.send(list_request(self._sequence))
        self._listed = set()

    def _take(self, message: Message) -> None:
        if message.link is not None:
            self._again |= message.interrupted
            self._update(message.type, message.link, moved=message.moved)
        elif message.type in (DONE, ERROR) and message.sequence == self._sequence:
            self._end_listing(message.error, interrupted=message.interrupted)

    def _update(self, kind: int, link: Link, *, moved: bool) -> None:
        after = link if kind == NEWLINK else None
        if self._listed is not None:
            (self._listed.discard if kind == DELLINK else self._listed.add)(link.index)
        self._replace(link.index, after, moved=moved)

    def _replace(self, index: int, after: Link | None, *, moved: bool = False) -> None:
        before = self._by_index.pop(index, None)
        if before is not None and self._by_name.get(before.name) is before:
            del self._by_name[before.name]
        if after is not None:
            self._by_index[index] = self._by_name[after.name] = after
        if before != after:
            self._news.set()
            self._on_change(before, after, moved)

    def _end_listing(self, error: int, *, interrupted: bool) -> None:
        listed = self._listed
        self._listed = None
        if listed is None:
            return
        if not error:
            for index in self._by_index.keys() - listed:
                self._replace(index, None)
        if self._again or interrupted:
            self._again = False
            self._begin_listing()
            return
        waiting, self._waiting = self._waiting, []
        for done in waiting:
            if not done.done():
                _resolve(done, error)


def _resolve(done: asyncio.Future[None], error: int) -> None:
    if error:
        done.set_exception(OSError(error, os.strerror(error)))
    else:
        done.set_result(None)
