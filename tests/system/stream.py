"""A TCP connection full in both directions, and whether what came is what was sent. Runs INSIDE a container's network
namespace. Standard library only.

stream.py serve PORT MEGABYTES             prints "listening", takes one connection, then prints what it saw as JSON
stream.py connect ADDRESS PORT MEGABYTES   likewise

Both sides send so many megabytes, as fast as they can, and read what the other one sends.
"""

import hashlib
import json
import random
import socket
import sys
import threading
import time

BLOCK = 1 << 20
PATIENCE = 120.0


def send(connection: socket.socket, megabytes: int, digest: "hashlib._Hash") -> None:
    """Every block differs from the one before it: one that came twice would be seen."""
    block = random.Random(megabytes).randbytes(BLOCK - 8)
    for number in range(megabytes):
        data = number.to_bytes(8, "big") + block
        digest.update(data)
        connection.sendall(data)
    connection.shutdown(socket.SHUT_WR)


def receive(connection: socket.socket, digest: "hashlib._Hash") -> int:
    count = 0
    while data := connection.recv(BLOCK):
        digest.update(data)
        count += len(data)
    return count


def exchange(connection: socket.socket, megabytes: int) -> None:
    connection.settimeout(PATIENCE)
    sent, received = hashlib.sha256(), hashlib.sha256()
    began = time.monotonic()
    sender = threading.Thread(target=send, args=(connection, megabytes, sent))
    sender.start()
    count = receive(connection, received)
    sender.join()
    seconds = time.monotonic() - began
    print(
        json.dumps({"sent": sent.hexdigest(), "received": received.hexdigest(), "bytes": count, "seconds": seconds}),
        flush=True,
    )


def serve(port: int, megabytes: int) -> None:
    with socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True) as door:
        door.settimeout(PATIENCE)
        print("listening", flush=True)
        connection, _ = door.accept()
        with connection:
            exchange(connection, megabytes)


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(int(sys.argv[2]), int(sys.argv[3]))
    else:
        with socket.create_connection((sys.argv[2], int(sys.argv[3])), timeout=PATIENCE) as connection:
            exchange(connection, int(sys.argv[4]))
