"""Who counts as dead, by counters and one's own clock alone."""

from ovsnet.control.membership.liveness import Liveness
from ovsnet.model.cluster import Beat
from ovsnet.model.ids import HostName

H1, H2, H3 = HostName("h1"), HostName("h2"), HostName("h3")
MEMBERS = dict.fromkeys((H1, H2, H3))


def beats(**counts: int) -> dict[HostName, Beat]:
    return {HostName(name): Beat(HostName(name), count) for name, count in counts.items()}


def test_a_member_whose_counter_stands_still_for_long_enough_is_dead_and_comes_back_with_the_next_beat() -> None:
    liveness = Liveness(H1, 30)
    liveness.observe(MEMBERS, beats(h2=1, h3=1), 0)
    liveness.observe(MEMBERS, beats(h1=1, h2=1, h3=1), 14)

    assert not liveness.observe(MEMBERS, beats(h1=1, h2=2, h3=1), 28)
    assert liveness.observe(MEMBERS, beats(h1=2, h2=3, h3=1), 31)
    assert liveness.dead == {H3}
    assert liveness.observe(MEMBERS, beats(h1=2, h2=3, h3=2), 32)
    assert liveness.dead == frozenset()


def test_nobody_is_dead_to_himself() -> None:
    liveness = Liveness(H1, 30)
    liveness.observe(dict.fromkeys((H2, H3)), beats(h1=1), 0)
    liveness.observe(dict.fromkeys((H2, H3)), beats(h1=1), 100)

    assert liveness.dead == {H2, H3}


def test_who_does_not_even_hear_himself_declares_nobody_dead() -> None:
    """The database is stuck, or this process was stopped for a while."""
    liveness = Liveness(H1, 30, 10)
    liveness.observe(MEMBERS, beats(h1=1, h2=1, h3=1), 0)

    assert not liveness.observe(MEMBERS, beats(h1=1, h2=1, h3=1), 1000)
    # What waited comes one after the other, our own beat first.
    assert not liveness.observe(MEMBERS, beats(h1=2, h2=1, h3=1), 1001)
    assert not liveness.observe(MEMBERS, beats(h1=3, h2=2, h3=1), 1011)
    assert not liveness.observe(MEMBERS, beats(h1=4, h2=3, h3=1), 1021)
    assert liveness.observe(MEMBERS, beats(h1=5, h2=4, h3=1), 1031)
    assert liveness.dead == {H3}


def test_one_who_beats_seldom_still_judges() -> None:
    liveness = Liveness(H1, 30, 20)
    liveness.observe(MEMBERS, beats(h1=1, h2=1, h3=1), 0)
    liveness.observe(MEMBERS, beats(h1=2, h2=2, h3=1), 19)

    assert liveness.observe(MEMBERS, beats(h1=2, h2=2, h3=1), 38)
    assert liveness.dead == {H3}


def test_while_the_database_is_away_nobody_dies_and_afterwards_everybody_has_the_whole_time_again() -> None:
    liveness = Liveness(H1, 30)
    liveness.observe(MEMBERS, beats(h2=1, h3=1), 0)
    liveness.lost()

    assert not liveness.observe(MEMBERS, beats(h2=1, h3=1), 1000)
    assert not liveness.observe(MEMBERS, beats(h1=1, h2=1, h3=1), 1014)
    assert not liveness.observe(MEMBERS, beats(h1=2, h2=1, h3=1), 1028)
    assert liveness.observe(MEMBERS, beats(h1=2, h2=2, h3=1), 1031)
    assert liveness.dead == {H3}


def test_who_was_dead_before_the_database_went_away_is_dead_until_a_beat_is_seen() -> None:
    liveness = Liveness(H1, 30)
    liveness.observe(MEMBERS, beats(h2=1, h3=1), 0)
    liveness.observe(MEMBERS, beats(h1=1, h2=1, h3=1), 14)
    liveness.observe(MEMBERS, beats(h1=2, h2=1, h3=1), 28)
    liveness.observe(MEMBERS, beats(h1=2, h2=2, h3=1), 31)
    liveness.lost()

    assert not liveness.observe(MEMBERS, beats(h2=2, h3=1), 500)
    assert liveness.dead == {H3}
    assert liveness.observe(MEMBERS, beats(h2=2, h3=2), 501)


def test_a_member_that_was_forgotten_is_not_dead_any_more() -> None:
    liveness = Liveness(H1, 30)
    liveness.observe(MEMBERS, beats(h2=1), 0)
    liveness.observe(MEMBERS, beats(h1=1, h2=1), 14)
    liveness.observe(MEMBERS, beats(h1=2, h2=1), 28)
    liveness.observe(MEMBERS, beats(h1=2, h2=2), 31)

    assert liveness.observe(dict.fromkeys((H1, H2)), beats(h1=3, h2=3), 32)
    assert liveness.dead == frozenset()


def test_a_new_member_lives_before_its_first_beat() -> None:
    liveness = Liveness(H1, 30)
    liveness.observe({H1: None}, beats(h1=1), 0)
    liveness.observe({H1: None}, beats(h1=2), 14)

    assert not liveness.observe(MEMBERS, beats(h1=3), 28)
    assert not liveness.observe(MEMBERS, beats(h1=4), 42)
    assert not liveness.observe(MEMBERS, beats(h1=5), 56)
    assert liveness.observe(MEMBERS, beats(h1=6), 69)
    assert liveness.dead == {H2, H3}


def test_a_clock_that_jumps_at_the_other_host_changes_nothing() -> None:
    """There is no time in a beat at all: only that it moved."""
    assert set(Beat.__dataclass_fields__) == {"host", "count"}
