"""Numbered datagrams and who got them; runs INSIDE a host, in a container's namespace. Standard library only.

    flood.py receive PORT [GROUP]   prints "listening", counts until SIGTERM, then prints what it saw as JSON
    flood.py send ADDRESS PORT RATE prints "sending", sends RATE a second until SIGTERM, then how many

With GROUP, a multicast group, it joins it on eth0; what is sent to a group leaves by eth0.

A datagram is its number and the time it was sent. Both ends share a clock: they are on one machine.
"""

import ipaddress
import json
import signal
import socket
import struct
import sys
import time
from dataclasses import dataclass, field

DATAGRAM = struct.Struct("!Qd")
QUIET = 0.5
RECEIVE_BUFFER = 8 << 20
SO_RCVBUFFORCE = 33  # asm-generic/socket.h; Python has no name for it
# Many small sleeps are worse than a few datagrams at a time.
LONGEST_PAUSE = 0.01
INTERFACE = "eth0"


@dataclass
class Seen:
    """What a receiver has seen so far."""

    numbers: set[int] = field(default_factory=set)
    duplicates: int = 0
    reordered: int = 0
    last: int = -1
    last_sent: float = 0.0
    longest_gap: float = 0.0
    first: float = 0.0

    def add(self, number: int, sent: float) -> None:
        self.first = self.first or time.time()
        if number in self.numbers:
            self.duplicates += 1
            return
        self.numbers.add(number)
        if number < self.last:
            self.reordered += 1
            return
        if self.last_sent:
            self.longest_gap = max(self.longest_gap, sent - self.last_sent)
        self.last, self.last_sent = number, sent


class Until:
    """True until SIGTERM. A flag: an exception could come between a datagram and its count."""

    def __init__(self) -> None:
        self.running = True
        signal.signal(signal.SIGTERM, self._stop)

    def _stop(self, number: int, frame: object) -> None:
        self.running = False


def receive(port: int, group: str, until: Until) -> None:
    seen = Seen()
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as inbox:
        inbox.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        inbox.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER)
        inbox.bind(("::", port))
        if group:
            join(inbox, group)
        began = time.time()
        inbox.settimeout(QUIET)
        print("listening", flush=True)
        more = True
        # What is under way at the signal still counts: nothing for half a second is the end.
        while until.running or more:
            more = take(inbox, seen)
    report = {
        "received": len(seen.numbers),
        "duplicates": seen.duplicates,
        "reordered": seen.reordered,
        "last": seen.last,
        "first_after": seen.first - began if seen.first else None,
        "longest_gap": seen.longest_gap,
        "holes": holes(seen.numbers),
    }
    print(json.dumps(report), flush=True)


def join(inbox: socket.socket, group: str) -> None:
    index = socket.if_nametoindex(INTERFACE)
    if ipaddress.ip_address(group).version == 6:
        request = struct.pack("=16sI", socket.inet_pton(socket.AF_INET6, group), index)
        inbox.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, request)
    else:
        request = struct.pack("=4s4si", socket.inet_aton(group), bytes(4), index)
        inbox.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, request)


def leave_by_interface(outbox: socket.socket) -> None:
    index = socket.if_nametoindex(INTERFACE)
    if outbox.family == socket.AF_INET6:
        outbox.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index)
    else:
        outbox.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, struct.pack("=4s4si", bytes(4), bytes(4), index))


def take(inbox: socket.socket, seen: Seen) -> bool:
    """One datagram; false when none came in QUIET seconds."""
    try:
        seen.add(*DATAGRAM.unpack(inbox.recv(DATAGRAM.size)))
    except TimeoutError:
        return False
    return True


def holes(numbers: set[int]) -> list[list[int]]:
    """The first ten runs of numbers that never came, as [first, length]."""
    found: list[list[int]] = []
    expected = 0
    for number in sorted(numbers):
        if number > expected:
            found.append([expected, number - expected])
        expected = number + 1
    return found[:10]


def send(address: str, port: int, rate: float, until: Until) -> None:
    family = socket.AF_INET6 if ipaddress.ip_address(address).version == 6 else socket.AF_INET
    sent = refused = 0
    with socket.socket(family, socket.SOCK_DGRAM) as outbox:
        if ipaddress.ip_address(address).is_multicast:
            leave_by_interface(outbox)
        print("sending", flush=True)
        started = time.monotonic()
        while until.running:
            due = int((time.monotonic() - started) * rate)
            for number in range(sent, due):
                try:
                    outbox.sendto(DATAGRAM.pack(number, time.time()), (address, port))
                except OSError:  # no route, no buffer: lost, as far as the receiver is concerned
                    refused += 1
            sent = max(sent, due)
            time.sleep(min(LONGEST_PAUSE, 1 / rate))
    print(json.dumps({"sent": sent, "refused": refused}), flush=True)


if __name__ == "__main__":
    if sys.argv[1] == "receive":
        receive(int(sys.argv[2]), "".join(sys.argv[3:]), Until())
    else:
        send(sys.argv[2], int(sys.argv[3]), float(sys.argv[4]), Until())
