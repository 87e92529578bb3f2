"""Taking turns: order, what counts, and what happens when something fails."""

import asyncio
from collections.abc import Mapping

from ovsnet.bench.report import Better, Missing, Quantity
from ovsnet.bench.tally import Step, Tally, part, take_turns
from ovsnet.model.errors import OvsnetError

TIME = Quantity("time", "ms", Better.LOWER)


class Log:
    """Steps that say when they were taken, and give the count of steps so far."""

    def __init__(self, *, failing: str = "", from_call: int = 0) -> None:
        self.taken: list[str] = []
        self._failing, self._from_call = failing, from_call

    def step(self, subject: str) -> Step:
        async def measure() -> Mapping[str, float]:
            self.taken.append(subject)
            if subject == self._failing and self.taken.count(subject) >= self._from_call:
                raise OvsnetError("it broke")
            return {TIME.name: len(self.taken)}

        return Step(subject, [TIME], measure)


def turns(log: Log, *subjects: str, rounds: int) -> Tally:
    tally = Tally()
    asyncio.run(take_turns([log.step(it) for it in subjects], rounds, tally, lambda _what, _done: None))
    return tally


def values(tally: Tally) -> dict[str, list[float]]:
    return {it.subject: it.values for it in tally.series}


def test_subjects_take_turns_and_every_other_round_is_the_other_way_round() -> None:
    log = Log()
    turns(log, "a", "b", "c", rounds=2)
    assert "".join(log.taken) == "abccbaabc"


def test_the_first_round_does_not_count() -> None:
    assert values(turns(Log(), "a", "b", rounds=2)) == {"a": [4, 5], "b": [3, 6]}


def test_what_fails_is_left_out_from_there_on_and_it_is_said_why() -> None:
    log = Log(failing="b", from_call=3)
    tally = turns(log, "a", "b", rounds=4)
    assert log.taken.count("b") == 3
    assert [len(it) for it in values(tally).values()] == [1, 4]
    assert tally.missing == [Missing(subject="b", quantity="time", reason="it broke")]


def test_a_quantity_without_a_value_is_not_shown() -> None:
    assert turns(Log(failing="a"), "a", rounds=1).quantities == []


def test_progress_of_a_part_is_within_the_whole() -> None:
    told: list[float] = []
    half = part(lambda _what, done: told.append(done), 0.5, 1.0)
    half("", 0.0)
    half("", 0.5)
    assert told == [0.5, 0.75]
