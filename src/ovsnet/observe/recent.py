"""The end of the log, kept in memory for the report."""

from collections import deque
from collections.abc import Sequence

KEPT = 2000


class RecentLines:
    """The last lines that were added, oldest first."""

    def __init__(self, kept: int = KEPT) -> None:
        self._lines: deque[str] = deque(maxlen=kept)

    def add(self, line: str) -> None:
        """Keep this line and forget the oldest when there are too many."""
        self._lines.append(line)

    def lines(self) -> Sequence[str]:
        """What is kept now."""
        return tuple(self._lines)
