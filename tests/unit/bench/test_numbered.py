"""What is read from fping's lines."""

import pytest

from ovsnet.bench.numbered import Heard, heard

CAME = "[{when}] 10.0.0.2 : [{number}], 64 bytes, 0.006 ms (0.008 avg, 0% loss)\n"
LOST = "[{when}] 10.0.0.2 : [{number}], timed out (NaN avg, 50% loss)\n"


def test_the_longest_time_without_an_answer_and_the_lost_ones() -> None:
    lines = [
        CAME.format(when="100.001", number=0),
        CAME.format(when="100.002", number=1),
        LOST.format(when="101.003", number=2),
        LOST.format(when="101.004", number=3),
        CAME.format(when="100.052", number=4),
        CAME.format(when="100.053", number=5),
        "\n",
        "10.0.0.2 : xmt/rcv/%loss = 6/4/33%, min/avg/max = 0.006/0.008/0.010\n",
    ]
    found = heard(lines)
    assert found.lost == 2
    assert found.gap == pytest.approx(50.0)


def test_nothing_heard_has_no_gap() -> None:
    assert heard([LOST.format(when="1.0", number=0)]) == Heard(0, 0.0)
