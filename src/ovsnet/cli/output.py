"""Tables for people, JSON for programs. One renderer for all verbs.

A terminal gets a drawn table; a pipe gets columns separated by two or more spaces, with the same words.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass

import click
import msgspec


@dataclass(frozen=True, slots=True)
class Table:
    """Heads and rows of text."""

    heads: Sequence[str]
    rows: Sequence[Sequence[str]]
    empty: str
    """What to say instead when there are no rows."""


def show_json(body: bytes) -> None:
    """The answer of the API, made readable."""
    click.echo(msgspec.json.format(body, indent=2))


def show_table(table: Table) -> None:
    """To a terminal or to a pipe."""
    if not table.rows:
        click.echo(table.empty)
    elif sys.stdout.isatty():
        _draw(table)
    else:
        click.echo(plain(table))


def plain(table: Table) -> str:
    """Columns aligned by spaces; an empty cell is `-`, so that every row has the same number of words or
    groups.
    """
    rows = [[_cell(it) for it in row] for row in (table.heads, *table.rows)]
    widths = [max(len(it) for it in column) for column in zip(*rows, strict=True)]
    lines = ("  ".join(it.ljust(width) for it, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(it.rstrip() for it in lines)


def duration(seconds: float) -> str:
    """In words of two units at most: `3 d 4 h`, `12 min 5 s`, `0.4 s`."""
    whole = int(seconds)
    for size, unit, smaller, smaller_unit in (
        (86400, "d", 3600, "h"),
        (3600, "h", 60, "min"),
        (60, "min", 1, "s"),
    ):
        if whole >= size:
            return f"{whole // size} {unit} {whole % size // smaller} {smaller_unit}"
    return f"{seconds:.1f} s"


def _cell(text: str) -> str:
    return text or "-"


def _draw(table: Table) -> None:
    # Only here: half of the start-up time of a verb would be spent on it when the output goes into a pipe.
    from rich.box import SIMPLE_HEAD  # noqa: PLC0415
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table as Drawing  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    drawing = Drawing(box=SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for head in table.heads:
        drawing.add_column(head, overflow="fold")
    for row in table.rows:
        drawing.add_row(*(Text(_cell(it)) for it in row))
    Console().print(drawing)
