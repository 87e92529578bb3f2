"""The end of the log."""

from ovsnet.observe.recent import RecentLines


def test_the_newest_lines_are_kept_in_order() -> None:
    recent = RecentLines(kept=2)
    for line in ("one", "two", "three"):
        recent.add(line)
    assert recent.lines() == ("two", "three")
