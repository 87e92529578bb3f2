"""How sizes are written."""

import pytest

from ovsnet.bench.options import numbers
from ovsnet.model.errors import BadRequest


def test_whole_numbers_with_commas() -> None:
    assert numbers("--filled", "0,100,1000") == [0, 100, 1000]


@pytest.mark.parametrize("text", ["", "x", "1,,2", "-1", "5,1", "1,1"])
def test_anything_else_is_refused_with_its_name(text: str) -> None:
    with pytest.raises(BadRequest, match="--filled"):
        numbers("--filled", text)
