"""Figures: a PNG and an SVG for each group, of the size of a slide, the same bytes each time, with what they tell."""

import re
import struct
from pathlib import Path

import msgspec

from ovsnet.bench.delivery import draw
from ovsnet.bench.report import Better, Quantity, Series
from tests.unit.bench.reports import BRIDGE, OURS, RATE, report


def test_each_group_is_one_figure_of_both_kinds(tmp_path: Path) -> None:
    written = draw(report(), tmp_path / "new")
    assert sorted(it.name for it in written) == sorted(it.name for it in (tmp_path / "new").iterdir())
    assert {it.stem for it in written} == {
        "connection-throughput",
        "connection-time",
        "connection-processor-time",
    }
    for path in (it for it in written if it.suffix == ".png"):
        head = path.read_bytes()[:24]
        assert head.startswith(b"\x89PNG\r\n")
        assert struct.unpack(">II", head[16:]) == (1280, 720)


def test_a_figure_says_what_it_shows_and_which_direction_is_good(tmp_path: Path) -> None:
    draw(report(), tmp_path)
    text = (tmp_path / "connection-throughput.svg").read_text()
    words = [it.strip() for it in re.findall(r"<text[^>]*>([^<]*)</text>", text)]
    assert "Throughput (connection, kernel datapath): longer is better" in words
    assert f"{RATE.name} (Gbit/s)" in words
    assert {OURS, BRIDGE, "20"} <= set(words)
    assert any("10" in it and "(x 2.00)" in it for it in words)
    assert any("kernel 6.1" in it for it in words)
    assert "shorter is better" in (tmp_path / "connection-time.svg").read_text()


def test_the_same_report_gives_the_same_bytes(tmp_path: Path) -> None:
    first, second = (draw(report(), tmp_path / it) for it in ("1", "2"))
    assert [it.read_bytes() for it in first] == [it.read_bytes() for it in second]


def test_many_quantities_are_spread_over_several_figures(tmp_path: Path) -> None:
    many = [Quantity(f"start, {number} there", "ms", Better.LOWER) for number in range(7)]
    values = [Series(quantity=it.name, subject=OURS, values=[0.0]) for it in many]
    crowded = msgspec.structs.replace(report(), quantities=many, series=values)
    assert [it.name for it in draw(crowded, tmp_path, "x", ("svg",))] == ["x-time-1.svg", "x-time-2.svg"]


def test_a_report_without_figures_draws_none(tmp_path: Path) -> None:
    assert draw(msgspec.structs.replace(report(), quantities=[], series=[]), tmp_path) == []
