"""A report is one file for all: it comes back from JSON as it was, and CSV has a line for each value."""

import csv
import io

import pytest

from ovsnet.bench.report import Missing, from_json, to_csv, to_json
from ovsnet.model.errors import BadRequest
from tests.unit.bench.reports import BRIDGE, INTERNAL, OURS, RATE, VETH, report


def test_a_report_comes_back_from_json_as_it_was() -> None:
    assert from_json(to_json(report()), "x.json") == report()


def test_csv_has_a_line_for_each_value_of_each_round() -> None:
    lines = list(csv.DictReader(io.StringIO(to_csv(report()))))
    assert len(lines) == 18
    assert lines[1] == {
        "bench": "connection",
        "quantity": RATE.name,
        "unit": "Gbit/s",
        "better": "higher",
        "subject": OURS,
        "round": "2",
        "value": "20.0",
    }


@pytest.mark.parametrize("text", ["", "{}", "[1]", "\x00", '{"bench": 1}'])
def test_what_is_no_report_is_refused_by_name(text: str) -> None:
    with pytest.raises(BadRequest, match=r"a\.json is not a report of ovsnet bench"):
        from_json(text, "a.json")


def test_another_form_is_refused() -> None:
    with pytest.raises(BadRequest, match=r"a\.json has form 99"):
        from_json(to_json(report()).replace('"form": 1', '"form": 99'), "a.json")


def test_what_was_measured_is_known_and_a_reason_is_one_line() -> None:
    assert report().measured == [OURS, BRIDGE, VETH]
    assert report().peers == [BRIDGE, VETH]
    assert Missing(subject=INTERNAL, reason="it\n  is\tnot ").reason == "it is not"
