"""A server that answers with its own name, and who asks such servers; runs INSIDE a container's network namespace.

churn.py serve NAME PORT             TCP and UDP: every question is answered with the name; when ended it prints how
                                     many frames came that were for another station (JSON)
churn.py ask PORT SECONDS ADDRESS…   one JSON line for each: the name that answered by UDP and by TCP, "" when nobody
                                     did for so many seconds, and the seconds it took
Standard library only.
"""

import json
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType

OTHER_STATION = 3  # PACKET_OTHERHOST (linux/if_packet.h)
EVERYTHING = 0x0003  # ETH_P_ALL (linux/if_ether.h)


def serve(name: str, port: int) -> None:
    """Until SIGTERM."""
    inbox = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    inbox.bind(("0.0.0.0", port))
    door = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    door.bind(("0.0.0.0", port))
    door.listen()
    ear = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(EVERYTHING))
    foreign: list[str] = []
    signal.signal(signal.SIGTERM, lambda *_: _end(foreign))
    for work in (lambda: _datagrams(inbox, name.encode()), lambda: _listen(ear, foreign)):
        threading.Thread(target=work, daemon=True).start()
    _say("serving")
    while True:
        caller, _ = door.accept()
        caller.sendall(name.encode())
        caller.close()


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _end(foreign: list[str], _frame: FrameType | None = None) -> None:
    _say(json.dumps(foreign))
    sys.exit(0)


def _datagrams(inbox: socket.socket, name: bytes) -> None:
    while True:
        _, source = inbox.recvfrom(64)
        inbox.sendto(name, source)


def _listen(ear: socket.socket, foreign: list[str]) -> None:
    while True:
        try:
            frame, (_, _, kind, _, _) = ear.recvfrom(128)
        except OSError:
            return  # the interface is gone, and the container with it
        if kind == OTHER_STATION:
            foreign.append(frame.hex())


def ask(address: str, port: int, seconds: float) -> dict[str, object]:
    """Who is there."""
    began = time.monotonic()
    udp = _until(began + seconds, lambda: _ask_udp(address, port))
    tcp = _until(began + seconds, lambda: _ask_tcp(address, port))
    return {"address": address, "udp": udp, "tcp": tcp, "seconds": time.monotonic() - began}


def _until(end: float, attempt: Callable[[], str]) -> str:
    while True:
        try:
            return attempt()
        except OSError:
            if time.monotonic() >= end:
                return ""


def _ask_udp(address: str, port: int) -> str:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
        asker.settimeout(0.2)
        asker.connect((address, port))
        asker.send(b"who?")
        return asker.recv(256).decode()


def _ask_tcp(address: str, port: int) -> str:
    with socket.create_connection((address, port), timeout=0.5) as asker:
        return asker.recv(256).decode()


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(sys.argv[2], int(sys.argv[3]))
    for it in sys.argv[4:]:
        _say(json.dumps(ask(it, int(sys.argv[2]), float(sys.argv[3]))))
