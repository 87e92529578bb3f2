"""A store that forgets everything with its process: for tests, and the yardstick for the other one."""

from collections.abc import Callable, Sequence

from ovsnet.model.state import State
from ovsnet.store.changes import check, edited, fold
from ovsnet.store.interface import Change


class MemoryStore:
    """A Store (see `interface`) of one process."""

    def __init__(self, state: State | None = None) -> None:
        self._state = state or State()
        self._watchers: list[Callable[[], None]] = []

    def snapshot(self) -> State:
        """The state as it is."""
        return self._state

    async def commit(self, base: State, changes: Sequence[Change]) -> State:
        """Apply all changes or none; errors as in `Store.commit`."""
        edits = fold(changes)
        check(base, self._state, edits)
        self._state = edited(self._state, edits)
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
