"""Many things at a time: how many, in which order, and what a failure does."""

import asyncio

import pytest

from ovsnet.bench.together import together
from ovsnet.model.errors import OvsnetError


async def settle() -> None:
    """Give the others their turn."""
    for _ in range(5):
        await asyncio.sleep(0)


def test_results_are_in_order_and_no_more_run_at_once_than_allowed() -> None:
    running: set[int] = set()
    most = 0

    async def work(number: int) -> int:
        nonlocal most
        running.add(number)
        most = max(most, len(running))
        await settle()
        running.remove(number)
        return number * 10

    assert asyncio.run(together(work, range(7), at_once=3)) == [0, 10, 20, 30, 40, 50, 60]
    assert most == 3


def test_after_a_failure_those_that_run_end_and_no_others_begin() -> None:
    begun: list[int] = []
    ended: list[int] = []

    async def work(number: int) -> int:
        begun.append(number)
        await asyncio.sleep(0)
        if number == 0:
            raise OvsnetError("the first one")
        await settle()
        ended.append(number)
        return number

    with pytest.raises(OvsnetError, match="the first one"):
        asyncio.run(together(work, range(9), at_once=2))
    assert begun == [0, 1]
    assert ended == [1]
