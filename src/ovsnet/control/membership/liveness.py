"""Who lives: signs of life are counters, and only their change counts, by our own monotonic clock.

A clock that is set, here or elsewhere, changes nothing. While the database is away nobody's counter can be seen to
move, so nobody dies of it: judgement stops, and starts anew when the database is back. Our own counter tells whether it
is there: when that does not move, the database is stuck, or this process was, and nothing follows for the others.
"""

from collections.abc import Mapping

from ovsnet.model.cluster import Beat
from ovsnet.model.ids import HostName


class Liveness:
    """Remembers when each member's counter last moved.

    `dead_after`: seconds without that until it counts as dead; `period`: seconds between two beats of our own.
    """

    def __init__(self, me: HostName, dead_after: float, period: float = 0.0) -> None:
        self._me = me
        self._dead_after = dead_after
        self._deaf_after = max(dead_after / 2, 2 * period)
        self._counts: dict[HostName, int] = {}
        self._moved: dict[HostName, float] = {}
        self._away = True
        self.dead: frozenset[HostName] = frozenset()

    def observe(self, members: Mapping[HostName, object], beats: Mapping[HostName, Beat], now: float) -> bool:
        """Look at everybody's counter, while the database answers; True if somebody died or came back."""
        if self._away:
            # Nobody could be heard meanwhile: the dead stay dead, the others get the whole time again.
            self._moved = {name: now for name in members if name not in self.dead}
            self._away = False
        for name in members:
            count = beats[name].count if name in beats else 0
            if self._counts.get(name) != count:
                first = name not in self._counts
                self._counts[name] = count
                if not (first and name in self.dead):
                    self._moved[name] = now
            self._moved.setdefault(name, now if name not in self.dead else now - self._dead_after)
        if self._me in members and now - self._moved[self._me] >= self._deaf_after:
            self._away = True
            return False
        dead = frozenset(it for it in members if it != self._me and now - self._moved[it] >= self._dead_after)
        changed, self.dead = dead != self.dead, dead
        return changed

    def lost(self) -> None:
        """The database does not answer: nothing is known of anybody from now on."""
        self._away = True

    def silence(self, name: HostName, now: float) -> float | None:
        """Seconds since this member's counter moved; None while it is not known."""
        moved = self._moved.get(name)
        return None if moved is None or self._away else now - moved
