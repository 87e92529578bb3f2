"""The flows of named situations, as text a person can read."""

import pytest

from tests.unit.pipeline.scenarios import GOLDEN, SCENARIOS, text


@pytest.mark.parametrize("name", SCENARIOS)
def test_flows_are_those_written_down(name: str) -> None:
    assert text(name) == (GOLDEN / f"{name}.txt").read_text(encoding="utf-8")


def test_every_file_belongs_to_a_scenario() -> None:
    assert {path.stem for path in GOLDEN.iterdir()} == set(SCENARIOS)
