"""One object for a value that comes again and again: a replica's rows say the same of most ports.

Only values that the IDL replaces whole are given to several rows (`ovs.db.data.Datum.diff`, ovs 4.0): to a set,
a map or an empty optional value it adds in place. Of maps the keys are shared.
"""

from typing import Any

RECENT = 4
"""So many values of a column are remembered: what comes often is soon among them."""
KEYS = 1000
"""So many keys of maps at most; others' external ids may have any."""


class Repeats:
    """Of one replica."""

    def __init__(self) -> None:
        self._recent: dict[tuple[str, str], list[Any]] = {}
        self._keys: dict[Any, Any] = {}

    def share(self, row: Any, before: Any = None) -> None:
        """Let `row`, which has just changed, hold the objects that earlier rows hold, where the values are equal.

        `before` has the earlier values of the columns that changed; None of a new row.
        """
        table, stored = row._table.name, row._data  # noqa: SLF001
        for column in tuple(dict.keys(stored if before is None else before._data)):  # noqa: SLF001
            datum = dict.get(stored, column)
            if datum is None:
                continue  # what has the column's default is not stored
            if datum.type.is_map():
                datum.values = {self._key(key): value for key, value in datum.values.items()}
            elif datum.type.n_max == 1 and len(datum.values) == 1:
                stored[column] = self._known(table, column, datum)

    def _key(self, atom: Any) -> Any:
        if len(self._keys) >= KEYS:
            self._keys.clear()
        return self._keys.setdefault(atom, atom)

    def _known(self, table: str, column: str, datum: Any) -> Any:
        recent = self._recent.setdefault((table, column), [])
        for at, it in enumerate(recent):
            if it.values == datum.values:
                recent.insert(0, recent.pop(at))
                return recent[0]
        recent.insert(0, datum)
        del recent[RECENT:]
        return datum
