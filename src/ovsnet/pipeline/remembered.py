"""The latest result for each key, kept for as long as its inputs stay equal. Pure to its callers.

For what is computed of many values and asked for at every change: equal values are mostly the very same objects, and
comparing those costs nothing.
"""

from collections.abc import Callable, Collection, Hashable
from typing import Generic, TypeVar

V = TypeVar("V")


class Latest(Generic[V]):
    """One result a key: of a large value no older one is kept."""

    def __init__(self) -> None:
        self._results: dict[Hashable, tuple[tuple[object, ...], V]] = {}

    def get(self, key: Hashable, inputs: tuple[object, ...], make: Callable[[], V]) -> V:
        """What `make` returned when it was asked last with these inputs; else what it returns now."""
        known = self._results.get(key)
        if known is None or known[0] != inputs:
            known = self._results[key] = (inputs, make())
        return known[1]

    def __len__(self) -> int:
        """How many results are kept."""
        return len(self._results)

    def clear(self) -> None:
        """Forget all."""
        self._results.clear()

    def keep(self, keys: Collection[Hashable]) -> None:
        """Forget all others."""
        for key in self._results.keys() - set(keys):
            del self._results[key]
