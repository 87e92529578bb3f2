"""A store that forgets everything with its process: for tests, and the yardstick for the other one."""

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from ovsnet.store.changes import check, edited, fold
from ovsnet.store.interface import Change
from ovsnet.store.vocabulary import Vocabulary

S = TypeVar("S")


class MemoryStore(Generic[S]):
    """A Store (see `interface`) of one process."""

    def __init__(self, vocabulary: Vocabulary[S], state: S | None = None) -> None:
        self._vocabulary = vocabulary
        self._state = state or vocabulary.empty()
        self._watchers: list[Callable[[], None]] = []

    def snapshot(self) -> S:
        """The state as it is."""
        return self._state

    async def commit(self, base: S, changes: Sequence[Change]) -> S:
        """Apply all changes or none; errors as in `Store.commit`."""
        edits = fold(changes)
        check(self._vocabulary, base, self._state, edits)
        self._state = edited(self._vocabulary, self._state, edits)
        for watcher in self._watchers:
            watcher()
        return self._state

    def watch(self, changed: Callable[[], None]) -> None:
        """Call `changed` after every commit."""
        self._watchers.append(changed)

    @property
    def available(self) -> bool:
        """Always True."""
        return True
