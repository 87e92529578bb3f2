"""What people mean by a word: a name comes before a Compose service, the beginning of an id last. Pure."""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Known:
    """By what a thing is known; "" says nothing."""

    names: Collection[str]
    service: str
    ids: Collection[str]


def called(word: str, things: Iterable[T], known: Callable[[T], Known]) -> tuple[T, ...]:
    """All that are called so in the first of these ways in which anything is; () where nothing is."""
    ways: tuple[Callable[[Known], bool], ...] = (
        lambda it: word in it.names,
        lambda it: word == it.service,
        lambda it: any(one.startswith(word) for one in it.ids),
    )
    all_of_them = [(thing, known(thing)) for thing in things if word]
    for way in ways:
        if found := tuple(thing for thing, it in all_of_them if way(it)):
            return found
    return ()
