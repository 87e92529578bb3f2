"""A TCP connection that is held while things happen: numbers go over and come back. Runs INSIDE a container's network
namespace. Standard library only.

held.py serve PORT             prints "listening", sends back what one connection says
held.py connect ADDRESS PORT   prints "connected"; a number every 10 ms until SIGTERM, then what it saw as JSON
"""

import json
import signal
import socket
import sys
import time

PAUSE = 0.01
PATIENCE = 0.2
LAST_WORD = 15.0
"""Seconds that the last number may take to come back: a sender waits longer each time it is not answered."""
NUMBER = 8


def serve(port: int) -> None:
    with socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True) as door:
        print("listening", flush=True)
        connection, _ = door.accept()
        with connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while data := connection.recv(4096):
                connection.sendall(data)


class Client:
    """What it saw: numbers that came back, the longest time one took, why it ended."""

    def __init__(self, connection: socket.socket) -> None:
        self.running, self.answered, self.longest, self.broken = True, 0, 0.0, ""
        self._connection = connection
        connection.settimeout(PATIENCE)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        signal.signal(signal.SIGTERM, self._stop)

    def _stop(self, number: int, frame: object) -> None:
        self.running = False

    def talk(self) -> None:
        try:
            while self.running:
                self._exchange()
                time.sleep(PAUSE)
            self._exchange()
        except OSError as error:
            self.broken = str(error)

    def _exchange(self) -> None:
        began = time.monotonic()
        said = self.answered.to_bytes(NUMBER, "big")
        self._connection.sendall(said)
        heard = b""
        stopped = None if self.running else began
        while len(heard) < NUMBER:
            try:
                part = self._connection.recv(NUMBER - len(heard))
            except TimeoutError:
                if not self.running:
                    stopped = stopped or time.monotonic()
                    if time.monotonic() - stopped > LAST_WORD:
                        raise OSError("no answer any more") from None
                continue
            if not part:
                raise OSError("the other side has hung up")
            heard += part
        if heard != said:
            raise OSError("what came back is not what was sent")
        self.answered += 1
        self.longest = max(self.longest, time.monotonic() - began)


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(int(sys.argv[2]))
    else:
        with socket.create_connection((sys.argv[2], int(sys.argv[3])), timeout=LAST_WORD) as connection:
            client = Client(connection)
            print("connected", flush=True)
            client.talk()
            print(
                json.dumps({"answered": client.answered, "longest": client.longest, "broken": client.broken}),
                flush=True,
            )
