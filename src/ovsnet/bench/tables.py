"""A report for a person at a terminal: ratios first, then the figures, then what is missing."""

from collections.abc import Iterator

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from ovsnet.bench.report import Quantity, Report
from ovsnet.bench.stats import advantage, spread

DIGITS = 3


def show(report: Report, console: Console) -> None:
    """All of it."""
    console.print(Group(*_parts(report)))


def _parts(report: Report) -> Iterator[RenderableType]:
    for mine in report.ours:
        yield _ratios(report, mine)
    yield _figures(report)
    for it in report.missing:
        what = ": ".join(part for part in (it.subject, it.quantity) if part)
        yield Text(f"not measured: {what}: {it.reason}", style="dim")
    for limit in report.limits:
        yield Text(f"note: {limit}", style="dim")
    yield Text(", ".join(f"{key} {value}" for key, value in report.facts.items()), style="dim")


def _ratios(report: Report, mine: str) -> Table:
    peers = [it for it in report.subjects if it != mine and any(it == series.subject for series in report.series)]
    table = Table("quantity", *peers, title=f"{report.bench}: {mine} against … (above 1: {mine} is better)")
    for quantity in report.quantities:
        table.add_row(quantity.name, *(ratio_text(report, quantity, mine, peer) for peer in peers))
    return table


def ratio_text(report: Report, quantity: Quantity, mine: str, peer: str) -> str:
    """How many times as good, with the spread; empty where one of them was not measured."""
    found = advantage(report.values(quantity.name, mine), report.values(quantity.name, peer), quantity.better)
    return f"{found.median:.2f} ({found.low:.2f} … {found.high:.2f})" if found else ""


def _figures(report: Report) -> Table:
    subjects = [it for it in report.subjects if any(it == series.subject for series in report.series)]
    table = Table("quantity", "unit", *subjects, title="median (lowest … highest)")
    for quantity in report.quantities:
        cells = (figure_text(report.values(quantity.name, it)) for it in subjects)
        table.add_row(quantity.name, quantity.unit, *cells)
    return table


def figure_text(values: list[float]) -> str:
    """The median with the spread; empty without values."""
    if not values:
        return ""
    found = spread(values)
    return f"{found.median:.{DIGITS}g} ({found.low:.{DIGITS}g} … {found.high:.{DIGITS}g})"
