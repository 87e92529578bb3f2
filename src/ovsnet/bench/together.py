"""Many things at a time, but not all of them at once."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

from ovsnet.model.errors import OvsnetError

T = TypeVar("T")
R = TypeVar("R")


async def together(work: Callable[[T], Awaitable[R]], over: Iterable[T], *, at_once: int) -> list[R]:
    """The work on each of them, in their order. When some fail: the first failure, after all have ended.

    Nothing is started after a failure, and nothing is left running: whoever cleans up afterwards finds all there is.
    """
    room = asyncio.Semaphore(at_once)
    failures: list[OvsnetError] = []

    async def one(it: T) -> R | None:
        async with room:
            if failures:
                return None
            try:
                return await work(it)
            except OvsnetError as error:
                failures.append(error)
                return None

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(it)) for it in over]
    if failures:
        raise failures[0]
    return [it for task in tasks if (it := task.result()) is not None]
