"""The connection under a session of `ovs`: bytes and a fast parser in place of characters and a slow one.

`ovs.jsonrpc.Connection` decodes every piece it reads on its own, so that a character of several bytes that is
cut in two breaks the connection, and parses JSON in Python, character by character (docs/decisions/ has the
figures).
"""

import errno
from collections import deque
from typing import Any

import msgspec
import ovs.jsonrpc

from ovsnet.ovsdb.framing import Framing

CHUNK = 1 << 16
"""Bytes read at once."""


class Connection(ovs.jsonrpc.Connection):  # type: ignore[misc]
    """Takes the place of `other`, which must not have received anything yet."""

    def __init__(self, other: Any) -> None:
        super().__init__(other.stream)
        self.output = other.output.encode()
        self._framing = Framing()
        self._arrived: deque[bytes] = deque()

    def run(self) -> None:
        """Send what the socket takes."""
        while self.output and not self.status:
            sent = self.stream.send(self.output)
            if sent >= 0:
                self.output = self.output[sent:]
            else:
                if sent != -errno.EAGAIN:
                    self.error(-sent)
                return

    def send(self, msg: Any) -> int:
        """Queue a message; 0 or an errno."""
        if not self.status:
            self.output += msgspec.json.encode(msg.to_json())
            self.run()
        return int(self.status)

    def recv(self) -> tuple[int, Any]:
        """(0, message), or (EAGAIN, None) when there is none yet, or (another errno, None) at the end."""
        while not self.status and not self._arrived:
            error, data = self.stream.recv(CHUNK)
            if error == errno.EAGAIN:
                return error, None
            if error or not data:
                self.error(error or ovs.jsonrpc.EOF)
            else:
                self._take(data)
        return (0, self._message(self._arrived.popleft())) if not self.status else (self.status, None)

    def recv_wait(self, poller: Any) -> None:
        """Wake `poller` when `recv` has something."""
        if self.status or self._arrived:
            poller.immediate_wake()
        else:
            self.stream.recv_wait(poller)

    def error(self, error: int) -> None:
        """Close with this errno."""
        super().error(error)
        self.output = b""

    def _take(self, data: bytes) -> None:
        self.received_bytes += len(data)
        self._arrived.extend(self._framing.feed(data))

    def _message(self, text: bytes) -> Any:
        message = ovs.jsonrpc.Message.from_json(msgspec.json.decode(text))
        if not isinstance(message, ovs.jsonrpc.Message):
            raise TypeError(f"not a JSON-RPC message: {message}")
        return message
