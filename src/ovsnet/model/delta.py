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


def diff(want: Mapping[str, V], have: Mapping[str, V]) -> Delta[V]:
    """Compare by `==`; fields marked compare=False never count."""
    # There may be hundreds of thousands of flows, of which most are the very same objects: those are passed over at
    # the least expense.
    there = have.copy() if isinstance(have, MappingProxyType) else have
    others = [(key, value) for key, value in want.items() if there.get(key) is not value]
    add = {key: value for key, value in others if key not in there}
    gone = len(there) - (len(want) - len(add))
    return Delta(
        add=add,
        change={key: value for key, value in others if key in there and there[key] != value},
        remove={key: value for key, value in there.items() if key not in want} if gone else {},
    )
