"""Tables and words for people."""

import pytest

from ovsnet.cli.output import Table, duration, plain


def test_columns_are_aligned_and_empty_cells_are_marked() -> None:
    table = Table(heads=("NAME", "VLAN"), rows=[("web", ""), ("database", "20")], empty="none")
    assert plain(table) == "NAME      VLAN\nweb       -\ndatabase  20"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.42, "0.4 s"),
        (59, "59.0 s"),
        (60, "1 min 0 s"),
        (3725, "1 h 2 min"),
        (93784, "1 d 2 h"),
    ],
)
def test_durations_have_two_units_at_most(seconds: float, words: str) -> None:
    assert duration(seconds) == words
