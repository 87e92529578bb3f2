"""Finding a member of a token's cluster on the LAN.

    announcement ─► claims our cluster ─► proves it by its certificate ─► is joined as if its address had been given
                └► another cluster: never contacted    └► cannot: told nothing

What is announced decides nothing but whom to ask first.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

from ovsnet.cluster.sighting import Sighting
from ovsnet.model.errors import OvsnetError, Unavailable
from ovsnet.model.ids import IpAddress

T = TypeVar("T")
Look = Callable[[float, Callable[[Sighting], None]], Awaitable[None]]
"""Listens for so many seconds and tells of everybody it hears of; Unavailable when it cannot."""
Prove = Callable[[IpAddress], Awaitable[None]]
"""Returns when a member is at that address; raises OvsnetError when somebody else is, or nobody."""

LISTEN = 5.0
"""Seconds until nobody else is waited for."""
PROOF = 5.0
"""Seconds one host may take for its proof; all are asked at the same time."""
MOST = 16
"""Hosts that are asked: somebody could announce the whole world."""
TOLD = 5
"""Of so many the message tells."""
REMEDY = (
    "give the address of a member: 'ovsnet cluster join ADDRESS --token …'. To be found, a member needs mdns = true in "
    "its settings, and multicast (UDP port 5353) must get through to it"
)


class Search:
    """One search for the cluster whose authority has the fingerprint; `port` is where we expect its agents."""

    def __init__(self, fingerprint: bytes, port: int, prove: Prove) -> None:
        self._fingerprint = fingerprint
        self._port = port
        self._prove = prove
        self._proven: asyncio.Queue[IpAddress | None] = asyncio.Queue()
        self._asked: set[IpAddress] = set()
        self._others: set[str] = set()
        self._failed: dict[str, str] = {}
        self._trouble: OvsnetError | None = None

    async def first(self, look: Look, attempt: Callable[[IpAddress], Awaitable[T]]) -> T:
        """What `attempt` returns at the first member for which it does.

        A member where it is Unavailable is passed over; other errors are raised as they are. Unavailable when there is
        no member left, with what was seen and what to do.
        """
        async with asyncio.TaskGroup() as group:
            searching = group.create_task(self._search(look))
            outcome = await self._in_turn(attempt)
            searching.cancel()
        if isinstance(outcome, OvsnetError):  # out of the group, which would wrap it
            raise outcome
        return outcome

    async def _search(self, look: Look) -> None:
        async with asyncio.TaskGroup() as group:
            try:
                await look(LISTEN, lambda it: self._consider(it, group))
            except OvsnetError as error:
                self._trouble = error
        self._proven.put_nowait(None)

    def _consider(self, it: Sighting, group: asyncio.TaskGroup) -> None:
        if not it.is_of(self._fingerprint):
            self._others.add(it.cluster_id)
        elif it.port != self._port:
            self._failed[f"{it.address}"] = f"it announces port {it.port}, cluster_port is {self._port} here"
        elif it.address not in self._asked and len(self._asked) < MOST:
            self._asked.add(it.address)
            group.create_task(self._ask(it.address))

    async def _ask(self, address: IpAddress) -> None:
        try:
            async with asyncio.timeout(PROOF):
                await self._prove(address)
        except TimeoutError:
            self._failed[f"{address}"] = f"no answer within {PROOF:g} seconds"
        except OvsnetError as error:
            self._failed[f"{address}"] = str(error)
        else:
            self._proven.put_nowait(address)

    async def _in_turn(self, attempt: Callable[[IpAddress], Awaitable[T]]) -> T | OvsnetError:
        while (address := await self._proven.get()) is not None:
            try:
                return await attempt(address)
            except Unavailable as error:
                self._failed[f"{address}"] = str(error)
            except OvsnetError as error:
                return error
        return self._nobody()

    def _nobody(self) -> Unavailable:
        if self._trouble is not None:
            reason = str(self._trouble)
        elif self._failed:
            tried = _some(f"{where} ({why})" for where, why in self._failed.items())
            reason = f"none could be joined of those that announce themselves: {tried}"
        else:
            reason = f"none announced itself here within {LISTEN:g} seconds"
        if self._others:
            reason += f"; other clusters are there: {_some(sorted(self._others))}"
        return Unavailable("a member of the token's cluster", reason, remedy=REMEDY)


def _some(found: Iterable[str]) -> str:
    """Not all, in case somebody made them up."""
    every = list(found)
    return "; ".join((*every[:TOLD], *([f"and {len(every) - TOLD} more"] if len(every) > TOLD else [])))
