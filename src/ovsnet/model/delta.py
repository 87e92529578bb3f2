"""Difference between what is wanted and what is there. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Generic, TypeVar

V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class Delta(Generic[V]):
    """What to write so that `have` becomes `want`, by resource key. A change carries the wanted value."""

    add: Mapping[str, V]
    change: Mapping[str, V]
    remove: Mapping[str, V]

    def __bool__(self) -> bool:
        """True when there is something to do."""
        return bool(self.add or self.change or self.remove)

    def __len__(self) -> int:
        """How many resources differ."""
        return len(self.add) + len(self.change) + len(self.remove)

    def without_removals(self) -> "Delta[V]":
        """The part that makes and changes."""
        return Delta(self.add, self.change, {})

    def only_removals(self) -> "Delta[V]":
        """The part that takes away."""
        return Delta({}, {}, self.remove)


class Differ(Generic[V]):
    """Compares the same resources again and again: two values that were found to be equal are not compared twice."""

    def __init__(self) -> None:
        self._equal: dict[str, tuple[V, V]] = {}
        self._last: tuple[Mapping[str, V], Mapping[str, V], Delta[V]] | None = None

    def diff(self, want: Mapping[str, V], have: Mapping[str, V]) -> Delta[V]:
        """Compare by `==`; fields marked compare=False never count.

        The very same two mappings give the same answer: who hands out a MappingProxyType twice has not changed it.
        """
        if self._last is not None and self._last[0] is want and self._last[1] is have:
            return self._last[2]
        if len(self._equal) > 2 * len(want):
            self._equal.clear()
        delta = self._compared(want, have)
        self._last = (want, have, delta) if isinstance(have, MappingProxyType) else None
        return delta

    def _compared(self, want: Mapping[str, V], have: Mapping[str, V]) -> Delta[V]:
        # There may be hundreds of thousands of flows, of which most are the very same objects: those are passed over at
        # the least expense.
        there = have.copy() if isinstance(have, MappingProxyType) else have
        others = [(key, value) for key, value in want.items() if there.get(key) is not value]
        add = {key: value for key, value in others if key not in there}
        gone = len(there) - (len(want) - len(add))
        return Delta(
            add=add,
            change={key: value for key, value in others if key in there and self._differs(key, value, there[key])},
            remove={key: value for key, value in there.items() if key not in want} if gone else {},
        )

    def _differs(self, key: str, wanted: V, there: V) -> bool:
        known = self._equal.get(key)
        if known is not None and known[0] is wanted and known[1] is there:
            return False
        if there != wanted:
            return True
        self._equal[key] = (wanted, there)
        return False


def diff(want: Mapping[str, V], have: Mapping[str, V]) -> Delta[V]:
    """Compare by `==`, once; fields marked compare=False never count."""
    return Differ[V]().diff(want, have)
