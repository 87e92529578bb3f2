"""The words for how an interface is slowed down, and back."""

import pytest

from ovsnet.model.shaping import UNSHAPED, Shape, parse_delay, parse_loss, parse_rate, words_of

pytestmark = pytest.mark.row(33)


@pytest.mark.parametrize(
    ("rate", "loss", "delay", "shape"),
    [
        ("", "", "", UNSHAPED),
        ("0", "0", "0", UNSHAPED),
        ("100mbit", "30%", "50ms", Shape(100_000_000, 30, 50_000)),
        ("1.5Gbit", "0.1%", "50ms 10ms", Shape(1_500_000_000, 0.1, 50_000, 10_000)),
        ("8kbit", "100%", "1.5s 250us", Shape(8000, 100, 1_500_000, 250)),
    ],
)
def test_words_are_those_of_tc(rate: str, loss: str, delay: str, shape: Shape) -> None:
    found = Shape(parse_rate(rate), parse_loss(loss), *parse_delay(delay))
    assert found == shape
    told = words_of(found)
    assert Shape(parse_rate(told[0]), parse_loss(told[1]), *parse_delay(told[2])) == shape
