"""Medians, spread and ratios: above 1 is in my favour, whichever direction is good."""

import pytest

from ovsnet.bench.report import Better
from ovsnet.bench.stats import Spread, advantage, spread


def test_a_spread_is_the_median_between_the_lowest_and_the_highest() -> None:
    assert spread([5.0, 1.0, 2.0]) == Spread(2.0, 1.0, 5.0)


def test_an_advantage_is_taken_round_by_round() -> None:
    """A machine that gets slower all the time makes no spread."""
    assert advantage([40.0, 20.0, 10.0], [20.0, 10.0, 5.0], Better.HIGHER) == Spread(2.0, 2.0, 2.0)


def test_where_less_is_better_less_is_an_advantage() -> None:
    assert advantage([10.0], [30.0], Better.LOWER) == Spread(3.0, 3.0, 3.0)


@pytest.mark.parametrize(
    ("mine", "theirs", "better"),
    [([], [1.0], Better.HIGHER), ([1.0], [0.0], Better.HIGHER), ([0.0], [1.0], Better.LOWER)],
)
def test_there_is_no_advantage_over_nothing(mine: list[float], theirs: list[float], better: Better) -> None:
    assert advantage(mine, theirs, better) is None
