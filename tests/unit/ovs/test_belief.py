"""What the applier believes, against what it is told."""

import pytest

from ovsnet.ovs.belief import Belief
from ovsnet.ovs.flowtext import FlowReport, GroupReport, Report
from ovsnet.pipeline.cookies import GROUP_FIRST, Feature, cookie
from ovsnet.pipeline.flow import Flow, Group, Resource

MARK = cookie(Feature.BASE)
WORDY = Flow(1, 5, "dl_type=0x0800", "load:1->NXM_NX_REG6[]", MARK)
TERSE = Flow(1, 5, "ip", "load:0x1->NXM_NX_REG6[]", MARK)
GROUP = Group(GROUP_FIRST, ("output:1",))


@pytest.fixture
def belief() -> Belief:
    """One flow in words that are not the switch's, and one group."""
    it = Belief()
    it.written({WORDY.key: WORDY, GROUP.key: GROUP})
    it.read(WORDY.key, TERSE)
    it.read(GROUP.key, GROUP)
    return it


def dump(*resources: Resource) -> dict[str, Resource]:
    return {it.key: it for it in resources}


def test_a_dump_in_other_words_is_no_news(belief: Belief) -> None:
    assert not belief.corrected(dump(TERSE, GROUP))
    assert belief.have == dump(WORDY, GROUP)


def test_a_changed_flow_is_shown_under_its_wanted_key(belief: Belief) -> None:
    changed = Flow(1, 5, "ip", "drop", MARK)
    assert belief.corrected(dump(changed, GROUP))
    assert belief.have[WORDY.key] == changed


def test_a_missing_flow_is_forgotten(belief: Belief) -> None:
    assert belief.corrected(dump(GROUP))
    assert belief.have == dump(GROUP)


def test_a_stranger_is_shown_under_its_own_key(belief: Belief) -> None:
    stranger = Flow(9, 1, "", "drop", MARK)
    assert belief.corrected(dump(TERSE, GROUP, stranger))
    assert belief.have[stranger.key] == stranger
    assert belief.strangers


def test_an_equal_stranger_is_adopted() -> None:
    belief = Belief()
    belief.corrected(dump(TERSE))
    assert belief.adopt({WORDY.key: WORDY}, {WORDY.key: TERSE}) == {WORDY.key}
    assert belief.have == dump(WORDY)
    assert not belief.strangers
    assert not belief.corrected(dump(TERSE))


def test_a_different_stranger_in_a_wanted_place_makes_room() -> None:
    belief = Belief()
    belief.corrected(dump(Flow(1, 5, "ip", "drop", MARK)))
    assert belief.adopt({WORDY.key: WORDY}, {WORDY.key: TERSE}) == frozenset()
    assert belief.have == {}


FLOW_AS_BELIEVED = FlowReport(False, 1, "ip", TERSE.actions, MARK)


@pytest.mark.parametrize(
    "report",
    [
        FLOW_AS_BELIEVED,
        FlowReport(True, 1, "ip", "drop", MARK),
        FlowReport(True, 1, "ip", "drop", 0x99),
        FlowReport(False, 1, "tcp", "drop", 0x99),
        GroupReport("ADD", GROUP),
        GroupReport("DEL", Group(GROUP_FIRST + 1, ())),
        GroupReport("MOD", Group(5, ("output:7",))),
    ],
    ids=str,
)
def test_an_echo_of_what_is_believed_is_no_news(belief: Belief, report: Report) -> None:
    assert belief.agrees_with([report])


@pytest.mark.parametrize(
    "report",
    [
        FlowReport(True, 1, "ip", TERSE.actions, MARK),
        FlowReport(False, 1, "ip", "drop", MARK),
        FlowReport(False, 1, "ip", TERSE.actions, MARK + 1),
        FlowReport(False, 1, "ip", TERSE.actions, 0x99),
        FlowReport(False, 2, "ip", TERSE.actions, MARK),
        GroupReport("MOD", Group(GROUP_FIRST, ())),
        GroupReport("ADD", Group(GROUP_FIRST + 1, ())),
        GroupReport("DEL", GROUP),
        GroupReport("DEL", None),
        None,
    ],
    ids=str,
)
def test_anything_else_is_news(belief: Belief, report: Report | None) -> None:
    assert not belief.agrees_with([FLOW_AS_BELIEVED, report])


def test_the_same_match_in_two_priorities_is_two_flows(belief: Belief) -> None:
    other = Flow(1, 6, "ip", "drop", MARK)
    belief.written(dump(other))
    belief.read(other.key, other)
    belief.forget(other.key)
    assert belief.agrees_with([FLOW_AS_BELIEVED, FlowReport(True, 1, "ip", "drop", MARK)])
