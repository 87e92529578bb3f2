"""What differs between what is wanted and what is there."""

from types import MappingProxyType

from hypothesis import given
from hypothesis import strategies as st

from ovsnet.model.delta import Differ, diff

THINGS = st.dictionaries(st.sampled_from("abcdef"), st.tuples(st.integers(0, 2)))


@given(want=THINGS, have=THINGS)
def test_applied_to_what_is_there_the_difference_makes_what_is_wanted(
    want: dict[str, tuple[int]], have: dict[str, tuple[int]]
) -> None:
    delta = diff(want, MappingProxyType(have))
    left = {key: value for key, value in have.items() if key not in delta.remove}
    assert {**left, **delta.add, **delta.change} == want
    assert not delta.add.keys() & have.keys()
    assert all(have[key] != value for key, value in delta.change.items())
    assert all(have[key] == value and key not in want for key, value in delta.remove.items())


@given(things=THINGS)
def test_equal_things_differ_in_nothing(things: dict[str, tuple[int]]) -> None:
    assert not diff(things, {key: (*value,) for key, value in things.items()})


@given(rounds=st.lists(st.tuples(THINGS, THINGS), min_size=2, max_size=6))
def test_what_was_compared_before_changes_no_answer(
    rounds: list[tuple[dict[str, tuple[int]], dict[str, tuple[int]]]],
) -> None:
    differ: Differ[tuple[int]] = Differ()
    for want, have in (*rounds, *rounds[::-1]):
        there = MappingProxyType(have)
        assert differ.diff(want, there) == diff(want, have)
        assert differ.diff(want, there) == diff(want, have)


def test_what_changed_in_a_mapping_of_its_own_is_seen() -> None:
    differ: Differ[int] = Differ()
    want, have = {"a": 1}, {"a": 2}
    assert differ.diff(want, have).change == want
    have["a"] = 1
    assert not differ.diff(want, have)
