"""A report for a person at a terminal: ratios first, then the figures, then what is missing.

A table that is wider than the terminal goes on below with the next columns.
"""

import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

from rich import box
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from ovsnet.bench.groups import groups
from ovsnet.bench.report import Quantity, Report
from ovsnet.bench.stats import Spread, advantage, spread

DIGITS = 3
MISSING = "not measured: "
LONG = 150
"""Characters of what says what is missing and why, two lines of a terminal; the whole of it is in the JSON."""
COLUMN = 13
"""Characters of a column with its space: "0.0123 ±>99%"."""
TINY = 0.1
"""Below it two decimals say too little."""

Cell = Callable[[Quantity, str], Text]


def show(report: Report, console: Console) -> None:
    """All of it."""
    for part in _parts(report, console.width):
        console.print(part)


def _parts(report: Report, width: int) -> Iterator[RenderableType]:
    for mine in (it for it in report.ours if it in report.measured):
        # Ours among themselves once: against the chief one.
        others = report.peers if mine != report.ours[0] else [it for it in report.subjects if it != mine]
        if peers := [it for it in report.measured if it in others]:
            yield Text(
                f"{report.bench}: {mine} is so many times as good as … (above 1: {mine} is better)", style="bold"
            )
            yield from _tables(report, peers, width, partial(_ratio, report, mine))
    if report.measured:
        rounds = max(len(it.values) for it in report.series)
        yield Text(f"{report.bench}: median of {rounds}, ± half of what is between lowest and highest", style="bold")
        yield from _tables(report, report.measured, width, partial(_figure, report))
    for line in missing_lines(report):
        yield Text(MISSING + line, style="dim")
    for limit in report.limits:
        yield Text(f"note: {limit}", style="dim")
    yield Text(", ".join(f"{key} {value}" for key, value in report.facts.items()), style="dim")


def _tables(report: Report, columns: Sequence[str], width: int, cell: Cell) -> Iterator[Table]:
    """One, or as many as the width asks for."""
    names = max(len(named(it)) for it in report.quantities)
    fits = max(1, (width - names - 2) // COLUMN)
    for first in range(0, len(columns), fits):
        yield _table(groups(report), columns[first : first + fits], cell)


def _table(grouped: Mapping[str, Sequence[Quantity]], columns: Sequence[str], cell: Cell) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("", no_wrap=True)
    for it in columns:
        table.add_column(Text(it), justify="right", width=COLUMN - 1)
    for name, quantities in grouped.items():
        table.add_row(Text(name, style="italic"))
        for quantity in quantities:
            cells = [cell(quantity, it) for it in columns]
            if any(it.plain for it in cells):
                table.add_row(Text(named(quantity)), *cells)
        table.add_section()
    return table


def named(quantity: Quantity) -> str:
    """With its unit, and an arrow where less is better."""
    return f"{quantity.name} [{quantity.unit}]" if quantity.unit else quantity.name


def _ratio(report: Report, mine: str, quantity: Quantity, peer: str) -> Text:
    found = advantage(report.values(quantity.name, mine), report.values(quantity.name, peer), quantity.better)
    if found is None:
        return Text("")
    style = "green" if found.low > 1 else "red" if found.high < 1 else ""
    return Text(spread_text(found, ratio_number), style=style)


def _figure(report: Report, quantity: Quantity, subject: str) -> Text:
    values = report.values(quantity.name, subject)
    return Text(spread_text(spread(values)) if values else "")


def ratio_text(report: Report, mine: str, quantity: Quantity, peer: str) -> str:
    """How many times as good, with the spread; empty where one of them was not measured."""
    return _ratio(report, mine, quantity, peer).plain


def spread_text(it: Spread, number: Callable[[float], str] | None = None) -> str:
    """The median, and half of the range in percent of it."""
    median = (number or number_text)(it.median)
    if not it.median or it.high == it.low:
        return median
    percent = 50 * (it.high - it.low) / it.median
    return f"{median} ±{percent:.0f}%" if percent < 99.5 else f"{median} ±>99%"


def ratio_number(value: float) -> str:
    """Two decimals, or two digits where these would say too little."""
    return f"{value:.2f}" if value >= TINY else f"{value:.2g}"


def number_text(value: float) -> str:
    """Three digits, and never an exponent for what a person reads as a number."""
    if value == int(value) or 999.5 <= abs(value) < 1e7:
        return f"{value:.0f}"
    return f"{value:#.{DIGITS}g}".rstrip(".")


def missing_lines(report: Report) -> list[str]:
    """What was not measured: subject, quantities, reason; those of one subject and one reason in one line."""
    found: dict[tuple[str, str], list[str]] = {}
    for it in report.missing:
        found.setdefault((it.subject, it.reason), []).append(it.quantity)
    lines = (_missing_line(subject, quantities, reason) for (subject, reason), quantities in found.items())
    return [textwrap.shorten(it, LONG, placeholder=" …") for it in lines]


def _missing_line(subject: str, quantities: Sequence[str], reason: str) -> str:
    wanted = list(dict.fromkeys(it for it in quantities if it))
    what = f"{wanted[0]}{f' and {len(wanted) - 1} more' if len(wanted) > 1 else ''}" if wanted else ""
    # An error names whom it is about, which is said before it already.
    why = reason.removeprefix(f"{subject} is not available: ").removeprefix(f"{subject}: ").removeprefix("bench: ")
    return f"{': '.join(it for it in (subject, what) if it)}: {why}"
