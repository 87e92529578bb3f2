"""Data between containers: a TCP connection that is full both ways, and packets of a size that may not be cut up."""

import json
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from tests.rig.container import Container
from tests.system.networks import interfaces

STREAM = ("python3", str(Path(__file__).with_name("stream.py")))
HEADERS = {4: 28, 6: 48}
"""Bytes of a ping's IP and ICMP headers."""
_ports = count(9000)


@dataclass(frozen=True, slots=True)
class Exchange:
    """How a connection went: bytes each side got, megabits per second both ways together, checksums found wrong."""

    there: int
    back: int
    megabits: float
    checksum_errors: int


def exchange(client: Container, server: Container, address: str, megabytes: int) -> Exchange:
    """So many megabytes each way at once; fails when anything else arrives than was sent."""
    port = str(next(_ports))
    before = checksum_errors(client) + checksum_errors(server)
    with server.spawn_inside(*STREAM, "serve", port, str(megabytes), label="stream") as it:
        it.wait_for_output("listening")
        mine = client.inside(*STREAM, "connect", address, port, str(megabytes), timeout=150).json()
        it.wait()
        theirs: Any = json.loads(it.stdout.splitlines()[-1])
    assert (mine["sent"], theirs["sent"]) == (theirs["received"], mine["received"]), "what came is not what was sent"
    bits = 8 * (mine["bytes"] + theirs["bytes"])
    wrong = checksum_errors(client) + checksum_errors(server) - before
    return Exchange(theirs["bytes"], mine["bytes"], bits / mine["seconds"] / 1e6, wrong)


def checksum_errors(container: Container) -> int:
    """Segments, datagrams and headers this container had to throw away."""
    shown = container.inside("nstat", "-asz", "TcpInCsumErrors", "TcpInErrs", "UdpInCsumErrors", "Udp6InCsumErrors")
    return sum(int(line.split()[1]) for line in shown.stdout.splitlines() if not line.startswith("#"))


def refuses_more_than(mtu: int, container: Container, *addresses: str) -> None:
    """That is the MTU: a packet of this size gets there in one piece and one byte more does not; others are cut up."""
    assert interfaces(container)["eth0"].mtu == mtu
    for address in addresses:
        assert _fits(container, address, mtu)
        assert not _fits(container, address, mtu + 1)
        container.inside("ping", "-n", "-c", "1", "-W", "2", "-s", "20000", address)


def _fits(container: Container, address: str, size: int) -> bool:
    """Whether a packet of so many bytes gets there, and its answer back, without being cut up."""
    payload = size - HEADERS[6 if ":" in address else 4]
    ping = ("ping", "-n", "-M", "do", "-c", "1", "-W", "1", "-s", str(payload), address)
    return container.inside(*ping, check=False).ok
