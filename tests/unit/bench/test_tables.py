"""A report at a terminal: ratios first, and nothing is cut off at 80, 100 or 200 columns."""

import msgspec
import pytest

from ovsnet.bench.report import Missing
from ovsnet.bench.stats import Spread
from ovsnet.bench.tables import missing_lines, number_text, ratio_number, show, spread_text
from tests.unit.bench.reports import COST, DELAY, RATE, VETH, report
from tests.unit.bench.terminal import shown


@pytest.mark.parametrize("width", [60, 80, 100, 200])
def test_all_numbers_are_there_at_every_width(width: int) -> None:
    text = shown(lambda console: show(report(), console), width=width)
    for number in ("2.00 ±10%", "2.20 ±9%", "0.50", "20 ±10%", "110 ±9%", "31 ±3%", "15.5 ±3%"):
        assert number in text, text
    assert max(map(len, text.splitlines())) <= width


def test_ratios_come_first_and_rows_of_a_group_stand_together() -> None:
    text = shown(lambda console: show(report(), console), width=100)
    order = [
        "above 1",
        "Throughput",
        RATE.name,
        "Time",
        DELAY.name,
        "Processor time",
        COST.name,
        "median of 3",
        "20 ±10%",
    ]
    places = [text.index(it) for it in order]
    assert places == sorted(places), text
    assert "[ms/Gbit]" in text


def test_what_is_missing_is_one_line_for_subject_and_reason() -> None:
    assert missing_lines(report()) == [
        "ovsnet internal port: it is not available",
        f"{VETH}: {RATE.name} and 1 more: x failed",
    ]


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (16.0, "16"), (16.04, "16.0"), (123456.7, "123457"), (0.01234, "0.0123"), (999.7, "1000")],
)
def test_numbers_have_three_digits(value: float, text: str) -> None:
    assert number_text(value) == text


def test_a_spread_is_half_of_the_way_from_lowest_to_highest() -> None:
    assert spread_text(Spread(10.0, 9.0, 11.0)) == "10 ±10%"
    assert spread_text(Spread(10.0, 10.0, 10.0)) == "10"
    assert spread_text(Spread(0.0, 0.0, 1.0)) == "0"
    assert spread_text(Spread(1.0, 0.1, 9.0)) == "1 ±>99%"
    assert spread_text(Spread(0.0123, 0.0123, 0.0123), ratio_number) == "0.012"


def test_a_long_reason_is_cut_after_two_lines() -> None:
    wordy = msgspec.structs.replace(report(), missing=[Missing(subject=VETH, reason="word " * 100)])
    lines = [it for it in shown(lambda console: show(wordy, console), width=100).splitlines() if "word" in it]
    assert len(lines) == 2
    assert lines[-1].rstrip().endswith("…")
