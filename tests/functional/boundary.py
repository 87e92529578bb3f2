"""Where the appliers reach the host, with a count: the n-th change can be refused, or be the last one of a process.

    appliers ──► netlink · sysctl · ethtool · OVSDB transaction · ovs-ofctl bundle · nft, iptables ──► host
                    ▲
                 Boundary: numbers each change, and lets `Fate` happen to one of them

What is only read is not counted. A refusal is what the real thing would say: an errno, an error of RFC 7047, the words
of the program. A process that died changes nothing more, whatever it still tries while it is unwound.
"""

import errno
import os
import threading
from asyncio.subprocess import Process
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import Any, TypeVar

import pytest
from pyroute2 import AsyncIPRoute
from pyroute2.netlink.exceptions import NetlinkError

from ovsnet import processes
from ovsnet.linux import firewall, interface, netlink
from ovsnet.model.errors import ApplyError
from ovsnet.ovs import programs
from ovsnet.ovsdb import database
from ovsnet.processes import Finished

T = TypeVar("T")

READS = frozenset({"dump", "get"})
REFUSED_FLOW = "flow add table=0,priority=1,actions=group:4294900000\n"
"""The switch itself refuses a bundle with it, as a whole: there is no such group."""
READ_ETHTOOL = 0x2B
FILTERS = ("iptables-legacy", "ip6tables-legacy")


class Fate(StrEnum):
    """What happens to one change."""

    REFUSED = "refused"
    """It is not made, and the host says why."""
    UNANSWERED = "unanswered"
    """It is made, and nobody says so."""
    DIES_BEFORE = "the process dies before"
    DIES_AFTER = "the process dies after"


class Death(BaseException):
    """Nothing of the program may catch it: its process is no more."""


def _die() -> None:
    raise Death


class Boundary:
    """Counts from 1. `die` ends the process; in a test's own process it is played by `Death`."""

    def __init__(self, die: Callable[[], None] = _die) -> None:
        self._die = die
        self._turn = threading.Lock()
        self._doomed = 0
        self._fate = Fate.REFUSED
        self._dead = False
        self.count = 0
        self.struck = ""
        """Which change it happened to, in words; "" before."""
        self.changes: list[str] = []
        """All of them, in words."""

    def arm(self, number: int, fate: Fate) -> None:
        """Count from 1 again; it happens to the change of that number, 0 for none."""
        self._doomed, self._fate = number, fate
        self.count, self.struck, self.changes, self._dead = 0, "", [], False

    def revive(self) -> None:
        """Another process begins."""
        self._dead = False

    @property
    def died(self) -> bool:
        """Whether the process is no more."""
        return self._dead

    def _next(self, what: str) -> Fate | None:
        with self._turn:
            if self._dead:
                raise Death
            self.count += 1
            self.changes.append(what)
            if self.count != self._doomed:
                return None
            self.struck = what
        if self._fate is Fate.DIES_BEFORE:
            self._end()
        return self._fate

    def _end(self) -> None:
        self._dead = True
        self._die()

    def _made(self, fate: Fate | None) -> None:
        if fate is Fate.DIES_AFTER:
            self._end()

    # ------------------------------------------------------------ one change

    def now(self, what: str, make: Callable[[], T], refuse: Callable[[], T], lose: Callable[[], T]) -> T:
        """A change by a function: `refuse` and `lose` return or raise what the real thing would."""
        fate = self._next(what)
        if fate is Fate.REFUSED:
            return refuse()
        made = make()
        self._made(fate)
        return lose() if fate is Fate.UNANSWERED else made

    async def soon(
        self, what: str, make: Callable[[], Awaitable[T]], refuse: Callable[[], Awaitable[T]], lose: Callable[[], T]
    ) -> T:
        """As `now`, for a change that is waited for."""
        fate = self._next(what)
        if fate is Fate.REFUSED:
            return await refuse()
        made = await make()
        self._made(fate)
        return lose() if fate is Fate.UNANSWERED else made


@contextmanager
def watched(boundary: Boundary) -> Iterator[None]:
    """While this lasts every change of the host by this process passes the boundary."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(netlink, "AsyncIPRoute", _counting_netlink(boundary))
        patch.setattr(netlink, "_exchange", _counting_exchange(boundary))
        patch.setattr(interface, "_write", _counting_write(boundary))
        patch.setattr(interface, "_ethtool", _counting_ethtool(boundary))
        patch.setattr(processes, "run", _counting_run(boundary))
        patch.setattr(programs, "finish", _counting_finish(boundary))
        patch.setattr(database.Database, "transact", _counting_transact(boundary))
        patch.setattr(firewall, "forget_udp", _counting_forget(boundary))
        yield


# ------------------------------------------------------------------------- the kernel


def _no_memory() -> Any:
    raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))


def _timed_out() -> Any:
    raise TimeoutError("timed out")


def _counting_netlink(boundary: Boundary) -> type[AsyncIPRoute]:
    def counted(name: str) -> Any:
        real = getattr(AsyncIPRoute, name)

        async def refused() -> Any:
            raise NetlinkError(errno.ENOMEM, os.strerror(errno.ENOMEM))

        async def request(self: Any, command: str, *given: Any, **named: Any) -> Any:
            if command in READS:
                return await real(self, command, *given, **named)
            what = f"netlink {name} {command} {_words(named)}"
            return await boundary.soon(what, lambda: real(self, command, *given, **named), refused, _timed_out)

        return request

    names = ("link", "addr", "route", "rule", "tc")
    counting: type[AsyncIPRoute] = type("Counting", (AsyncIPRoute,), {name: counted(name) for name in names})
    return counting


def _words(named: dict[str, Any]) -> str:
    return " ".join(f"{key}={value}" for key, value in named.items() if isinstance(value, int | str) and value != "")


def _counting_exchange(boundary: Boundary) -> Any:
    real = vars(netlink)["_exchange"]

    def exchange(requests: Any, deadline: float) -> Any:
        what = f"netlink, {len(requests)} requests"
        return boundary.now(what, lambda: real(requests, deadline), lambda: {1: errno.ENOMEM}, _timed_out)

    return exchange


def _counting_write(boundary: Boundary) -> Any:
    real = vars(interface)["_write"]

    def write(path: str, value: str) -> None:
        boundary.now(f"sysctl {path}={value}", lambda: real(path, value), _no_memory, lambda: None)

    return write


def _counting_ethtool(boundary: Boundary) -> Any:
    real = vars(interface)["_ethtool"]

    def ethtool(name: str, within: Any, command: int, given: int = 0) -> Any:
        if command == READ_ETHTOOL:
            return real(name, within, command, given)
        what = f"ethtool {name} {command:#x}"
        return boundary.now(what, lambda: real(name, within, command, given), _no_memory, lambda: 0)

    return ethtool


def _counting_forget(boundary: Boundary) -> Any:
    real = vars(firewall)["forget_udp"]

    async def forget(doomed: Any) -> None:
        async def refuse() -> None:
            _no_memory()

        await boundary.soon("forget UDP connections", lambda: real(doomed), refuse, lambda: None)

    return forget


# ------------------------------------------------------------------------- programs


def _counting_run(boundary: Boundary) -> Any:
    real = processes.run

    async def run(command: Any, *, stdin: str = "", **named: Any) -> Finished:
        async def make() -> Finished:
            return await real(command, stdin=stdin, **named)

        async def refuse() -> Finished:
            return Finished(1, b"", "Error: Could not process rule: Cannot allocate memory")

        if not _changes(command):
            return await make()
        return await boundary.soon(" ".join(command), make, refuse, _timed_out)

    return run


def _counting_finish(boundary: Boundary) -> Any:
    """Of a program that was started ahead the change is what it is given to read."""
    real = programs.finish

    async def finish(process: Process, command: Any, *, stdin: str, deadline: float) -> programs.Outcome:
        def given(text: str) -> Callable[[], Awaitable[programs.Outcome]]:
            return lambda: real(process, command, stdin=text, deadline=deadline)

        def lose() -> Any:
            raise programs.unavailable(f"no answer to {command[0]} within {deadline:g} s")

        if "bundle" not in command or "packet-out" in stdin:
            return await given(stdin)()
        try:
            return await boundary.soon(" ".join(command), given(stdin), given(stdin + REFUSED_FLOW), lose)
        except Death:
            await processes.end(process)
            raise

    return finish


def _changes(command: Any) -> bool:
    words = set(command)
    if command[0] == "nft":
        return bool(words & {"-f", "add", "insert", "delete"})
    return command[0] in FILTERS and bool(words & {"-A", "-I", "-D"})


# ------------------------------------------------------------------------- Open vSwitch's database


def _counting_transact(boundary: Boundary) -> Any:
    real = database.Database.transact

    async def transact(self: database.Database, build: Any, deadline: float) -> Any:
        async def refuse() -> Any:
            raise ApplyError(self.title, "resources exhausted: no space left on device")

        def lose() -> Any:
            raise database.OutcomeUnknown(
                self.title, f"no answer to a change within {deadline:.3g} s", lost=False, remedy=self.remedy
            )

        return await boundary.soon(f"transaction on {self.title}", lambda: real(self, build, deadline), refuse, lose)

    return transact
