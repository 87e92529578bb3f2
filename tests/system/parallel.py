"""Many requests to the engine's API at once; runs INSIDE a host. Standard library only.

parallel.py SOCKET AT_ONCE <requests   each line a JSON list: method, path, body
prints a JSON list, one entry each: status, seconds, answer
"""

import http.client
import json
import socket
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any


class Connection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__("engine", timeout=120)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def ask(path: str, request: Any) -> tuple[int, float, str]:
    method, target, body = request
    began = time.monotonic()
    connection = Connection(path)
    connection.request(method, target, json.dumps(body), {"Content-Type": "application/json"})
    response = connection.getresponse()
    answer = response.read().decode(errors="replace")
    connection.close()
    return response.status, time.monotonic() - began, answer


if __name__ == "__main__":
    requests = [json.loads(line) for line in sys.stdin]
    with ThreadPoolExecutor(int(sys.argv[2])) as threads:
        sys.stdout.write(json.dumps(list(threads.map(lambda it: ask(sys.argv[1], it), requests))))
