"""A loop that stood still ends nobody's waiting for what has been answered meanwhile."""

import asyncio
import selectors
import socket
import time
from collections.abc import Callable

import pytest

from ovsnet.agent.eventloop import FairLoop

MOST, DEADLINE, STILL = 0.02, 0.1, 0.3


def stand_still(seconds: float) -> None:
    """As a request does that the kernel does not take."""
    time.sleep(seconds)


async def answered_while_the_loop_stands() -> bytes:
    """What a neighbour says at once, to a loop that is held up for longer than the deadline."""
    here, there = socket.socketpair()
    with here, there:
        here.setblocking(False)
        async with asyncio.timeout(DEADLINE):
            answer = asyncio.ensure_future(asyncio.get_running_loop().sock_recv(here, 8))
            await asyncio.sleep(0)
            there.send(b"yes")
            stand_still(STILL)
            return await answer


def run(factory: Callable[[], asyncio.AbstractEventLoop]) -> bytes:
    with asyncio.Runner(loop_factory=factory) as runner:
        return runner.run(answered_while_the_loop_stands())


def test_what_was_answered_meanwhile_is_heard() -> None:
    assert run(lambda: FairLoop(most=MOST)) == b"yes"


def test_an_ordinary_loop_hears_nothing() -> None:
    """So that the test above can fail."""
    with pytest.raises(TimeoutError):
        run(lambda: asyncio.SelectorEventLoop(selectors.DefaultSelector()))


async def waited() -> tuple[float, float]:
    """How long a deadline lasts in which nobody answers: by the loop's clock and by another one."""
    loop, began = asyncio.get_running_loop(), time.monotonic()
    since = loop.time()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(DEADLINE):
            await loop.create_future()
    return loop.time() - since, time.monotonic() - began


def test_a_deadline_ends_when_nobody_answers() -> None:
    with asyncio.Runner(loop_factory=FairLoop) as runner:
        by_its_own, by_another = runner.run(waited())
    assert DEADLINE <= by_its_own <= by_another + 0.001


async def readings() -> list[float]:
    """What the clock shows around times at which the loop stands."""
    loop, seen = asyncio.get_running_loop(), []
    for pause in (0, STILL / 3, 0, STILL / 3):
        seen.append(loop.time())
        stand_still(pause)
        seen.append(loop.time())
        await asyncio.sleep(0)
    return seen


def test_the_clock_never_goes_back_and_counts_little_of_what_a_turn_takes() -> None:
    with asyncio.Runner(loop_factory=lambda: FairLoop(most=MOST)) as runner:
        seen = runner.run(readings())
    assert seen == sorted(seen)
    assert seen[-1] - seen[0] < 2 * MOST + STILL / 3
