"""A listing of the kernel's and the events that follow it, on one socket, so that they cannot overtake each other.

The kernel queues the events of a request before it acknowledges the request: who has the acknowledgement and then
calls `drain` sees what the request did. When events were lost (ENOBUFS) everything is listed again.
"""

import asyncio
import errno
import os
import socket
from collections.abc import Callable, Iterable, Iterator
from typing import Generic, Protocol, TypeVar

from ovsnet.linux.wire import DONE, ERROR
from ovsnet.model.errors import Unavailable

SO_RCVBUFFORCE = 33
BACKLOG = 8 << 20
"""Bytes of events the kernel keeps for us: some thousands of events."""
DATAGRAM = 1 << 16
NEIGHBOUR = "the kernel's netlink"


class Received(Protocol):
    """One message, whatever it is about."""

    @property
    def type(self) -> int: ...
    @property
    def sequence(self) -> int: ...
    @property
    def error(self) -> int: ...
    @property
    def interrupted(self) -> bool: ...


M = TypeVar("M", bound=Received)
M_contra = TypeVar("M_contra", contravariant=True)


class Listener(Protocol[M_contra]):
    """Who keeps what the kernel tells."""

    def begin(self) -> None:
        """A listing begins; what is not told from here on is not there."""

    def take(self, message: M_contra) -> None:
        """One thing that was listed or has changed."""

    def end(self) -> None:
        """The listing is complete. Not called after one that failed."""


class Subscription(Generic[M]):
    """Talks to the namespace in which it was opened; calls its listener with every single message, in order."""

    def __init__(
        self,
        listener: Listener[M],
        read: Callable[[bytes], Iterable[M]],
        *,
        what: str,
        groups: int,
        request: Callable[[int], bytes],
        deadline: float,
    ) -> None:
        """`what` is listed, for messages; `groups` of events (a mask); `request` makes that for a listing of a sequence
        number; `deadline` is in seconds and holds for each listing.
        """
        self._listener = listener
        self._read = read
        self._what = what
        self._groups = groups
        self._request = request
        self._deadline = deadline
        self._socket: socket.socket | None = None
        self._sequence = 0
        self._listing = False
        self._again = False
        self._waiting: list[asyncio.Future[None]] = []

    def open(self) -> None:
        """Subscribe to the events. Nothing is listed yet."""
        events = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE)
        events.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BACKLOG)
        events.bind((0, self._groups))
        events.settimeout(0)
        asyncio.get_running_loop().add_reader(events, self.drain)
        self._socket = events

    def close(self) -> None:
        """Stop listening."""
        if self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket)
            self._socket.close()
            self._socket = None

    def ask(self, request: bytes) -> None:
        """Send a request whose answer is told like an event. It is there, like everything, before this returns."""
        if self._socket is not None:
            self._socket.send(request)

    async def relist(self) -> None:
        """Read everything afresh; Unavailable when the kernel does not list it in time."""
        done = asyncio.get_running_loop().create_future()
        self._waiting.append(done)
        try:
            async with asyncio.timeout(self._deadline):
                self._begin_listing()
                await done
        except TimeoutError as error:
            raise Unavailable(NEIGHBOUR, f"{self._what} were not listed within {self._deadline:g} s") from error
        except OSError as error:
            raise Unavailable(NEIGHBOUR, f"{self._what} cannot be listed: {error.strerror}") from error
        finally:
            if done in self._waiting:
                self._waiting.remove(done)

    def drain(self) -> None:
        """Take in everything the kernel has sent up to now."""
        lost = False
        for received in self._datagrams():
            lost |= received is None
            for message in self._read(received or b""):
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

    def _take(self, message: M) -> None:
        if message.type not in (DONE, ERROR):
            self._again |= message.interrupted
            self._listener.take(message)
        elif message.sequence == self._sequence:
            self._end_listing(message.error, interrupted=message.interrupted)

    def _begin_listing(self) -> None:
        if self._listing:  # the kernel serves one listing at a time on a socket
            self._again = True
            return
        if self._socket is None:
            raise OSError(errno.EBADF, "the socket is not open")
        self._sequence += 1
        self._socket.send(self._request(self._sequence))
        self._listing = True
        self._listener.begin()

    def _end_listing(self, error: int, *, interrupted: bool) -> None:
        if not self._listing:
            return
        self._listing = False
        if not error:
            self._listener.end()
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
