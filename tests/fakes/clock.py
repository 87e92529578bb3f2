"""An event loop whose time jumps to the next timer when nothing is ready: no test waits for real time.

Only with fakes: with real sockets it would jump ahead of them.
"""

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, ParamSpec

P = ParamSpec("P")


class _JumpingSelector(selectors.SelectSelector):
    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready:
            if timeout is None:
                raise RuntimeError("deadlock: everybody waits and no timer is set")
            self.now += timeout
        return ready


def run(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a coroutine on a loop with jumping time."""
    selector = _JumpingSelector()
    loop = asyncio.SelectorEventLoop(selector)
    loop.time = lambda: selector.now  # type: ignore[method-assign]
    try:
        loop.run_until_complete(main())
    finally:
        loop.close()


def jumping(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """For a test that is a coroutine: it runs on a loop with jumping time."""

    @wraps(test)
    def on_jumping_loop(*args: P.args, **kwargs: P.kwargs) -> None:
        run(lambda: test(*args, **kwargs))

    return on_jumping_loop
