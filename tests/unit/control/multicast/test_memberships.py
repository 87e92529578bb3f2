"""How long it is believed that somebody listens to a group."""

from ipaddress import ip_address

import pytest

from ovsnet.control.multicast.memberships import LINGER, MAX_GROUPS, MOST_MESSAGES, Memberships
from ovsnet.model.ids import EndpointId
from ovsnet.model.listening import EVERYTHING, MUTED, NOTHING, to_groups
from ovsnet.pipeline.membership import Said

pytestmark = pytest.mark.row(67)
ONE, TWO, THREE = (EndpointId(it * 64) for it in "123")
GROUP, OTHER = ip_address("239.1.2.3"), ip_address("ff05::123")
PERIOD, LIFE = 125.0, 260.0
JOIN, LEAVE = Said(groups=((GROUP, True),)), Said(groups=((GROUP, False),))


def known(*endpoints: EndpointId) -> Memberships:
    memberships = Memberships(PERIOD)
    for it in endpoints or (ONE,):
        memberships.recall(it, NOTHING, 0.0)
    return memberships


def test_a_group_is_listened_to_from_the_first_report_on() -> None:
    memberships = known(ONE, TWO)
    memberships.take(ONE, JOIN, 1.0)
    assert memberships.listening(ONE, 1.0) == to_groups([GROUP])
    assert memberships.listening(TWO, 1.0) == NOTHING


def test_two_queries_may_go_unanswered_less_one() -> None:
    memberships = known()
    memberships.take(ONE, JOIN, 0.0)
    assert memberships.life == LIFE
    assert memberships.next_end(0.0) == LIFE
    memberships.expire(LIFE - 1)
    assert memberships.listening(ONE, LIFE - 1) == to_groups([GROUP])
    memberships.expire(LIFE)
    assert memberships.listening(ONE, LIFE) == NOTHING


def test_a_report_renews() -> None:
    memberships = known()
    memberships.take(ONE, JOIN, 0.0)
    memberships.take(ONE, JOIN, 200.0)
    memberships.expire(LIFE)
    assert memberships.listening(ONE, LIFE) == to_groups([GROUP])


def test_who_leaves_is_left_out_soon_and_not_at_once() -> None:
    memberships = known()
    memberships.take(ONE, JOIN, 0.0)
    memberships.take(ONE, LEAVE, 10.0)
    memberships.expire(10.0)
    assert memberships.listening(ONE, 10.0) == to_groups([GROUP])
    assert memberships.next_end(10.0) == 10.0 + LINGER
    memberships.expire(10.0 + LINGER)
    assert memberships.listening(ONE, 10.0 + LINGER) == NOTHING


def test_who_leaves_and_joins_again_is_not_cut_off() -> None:
    memberships = known()
    for now, message in ((0.0, JOIN), (1.0, LEAVE), (1.5, JOIN)):
        memberships.take(ONE, message, now)
    memberships.expire(100.0)
    assert memberships.listening(ONE, 100.0) == to_groups([GROUP])


def test_what_goes_to_all_anyway_is_not_counted() -> None:
    memberships = known()
    memberships.take(ONE, Said(groups=((ip_address("224.0.0.251"), True), (ip_address("ff02::1:ff00:1"), True))), 0.0)
    assert memberships.listening(ONE, 0.0) == NOTHING


def test_who_asks_gets_everything_and_later_what_it_listens_to() -> None:
    memberships = known()
    memberships.take(ONE, Said(asks=True), 0.0)
    memberships.take(ONE, JOIN, 100.0)
    assert memberships.listening(ONE, LIFE - 1) == EVERYTHING
    memberships.expire(LIFE)
    assert memberships.listening(ONE, LIFE) == to_groups([GROUP])


def test_who_listens_to_too_much_gets_everything() -> None:
    memberships = known()
    many = [(ip_address("239.0.0.0") + it, True) for it in range(MAX_GROUPS + 1)]
    memberships.take(ONE, Said(groups=tuple(many[:-1])), 0.0)
    assert len(memberships.listening(ONE, 0.0).groups) == MAX_GROUPS
    memberships.take(ONE, Said(groups=tuple(many)), 0.0)
    assert memberships.listening(ONE, 0.0) == EVERYTHING


def test_who_says_too_much_is_not_heard_for_a_while_and_gets_everything() -> None:
    memberships = known(ONE, TWO)
    for _ in range(MOST_MESSAGES):
        memberships.take(ONE, JOIN, 0.5)
    assert memberships.listening(ONE, 0.5) == to_groups([GROUP])
    memberships.take(ONE, JOIN, 0.5)
    assert memberships.listening(ONE, 0.5) == MUTED
    assert memberships.listening(TWO, 0.5) == NOTHING
    for now in range(1, MOST_MESSAGES):  # one a second is not too much
        memberships.take(TWO, JOIN, float(now))
    assert memberships.listening(TWO, float(MOST_MESSAGES)) == to_groups([GROUP])
    # Then it is heard again, and asked before it is believed.
    memberships.expire(0.5 + 2 * LIFE)
    assert memberships.listening(ONE, 0.5 + LIFE) == EVERYTHING
    assert memberships.listening(ONE, 0.5 + 2 * LIFE) == NOTHING


def test_a_new_process_begins_with_what_was_written_down() -> None:
    memberships = Memberships(PERIOD)
    memberships.recall(ONE, to_groups([GROUP, OTHER]), 1000.0)
    memberships.recall(TWO, EVERYTHING, 1000.0)
    memberships.recall(THREE, MUTED, 1000.0)
    assert memberships.listening(THREE, 1000.0) == MUTED
    assert memberships.listening(ONE, 1000.0) == to_groups([OTHER, GROUP])
    assert memberships.listening(TWO, 1000.0 + LIFE - 1) == EVERYTHING
    assert memberships.listening(TWO, 1000.0 + LIFE) == NOTHING
    memberships.take(ONE, JOIN, 1100.0)
    memberships.expire(1000.0 + LIFE)
    assert memberships.listening(ONE, 1000.0 + LIFE) == to_groups([GROUP])


def test_an_endpoint_that_is_gone_is_forgotten() -> None:
    memberships = known(ONE, TWO)
    memberships.take(ONE, JOIN, 0.0)
    memberships.keep({TWO})
    assert memberships.next_end(0.0) is None
    memberships.recall(ONE, NOTHING, 1.0)
    assert memberships.listening(ONE, 1.0) == NOTHING
