"""Several hosts at the same moment, or all of them in the end."""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from tests.rig.host import Host
from tests.rig.process import wait_until

T = TypeVar("T")
Item = TypeVar("Item")
H = TypeVar("H", bound=Host)


def together(function: Callable[[Item], T], items: Iterable[Item]) -> Sequence[T]:
    """The function for all items at once, each in a thread that waits for its commands; what it returned, in order."""
    listed = list(items)
    with ThreadPoolExecutor(len(listed)) as threads:
        return list(threads.map(function, listed))


def at_once(*calls: Callable[[], T]) -> Sequence[T]:
    """As `together`, for different calls."""
    return together(lambda call: call(), calls)


def await_on_all(hosts: Iterable[H], condition: Callable[[H], object], deadline: float, what: str) -> None:
    """Until it is so on every host; `deadline` seconds for each, names the one where it is not."""
    for host in hosts:
        wait_until(partial(condition, host), deadline, f"{what} on {host.name}")
