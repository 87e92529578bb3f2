"""One HTTP request over a Unix socket, with the standard library: for programs that ask one thing and end."""

import http.client
import socket


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def get(path: str, target: str, timeout: float) -> tuple[int, bytes]:
    """Status and body of `target`, asked on the socket at `path`; errors as in `request`."""
    return request(path, "GET", target, None, timeout)


def request(path: str, method: str, target: str, body: bytes | None, timeout: float) -> tuple[int, bytes]:
    """Status and body of the answer.

    OSError when nothing answers (TimeoutError after `timeout` seconds of silence), HTTPException when what
    answers does not speak HTTP.
    """
    connection = _UnixConnection(path, timeout)
    try:
        connection.request(method, target, body)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()
