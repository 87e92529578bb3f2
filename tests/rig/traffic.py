"""Whether packets are lost while something happens: numbered datagrams between two containers.

with Flood(c1, c2, c2.address("web")) as flood:
    host.agent.kill()
assert flood.result.lost == 0
"""

import json
from dataclasses import dataclass
from ipaddress import ip_address
from itertools import count
from types import TracebackType
from typing import Final, Protocol, Self

from tests.rig.container import Container
from tests.rig.host import HERE
from tests.rig.process import Completed, wait_until

# The host's own Python: what runs in a container's namespace needs nothing of ours.
FLOOD: Final = ("python3", str(HERE / "flood.py"))
_ports = count(7000)


@dataclass(frozen=True, slots=True)
class FloodResult:
    """How a flood went. A gap is in seconds of the sender's clock; holes are [first number, how many]."""

    sent: int
    received: int
    duplicates: int
    reordered: int
    longest_gap: float
    holes: tuple[tuple[int, int], ...]

    @property
    def lost(self) -> int:
        return self.sent - self.received


class Running(Protocol):
    """A program that a sender has started."""

    def wait_for_output(self, text: str, deadline: float = ...) -> None: ...

    def stop(self, name: str = ..., deadline: float = ...) -> Completed: ...


class Sender(Protocol):
    """A container, or who is on the wire between the hosts (`outside`)."""

    def pings(self, address: str, /) -> bool: ...

    def spawn_inside(self, *argv: str, label: str = ...) -> Running: ...


class Flood:
    """Datagrams from one container to another while a `with` block runs; the path works when it begins.

    To a multicast group: the receiver joins it, and whether it has is known by what it gets. A port that is published
    is given by its number, which is the same inside and outside.
    """

    def __init__(
        self, sender: Sender, receiver: Container, address: str, *, rate: float = 1000.0, port: int = 0
    ) -> None:
        self.port = str(port or next(_ports))
        self._sender, self._receiver, self._address, self._rate = sender, receiver, address, rate
        self._result: FloodResult | None = None

    @property
    def result(self) -> FloodResult:
        """The outcome, once the block has ended."""
        assert self._result is not None, "the flood still runs"
        return self._result

    def __enter__(self) -> Self:
        # The path first: neighbours that do not know each other yet may lose what they like.
        group = (self._address,) if ip_address(self._address).is_multicast else ()
        if not group:
            wait_until(lambda: self._sender.pings(self._address), 10, f"a ping to {self._address}")
        self._inbox = self._receiver.spawn_inside(*FLOOD, "receive", self.port, *group, label="flood-receive")
        self._inbox.wait_for_output("listening")
        outbox = (*FLOOD, "send", self._address, self.port, str(self._rate))
        self._outbox = self._sender.spawn_inside(*outbox, label="flood-send")
        self._outbox.wait_for_output("sending")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        sent = json.loads(self._outbox.stop("TERM").stdout.splitlines()[-1])
        seen = json.loads(self._inbox.stop("TERM").stdout.splitlines()[-1])
        self._result = FloodResult(
            sent=sent["sent"],
            received=seen["received"],
            duplicates=seen["duplicates"],
            reordered=seen["reordered"],
            longest_gap=seen["longest_gap"],
            holes=tuple((first, length) for first, length in seen["holes"]),
        )
