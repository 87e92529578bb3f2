"""How growth is told: by how much faster something grows than what a host needs to know."""

import pytest

from ovsnet.bench.growth import Measured, growths, percentile, rows_of


def measured(quantity: str, hosts: int, known: int, value: float, case: str = "one") -> Measured:
    return Measured(
        case=case, quantity=quantity, unit="ms", hosts=hosts, endpoints=hosts * 10, known=known, value=value
    )


def test_growth_is_told_from_each_size_to_the_next_by_that_of_what_is_known() -> None:
    figures = [measured("time", 10, 110, 2.0), measured("time", 100, 1100, 6.0), measured("time", 1000, 11000, 120.0)]
    first, second = growths(figures)
    assert (first.step, first.grew, first.known, first.relative) == ("10/100 → 100/1000", 3.0, 10.0, 0.3)
    assert (second.grew, second.relative) == (20.0, 2.0)


def test_cases_and_quantities_are_not_mixed_and_nothing_grows_from_nothing() -> None:
    figures = [
        measured("time", 10, 10, 1.0),
        measured("time", 100, 100, 3.0, case="other"),
        measured("lost", 10, 10, 0.0),
        measured("lost", 100, 100, 5.0),
    ]
    assert not list(growths(figures))


@pytest.mark.parametrize(("share", "expected"), [(0.5, 3), (0.99, 5), (0.0, 1)])
def test_percentile(share: float, expected: int) -> None:
    assert percentile([5, 1, 4, 2, 3], share) == expected


def test_rows_have_a_place_for_each_column() -> None:
    figures = [measured("a", 10, 1, 1.0), measured("b", 100, 1, 2.0)]
    sizes = ["10/100", "100/1000"]
    assert [(name, [it and it.value for it in row]) for name, row in rows_of(figures, lambda it: it.size, sizes)] == [
        ("a", [1.0, None]),
        ("b", [None, 2.0]),
    ]
